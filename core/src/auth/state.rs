//! What becomes of an account when Microsoft refuses it.
//!
//! ```text
//! (nothing) ── sign-in finished ──▶ Connected ── refresh ok ──▶ Connected
//! Connected ── the person must act: invalid_grant, interaction_required ──▶ NeedsReconnect ── sign-in finished ──▶ Connected
//! Connected ── the application is set up wrongly: invalid_client … ──▶ Misconfigured ── refresh ok ──▶ Connected
//! Connected ── outage: network, 429, 5xx, unreadable ──▶ Connected (tokens untouched, an error for the caller)
//! Connected ── a renewal for somebody else, Graph refuses even new tokens ──▶ NeedsReconnect ── verify works ──▶ Connected
//! Connected ── access that was not granted for good has ended ──▶ NeedsReconnect
//! (nothing) ── only an administrator can let this in ──▶ AwaitingAdmin ── approved ──▶ NeedsReconnect (a person) or, by a token, Connected (an organisation whose administrator has signed in)
//! AwaitingAdmin ── declined, or nobody for 30 days ──▶ Declined ── approval asked for again ──▶ AwaitingAdmin
//! any ── disconnect ──▶ Disconnected
//! ```
//!
//! States follow OAuth's `error`, which is the contract; the AADSTS number only picks the words.

use crate::error::{Error, ErrorKind, Remedy};
use crate::model::AccountState;

/// A refusal of the authorize or token endpoint, without its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusal {
    pub error: String,
    pub suberror: String,
    /// `50173` of `AADSTS50173: …`
    pub aadsts: Option<u32>,
    /// What Microsoft wants the next sign-in to be asked for, as JSON.
    pub claims: Option<String>,
}

/// Who has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The person signs in again.
    Person,
    /// An administrator grants or allows something.
    Admin,
    /// Whoever registered the application mends it; tokens stay.
    Developer,
    /// The person said no.
    Declined,
    /// Nobody: it passes.
    Outage,
}

impl Refusal {
    pub fn class(&self) -> Class {
        match (self.error.as_str(), self.aadsts) {
            ("temporarily_unavailable" | "server_error", _) | (_, Some(90006 | 90024 | 90033 | 90090 | 90055)) => Class::Outage,
            (_, Some(65004)) | ("authorization_declined" | "permission_denied", _) => Class::Declined,
            ("consent_required", _) | (_, Some(65001 | 90094 | 90095 | 90008)) => Class::Admin,
            (_, Some(53000..=53004 | 530032..=530035 | 50105 | 50097 | 50129 | 50131 | 50155)) => Class::Admin,
            ("access_denied", _) => Class::Declined,
            ("invalid_grant" | "interaction_required" | "login_required", _) => Class::Person,
            ("invalid_client" | "unauthorized_client" | "invalid_resource" | "invalid_scope" | "invalid_request" | "invalid_tenant", _) => Class::Developer,
            ("unsupported_grant_type" | "unsupported_response_type", _) => Class::Developer,
            // An error nobody has documented keeps the tokens and is told as it is.
            _ => Class::Outage,
        }
    }

    /// What the account becomes when a refresh is refused like this; None: nothing changes.
    pub fn state(&self) -> Option<AccountState> {
        match self.class() {
            Class::Admin if matches!(self.aadsts, Some(90094 | 90095 | 90008)) => Some(AccountState::AwaitingAdmin),
            Class::Person | Class::Declined | Class::Admin => Some(AccountState::NeedsReconnect),
            Class::Developer => Some(AccountState::Misconfigured),
            Class::Outage => None,
        }
    }

    /// Only an administrator can let this sign-in through, and can do so by an approval.
    pub fn needs_approval(&self) -> bool {
        match self.aadsts {
            Some(65001 | 90094 | 90095 | 90008) => true,
            Some(_) => false,
            None => self.error == "consent_required" || self.suberror == "consent_required",
        }
    }

    /// The administrator who was asked to approve said no. At that page even `consent_required` means it.
    pub fn declines_approval(&self) -> bool {
        matches!(self.error.as_str(), "access_denied" | "consent_required" | "permission_denied" | "authorization_declined") && !matches!(self.aadsts, Some(90094 | 90095 | 90008))
    }

    /// The application is not known there, which an approval changes.
    pub fn not_yet(&self) -> bool {
        matches!(self.aadsts, Some(700016 | 7000112)) || (self.aadsts.is_none() && self.error == "unauthorized_client") || self.needs_approval()
    }

    /// What happened and what to do, in our words.
    pub fn reason(&self) -> String {
        let number = self.aadsts.map(|n| format!(" (AADSTS{n})")).unwrap_or_default();
        let words = match self.aadsts {
            Some(50173 | 50132 | 50133) => "the password was changed or the sessions were revoked. Connect the account again",
            Some(700082) => "it was not used for 90 days. Connect the account again",
            Some(700084 | 70043) => "the organisation limits how long a sign-in lasts. Connect the account again",
            Some(70000 | 70008) => "the sign-in has expired. Connect the account again",
            Some(54005) => "this sign-in was used already. Start it again",
            Some(501481 | 50147) => "the code belongs to another sign-in. Start it again",
            Some(65001) => "the consent was withdrawn or not all permissions were granted. Ask an administrator to grant them, then connect again",
            Some(90094 | 90095 | 90008) => "an administrator must approve the application first. Ask one, then connect again",
            Some(65004) => "the person declined",
            Some(50076 | 50079 | 50072 | 50074 | 50078 | 50158) => "Microsoft asks for a further proof of identity. Connect the account again",
            Some(53000..=53004 | 530032..=530035) => "a policy of the organisation forbids it. Ask an administrator",
            Some(50105) => "the person is not assigned to the application. Ask an administrator",
            Some(50057) => "the person's Microsoft account is disabled. Ask an administrator",
            Some(50053 | 50055 | 50126) => "the person's Microsoft account is locked or its password has expired. Sign in at Microsoft, then connect again",
            Some(50020 | 50034 | 90072 | 16000 | 16003 | 51004 | 500208 | 500212 | 500213 | 500021) => "this person does not belong to the organisation. Connect with another account",
            Some(7000215) => "the client secret is wrong. Set client_secret to the secret's value, not its id",
            Some(7000222) => "the client secret has expired. Make a new one in Entra and set client_secret",
            Some(7000218) => "the application needs its client secret. Set client_secret",
            Some(700025) => "a public client must not send a secret. Remove client_secret",
            Some(700016 | 700011) => "the application is not known in this organisation. Check client_id and tenant",
            Some(7000112 | 70001) => "the application is disabled. Ask whoever registered it",
            Some(90002) => "this tenant does not exist. Check the tenant setting",
            Some(50194 | 9002332 | 50059 | 50128) => "the registration does not allow this kind of account. Check the tenant setting and the supported account types",
            Some(50011) => "the redirect URI is not registered. Add it in Entra",
            Some(70011 | 650053 | 65005 | 650052 | 650054 | 650056 | 650057 | 500011 | 500014) => "a permission asked for is not set up for the application. Check the registration",
            _ => match self.class() {
                Class::Person => "Microsoft asks for a new sign-in. Connect the account again",
                Class::Admin => "the consent of an administrator is missing. Ask one, then connect again",
                Class::Declined => "the person declined",
                Class::Developer => "the application's registration does not fit. Check client_id, client_secret, tenant and redirect URI",
                Class::Outage => "Microsoft's sign-in service had a problem. Try again later",
            },
        };
        let mut words = words.to_owned();
        if let Some(first) = words.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        format!("{words}{number}.")
    }

    /// The error of a sign-in or of a call that needed a token.
    pub fn error(&self, while_signing_in: bool) -> Error {
        let reason = self.reason();
        match self.class() {
            Class::Declined if while_signing_in => Error::new(ErrorKind::Cancelled, reason),
            Class::Admin if while_signing_in && !self.needs_approval() => Error::new(ErrorKind::Forbidden, reason).with_remedy(Remedy::Admin),
            Class::Admin if while_signing_in => Error::new(ErrorKind::ConsentMissing, reason).with_remedy(Remedy::Admin),
            // There is no account yet that could be reconnected: this one attempt came to nothing.
            Class::Person if while_signing_in => {
                let reason = match self.aadsts {
                    None => "Microsoft did not accept the answer of this sign-in. Start it again.".to_owned(),
                    Some(_) => reason.replace("Connect the account again", "Start the sign-in again"),
                };
                Error::new(ErrorKind::TokenRejected, reason).with_remedy(Remedy::User)
            }
            Class::Admin => Error::new(ErrorKind::NeedsReconnect, reason).with_remedy(Remedy::Admin),
            Class::Person | Class::Declined => Error::new(ErrorKind::NeedsReconnect, reason),
            Class::Developer => Error::new(ErrorKind::Forbidden, reason).with_remedy(Remedy::Developer),
            Class::Outage => Error::new(ErrorKind::Upstream, reason),
        }
    }
}

/// The number of `AADSTS50173: The provided grant …`; nothing else of the text is kept.
pub fn aadsts(description: &str) -> Option<u32> {
    let digits = description.split_once("AADSTS")?.1;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(error: &str, aadsts: Option<u32>) -> Refusal {
        Refusal { error: error.into(), suberror: String::new(), aadsts, claims: None }
    }

    #[test]
    fn states_follow_the_error_and_words_the_number() {
        for (error, number, state, word) in [
            ("invalid_grant", Some(50173), Some(AccountState::NeedsReconnect), "password"),
            ("invalid_grant", Some(700082), Some(AccountState::NeedsReconnect), "90 days"),
            ("invalid_grant", Some(65001), Some(AccountState::NeedsReconnect), "consent"),
            ("interaction_required", Some(50076), Some(AccountState::NeedsReconnect), "proof"),
            ("invalid_client", Some(7000215), Some(AccountState::Misconfigured), "secret"),
            ("unauthorized_client", Some(700016), Some(AccountState::Misconfigured), "client_id"),
            ("invalid_grant", None, Some(AccountState::NeedsReconnect), "sign-in"),
            ("temporarily_unavailable", None, None, "later"),
            ("server_error", Some(90033), None, "later"),
            ("something_new", None, None, "later"),
        ] {
            let refusal = refusal(error, number);
            assert_eq!(refusal.state(), state, "{error}");
            assert!(refusal.reason().contains(word), "{error}: {}", refusal.reason());
            assert!(refusal.reason().starts_with(|c: char| c.is_uppercase()));
        }
    }

    #[test]
    fn sign_ins_end_in_their_own_kinds() {
        assert_eq!(refusal("access_denied", Some(65004)).error(true).kind(), ErrorKind::Cancelled);
        let admin = refusal("access_denied", Some(90094)).error(true);
        assert_eq!((admin.kind(), admin.remedy()), (ErrorKind::ConsentMissing, Remedy::Admin));
        assert_eq!(refusal("consent_required", None).error(true).kind(), ErrorKind::ConsentMissing);
        assert_eq!(refusal("access_denied", Some(53003)).error(true).kind(), ErrorKind::Forbidden, "a policy is nothing to approve");
        for number in [Some(70008), Some(54005), Some(501481), None] {
            let error = refusal("invalid_grant", number).error(true);
            assert_eq!((error.kind(), error.remedy()), (ErrorKind::TokenRejected, Remedy::User), "{number:?}");
            assert!(error.reason().contains("tart "), "{}", error.reason());
        }
    }

    #[test]
    fn administrators_decline_in_several_words() {
        for (error, number) in [("consent_required", Some(65004)), ("permission_denied", None), ("access_denied", None)] {
            assert!(refusal(error, number).declines_approval(), "{error}");
        }
        assert!(!refusal("access_denied", Some(90094)).declines_approval(), "somebody who is no administrator");
        assert!(!refusal("server_error", None).declines_approval());
    }

    #[test]
    fn only_the_number_is_taken_from_a_text() {
        assert_eq!(aadsts("AADSTS50173: The <b>grant</b>"), Some(50173));
        assert_eq!(aadsts("no number"), None);
        assert_eq!(aadsts("AADSTS99999999999999"), None);
    }
}
