//! All that a reset throws away.

use crate::bot::Bots;
use crate::calendar::store::Calendar;
use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::contacts::store::Contacts;
use crate::drive::Drives;
use crate::entra::Entra;
use crate::faults::Faults;
use crate::flows::Flows;
use crate::http::{Answer, Call};
use crate::ids::Ids;
use crate::ledger::Ledger;
use crate::limits::Limits;
use crate::mail::senders::Senders;
use crate::mail::store::Mailbox;
use crate::mail::upload::Uploads;
use crate::people::People;
use crate::profile::Profile;
use crate::push::Push;
use crate::record::Record;
use crate::secrets::Secrets;
use crate::teams::Teams;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};

/// Where the listeners are.
#[derive(Clone, Default, Debug)]
pub struct Origins {
    pub login: String,
    pub graph: String,
    pub stranger: String,
    pub control: String,
    /// Login and Graph again, over TLS 1.2 and 1.3.
    pub tls: (String, String),
    /// The same over TLS 1.2 alone.
    pub tls12: (String, String),
    /// The Bot Connector.
    pub bot: String,
    /// The certificate behind both, PEM.
    pub ca: String,
}

impl Origins {
    /// Login and Graph, as one sees them who came by this origin.
    pub fn beside(&self, origin: &str) -> (&str, &str) {
        let port = |o: &str| o.rsplit(':').next().unwrap_or("").to_string();
        let here = |pair: &(String, String)| [&pair.0, &pair.1].iter().any(|o| port(o) == port(origin));
        match [&self.tls, &self.tls12].into_iter().find(|pair| here(pair)) {
            Some((login, graph)) => (login, graph),
            None => (&self.login, &self.graph),
        }
    }
}

pub struct World {
    /// Tells a request that began before a reset from those after it.
    pub epoch: u64,
    pub origins: Origins,
    pub ids: Ids,
    /// For what every request uses up: kept apart, so that the ids of things do not depend on how many there were.
    pub noise: Ids,
    pub clock: Clock,
    pub people: People,
    pub entra: Entra,
    pub mail: Vec<Mailbox>,
    /// By person, as mail is.
    pub contacts: Vec<Contacts>,
    /// By person, as mail is.
    pub calendars: Vec<Calendar>,
    pub teams: Teams,
    pub drives: Drives,
    pub flows: Flows,
    pub catalogue: Catalogue,
    pub bots: Bots,
    pub senders: Senders,
    pub submissions: Vec<crate::mail::send::Submission>,
    /// By person.
    pub profiles: HashMap<usize, Profile>,
    pub faults: Faults,
    pub secrets: Secrets,
    /// The answers that the next requests of `slip: "everybody"` are given, by fault.
    pub slipped: HashMap<String, Answer>,
    pub limits: Limits,
    pub uploads: Uploads,
    pub push: Push,
    pub ledger: Ledger,
    pub record: Record,
    pub oddities: BTreeMap<&'static str, bool>,
    /// Signs delta tokens.
    pub secret: String,
}

pub const ODDITIES: [(&str, bool); 34] = [
    ("user_names_refused", false),
    ("sent_copy_late", false),
    ("reply_marks_read", false),
    ("fresh_draft_conflict", false),
    ("rewritten_message_id", false),
    ("null_mail", false),
    ("concurrency_retry_after", false),
    ("scopes_in_full", false),
    ("late_consent", false),
    ("many_keys", false),
    ("huge_token_answer", false),
    ("shuffled_challenge", false),
    ("same_change_key", false),
    ("only_removed", false),
    ("no_client_request_id", false),
    ("aligned_ranges", false),
    ("old_subscription_lifetimes", false),
    ("subscriptions_full", false),
    ("subscriptions_taken", false),
    ("notifications_doubled", false),
    ("notifications_shuffled", false),
    ("notifications_mixed", false),
    ("contents_changed", false),
    ("contents_for_others", false),
    ("contents_of_others", false),
    ("contents_replayed", false),
    ("foreign_validation_tokens", false),
    ("customer_bot_tokens_refused", false),
    ("bots_take_object_ids", false),
    ("bot_throttling_untold", false),
    ("bot_statuses_vary", false),
    ("late_installation", false),
    ("team_install_created", false),
    ("activities_doubled", false),
];

impl World {
    pub fn new(epoch: u64, seed: u64, clock: Clock, origins: Origins, record: Record) -> World {
        let mut ids = Ids::new(seed);
        let people = People::start(&mut ids);
        let secret = ids.text(32);
        let noise = Ids::new(!seed);
        let mut world = World {
            epoch,
            origins,
            clock,
            entra: Entra::default(),
            mail: Vec::new(),
            contacts: Vec::new(),
            calendars: Vec::new(),
            teams: Teams::default(),
            drives: Drives::default(),
            flows: Flows::default(),
            catalogue: Catalogue::start(seed),
            bots: Bots::default(),
            senders: Senders::default(),
            submissions: Vec::new(),
            profiles: HashMap::new(),
            faults: Faults::default(),
            secrets: Secrets::default(),
            slipped: HashMap::new(),
            limits: Limits::default(),
            uploads: Uploads::default(),
            push: Push::default(),
            ledger: Ledger::default(),
            record,
            oddities: ODDITIES.into_iter().collect(),
            secret,
            noise,
            ids,
            people,
        };
        world.furnish();
        world
    }

    /// Every person has a mailbox in the list, used or not, at the same place.
    pub fn furnish(&mut self) {
        while self.mail.len() < self.people.people.len() {
            let mailbox = Mailbox::new(&mut self.ids);
            self.mail.push(mailbox);
            // Ids of their own, so that those of mail do not depend on them.
            let contacts = Contacts::new(&mut Ids::new(self.mail.len() as u64));
            self.contacts.push(contacts);
            self.calendars.push(Calendar::default());
        }
    }

    pub fn now(&self) -> i64 {
        self.clock.now_ms()
    }

    pub fn odd(&self, name: &str) -> bool {
        self.oddities.get(name).copied().unwrap_or(false)
    }

    /// The headers that Graph puts on everything, and the envelope of an error.
    pub fn finish(&mut self, call: &Call, mut answer: Answer) -> Answer {
        let request_id = self.noise.guid();
        let client_id = call.header("client-request-id").map(String::from).unwrap_or_else(|| request_id.clone());
        let now = self.now();
        if let Some((code, message)) = answer.error.take() {
            let date = crate::clock::iso(now);
            let mut inner = json!({
                "date": date.trim_end_matches('Z'), "request-id": request_id, "client-request-id": client_id,
            });
            if let (true, Some(inner)) = (self.odd("no_client_request_id"), inner.as_object_mut()) {
                inner.remove("client-request-id");
            }
            answer.body = json!({"error": {"code": code, "message": message, "innerError": inner}}).to_string().into();
            answer.headers.push(("Content-Type".into(), "application/json".into()));
        }
        if let Some(kind) = call.prefer("outlook.body-content-type").filter(|_| answer.status == 200) {
            answer.headers.push(("Preference-Applied".into(), format!("outlook.body-content-type=\"{kind}\"")));
        }
        // What a fault has put there stays.
        for (name, id) in [("request-id", request_id), ("client-request-id", client_id)] {
            let untold = name == "client-request-id" && self.odd("no_client_request_id");
            if !untold && answer.header(name).is_none() {
                answer.headers.push((name.into(), id));
            }
        }
        if call.item_of.is_none() {
            answer.headers.push(("Date".into(), crate::clock::http_date(now)));
            let diagnostic =
                r#"{"ServerInfo":{"DataCenter":"Simulated","Slice":"E","Ring":"1","ScaleUnit":"000","RoleInstance":"SIM0"}}"#;
            answer.headers.push(("x-ms-ags-diagnostic".into(), diagnostic.into()));
        }
        answer
    }
}
