use crate::client::*;
use serde_json::{Value, json};

const UNIT: usize = 320 << 10;
const FILES: &str = "openid profile User.Read Chat.ReadWrite Team.ReadBasic.All Channel.ReadBasic.All ChannelMessage.Send Files.ReadWrite.All";

async fn somebody<'a>(world: &'a World, who: &str, scope: &str) -> Person<'a> {
    let tokens = world.tokens(&format!("{who}@contoso.com"), scope).await;
    Person { world, token: tokens["access_token"].as_str().unwrap().to_string() }
}

impl Person<'_> {
    async fn raw(&self, method: &str, path: &str, body: &[u8]) -> Reply {
        let headers = [("authorization", format!("Bearer {}", self.token)), ("content-type", "application/octet-stream".to_string())];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        http(method, &format!("{}{path}", self.world.sim.graph()), &headers, body).await.unwrap()
    }
}

async fn range(url: &str, from: usize, part: &[u8], size: usize) -> std::io::Result<Reply> {
    let range = format!("bytes {from}-{}/{size}", from + part.len() - 1);
    http("PUT", url, &[("Content-Range", &range)], part).await
}

fn item(reply: &Reply) -> String {
    let item = reply.json();
    format!("/drives/{}/items/{}", item["parentReference"]["driveId"].as_str().unwrap(), item["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_file_is_put_by_path_shared_and_fetched() {
    let world = world().await;
    world.control("/people", json!({"address": "adele@contoso.com", "admin": true})).await;
    world.control("/people", json!({"address": "alex@contoso.com", "admin": true})).await;
    let (adele, alex, megan) = (somebody(&world, "adele", FILES).await, somebody(&world, "alex", FILES).await, world.person("megan").await);
    let put = adele.raw("PUT", "/me/drive/root:/A%20b/c.pdf:/content", b"first").await;
    assert_eq!((put.status, &put.json()["name"], &put.json()["size"]), (201, &json!("c.pdf"), &json!(5)));
    let path = item(&put);
    // In its place, beside it, or not at all.
    let again = adele.raw("PUT", "/me/drive/root:/A%20b/c.pdf:/content", b"second").await;
    assert_eq!((again.status, &again.json()["id"]), (200, &put.json()["id"]));
    let beside = adele.raw("PUT", "/me/drive/root:/A%20b/c.pdf:/content?@microsoft.graph.conflictBehavior=rename", b"x").await;
    assert_eq!((beside.status, &beside.json()["name"]), (201, &json!("c 1.pdf")));
    let refused = adele.raw("PUT", "/me/drive/root:/A%20b/c.pdf:/content?@microsoft.graph.conflictBehavior=fail", b"x").await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "nameAlreadyExists"));
    assert_eq!(adele.raw("PUT", "/me/drive/root:/a%3Fb.txt:/content", b"x").await.status, 400);
    // Its address is told when it is asked for, and the id is that of its eTag.
    assert!(adele.get(&path).await.json()["webDavUrl"].is_null());
    let shown = adele.get(&format!("{path}?$select=id,name,eTag,webDavUrl")).await.json();
    assert!(shown["webDavUrl"].as_str().unwrap().ends_with("/Documents/A%20b/c.pdf") && shown["eTag"].as_str().unwrap().ends_with("},2\""), "{shown}");
    let by_path = adele.get("/me/drive/root:/A%20b/c.pdf").await;
    assert_eq!(by_path.json()["id"], put.json()["id"]);
    // Nobody else sees it, until it is shared.
    assert_eq!(alex.get(&path).await.status, 403);
    let people = world.control("/chats/list", json!({})).await;
    assert_eq!(people["items"], json!([]));
    let invite = |roles: Value| json!({"recipients": [{"email": "alex@contoso.com"}], "roles": roles, "requireSignIn": true, "sendInvitation": false});
    assert_eq!(adele.post(&format!("{path}/invite"), invite(json!(["owner"]))).await.status, 400);
    assert_eq!(adele.post(&format!("{path}/invite"), invite(json!(["read"]))).await.status, 200);
    let redirect = alex.get(&format!("{path}/content")).await;
    assert_eq!(redirect.status, 302);
    let fetched = http("GET", redirect.header("location").unwrap(), &[], b"").await.unwrap();
    assert_eq!((fetched.status, fetched.body.as_slice()), (200, b"second".as_slice()));
    assert_eq!(megan.get(&format!("{path}/content")).await.status, 403);
    assert_eq!(alex.send("PATCH", &path, Some(json!({"name": "mine.pdf"}))).await.status, 403);
    // Names.
    assert_eq!(adele.send("PATCH", &path, Some(json!({"name": "c 1.pdf"}))).await.code(), "nameAlreadyExists");
    assert_eq!(adele.send("PATCH", &path, Some(json!({"name": "d.pdf"}))).await.json()["name"], "d.pdf");
    assert_eq!(adele.send("DELETE", &path, None).await.status, 204);
    assert_eq!(adele.get(&path).await.code(), "itemNotFound");
    assert_eq!(world.accusations().await, [""; 0]);
}

#[tokio::test]
async fn a_large_file_comes_in_aligned_ranges() {
    let world = world().await;
    world.control("/people", json!({"address": "adele@contoso.com", "admin": true})).await;
    let adele = somebody(&world, "adele", FILES).await;
    let content: Vec<u8> = (0..UNIT * 3 + 5).map(|n| (n % 251) as u8).collect();
    let begin = async |behavior: &str| {
        let body = json!({"item": {"@microsoft.graph.conflictBehavior": behavior, "name": "big.bin"}});
        adele.post("/me/drive/root:/big.bin:/createUploadSession", body).await
    };
    let begun = begin("fail").await;
    assert_eq!((begun.status, &begun.json()["nextExpectedRanges"]), (200, &json!(["0-"])));
    let url = begun.json()["uploadUrl"].as_str().unwrap().to_string();
    assert_eq!(range(&url, 0, &content[..UNIT + 1], content.len()).await.unwrap().status, 400);
    let first = range(&url, 0, &content[..UNIT], content.len()).await.unwrap();
    assert_eq!((first.status, &first.json()["nextExpectedRanges"]), (202, &json!([format!("{UNIT}-")])));
    assert_eq!(range(&url, 0, &content[..UNIT], content.len()).await.unwrap().status, 416);
    // Of a connection that breaks in between, whole units stay.
    world.control("/faults", json!({"match": {"method": "PUT", "path": "uploadSession"}, "times": 1, "do": {"cut_request": UNIT + 77}})).await;
    assert!(range(&url, UNIT, &content[UNIT..UNIT * 3], content.len()).await.is_err());
    assert_eq!(http("GET", &url, &[], b"").await.unwrap().json()["nextExpectedRanges"], json!([format!("{}-", UNIT * 2)]));
    let last = range(&url, UNIT * 2, &content[UNIT * 2..], content.len()).await.unwrap();
    assert_eq!((last.status, &last.json()["size"]), (201, &json!(content.len())));
    assert_eq!(http("GET", &url, &[], b"").await.unwrap().status, 404);
    assert_eq!(begin("fail").await.code(), "nameAlreadyExists");
    // Renamed at its end.
    let url = begin("rename").await.json()["uploadUrl"].as_str().unwrap().to_string();
    assert_eq!(range(&url, 0, b"x", 1).await.unwrap().json()["name"], "big 1.bin");
    // Over after its time; a token is not for it.
    let url = begin("replace").await.json()["uploadUrl"].as_str().unwrap().to_string();
    assert_eq!(http("GET", &url, &[("authorization", "Bearer x")], b"").await.unwrap().status, 401);
    world.advance(7_200_000).await;
    assert_eq!(range(&url, 0, b"x", 1).await.unwrap().status, 404);
    assert_eq!(world.accusations().await, ["token_leak"]);
}

#[tokio::test]
async fn messages_refer_to_files_that_are_there_and_drives_have_their_limits() {
    let world = world().await;
    world.control("/people", json!({"address": "adele@contoso.com", "admin": true})).await;
    let adele = somebody(&world, "adele", FILES).await;
    let team = world.control("/teams", json!({"name": "Hiring", "members": ["adele@contoso.com"]})).await;
    let channel = format!("/teams/{}/channels/{}", team["id"].as_str().unwrap(), team["channels"][0]["id"].as_str().unwrap());
    let folder = adele.get(&format!("{channel}/filesFolder")).await;
    assert_eq!((folder.status, &folder.json()["name"]), (200, &json!("General")));
    let put = adele.raw("PUT", &format!("{}:/cv.xlsx:/content", item(&folder)), b"cv").await;
    let shown = adele.get(&format!("{}?$select=eTag,webUrl,webDavUrl", item(&put))).await.json();
    let guid = shown["eTag"].as_str().unwrap().trim_matches('"').trim_start_matches('{').split('}').next().unwrap().to_lowercase();
    let post = async |id: &str, url: &Value| {
        let attachment = json!({"id": id, "contentType": "reference", "contentUrl": url, "name": "cv.xlsx"});
        adele.post(&format!("{channel}/messages"), json!({"body": {"contentType": "html", "content": format!("<attachment id=\"{id}\"></attachment>")}, "attachments": [attachment]})).await
    };
    assert_eq!(post(&guid, &shown["webDavUrl"]).await.status, 201);
    world.advance(1000).await;
    let other = "153fa47d-18c9-4179-be08-9879815a9f90";
    assert!(post(other, &shown["webDavUrl"]).await.json()["error"]["message"].as_str().unwrap().contains("Failed to process content"));
    // The page that shows it is not the file.
    let page = post(&guid, &json!(shown["webDavUrl"].as_str().unwrap().replace(".xlsx", ".xlsx&action=default"))).await;
    assert!(page.json()["error"]["message"].as_str().unwrap().contains("do not match"), "{}", page.json());
    assert_ne!(shown["webUrl"], shown["webDavUrl"]);
    world.control("/drives/change", json!({"person": "adele@contoso.com", "quota": 3})).await;
    assert_eq!(adele.raw("PUT", "/me/drive/root:/a.txt:/content", b"four").await.code(), "quotaLimitReached");
    world.control("/drives/change", json!({"person": "adele@contoso.com", "quota": 30, "locked": true})).await;
    assert_eq!(adele.raw("PUT", "/me/drive/root:/a.txt:/content", b"four").await.status, 423);
    world.control("/people", json!({"address": "adele@contoso.com", "onedrive": false})).await;
    let none = adele.raw("PUT", "/me/drive/root:/a.txt:/content", b"four").await;
    assert_eq!((none.status, &none.json()["error"]["message"]), (404, &json!("User's mysite not found.")));
    let small = somebody(&world, "alex", "openid User.Read Chat.ReadWrite").await;
    assert_eq!(small.get("/me/drive").await.status, 403);
}
