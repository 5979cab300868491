use crate::client::*;
use serde_json::json;

fn is_lack(reply: &Reply, method: &str, path: &str) {
    let body = reply.json();
    let text = body["error"]["message"].as_str().unwrap_or("").to_string();
    assert_eq!((reply.status, body["error"]["code"].as_str()), (501, Some("SimulatorLacks")), "{method} {path}");
    assert!(text.contains(method) && text.contains(path.split('?').next().unwrap()), "{text}");
    assert_eq!(body["error"].as_object().unwrap().len(), 2, "unlike an error of Graph: {body}");
}

#[tokio::test]
async fn what_is_not_simulated_says_so() {
    let world = world().await;
    let adele = world.person("adele").await;
    let one = world.control("/mail", json!({"mailbox": "adele@contoso.com", "subject": "S"})).await;
    let one = format!("/me/messages/{}", one["id"].as_str().unwrap());
    for (method, path) in [
        ("GET", "/me/events".to_string()),
        ("GET", "/me/calendar/events".into()),
        ("GET", "/me/contacts/x/photo".into()),
        ("GET", "/nonsense".into()),
        ("GET", "/teams/x/members".into()),
        ("GET", "/me/calendars".into()),
        ("GET", "/users/delta".into()),
        ("PATCH", "/me".into()),
        ("GET", "/me/messages/delta".into()),
        ("GET", format!("{one}/nonsense")),
        ("GET", format!("{one}/extensions")),
        ("GET", "/me/mailFolders/inbox/messageRules".into()),
        ("GET", "/me/mailFolders/inbox/nonsense/deeper".into()),
        ("PATCH", "/chats/19:x".into()),
        ("POST", "/chats/19:x/members".into()),
        ("POST", "/chats/19:x/messages/1/setReaction".into()),
        ("GET", "/me/messages?$format=json".into()),
        ("GET", "/me/messages?select=subject".into()),
        ("GET", "/me/chats?$search=x".into()),
        ("GET", "/me?$expand=manager".into()),
        ("POST", "/me/messages?$select=id".into()),
    ] {
        is_lack(&adele.send(method, &path, None).await, method, &path);
    }
    // Outside of v1.0, without a token, and inside of a batch.
    let beta = world.sim.graph().replace("/v1.0", "/beta/me");
    is_lack(&http("GET", &beta, &[], b"").await.unwrap(), "GET", "/beta/me");
    is_lack(&http("GET", &format!("{}/me/events", world.sim.graph()), &[], b"").await.unwrap(), "GET", "/v1.0/me/events");
    let items = json!([{"id": "1", "method": "GET", "url": "/me/events"}, {"id": "2", "method": "GET", "url": "/me"}]);
    let answers = adele.post("/$batch", json!({"requests": items})).await.json();
    let of = |id: &str| answers["responses"].as_array().unwrap().iter().find(|r| r["id"] == id).unwrap().clone();
    assert_eq!((&of("1")["status"], &of("1")["body"]["error"]["code"]), (&json!(501), &json!("SimulatorLacks")));
    assert_eq!(of("2")["status"], 200);
    // What Graph itself refuses stays Graph's.
    assert_eq!(adele.send("GET", "/me/sendMail", None).await.status, 405);
    assert_eq!(adele.send("POST", "/me/chats", Some(json!({}))).await.status, 405);
}

#[tokio::test]
async fn the_sign_in_host_says_so_too() {
    let world = world().await;
    for (method, path) in [
        ("GET", "/nonsense"),
        ("GET", "/contoso.com/saml2"),
        ("POST", "/common/oauth2/devicecode"),
        ("GET", "/common/userrealm/adele@contoso.com"),
        ("GET", "/common/oauth2/v2.0/nonsense"),
        ("DELETE", "/common/oauth2/v2.0/token"),
    ] {
        let reply = http(method, &format!("{}{path}", world.sim.login()), &[], b"").await.unwrap();
        is_lack(&reply, method, path);
    }
    let fields = [("client_id", world.sim.client_id()), ("grant_type", "password"), ("username", "a"), ("scope", "User.Read")];
    is_lack(&world.token(&fields).await, "POST", "/common/oauth2/v2.0/token");
    let odd = world.token(&[("client_id", world.sim.client_id()), ("grant_type", "nonsense")]).await;
    assert_eq!(number(&odd), 70_003);
}
