//! Subscriptions to the changes of mailboxes, and the posts that tell of them.

pub mod control;
mod content;
mod create;
mod news;
pub mod outgoing;
mod serve;

pub use create::{answered, question};
pub use news::collect;
pub use serve::handle;

use crate::bot::Proof;
use crate::world::World;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use tokio::sync::oneshot;

/// Posts are tried again for so long.
const GIVEN_UP_MS: i64 = 4 * 3_600_000;
/// Items of one post.
const TOGETHER: usize = 50;

pub struct Subscription {
    pub id: String,
    /// Client id.
    pub app: String,
    /// Whose token made it; none: the app's own.
    creator: Option<usize>,
    tenant: usize,
    /// Whose mailbox it is about.
    mailbox: usize,
    /// `created` and the like.
    changes: Vec<String>,
    /// Well-known name or id of a folder.
    folder: Option<String>,
    resource: String,
    url: String,
    lifecycle_url: Option<String>,
    client_state: Option<String>,
    tls: Option<String>,
    immutable: bool,
    expires_ms: i64,
    /// Microsoft has asked for its renewal.
    was_asked: bool,
    renewed: u32,
    reauthorized: u32,
    /// Resource data is to come.
    encryption: Option<content::Encryption>,
}

/// A post on its way to a notification URL.
pub struct Post {
    pub id: u64,
    pub url: String,
    content_type: &'static str,
    body: String,
    /// Not before.
    at_ms: i64,
    first_ms: i64,
    tries: u32,
    /// Somebody has it in hand.
    is_out: bool,
    /// Of a subscription that is being made.
    asks: Option<oneshot::Sender<Said>>,
    /// Subscriptions that it tells of.
    about: Vec<String>,
    /// Of an activity of a bot: how it proves where it comes from.
    proof: Option<Proof>,
    /// It is not tried again.
    is_once: bool,
}

/// A post that leaves now.
pub struct Leaving {
    pub id: u64,
    pub url: String,
    pub content_type: &'static str,
    pub authorization: Option<String>,
    pub body: String,
}

/// What a notification URL answered.
pub struct Said {
    pub status: u16,
    pub content_type: String,
    pub body: String,
}

/// Something to tell, not in a post yet.
struct Item {
    url: String,
    subscription: String,
    value: Value,
}

#[derive(Default)]
pub struct Push {
    subscriptions: Vec<Subscription>,
    items: Vec<Item>,
    posts: VecDeque<Post>,
    last: u64,
    /// Why a subscription may not be made, by the request that wants it; empty: it may.
    answers: HashMap<u64, String>,
    /// Posts that nobody took within four hours.
    lost: u32,
    /// Validation tokens are signed with a key that nobody knows.
    foreign_tokens: bool,
}

/// Posts go to this machine alone. What is for anybody else waits until a test takes it.
pub fn is_here(url: &str) -> bool {
    let host = url.strip_prefix("http://").map(|rest| rest.split(['/', '?']).next().unwrap_or(""));
    host.is_some_and(|host| host.starts_with("127.0.0.1:") || host.starts_with("localhost:"))
}

impl Push {
    fn add_post(&mut self, now: i64, url: String, content_type: &'static str, body: String, about: Vec<String>, asks: Option<oneshot::Sender<Said>>) {
        self.last += 1;
        self.posts.push_back(Post { id: self.last, url, content_type, body, at_ms: now, first_ms: now, tries: 0, is_out: false, asks, about, proof: None, is_once: false });
    }

    /// An activity for the endpoint of a bot; the number of its post.
    pub fn add_activity(&mut self, now: i64, url: String, body: String, proof: Proof, is_once: bool) -> u64 {
        self.add_post(now, url, "application/json; charset=utf-8", body, Vec::new(), None);
        if let Some(post) = self.posts.back_mut() {
            (post.proof, post.is_once) = (Some(proof), is_once);
        }
        self.last
    }

    /// What is to be told becomes posts when they are to leave: everything for one URL together.
    fn pack(&mut self, now: i64, here: bool) {
        let mut by_url: Vec<(String, Vec<Item>)> = Vec::new();
        let (leaving, left) = std::mem::take(&mut self.items).into_iter().partition(|item| is_here(&item.url) == here);
        let leaving: Vec<Item> = leaving;
        self.items = left;
        for item in leaving {
            match by_url.iter_mut().find(|(url, items)| *url == item.url && items.len() < TOGETHER) {
                Some((_, items)) => items.push(item),
                None => by_url.push((item.url.clone(), vec![item])),
            }
        }
        for (url, items) in by_url {
            let about = items.iter().map(|item| item.subscription.clone()).collect();
            let tokens = self.validation_tokens(now, &items);
            let value: Vec<Value> = items.into_iter().map(|item| item.value).collect();
            let mut body = json!({ "value": value });
            if !tokens.is_empty() {
                body["validationTokens"] = json!(tokens);
            }
            self.add_post(now, url, "application/json", body.to_string(), about, None);
        }
    }

    /// One for each application and tenant of which contents are posted.
    fn validation_tokens(&self, now: i64, items: &[Item]) -> Vec<String> {
        let mut known: Vec<(&str, &str)> = Vec::new();
        for item in items.iter().filter(|item| item.value["encryptedContent"].is_object()) {
            let app = self.subscriptions.iter().find(|one| one.id == item.subscription).map_or("", |one| &one.app);
            let sender = (app, item.value["tenantId"].as_str().unwrap_or(""));
            if !known.contains(&sender) {
                known.push(sender);
            }
        }
        known.into_iter().map(|(app, tenant)| content::validation_token(app, tenant, now, self.foreign_tokens)).collect()
    }

    /// The posts whose time has come, to send or to hand to a test.
    fn due(&mut self, now: i64, here: bool, most: usize) -> Vec<Leaving> {
        self.pack(now, here);
        let due = self.posts.iter_mut().filter(|post| !post.is_out && post.at_ms <= now && is_here(&post.url) == here);
        let take = |post: &mut Post| {
            post.is_out = true;
            post.tries += 1;
            let authorization = post.proof.as_ref().and_then(|proof| proof.authorization(now));
            Leaving { id: post.id, url: post.url.clone(), content_type: post.content_type, authorization, body: post.body.clone() }
        };
        due.take(most).map(take).collect()
    }

    /// A post was answered; none: nobody answered.
    fn answered(&mut self, now: i64, id: u64, said: Option<Said>) {
        let Some(at) = self.posts.iter().position(|post| post.id == id) else { return };
        let is_question = self.posts.get(at).is_some_and(|post| post.asks.is_some());
        if is_question {
            // Where nobody answered, whoever asked hears it by the end of the channel.
            if let (Some(asks), Some(said)) = (self.posts.remove(at).and_then(|post| post.asks), said) {
                let _ = asks.send(said);
            }
            return;
        }
        let Some(post) = self.posts.get_mut(at) else { return };
        // The Connector takes a refusal for an answer, and nobody waits for that of an invoke for long.
        let is_refused = post.proof.is_some() && said.as_ref().is_some_and(|said| (400..500).contains(&said.status) && said.status != 429);
        if is_refused || post.is_once || said.is_some_and(|said| (200..300).contains(&said.status)) {
            self.posts.remove(at);
            return;
        }
        post.is_out = false;
        post.at_ms = now + 10_000 * (1_i64 << post.tries.min(12));
        if post.at_ms - post.first_ms > GIVEN_UP_MS
            && let Some(post) = self.posts.remove(at)
        {
            self.lost += 1;
            for id in post.about {
                self.tell(&id, "missed");
            }
        }
    }

    /// A lifecycle event of a subscription.
    fn tell(&mut self, id: &str, event: &str) {
        let Some(one) = self.subscriptions.iter().find(|one| one.id == id) else { return };
        let Some(url) = one.lifecycle_url.clone() else { return };
        let value = json!({
            "subscriptionId": one.id, "subscriptionExpirationDateTime": crate::clock::iso(one.expires_ms), "clientState": one.client_state,
            "tenantId": Value::Null, "lifecycleEvent": event,
        });
        let subscription = one.id.clone();
        self.items.push(Item { url, subscription, value });
    }
}

/// The posts whose time has come.
fn leaving(world: &mut World, here: bool, most: usize) -> Vec<Leaving> {
    look_at_time(world);
    let due = world.push.due(world.clock.now_ms(), here, most);
    due.iter().filter_map(|post| post.authorization.as_ref()).for_each(|token| world.secrets.keep_of_post(token));
    due
}

/// A post was answered; none: nobody answered.
pub fn heard(world: &mut World, id: u64, said: Option<Said>) {
    crate::bot::answered(world, id, said.as_ref());
    let now = world.now();
    world.push.answered(now, id, said);
}

/// Those that have expired are gone; some of the others are about to.
pub fn look_at_time(world: &mut World) {
    let now = world.now();
    world.push.subscriptions.retain(|one| one.expires_ms > now);
    let near: Vec<String> = world.push.subscriptions.iter_mut().filter(|one| !one.was_asked && one.expires_ms - now <= 2 * 3_600_000).map(|one| {
        one.was_asked = true;
        one.id.clone()
    }).collect();
    for id in near {
        world.push.tell(&id, "reauthorizationRequired");
    }
    news::name_tenants(world);
}
