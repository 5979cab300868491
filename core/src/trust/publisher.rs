//! Who posts notifications: a token that says so. It proves no content, and can be shown again by whoever has seen it.
//! Source: Graph, change notifications that include resource data (validation tokens in the change notification).

use super::jwt::{LAST_SECOND, LONGEST_LIFE, SKEW, is_guid, rejected};
use crate::error::Result;
use serde::Deserialize;

/// Microsoft's publisher of change notifications.
const PUBLISHER: &str = "0bf30f3b-4a52-48df-9a82-234910c4a086";
/// Issuers of the first version of tokens, before the tenant; of the world's clouds and China's.
const FIRST_ISSUERS: [&str; 2] = ["https://sts.windows.net/", "https://sts.chinacloudapi.cn/"];

/// Claims of a verified token of either version.
#[derive(Deserialize)]
pub struct PublisherClaims {
    iss: String,
    aud: String,
    exp: i64,
    nbf: i64,
    iat: i64,
    tid: String,
    /// Version 1 and version 2.
    #[serde(default)]
    appid: Option<String>,
    #[serde(default)]
    azp: Option<String>,
}

impl PublisherClaims {
    /// `issuer` as the metadata gives it, perhaps with `{tenantid}`. `now` in seconds since 1970.
    pub fn check(&self, issuer: &str, tenant_id: &str, client_id: &str, now: i64) -> Result<()> {
        let is_tenant = is_guid(&self.tid) && self.tid.eq_ignore_ascii_case(tenant_id);
        let by_first = FIRST_ISSUERS.iter().any(|host| self.iss == format!("{host}{}/", self.tid));
        let publisher = if by_first { &self.appid } else { &self.azp };
        if !is_tenant || !(by_first || self.iss == issuer.replace("{tenantid}", &self.tid)) {
            return Err(rejected("its token comes from another issuer"));
        }
        if !self.aud.eq_ignore_ascii_case(client_id) {
            return Err(rejected("its token is for another application"));
        }
        if !publisher.as_deref().is_some_and(|id| id.eq_ignore_ascii_case(PUBLISHER)) {
            return Err(rejected("its token is not that of Microsoft's notifications"));
        }
        if [self.exp, self.nbf, self.iat].iter().any(|time| !(0..=LAST_SECOND).contains(time)) || self.exp <= self.nbf || self.exp.saturating_sub(self.iat) > LONGEST_LIFE {
            return Err(rejected("its token has a time that is none"));
        }
        if now >= self.exp.saturating_add(SKEW) || now < self.nbf.saturating_sub(SKEW) {
            return Err(rejected("its token is not valid now; compare this machine's clock"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "84bd8158-6d4d-4958-8b9f-9d6445542f95";
    const APP: &str = "4f2b6f0a-0000-4000-8000-000000000001";

    fn claims() -> PublisherClaims {
        PublisherClaims { iss: format!("https://sts.windows.net/{TENANT}/"), aud: APP.into(), exp: 4_600, nbf: 1_000, iat: 1_000, tid: TENANT.into(), appid: Some(PUBLISHER.into()), azp: None }
    }

    fn passes(claims: &PublisherClaims, now: i64) -> bool {
        claims.check("https://login.microsoftonline.com/{tenantid}/v2.0", TENANT, APP, now).is_ok()
    }

    #[test]
    fn both_versions_pass_with_everything_in_place() {
        assert!(passes(&claims(), 2_000));
        let second = PublisherClaims { iss: format!("https://login.microsoftonline.com/{TENANT}/v2.0"), appid: None, azp: Some(PUBLISHER.into()), ..claims() };
        assert!(passes(&second, 2_000));
    }

    #[test]
    fn one_thing_that_is_wrong_is_enough() {
        let other = "00000000-0000-0000-0000-000000000001".to_owned();
        for (wrong, what) in [
            (PublisherClaims { aud: other.clone(), ..claims() }, "audience"),
            (PublisherClaims { tid: other.clone(), ..claims() }, "tenant"),
            (PublisherClaims { iss: format!("https://sts.windows.net/{other}/"), tid: other.clone(), ..claims() }, "issuer of another tenant"),
            (PublisherClaims { iss: format!("https://sts.windows.net.evil.example/{TENANT}/"), ..claims() }, "issuer"),
            (PublisherClaims { appid: Some(other.clone()), ..claims() }, "publisher"),
            (PublisherClaims { appid: None, azp: Some(PUBLISHER.into()), ..claims() }, "publisher in the other version's claim"),
            (PublisherClaims { exp: 999, ..claims() }, "lifetime"),
            (PublisherClaims { exp: i64::MAX, ..claims() }, "no time"),
        ] {
            assert!(!passes(&wrong, 2_000), "{what}");
        }
        assert!(!passes(&claims(), 4_900) && !passes(&claims(), 699) && passes(&claims(), 700) && passes(&claims(), 4_899));
    }
}
