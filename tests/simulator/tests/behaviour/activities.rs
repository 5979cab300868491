//! What the endpoint of a bot is posted.

use crate::bots::{APP, Bot};
use crate::client::*;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const ADELE: &str = "adele@contoso.com";

fn unbase64(text: &str) -> Vec<u8> {
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Header and claims of the token of a post, if its signature is by a key of the list.
async fn proven(world: &World, post: &Value) -> Option<(Value, Value)> {
    let metadata = http("GET", &format!("{}/v1/.well-known/openidconfiguration", world.sim.bot()), &[], b"").await.unwrap().json();
    assert_eq!(metadata["issuer"], "https://api.botframework.com");
    let keys = http("GET", metadata["jwks_uri"].as_str().unwrap(), &[], b"").await.unwrap().json();
    let token = post["headers"]["authorization"].as_str()?.strip_prefix("Bearer ")?;
    let (text, signature) = token.rsplit_once('.')?;
    let part = |n: usize| serde_json::from_slice::<Value>(&unbase64(text.split('.').nth(n).unwrap())).unwrap();
    let (header, claims) = (part(0), part(1));
    let key = keys["keys"].as_array()?.iter().find(|k| k["kid"] == header["kid"])?;
    assert_eq!(key["endorsements"][0], "msteams");
    let (n, e) = (unbase64(key["n"].as_str()?), unbase64(key["e"].as_str()?));
    let sound = RsaPublicKeyComponents { n: &n, e: &e }.verify(&RSA_PKCS1_2048_8192_SHA256, text.as_bytes(), &unbase64(signature)).is_ok();
    (sound && header["alg"] == "RS256").then_some((header, claims))
}

/// The posts that wait, each answered with this.
async fn take(world: &World, status: u16, body: &str) -> Vec<Value> {
    let taken = world.control("/notifications/take", json!({"wait": false})).await;
    let posts = taken["posts"].as_array().unwrap().clone();
    for post in &posts {
        world.control("/notifications/answer", json!({"id": post["id"], "status": status, "body": body})).await;
    }
    posts
}

fn activity(post: &Value) -> Value {
    serde_json::from_str(post["body"].as_str().unwrap()).unwrap()
}

async fn listening() -> World {
    let world = world().await;
    world.control("/bot/endpoint", json!({"url": "https://bot.example.com/api/messages"})).await;
    world
}

#[tokio::test]
async fn an_installation_is_told_and_proven() {
    let world = listening().await;
    world.control("/bot/install", json!({"person": ADELE})).await;
    let posts = take(&world, 200, "").await;
    let told: Vec<Value> = posts.iter().map(activity).collect();
    assert_eq!(told.iter().map(|a| a["type"].as_str().unwrap()).collect::<Vec<_>>(), ["installationUpdate", "conversationUpdate"]);
    assert_eq!((posts[0]["path"].as_str(), posts[0]["headers"]["content-type"].as_str()), (Some("/api/messages"), Some("application/json; charset=utf-8")));
    let (_, claims) = proven(&world, &posts[0]).await.unwrap();
    assert_eq!((&claims["iss"], &claims["aud"], &claims["serviceurl"]), (&json!("https://api.botframework.com"), &json!(APP), &told[0]["serviceUrl"]));
    assert_eq!(told[0]["serviceUrl"], format!("{}/emea/", world.sim.bot()));
    let adele = world.control("/bot/user", json!({"person": ADELE})).await;
    assert_eq!((&told[0]["action"], &told[0]["from"]["id"], &told[0]["conversation"]["id"]), (&json!("add"), &adele["id"], &adele["conversation"]));
    assert_eq!((&told[1]["membersAdded"][0]["id"], &told[0]["conversation"]["conversationType"]), (&json!(format!("28:{APP}")), &json!("personal")));
    world.control("/bot/uninstall", json!({"person": ADELE})).await;
    let told: Vec<Value> = take(&world, 200, "").await.iter().map(activity).collect();
    assert_eq!((&told[0]["action"], &told[1]["membersRemoved"][0]["id"]), (&json!("remove"), &json!(format!("28:{APP}"))));
    // In a team: of the channel that was chosen.
    let team = world.control("/teams", json!({"name": "Sales", "members": [ADELE], "channels": [{"name": "Deals"}]})).await;
    world.control("/bot/service", json!({"region": "amer", "with_tenant": true})).await;
    world.control("/bot/install", json!({"team": "Sales", "person": ADELE, "channel": "Deals"})).await;
    let told: Vec<Value> = take(&world, 200, "").await.iter().map(activity).collect();
    let data = &told[1]["channelData"];
    assert_eq!((&data["eventType"], &data["team"]["id"], &data["team"]["aadGroupId"]), (&json!("teamMemberAdded"), &team["channels"][0]["id"], &team["id"]));
    assert_eq!((&told[1]["conversation"]["id"], &told[1]["conversation"]["isGroup"]), (&team["channels"][1]["id"], &json!(true)));
    let tenant = told[0]["conversation"]["tenantId"].as_str().unwrap();
    assert_eq!(told[0]["serviceUrl"], format!("{}/amer/{tenant}/", world.sim.bot()));
}

#[tokio::test]
async fn people_write_change_delete_and_react() {
    let world = listening().await;
    world.control("/teams", json!({"name": "Sales", "members": [ADELE], "channels": [{"name": "Deals"}]})).await;
    world.control("/bot/install", json!({"person": ADELE})).await;
    world.control("/bot/install", json!({"team": "Sales"})).await;
    take(&world, 200, "").await;
    let said = world.control("/bot/say", json!({"person": ADELE, "text": "help"})).await;
    let heard = activity(&take(&world, 200, "").await[0]);
    assert_eq!((&heard["type"], &heard["text"], &heard["id"]), (&json!("message"), &json!("help"), &said["id"]));
    for (what, kind, event) in [("edit", "messageUpdate", "editMessage"), ("delete", "messageDelete", "softDeleteMessage")] {
        world.control(&format!("/bot/{what}"), json!({"id": said["id"], "text": "help me"})).await;
        let heard = activity(&take(&world, 200, "").await[0]);
        assert_eq!((&heard["type"], &heard["channelData"]["eventType"], &heard["id"]), (&json!(kind), &json!(event), &said["id"]));
    }
    // In a channel with a mention; the bot answers in the thread.
    let said = world.control("/bot/say", json!({"person": ADELE, "team": "Sales", "channel": "Deals", "text": "status"})).await;
    let heard = activity(&take(&world, 200, "").await[0]);
    assert_eq!((&heard["text"], &heard["conversation"]["id"]), (&json!("<at>Simulated app</at> status"), &said["conversation"]));
    assert_eq!(heard["entities"][1]["mentioned"]["id"], format!("28:{APP}"));
    let bot = Bot::new(&world).await;
    let answer = bot.say(said["conversation"].as_str().unwrap(), "All is well").await.json();
    let again = json!({"person": ADELE, "team": "Sales", "channel": "Deals", "text": "thanks", "reply_to": said["id"]});
    assert_eq!(world.control("/bot/say", again).await["conversation"], said["conversation"]);
    world.control("/bot/react", json!({"person": ADELE, "id": answer["id"], "reaction": "heart"})).await;
    let told: Vec<Value> = take(&world, 200, "").await.iter().map(activity).collect();
    assert_eq!((&told[1]["type"], &told[1]["replyToId"], &told[1]["reactionsAdded"]), (&json!("messageReaction"), &answer["id"], &json!([{"type": "heart"}])));
    assert_eq!(world.control("/bot/messages", json!({"team": "Sales"})).await["items"][0]["is_reply"], true);
    // What people wrote is there for Graph too.
    let deals = world.control("/teams/list", json!({})).await["items"][0]["channels"][1]["messages"].clone();
    assert_eq!(deals.as_array().unwrap().iter().map(|m| m["text"].as_str().unwrap()).collect::<Vec<_>>(), ["status", "thanks"]);
}

#[tokio::test]
async fn the_button_of_a_card_waits_for_an_answer() {
    let world = listening().await;
    world.control("/bot/install", json!({"person": ADELE})).await;
    take(&world, 200, "").await;
    let bot = Bot::new(&world).await;
    let conversation = world.control("/bot/user", json!({"person": ADELE})).await["conversation"].as_str().unwrap().to_string();
    let card = bot.say(&conversation, "Press").await.json();
    let value = json!({"action": {"type": "Action.Execute", "verb": "go", "data": {"n": 1}}, "trigger": "manual"});
    world.control("/bot/invoke", json!({"person": ADELE, "id": card["id"], "name": "adaptiveCard/action", "value": value})).await;
    let heard = activity(&take(&world, 200, "{\"statusCode\":200}").await[0]);
    assert_eq!((&heard["name"], &heard["value"], &heard["replyToId"]), (&json!("adaptiveCard/action"), &value, &card["id"]));
    world.control("/bot/invoke", json!({"person": ADELE, "name": "signin/verifyState", "value": {"state": "123456"}})).await;
    assert_eq!(take(&world, 500, "").await.len(), 1);
    world.advance(3_600_000).await;
    assert!(take(&world, 200, "").await.is_empty(), "nobody waits that long");
    let invoked = world.control("/bot/invoked", json!({})).await;
    let shown: Vec<(&Value, &Value)> = invoked["items"].as_array().unwrap().iter().map(|i| (&i["status"], &i["body"]["statusCode"])).collect();
    assert_eq!(shown, [(&json!(200), &json!(200)), (&json!(500), &json!(null))]);
}

#[tokio::test]
async fn a_card_in_the_answer_takes_the_place_of_the_one_whose_button_was_pressed() {
    let world = listening().await;
    world.control("/bot/install", json!({"person": ADELE})).await;
    take(&world, 200, "").await;
    let bot = Bot::new(&world).await;
    let conversation = world.control("/bot/user", json!({"person": ADELE})).await["conversation"].as_str().unwrap().to_string();
    let button = json!({"type": "Action.Execute", "title": "Go", "verb": "go", "data": {"n": 1}});
    let card = json!({"type": "AdaptiveCard", "version": "1.4", "body": [{"type": "ActionSet", "actions": [{"type": "Action.Execute", "verb": "stay"}, button]}]});
    let said = bot.call("POST", &format!("conversations/{conversation}/activities"), json!({"type": "message", "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}]})).await.json();
    let press = json!({"person": ADELE, "id": said["id"], "verb": "go", "inputs": {"note": "x"}});
    let shown = async || world.control("/bot/messages", json!({"person": ADELE})).await["items"][0]["attachments"][0]["content"]["body"].clone();
    for (status, body, is_shown) in [(500, "", false), (200, "{\"statusCode\":500}", false), (200, "{\"statusCode\":200,\"type\":\"application/vnd.microsoft.card.adaptive\",\"value\":{\"type\":\"AdaptiveCard\",\"body\":[]}}", true)] {
        world.control("/bot/press", press.clone()).await;
        let heard = activity(&take(&world, status, body).await[0]);
        assert_eq!((&heard["name"], &heard["value"]["action"]["data"], &heard["value"]["trigger"]), (&json!("adaptiveCard/action"), &json!({"n": 1, "note": "x"}), &json!("manual")));
        assert_eq!(shown().await == json!([]), is_shown, "{status} {body}");
    }
}

#[tokio::test]
async fn posts_come_again_after_an_error_alone() {
    let world = listening().await;
    world.control("/bot/install", json!({"person": ADELE})).await;
    assert_eq!(take(&world, 503, "").await.len(), 2);
    assert!(take(&world, 200, "").await.is_empty());
    world.advance(20_000).await;
    let again = take(&world, 401, "").await;
    assert_eq!(again.len(), 2);
    let (_, claims) = proven(&world, &again[0]).await.unwrap();
    assert_eq!(claims["iat"], 1_768_467_620, "signed anew");
    world.advance(3_600_000).await;
    assert!(take(&world, 200, "").await.is_empty(), "a refusal is an answer");
    let posts = world.control("/bot/posts", json!({"type": "installationUpdate"})).await;
    assert_eq!(posts["items"][0]["statuses"], json!([503, 401]));
    let sent = activity(&again[0])["id"].clone();
    assert_eq!(world.control("/bot/redeliver", json!({"id": sent})).await["id"], sent);
    assert_eq!(activity(&take(&world, 200, "").await[0])["id"], sent);
    world.control("/oddities", json!({"activities_doubled": true})).await;
    world.control("/bot/say", json!({"person": ADELE, "text": "hi"})).await;
    let twice = take(&world, 200, "").await;
    assert_eq!((twice.len(), activity(&twice[0])["id"] == activity(&twice[1])["id"]), (2, true));
}

#[tokio::test]
async fn what_is_forged() {
    let world = listening().await;
    world.control("/bot/install", json!({"person": ADELE})).await;
    take(&world, 200, "").await;
    world.control("/bot/say", json!({"person": ADELE, "text": "hi"})).await;
    take(&world, 200, "").await;
    let forged = async |ask: Value| {
        world.control("/bot/forge", ask).await;
        take(&world, 403, "").await.remove(0)
    };
    let plain = forged(json!({})).await;
    assert!(proven(&world, &plain).await.is_some());
    for (ask, name, value) in [
        (json!({"claims": {"aud": "someone"}}), "aud", json!("someone")),
        (json!({"claims": {"iss": "https://evil.example"}}), "iss", json!("https://evil.example")),
        (json!({"claims": {"exp": 1}}), "exp", json!(1)),
        (json!({"claims": {"serviceurl": null}}), "serviceurl", json!(null)),
        (json!({"claims": {"serviceurl": "https://evil.example/"}}), "serviceurl", json!("https://evil.example/")),
    ] {
        let (_, claims) = proven(&world, &forged(ask).await).await.unwrap();
        assert_eq!(claims[name], value);
    }
    for ask in [json!({"key": "other"}), json!({"key": "none"}), json!({"key": "hs256"}), json!({"key": "entra"}), json!({"key": "absent"}), json!({"header": {"kid": "x"}}), json!({"authorization": "Basic eA=="})] {
        assert!(proven(&world, &forged(ask.clone()).await).await.is_none(), "{ask}");
    }
    let moved = activity(&forged(json!({"body": {"serviceUrl": "https://evil.example/", "text": null, "channelData": {"tenant": {"id": "x"}}}})).await);
    assert_eq!((&moved["serviceUrl"], &moved["text"], &moved["channelData"]["tenant"]["id"]), (&json!("https://evil.example/"), &json!(null), &json!("x")));
    assert_eq!(moved["from"]["aadObjectId"], activity(&plain)["from"]["aadObjectId"]);
    let posts = world.control("/bot/posts", json!({"forged": true})).await;
    assert!(posts["items"].as_array().unwrap().iter().all(|p| p["statuses"] == json!([403])));
    // After a change of keys the one before is known for a while, and the one before that is not.
    world.control("/bot/keys", json!({"rotate": true})).await;
    world.control("/bot/say", json!({"person": ADELE, "text": "a new key"})).await;
    let renewed = take(&world, 200, "").await.remove(0);
    let (header, _) = proven(&world, &renewed).await.unwrap();
    assert_eq!(header["kid"], "simulated-connector-key-2");
    assert!(proven(&world, &plain).await.is_some());
    world.control("/bot/keys", json!({"rotate": true})).await;
    assert!(proven(&world, &plain).await.is_none());
}

#[tokio::test]
async fn an_endpoint_of_this_machine_is_connected_to() {
    let world = world().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.control("/bot/endpoint", json!({"url": format!("http://{}/api/messages?a=b", listener.local_addr().unwrap())})).await;
    world.control("/bot/install", json!({"person": ADELE})).await;
    for _ in 0..2 {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 600];
        stream.read_exact(&mut head).await.unwrap();
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        assert!(head.starts_with("post /api/messages?a=b http/1.1") && head.contains("authorization: bearer eyj"), "{head}");
        stream.write_all(b"HTTP/1.1 202 x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
    }
    loop {
        let posts = world.control("/bot/posts", json!({})).await;
        if posts["items"].as_array().unwrap().iter().all(|post| post["statuses"] == json!([202])) {
            break;
        }
        tokio::task::yield_now().await;
    }
    // What is shown to the endpoint is a secret.
    assert_eq!(world.control("/secrets/find", json!({"text": ""})).await["secrets"], 1);
}
