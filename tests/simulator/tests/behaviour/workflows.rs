use crate::client::*;
use serde_json::{Value, json};

const JSON: (&str, &str) = ("content-type", "application/json");

async fn post(url: &str, body: &Value) -> Reply {
    http("POST", url, &[JSON], body.to_string().as_bytes()).await.unwrap()
}

fn card(text: &str) -> Value {
    let content = json!({"type": "AdaptiveCard", "version": "1.4", "body": [{"type": "TextBlock", "text": text}]});
    json!({"type": "message", "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": content}]})
}

#[tokio::test]
async fn a_workflow_takes_posts_with_its_sig_and_tells_no_more() {
    let world = world().await;
    for (form, path) in [("power_platform", "/powerautomate/automations/direct/workflows/"), ("logic_apps", "/workflows/")] {
        let made = world.control("/workflows", json!({"form": form})).await;
        let (id, url) = (made["id"].as_str().unwrap(), made["url"].as_str().unwrap());
        assert!(url.contains(path) && url.contains("&sig="), "{url}");
        let taken = post(url, &card("hi")).await;
        assert_eq!((taken.status, taken.body.len()), (202, 0));
        // What its run cannot show is accepted all the same.
        assert_eq!(post(url, &json!({"text": "hi"})).await.status, 202);
        let seen = world.control("/workflows/list", json!({"id": id})).await;
        let shown: Vec<&Value> = seen["posts"].as_array().unwrap().iter().map(|post| &post["is_shown"]).collect();
        assert_eq!(shown, [true, false]);
        assert_eq!(seen["posts"][0]["body"], card("hi"));
        assert_eq!(post(&url.replace("sig=", "sig=x"), &card("hi")).await.code(), "DirectApiInvalidAuthorizationScheme");
        assert_eq!(post(url.split("&sig=").next().unwrap(), &card("hi")).await.status, 401);
        assert_eq!(post(&url.replace(id, "0f3a"), &card("hi")).await.code(), "WorkflowNotFound");
        assert_eq!(http("POST", url, &[JSON], b"no json").await.unwrap().status, 400);
        assert_eq!(http("GET", url, &[], b"").await.unwrap().status, 501);
        assert_eq!(post(url, &card(&"x".repeat(28 << 10))).await.status, 413);
    }
    assert!(world.accusations().await.is_empty());
}

#[tokio::test]
async fn a_workflow_is_turned_off_deleted_and_signed_anew() {
    let world = world().await;
    let made = world.control("/workflows", json!({})).await;
    let (id, url) = (made["id"].clone(), made["url"].as_str().unwrap().to_owned());
    world.control("/workflows/change", json!({"id": id, "on": false})).await;
    assert_eq!(post(&url, &card("a")).await.code(), "WorkflowTriggerIsNotEnabled");
    let anew = world.control("/workflows/change", json!({"id": id, "on": true, "new_sig": true})).await;
    assert_eq!((post(&url, &card("a")).await.status, post(anew["url"].as_str().unwrap(), &card("a")).await.status), (401, 202));
    world.control("/workflows/change", json!({"id": id, "deleted": true})).await;
    assert_eq!(post(anew["url"].as_str().unwrap(), &card("b")).await.status, 404);
    for (what, code) in [("people_only", "DirectApiAuthorizationRequired"), ("schema", "TriggerInputSchemaMismatch")] {
        let made = world.control("/workflows", json!({what: true})).await;
        assert_eq!(post(made["url"].as_str().unwrap(), &card("c")).await.code(), code);
    }
}

#[tokio::test]
async fn four_posts_a_second_no_token_and_nothing_twice() {
    let world = world().await;
    let made = world.control("/workflows", json!({})).await;
    let url = made["url"].as_str().unwrap();
    for n in 0..4 {
        assert_eq!(post(url, &card(&n.to_string())).await.status, 202);
    }
    let refused = post(url, &card("4")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    world.advance(1000).await;
    assert_eq!(post(url, &card("4")).await.status, 202);
    assert!(world.accusations().await.is_empty());
    assert_eq!(post(url, &card("4")).await.status, 202);
    assert_eq!(world.accusations().await, ["sent_twice"]);
    let told = http("POST", url, &[JSON, ("authorization", "Bearer x")], card("5").to_string().as_bytes()).await.unwrap();
    assert_eq!((told.status, world.accusations().await), (202, vec!["sent_twice".to_owned(), "token_leak".to_owned()]));
}
