//! What Entra has given out: codes, refresh tokens, access tokens, consents.

use crate::ids::Ids;
use std::collections::{BTreeSet, HashMap};

#[derive(Clone)]
pub struct Code {
    pub client_id: String,
    pub redirect_uri: String,
    pub person: usize,
    pub scopes: Vec<String>,
    /// Challenge, and whether it is S256.
    pub challenge: Option<(String, bool)>,
    pub nonce: Option<String>,
    pub issued_ms: i64,
    pub used: bool,
}

#[derive(Clone)]
pub struct Refresh {
    pub client_id: String,
    pub person: usize,
    pub scopes: Vec<String>,
    /// Grows with everything issued, so that a standing clock can still tell before from after.
    pub serial: u64,
    pub issued_ms: i64,
}

#[derive(Clone)]
pub struct Access {
    /// None for a token of the app's own.
    pub person: Option<usize>,
    pub tenant: usize,
    pub scopes: Vec<String>,
    pub expires_ms: i64,
}

#[derive(Default)]
pub struct Entra {
    pub codes: HashMap<String, Code>,
    pub refresh: HashMap<String, Refresh>,
    access: HashMap<String, Access>,
    pub consents: HashMap<(String, usize), BTreeSet<String>>,
    /// Everything up to this serial is void, and why.
    pub revoked: HashMap<usize, (u64, String, i64)>,
    pub auto_approve: Option<usize>,
    serial: u64,
}

impl Entra {
    pub fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    pub fn give_access(&mut self, ids: &mut Ids, access: Access) -> String {
        if self.access.len() > 20_000 {
            let oldest = access.expires_ms - 24 * 3_600_000;
            self.access.retain(|_, a| a.expires_ms > oldest);
        }
        let token = format!("EwB{}", ids.text(120));
        self.access.insert(token.clone(), access);
        token
    }

    pub fn access(&self, token: &str) -> Option<&Access> {
        self.access.get(token)
    }

    /// The token stays known, but is over.
    pub fn forget_access(&mut self, token: &str) {
        if let Some(access) = self.access.get_mut(token) {
            access.expires_ms = i64::MIN;
        }
    }

    pub fn expire(&mut self, person: usize) {
        for access in self.access.values_mut().filter(|a| a.person == Some(person)) {
            access.expires_ms = i64::MIN;
        }
    }

    pub fn revoke(&mut self, person: usize, reason: &str, now: i64) {
        let serial = self.next_serial();
        self.revoked.insert(person, (serial, reason.to_string(), now));
        if reason == "consent_withdrawn" {
            self.consents.retain(|(_, p), _| *p != person);
        }
    }

    pub fn consent(&mut self, client_id: &str, person: usize, scopes: &[String]) {
        let known = self.consents.entry((client_id.to_lowercase(), person)).or_default();
        known.extend(scopes.iter().map(|s| short(s).to_lowercase()));
    }

    pub fn consented(&self, client_id: &str, person: usize, scopes: &[String]) -> bool {
        let known = self.consents.get(&(client_id.to_lowercase(), person));
        scopes.iter().all(|s| known.is_some_and(|k| k.contains(&short(s).to_lowercase())))
    }
}

/// Scopes of sign-in itself, not of Graph.
pub fn is_oidc(scope: &str) -> bool {
    matches!(scope, "openid" | "profile" | "email" | "offline_access")
}

/// `https://graph.microsoft.com/Mail.Read` is Mail.Read.
pub fn short(scope: &str) -> &str {
    match scope.rsplit_once('/') {
        Some((_, name)) if scope.contains("://") => name,
        _ => scope,
    }
}
