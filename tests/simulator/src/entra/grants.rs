//! What Entra has given out: codes, refresh tokens, access tokens.

use super::consent::Approval;
use super::device::Device;
use super::keys::Tamper;
use crate::http::base64url;
use crate::ids::Ids;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

/// Stands in every code and token given out, so that whoever finds it in a file or a log has found a leak.
pub const MARK: &str = "CanaryOfTheSimulator";

#[derive(Clone)]
pub struct Code {
    pub client_id: String,
    pub redirect_uri: String,
    pub person: usize,
    pub scopes: Vec<String>,
    /// The first scope that was asked for, whose service the token will be for.
    pub target: Option<String>,
    /// Challenge, and whether it is S256.
    pub challenge: Option<(String, bool)>,
    pub nonce: Option<String>,
    pub tamper: Option<Tamper>,
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
    /// Client id.
    pub app: String,
    /// Of an app's own token: its roles.
    pub scopes: Vec<String>,
    pub expires_ms: i64,
    /// The service it is for, as it was asked for.
    pub audience: String,
    /// As of a refresh token.
    pub serial: u64,
}

#[derive(Default)]
pub struct Entra {
    pub codes: HashMap<String, Code>,
    pub refresh: HashMap<String, Refresh>,
    access: HashMap<String, Access>,
    /// Access tokens left the last time that old ones were dropped.
    access_kept: usize,
    pub devices: Vec<Device>,
    /// What people agreed to, by app and person: the scopes as they were asked for, by their keys.
    pub consents: HashMap<(String, usize), BTreeMap<String, String>>,
    /// What an administrator has agreed to for everyone, by app and tenant.
    pub approvals: HashMap<(String, usize), Approval>,
    /// Everything up to this serial is void, and why.
    pub revoked: HashMap<usize, (u64, String, i64)>,
    /// What was issued up to this serial came about without a second factor.
    pub without_mfa: HashMap<usize, u64>,
    /// What is wrong with the next renewals of a person, and how many of them; 0 for all.
    pub renewals: HashMap<usize, (Tamper, u32)>,
    /// What is wrong with tokens of apps on their own in a tenant.
    pub own_tokens: HashMap<usize, Tamper>,
    pub auto_approve: Option<usize>,
    serial: u64,
}

impl Entra {
    /// What is wrong with this renewal.
    pub fn renewal_tamper(&mut self, person: usize) -> Option<Tamper> {
        let (tamper, left) = self.renewals.get_mut(&person)?;
        let tamper = *tamper;
        if *left == 1 {
            self.renewals.remove(&person);
        } else {
            *left = left.saturating_sub(1);
        }
        Some(tamper)
    }

    pub fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// With claims the token reads as a JWT, without them as the lump that personal accounts get. Nobody but Graph can
    /// check either: the signature is noise.
    pub fn give_access(&mut self, ids: &mut Ids, access: Access, claims: Option<Value>) -> String {
        // Tokens stay known for a day after their end. Looked through only when there are twice as many as were left the last time: thousands of people have
        // more than that at any time, and each new token would go through all of them.
        if self.access.len() > self.access_kept.saturating_mul(2).max(20_000) {
            let oldest = access.expires_ms - 24 * 3_600_000;
            self.access.retain(|_, a| a.expires_ms > oldest);
            self.access_kept = self.access.len();
        }
        let token = match claims {
            Some(mut claims) => {
                claims["uti"] = json!(ids.text(22));
                let header = json!({"typ": "JWT", "nonce": ids.text(43), "alg": "RS256", "kid": "graph-only"}).to_string();
                // 256 bytes: the last letter has two bits of them, and those who read strictly want the others to be 0.
                let signature = format!("{MARK}{}A", ids.text(341 - MARK.len()));
                format!("{}.{}.{signature}", base64url(header.as_bytes()), base64url(claims.to_string().as_bytes()))
            }
            None => format!("EwB{MARK}{}", ids.text(120)),
        };
        self.access.insert(token.clone(), access);
        token
    }

    pub fn access(&self, token: &str) -> Option<&Access> {
        self.access.get(token)
    }

    /// One that opens this person's mailbox, for a fault that mixes people up.
    pub fn token_of(&self, person: usize) -> Option<&str> {
        let latest = self.access.iter().filter(|(_, access)| access.person == Some(person)).max_by_key(|(_, access)| access.expires_ms);
        latest.map(|(token, _)| token.as_str())
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
