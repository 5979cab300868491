//! Teams, channels, and what is said there.

use crate::client::*;
use serde_json::json;

#[tokio::test]
async fn a_channel_shows_what_its_members_said_and_to_them_alone() {
    let world = world().await;
    let team = world.control("/teams", json!({"name": "Hiring", "members": ["adele@contoso.com"], "channels": [{"name": "Offers", "kind": "private", "members": ["alex@contoso.com"]}]})).await;
    let id = team["id"].as_str().unwrap();
    let scope = "openid offline_access User.Read Team.ReadBasic.All Channel.ReadBasic.All ChannelMessage.Send";
    let person = async |who: &str| {
        let tokens = world.tokens(&format!("{who}@contoso.com"), scope).await;
        Person { world: &world, token: tokens["access_token"].as_str().unwrap().to_owned() }
    };
    let adele = person("adele").await;
    let joined = adele.get("/me/joinedTeams").await.json();
    assert_eq!((joined["value"].as_array().unwrap().len(), &joined["value"][0]["displayName"]), (1, &json!("Hiring")));
    let channels = adele.get(&format!("/teams/{id}/channels")).await.json();
    assert_eq!(channels["value"].as_array().unwrap().len(), 1, "a private channel is shown to its members");
    let path = format!("/teams/{id}/channels/{}/messages", channels["value"][0]["id"].as_str().unwrap());
    let say = |text: &str| json!({"body": {"contentType": "html", "content": text}});
    let posted = adele.post(&path, say("one")).await;
    assert_eq!((posted.status, &posted.json()["channelIdentity"]["teamId"]), (201, &json!(id)));
    let root = posted.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(adele.post(&path, say("two")).await.status, 429, "one a second");
    world.advance(1000).await;
    assert_eq!(adele.post(&format!("{path}/{root}/replies"), say("two")).await.json()["replyToId"], json!(root));
    world.advance(1000).await;
    assert_eq!(adele.post(&path, say("<at id=\"0\">x</at>")).await.status, 400, "a mention that names nobody");
    let other = person("alex").await;
    assert_eq!(other.get(&format!("/teams/{id}/channels")).await.status, 403);
    assert_eq!(adele.get("/teams/nothing/channels").await.status, 404);
}
