//! The Bot Connector as a bot sees it.

use crate::client::*;
use serde_json::{Value, json};

pub const APP: &str = "4f2b6f0a-0000-4000-8000-000000000002";
const ADELE: &str = "adele@contoso.com";

/// A bot with its token.
pub struct Bot<'a> {
    world: &'a World,
    token: String,
    pub region: &'static str,
}

pub async fn bot_token(world: &World, tenant: &str, app: &str) -> Reply {
    let fields = [("client_id", app), ("client_secret", "simulator-secret"), ("grant_type", "client_credentials"), ("scope", "https://api.botframework.com/.default")];
    world.form(&format!("/{tenant}/oauth2/v2.0/token"), &fields).await
}

impl<'a> Bot<'a> {
    pub async fn of(world: &'a World, app: &str) -> Bot<'a> {
        let token = bot_token(world, "botframework.com", app).await.json();
        Bot { world, token: token["access_token"].as_str().unwrap().into(), region: "teams" }
    }

    pub async fn new(world: &'a World) -> Bot<'a> {
        Bot::of(world, APP).await
    }

    pub async fn call(&self, method: &str, path: &str, body: Value) -> Reply {
        let bearer = format!("Bearer {}", self.token);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        http(method, &format!("{}/{}/v3/{path}", self.world.sim.bot(), self.region), &headers, body.as_bytes()).await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, Value::Null).await
    }

    pub async fn say(&self, conversation: &str, text: &str) -> Reply {
        self.call("POST", &format!("conversations/{conversation}/activities"), json!({"type": "message", "text": text})).await
    }
}

/// Status and code of a refusal, in whichever form it comes.
fn refused(reply: &Reply) -> (u16, String) {
    let body = reply.json();
    if body["errorCode"] == 209 {
        let inner: Value = serde_json::from_str(body["message"].as_str().unwrap()).unwrap();
        return (reply.status, inner["subCode"].as_str().unwrap().into());
    }
    (reply.status, body["error"]["code"].as_str().or(body["message"].as_str()).unwrap_or_else(|| panic!("{} {body}", reply.status)).into())
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.into())
}

async fn user(world: &World, who: &str) -> Value {
    world.control("/bot/user", json!({"person": who})).await
}

async fn tenant(world: &World) -> String {
    world.control("/tenants", json!({"domain": "contoso.com"})).await["id"].as_str().unwrap().into()
}

async fn create(bot: &Bot<'_>, user: &Value, tenant: &str) -> Reply {
    let body = json!({"bot": {"id": format!("28:{APP}")}, "isGroup": false, "members": [{"id": user}], "tenantId": tenant, "channelData": {"tenant": {"id": tenant}}});
    bot.call("POST", "conversations", body).await
}

async fn team(world: &World) -> Value {
    let ask = json!({"name": "Sales", "members": [ADELE, "alex@contoso.com"], "channels": [{"name": "Deals"}, {"name": "Secret", "kind": "private"}, {"name": "Old", "archived": true}]});
    world.control("/teams", ask).await
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test]
async fn tokens_are_of_the_framework_or_of_the_home_of_the_bot() {
    let world = world().await;
    let claims = said(text(&bot_token(&world, "botframework.com", APP).await.json()["access_token"]));
    assert_eq!((text(&claims["aud"]), text(&claims["appid"])), ("https://api.botframework.com", APP));
    assert_eq!(text(&claims["iss"]), "https://sts.windows.net/d6d49420-f39b-4df7-a1dc-d59a935871db/");
    // Registered for one organisation: at home alone.
    world.control("/apps", json!({"client_id": APP, "audience": "single:contoso.com"})).await;
    let elsewhere = bot_token(&world, "botframework.com", APP).await;
    let why = elsewhere.json()["error_description"].as_str().unwrap().to_string();
    assert_eq!((number(&elsewhere), text(&elsewhere.json()["error"])), (700_016, "unauthorized_client"));
    assert!(why.contains("was not found in the directory 'Bot Framework'"), "{why}");
    assert_eq!(number(&bot_token(&world, "fabrikam.com", APP).await), 700_016);
    let home = bot_token(&world, "contoso.com", APP).await.json();
    let bot = Bot { world: &world, token: text(&home["access_token"]).into(), region: "teams" };
    world.control("/oddities", json!({"customer_bot_tokens_refused": true})).await;
    world.control("/bot/install", json!({"person": ADELE})).await;
    assert_eq!(create(&bot, &user(&world, ADELE).await["id"], &tenant(&world).await).await.status, 201);
}

#[tokio::test]
async fn who_is_not_let_in_reads_why_in_the_form_of_its_layer() {
    let world = world().await;
    world.control("/bot/install", json!({"person": ADELE})).await;
    let adele = user(&world, ADELE).await;
    let path = format!("{}/emea/v3/conversations/{}/members", world.sim.bot(), text(&adele["conversation"]));
    let denied = is(401, "Authorization has been denied for this request.");
    for headers in [&[][..], &[("authorization", "Bearer nonsense")]] {
        assert_eq!(refused(&http("GET", &path, headers, b"").await.unwrap()), denied);
    }
    assert!(world.accusations().await.is_empty());
    // A token for Graph is another's secret here, and the bot's is one at Graph.
    let person = world.person("adele").await;
    let bearer = format!("Bearer {}", person.token);
    assert_eq!(refused(&http("GET", &path, &[("authorization", &bearer)], b"").await.unwrap()), denied);
    assert_eq!(world.accusations().await, ["token_leak"]);
    let bot = Bot::new(&world).await;
    let as_person = Person { world: &world, token: bot.token.clone() };
    assert_eq!(as_person.get("/me").await.status, 401);
    assert_eq!(world.accusations().await, ["token_leak", "token_leak"]);
    // The token of a customer's tenant, where the customer agreed to the app.
    world.control("/approve", json!({"domain": "contoso.com", "client_id": APP})).await;
    let token = bot_token(&world, "contoso.com", APP).await.json();
    let customer = Bot { world: &world, token: text(&token["access_token"]).into(), region: "teams" };
    let members = format!("conversations/{}/members", text(&adele["conversation"]));
    assert_eq!(customer.get(&members).await.status, 200);
    world.control("/oddities", json!({"customer_bot_tokens_refused": true})).await;
    assert_eq!(refused(&customer.get(&members).await), denied);
    assert_eq!(bot.get(&members).await.status, 200);
    world.control("/apps", json!({"client_id": APP, "bot": false})).await;
    assert_eq!(refused(&bot.get(&members).await), is(401, "BotNotRegistered"));
    for (method, path) in [("GET", "nonsense"), ("GET", "conversations"), ("POST", "conversations/x/attachments"), ("POST", "batch/conversation/users"), ("PATCH", "conversations"), ("GET", "conversations/x/activities/y")] {
        assert_eq!(bot.call(method, path, Value::Null).await.json()["error"]["code"], "SimulatorLacks", "{method} {path}");
    }
    world.control("/apps", json!({"client_id": APP, "bot": true})).await;
    world.advance(3_600_000).await;
    assert_eq!(refused(&bot.get(&members).await), denied);
}

#[tokio::test]
async fn a_person_is_reached_where_the_app_is_installed() {
    let world = world().await;
    world.control("/limits", json!({"throttle": false})).await;
    let (bot, adele, tenant) = (Bot::new(&world).await, user(&world, ADELE).await, tenant(&world).await);
    assert_eq!(refused(&create(&bot, &adele["id"], &tenant).await), is(403, "BotNotInConversationRoster"));
    world.control("/bot/install", json!({"person": ADELE})).await;
    let made = create(&bot, &adele["id"], &tenant).await;
    let id = text(&made.json()["id"]).to_string();
    assert_eq!((made.status, id.as_str(), id.starts_with("a:1")), (201, text(&adele["conversation"]), true));
    assert_eq!(create(&bot, &adele["id"], &tenant).await.json()["id"], id.as_str());
    // Both ids of the conversation are the same one.
    let first = bot.say(&id, "Hello").await;
    assert_eq!(first.status, 201);
    assert_eq!(bot.say(text(&adele["chat"]), "Hello again").await.status, 201);
    let said = world.control("/bot/messages", json!({"person": ADELE})).await;
    assert_eq!(said["items"].as_array().unwrap().iter().map(|m| text(&m["text"])).collect::<Vec<_>>(), ["Hello", "Hello again"]);
    assert_eq!((&said["items"][0]["conversation"], &said["items"][0]["person"]), (&json!(id), &json!(ADELE)));
    let activity = format!("conversations/{id}/activities/{}", text(&first.json()["id"]));
    assert_eq!(bot.call("PUT", &activity, json!({"type": "message", "text": "Hello!"})).await.json()["id"], first.json()["id"]);
    assert_eq!(bot.call("POST", &activity, json!({"type": "message", "text": "A reply"})).await.status, 201);
    let deleted = bot.call("DELETE", &activity, Value::Null).await;
    assert_eq!((deleted.status, deleted.body.len()), (200, 0));
    assert_eq!(refused(&bot.call("DELETE", &activity, Value::Null).await), is(404, "ActivityNotFoundInConversation"));
    let first = world.control("/bot/messages", json!({"person": ADELE})).await["items"][0].clone();
    assert_eq!((text(&first["text"]), &first["is_edited"], &first["is_deleted"]), ("Hello!", &json!(true), &json!(true)));
    world.advance(5_000).await;
    assert_eq!(bot.call("POST", &format!("conversations/{id}/activities"), json!({"type": "typing"})).await.status, 201);
    world.control("/bot/uninstall", json!({"person": ADELE})).await;
    assert_eq!(refused(&bot.say(&id, "Still there?").await), is(403, "BotNotInConversationRoster"));
    // Whoever shares a team with the bot is reached by that.
    let sales = team(&world).await;
    world.control("/bot/install", json!({"team": sales["id"]})).await;
    assert_eq!(create(&bot, &adele["id"], &tenant).await.json()["id"], id.as_str());
    let megan = user(&world, "megan@contoso.com").await;
    assert_eq!(refused(&create(&bot, &megan["id"], &tenant).await), is(403, "BotNotInConversationRoster"));
    assert!(world.accusations().await.is_empty(), "{:?}", world.accusations().await);
}

#[tokio::test]
async fn what_teams_does_not_take_is_refused() {
    let world = world().await;
    world.control("/limits", json!({"throttle": false})).await;
    world.control("/bot/install", json!({"person": ADELE})).await;
    let (bot, adele, tenant) = (Bot::new(&world).await, user(&world, ADELE).await, tenant(&world).await);
    let oid = world.person("adele").await.get("/me").await.json()["id"].clone();
    let member = |id: &Value| json!({"members": [{"id": id}], "tenantId": tenant});
    for (body, code) in [
        (json!({"members": [{"id": adele["id"]}]}), "BadSyntax"),
        (json!({"tenantId": tenant}), "BadSyntax"),
        (json!({"members": [{"id": adele["id"]}, {"id": adele["id"]}], "tenantId": tenant}), "BadSyntax"),
        (json!({"isGroup": true, "members": [{"id": adele["id"]}], "tenantId": tenant}), "BadSyntax"),
        (json!({"bot": {"id": "28:0f0f0f0f-0000-4000-8000-000000000001"}, "members": [{"id": adele["id"]}], "tenantId": tenant}), "BadArgument"),
        (member(&json!("29:1abc")), "BadArgument"),
        (member(&json!(ADELE)), "BadArgument"),
        (member(&oid), "BadArgument"),
        (json!({"members": [{"id": adele["id"]}], "tenantId": "11111111-0000-4000-8000-000000000001"}), "BadArgument"),
        (json!([]), "BadSyntax"),
    ] {
        assert_eq!(refused(&bot.call("POST", "conversations", body.clone()).await), is(400, code), "{body}");
    }
    world.control("/oddities", json!({"bots_take_object_ids": true})).await;
    assert_eq!(bot.call("POST", "conversations", member(&oid)).await.status, 201);
    let id = text(&adele["conversation"]);
    let card = |content: Value| json!({"type": "message", "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": content}]});
    let mention = |mentioned: &Value, said: &str| json!({"type": "message", "text": said, "entities": [{"type": "mention", "text": "<at>Adele</at>", "mentioned": {"id": mentioned, "name": "Adele"}}]});
    for (body, status, code) in [
        (json!({}), 400, "BadSyntax"),
        (json!("text"), 400, "BadSyntax"),
        (json!({"type": "message", "text": " "}), 400, "BadSyntax"),
        (json!({"type": "message", "text": 5}), 400, "BadSyntax"),
        (json!({"type": "trace", "text": "x"}), 400, "BadArgument"),
        (json!({"type": "message", "text": "x", "textFormat": "html"}), 400, "BadArgument"),
        (card(json!("{\"type\": \"AdaptiveCard\", \"version\": \"1.4\"}")), 400, "BadArgument"),
        (card(json!({"type": "AdaptiveCard"})), 400, "BadArgument"),
        (mention(&json!("29:1abc"), "<at>Adele</at>"), 400, "BadArgument"),
        (mention(&adele["id"], "Adele"), 400, "BadArgument"),
        (json!({"type": "message", "text": "x".repeat(52_000)}), 413, "MessageSizeTooBig"),
    ] {
        assert_eq!(refused(&bot.call("POST", &format!("conversations/{id}/activities"), body).await), is(status, code));
    }
    for body in [
        card(json!({"type": "AdaptiveCard", "version": "1.4", "body": []})),
        mention(&adele["id"], "<at>Adele</at> look"),
        json!({"type": "message", "text": "x", "attachments": [{"contentType": "image/png", "contentUrl": format!("data:image/png;base64,{}", "A".repeat(200_000))}]}),
    ] {
        assert_eq!(bot.call("POST", &format!("conversations/{id}/activities"), body).await.status, 201);
    }
    world.control("/limits", json!({"bot_message_max": 28 << 10})).await;
    assert_eq!(refused(&bot.say(id, &"x".repeat(15_000)).await), is(413, "MessageSizeTooBig"));
}

#[tokio::test]
async fn conversations_that_are_not_the_bots() {
    let world = world().await;
    let other = "4f2b6f0a-0000-4000-8000-000000000003";
    world.control("/apps", json!({"client_id": other, "secret": "simulator-secret", "bot": true})).await;
    world.control("/bot/app", json!({"bot": other, "name": "Other"})).await;
    for app in [APP, other] {
        world.control("/bot/install", json!({"person": ADELE, "app": app})).await;
    }
    let (bot, stranger, adele, tenant) = (Bot::new(&world).await, Bot::of(&world, other).await, user(&world, ADELE).await, tenant(&world).await);
    let body = json!({"members": [{"id": adele["id"]}], "tenantId": tenant});
    assert_eq!(refused(&stranger.call("POST", "conversations", body).await), is(400, "BadArgument"));
    assert_eq!(refused(&stranger.say(text(&adele["conversation"]), "x").await), is(403, "BadArgument"));
    assert_eq!(refused(&stranger.say(text(&adele["chat"]), "x").await), is(403, "BotNotInConversationRoster"));
    for (id, status, code) in [("a:1nothing", 404, "ConversationNotFound"), ("nonsense", 400, "BadSyntax"), ("19:0123@thread.tacv2", 404, "ConversationNotFound")] {
        assert_eq!(refused(&bot.say(id, "x").await), is(status, code), "{id}");
    }
    assert_eq!(bot.say(text(&adele["conversation"]), "x").await.status, 201);
}

#[tokio::test]
async fn what_people_and_organisations_shut() {
    let world = world().await;
    world.control("/limits", json!({"throttle": false})).await;
    world.control("/bot/install", json!({"person": ADELE})).await;
    let (mut bot, adele, tenant) = (Bot::new(&world).await, user(&world, ADELE).await, tenant(&world).await);
    let id = text(&adele["conversation"]);
    // Whoever has blocked a bot is found out by what it says.
    world.control("/bot/block", json!({"person": ADELE})).await;
    assert_eq!(create(&bot, &adele["id"], &tenant).await.status, 201);
    let steps = [
        ("/bot/block", json!({"person": ADELE}), "ConversationBlockedByUser"),
        ("/bot/block", json!({"person": ADELE, "form": "writes"}), "MessageWritesBlocked"),
        ("/bot/block", json!({"person": ADELE, "on": false}), ""),
        ("/bot/disable", json!({"domain": "contoso.com"}), "BotDisabledByAdmin"),
        ("/bot/disable", json!({"domain": "contoso.com", "on": false}), ""),
        ("/bot/service", json!({"domain": "contoso.com", "region": "gcc"}), "InvalidBotApiHost"),
    ];
    for (n, (path, ask, code)) in steps.into_iter().enumerate() {
        world.control(path, ask).await;
        let reply = bot.say(id, &format!("Try {n}")).await;
        if code.is_empty() { assert_eq!(reply.status, 201) } else { assert_eq!(refused(&reply), is(403, code)) }
    }
    bot.region = "gcc";
    assert_eq!(bot.say(id, "Moved").await.status, 201);
    world.control("/bot/service", json!({"domain": "contoso.com", "region": "apac", "with_tenant": true, "strict": true})).await;
    assert_eq!(refused(&bot.say(id, "At home?").await), is(403, "InvalidBotApiHost"));
    bot.region = "emea";
    assert_eq!(refused(&bot.say(id, "Here?").await), is(404, "ConversationNotFound"));
    bot.region = "apac";
    assert_eq!(bot.say(id, "Here").await.status, 201);
    let url = format!("{}/apac/{tenant}/v3/conversations/{id}/members", world.sim.bot());
    let bearer = format!("Bearer {}", bot.token);
    assert_eq!(http("GET", &url, &[("authorization", &bearer)], b"").await.unwrap().status, 200);
}

#[tokio::test]
async fn channels_have_threads_and_some_are_shut() {
    let world = world().await;
    let sales = team(&world).await;
    let channel = |n: usize| text(&sales["channels"][n]["id"]).to_string();
    let bot = Bot::new(&world).await;
    let ask = |id: &str, said: &str| json!({"isGroup": true, "channelData": {"channel": {"id": id}}, "activity": {"type": "message", "text": said}});
    assert_eq!(refused(&bot.call("POST", "conversations", ask(&channel(1), "News")).await), is(403, "BotNotInConversationRoster"));
    world.control("/bot/install", json!({"team": "Sales", "person": ADELE, "channel": "Deals"})).await;
    let made = bot.call("POST", "conversations", ask(&channel(1), "News")).await;
    let made = (made.status, made.json());
    let thread = text(&made.1["id"]).to_string();
    assert_eq!((made.0, thread.as_str()), (201, format!("{};messageid={}", channel(1), text(&made.1["activityId"])).as_str()));
    // In the thread by its id; by the channel's id and the message; a new thread by the channel's id alone.
    assert_eq!(bot.say(&thread.replace(';', "%3B").replace('@', "%40").replace(':', "%3A"), "A reply").await.status, 201);
    let reply = format!("conversations/{}/activities/{}", channel(1), text(&made.1["activityId"]));
    assert_eq!(bot.call("POST", &reply, json!({"type": "message", "text": "Another"})).await.status, 201);
    assert_eq!(bot.say(&channel(1), "A new thread").await.status, 201);
    let unknown = format!("conversations/{}/activities/17", channel(1));
    assert_eq!(refused(&bot.call("POST", &unknown, json!({"type": "message", "text": "x"})).await), is(404, "ActivityNotFoundInConversation"));
    assert_eq!(refused(&bot.say(&format!("{};messageid=17", channel(1)), "x").await), is(404, "ConversationNotFound"));
    let seen = world.control("/bot/messages", json!({"team": "Sales", "channel": "Deals"})).await;
    let seen: Vec<(&str, bool)> = seen["items"].as_array().unwrap().iter().map(|m| (text(&m["text"]), m["is_reply"].as_bool().unwrap())).collect();
    assert_eq!(seen, [("News", false), ("A reply", true), ("Another", true), ("A new thread", false)]);
    assert_eq!(refused(&bot.call("POST", "conversations", ask(&channel(2), "x")).await), is(403, "BotNotInConversationRoster"));
    assert_eq!(refused(&bot.call("POST", "conversations", ask(&channel(3), "x")).await), is(403, "MessageWritesBlocked"));
    world.control("/bot/moderate", json!({"team": "Sales", "channel": "General"})).await;
    assert_eq!(refused(&bot.say(&channel(0), "x").await), is(403, "MessageWritesBlocked"));
    assert!(world.accusations().await.is_empty());
}

#[tokio::test]
async fn teams_and_their_members() {
    let world = world().await;
    world.control("/limits", json!({"throttle": false})).await;
    let sales = team(&world).await;
    let (bot, general) = (Bot::new(&world).await, text(&sales["channels"][0]["id"]).to_string());
    assert_eq!(refused(&bot.get(&format!("teams/{general}")).await), is(403, "BotNotInConversationRoster"));
    world.control("/bot/install", json!({"team": sales["id"]})).await;
    let shown = bot.get(&format!("teams/{general}")).await.json();
    assert_eq!((&shown["id"], &shown["aadGroupId"], &shown["name"]), (&json!(general), &sales["id"], &json!("Sales")));
    assert_eq!(refused(&bot.get(&format!("teams/{}", text(&sales["id"]))).await), is(400, "BadSyntax"));
    let channels = bot.get(&format!("teams/{general}/conversations")).await.json();
    let channels = channels["conversations"].as_array().unwrap();
    assert_eq!(channels.iter().map(|c| c["name"].clone()).collect::<Vec<_>>(), [json!(null), json!("Deals"), json!("Old")]);
    assert_eq!(channels[0]["id"], general.as_str());
    // One person by each of their names; ids stay.
    let adele = user(&world, ADELE).await;
    let oid = world.person("adele").await.get("/me").await.json()["id"].clone();
    for name in [text(&adele["id"]), text(&oid), ADELE] {
        let one = bot.get(&format!("conversations/{general}/members/{name}")).await.json();
        assert_eq!((&one["id"], &one["aadObjectId"], &one["email"]), (&adele["id"], &oid, &json!(ADELE)));
    }
    assert_eq!(refused(&bot.get(&format!("conversations/{general}/members/megan@contoso.com")).await), is(404, "MemberNotFoundInConversation"));
    assert_eq!(refused(&bot.get(&format!("conversations/{general}/members/29:1abc")).await), is(400, "BadArgument"));
    let all = bot.get(&format!("conversations/{general}/members")).await.json();
    assert_eq!((all.as_array().unwrap().len(), &all[0]["objectId"]), (2, &oid));
    // Page by page; those who are real come last.
    world.control("/bot/roster", json!({"team": "Sales", "members": 130, "hide_emails": true})).await;
    let (mut seen, mut pages, mut token) = (Vec::new(), Vec::new(), String::new());
    loop {
        let page = bot.get(&format!("conversations/{general}/pagedMembers?pageSize=10&continuationToken={token}")).await.json();
        let members = page["members"].as_array().unwrap();
        pages.push(members.len());
        seen.extend(members.clone());
        match page["continuationToken"].as_str() {
            Some(next) => token = next.into(),
            None => break,
        }
    }
    assert_eq!(pages, [50, 50, 30]);
    assert_eq!((&seen[128]["id"], seen[128]["email"].is_null()), (&adele["id"], true));
    assert_eq!(refused(&bot.get(&format!("conversations/{general}/pagedmembers?continuationToken=x")).await), is(400, "BadArgument"));
    world.control("/bot/roster", json!({"team": "Sales", "endless": true})).await;
    let mut token = String::new();
    for _ in 0..4 {
        let page = bot.get(&format!("conversations/{general}/pagedMembers?continuationToken={token}")).await.json();
        assert_eq!(page["members"].as_array().unwrap().len(), 500);
        token = text(&page["continuationToken"]).into();
    }
}

#[tokio::test]
async fn limits_are_of_a_thread_and_of_the_bot_in_an_organisation() {
    let world = world().await;
    let people: Vec<String> = (0..6).map(|n| format!("p{n}@contoso.com")).collect();
    let mut ids = Vec::new();
    for who in &people {
        world.control("/people", json!({"address": who})).await;
        world.control("/bot/install", json!({"person": who})).await;
        ids.push(text(&user(&world, who).await["conversation"]).to_string());
    }
    let bot = Bot::new(&world).await;
    for n in 0..7 {
        assert_eq!(bot.say(&ids[0], &format!("{n}")).await.status, 201);
    }
    let one_too_many = bot.say(&ids[0], "7").await;
    assert_eq!((refused(&one_too_many), one_too_many.header("retry-after")), (is(429, "Throttled"), Some("1")));
    assert_eq!(bot.say(&ids[1], "another thread").await.status, 201);
    // Sooner than it was told.
    world.advance(500).await;
    assert_eq!(bot.say(&ids[0], "7").await.status, 429);
    assert_eq!(world.accusations().await, ["too_early"]);
    world.advance(500).await;
    assert_eq!(bot.say(&ids[0], "7").await.status, 201);
    assert_eq!(refused(&bot.say(&ids[0], "8").await).0, 429, "eight in two seconds");
    world.advance(2_000).await;
    let mut statuses = Vec::new();
    for id in &ids {
        for n in 0..6 {
            statuses.push(bot.say(id, &format!("again {n}")).await.status);
        }
    }
    assert_eq!((statuses.iter().filter(|s| **s == 201).count(), statuses.last()), (30, Some(&429)));
    world.advance(60_000).await;
    let members = format!("conversations/{}/members", ids[0]);
    let statuses = [bot.get(&members).await, bot.get(&members).await, bot.get(&members).await, bot.get(&members).await, bot.get(&members).await, bot.get(&members).await].map(|r| r.status);
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429]);
    world.control("/limits", json!({"throttle": false})).await;
    assert_eq!(bot.get(&members).await.status, 200);
}

#[tokio::test]
async fn faults_are_met_and_what_is_said_twice_is_accused() {
    let world = world().await;
    world.control("/bot/install", json!({"person": ADELE})).await;
    let (bot, adele) = (Bot::new(&world).await, user(&world, ADELE).await);
    let id = text(&adele["conversation"]);
    for (status, code) in [(401, "Authorization has been denied for this request."), (403, "BotNotInConversationRoster"), (412, "PreconditionFailed"), (429, "Throttled"), (500, "ServiceError"), (502, "ServiceError")] {
        world.control("/faults", json!({"match": {"host": "bot"}, "do": {"status": status}})).await;
        assert_eq!(refused(&bot.say(id, "Once").await), is(status, code));
    }
    world.control("/faults", json!({"match": {"host": "bot"}, "do": {"status": 403, "code": "MessageWritesBlocked"}})).await;
    assert_eq!(refused(&bot.say(id, "Once").await), is(403, "MessageWritesBlocked"));
    world.control("/faults", json!({"match": {"host": "bot", "method": "POST", "body": "Once"}, "do": {"lost_answer": true}})).await;
    let url = format!("{}/teams/v3/conversations/{id}/activities", world.sim.bot());
    let bearer = format!("Bearer {}", bot.token);
    assert!(http("POST", &url, &[("authorization", &bearer)], br#"{"type":"message","text":"Once"}"#).await.is_err());
    assert!(world.accusations().await.is_empty());
    assert_eq!(bot.say(id, "Once").await.status, 201);
    assert_eq!(world.accusations().await, ["sent_twice"]);
    let ledger = world.control("/ledger", json!({"host": "bot", "method": "POST"})).await;
    assert_eq!(ledger["count"], 9);
    assert_eq!(world.control("/bot/messages", json!({})).await["count"], 2);
    // Done, and an error told all the same.
    world.control("/faults", json!({"match": {"host": "bot"}, "do": {"done_but": {"status": 502}}})).await;
    assert_eq!(refused(&bot.say(id, "Another").await), is(502, "ServiceError"));
    assert_eq!(bot.say(id, "Another").await.status, 201);
    assert_eq!(world.accusations().await, ["sent_twice", "sent_twice"]);
    // A service URL with its slash, joined as if it had none.
    let twice = url.replace("/teams/v3", "/teams//v3");
    assert_eq!(http("POST", &twice, &[("authorization", &bearer)], b"{}").await.unwrap().status, 404);
    world.control("/oddities", json!({"bot_statuses_vary": true, "bot_throttling_untold": true})).await;
    let replies = [bot.say(id, "1").await, bot.say(id, "2").await, bot.say(id, "3").await, bot.say(id, "4").await];
    assert_eq!(replies.each_ref().map(|reply| reply.status), [202, 202, 202, 429]);
    assert_eq!(replies[3].header("retry-after"), None);
}
