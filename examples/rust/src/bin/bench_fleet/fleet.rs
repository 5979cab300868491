//! The accounts: organisations of a hundred people each, and an owner for each of those.

use super::Outcome;
use super::simulator::Simulated;
use serde_json::json;
use std::sync::Arc;
use tidings::{ConnectRequest, Engine, Feature};

/// People of an organisation.
const OF_ONE_ORGANISATION: u32 = 100;
/// Sign-ins at a time.
const AT_ONCE: usize = 16;

pub struct Member {
    pub account_id: String,
    pub address: String,
}

pub struct Group {
    pub owner: String,
    pub members: Vec<Member>,
}

pub struct Fleet {
    pub groups: Vec<Group>,
}

impl Fleet {
    pub async fn connect(engine: &Engine, simulated: &Arc<Simulated>, accounts: u32) -> Outcome<Self> {
        let mut groups = Vec::new();
        let mut left = accounts;
        while left > 0 {
            let count = left.min(OF_ONE_ORGANISATION);
            let number = groups.len() + 1;
            let domain = format!("organisation{number}.example");
            simulated.post("people/many", json!({ "domain": domain, "count": count })).await?;
            let owner = format!("owner-{number}");
            let mut members = Vec::new();
            let addresses: Vec<String> = (1..=count).map(|n| format!("user{n}@{domain}")).collect();
            for some in addresses.chunks(AT_ONCE) {
                let connecting: Vec<_> = some.iter().map(|address| tokio::spawn(connect(engine.clone(), simulated.clone(), owner.clone(), address.clone()))).collect();
                for one in connecting {
                    members.push(one.await??);
                }
            }
            groups.push(Group { owner, members });
            left -= count;
        }
        Ok(Self { groups })
    }

    /// Any of them, by a number that may be larger than there are.
    pub fn member(&self, n: usize) -> Option<&Member> {
        let group = self.groups.get(n % self.groups.len().max(1))?;
        group.members.get((n / self.groups.len().max(1)) % group.members.len().max(1))
    }
}

async fn connect(engine: Engine, simulated: Arc<Simulated>, owner: String, address: String) -> Outcome<Member> {
    let features = vec![Feature::MailSend, Feature::MailSync];
    let request = ConnectRequest { owner, features, redirect_uri: "http://localhost/callback".into(), ..ConnectRequest::default() };
    let sign_in = engine.connect(request).await?;
    let callback = simulated.sign_in(&sign_in.url, &address).await?;
    let account = engine.finish_connect(callback, sign_in.binding).await?;
    Ok(Member { account_id: account.id, address })
}
