//! Subscriptions to the changes of a mailbox.
//! Source: Graph, subscription resource; create, update, reauthorize, delete, list subscriptions.

use super::{Caller, Graph, encoded, fault, segment, wire};
use crate::clock::{from_ms, to_ms};
use crate::error::{ErrorKind, Result};
use crate::json::lenient;
use crate::model::rfc3339;
use crate::pipeline::{Response, Safety, error_code, error_message};
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};

/// Where contents are to come, it takes a selection.
const WITH_CONTENT: &str = "?$select=id,changeKey,parentFolderId,receivedDateTime,isRead";
/// Longest id of one; Microsoft's are GUIDs.
const LONGEST_ID: usize = 128;
/// A lifetime in minutes that Microsoft may name as its longest.
const LIFETIMES: std::ops::RangeInclusive<i64> = 45..=50_000;

/// A subscription to make.
#[derive(Debug)]
pub struct NewSubscription<'a> {
    /// Of changes and of what concerns the subscription itself.
    pub notification_url: &'a str,
    /// The word by which its notifications prove that they belong to it.
    pub client_state: &'a str,
    pub expires_at: i64,
    /// Contents are to come, encrypted for this certificate: its name, and DER in base64.
    pub certificate: Option<(&'a str, &'a str)>,
}

#[derive(Debug)]
pub enum MadeSubscription {
    Made { id: String, expires_at: i64 },
    /// It may live for so many minutes at the most.
    TooLong(i64),
    /// The notification URL did not answer Microsoft's question, or not as it must.
    Unanswered,
    /// Microsoft has one like it.
    Taken,
    /// The mailbox, or the organisation, has as many as it may have, or a right is missing.
    Refused,
}

#[derive(Debug)]
pub enum RenewedSubscription {
    Until(i64),
    TooLong(i64),
    Gone,
}

/// One of those that there are.
#[derive(Debug)]
pub struct ListedSubscription {
    pub id: String,
    pub client_state: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireNew<'a> {
    change_type: &'static str,
    notification_url: &'a str,
    lifecycle_notification_url: &'a str,
    resource: &'a str,
    expiration_date_time: String,
    client_state: &'a str,
    latest_supported_tls_version: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    include_resource_data: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_certificate_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_certificate: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSubscription {
    #[serde(default, deserialize_with = "lenient::scalar")]
    id: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    expiration_date_time: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    client_state: Option<String>,
}

fn is_id(id: &str) -> bool {
    wire::is_id(id) && id.len() <= LONGEST_ID
}

impl WireSubscription {
    /// When it ends. What was asked for is the longest, so that it is renewed in time whatever is told; one that had ended already would not have been granted.
    fn expires_at(&self, asked: i64, now: i64) -> i64 {
        let told = self.expiration_date_time.as_deref().and_then(wire::time).map(to_ms);
        told.filter(|at| *at > now).map_or(asked, |at| at.min(asked))
    }
}

fn time(ms: i64) -> String {
    rfc3339::to_text(from_ms(ms))
}

/// The longest lifetime in minutes, where the message is about that: "Subscription expiration can only be 4230 minutes in the future."
fn longest(message: &str) -> Option<i64> {
    if !message.contains("expiration") {
        return None;
    }
    let (before, _) = message.split_once(" minutes")?;
    let number = before.rsplit(|c: char| !c.is_ascii_digit()).next()?;
    number.parse().ok().filter(|minutes| LIFETIMES.contains(minutes))
}

impl Graph {
    /// A lost answer is not asked for again: there may be one then that nobody knows of; [`subscriptions`](Self::subscriptions) shows it.
    pub async fn subscribe(&self, caller: &Caller, new: NewSubscription<'_>) -> Result<MadeSubscription> {
        let resource = self.watched(caller, new.certificate.is_some()).await?;
        let body = WireNew {
            change_type: "created,updated,deleted",
            notification_url: new.notification_url,
            lifecycle_notification_url: new.notification_url,
            resource: &resource,
            expiration_date_time: time(new.expires_at),
            client_state: new.client_state,
            latest_supported_tls_version: "v1_2",
            include_resource_data: new.certificate.is_some(),
            encryption_certificate_id: new.certificate.map(|(name, _)| name),
            encryption_certificate: new.certificate.map(|(_, der)| der),
        };
        let body = serde_json::to_vec(&body).map_err(|_| crate::error::Error::internal("A subscription cannot be written."))?;
        let response = self.pipeline.send(self.write(caller, Method::POST, self.url("subscriptions", &[])?, body, Safety::Once)).await?;
        if response.status.is_success() {
            let made: WireSubscription = wire::read(&response.body)?;
            let expires_at = made.expires_at(new.expires_at, to_ms(self.pipeline.clock().now()));
            let id = made.id.filter(|id| is_id(id) && !response.repeats(id)).ok_or_else(wire::unreadable)?;
            return Ok(MadeSubscription::Made { id, expires_at });
        }
        // It alone says which lifetimes are allowed, and what a 400 is about.
        let message = error_message(&response.body);
        match response.status {
            StatusCode::BAD_REQUEST => {
                if let Some(minutes) = longest(&message) {
                    return Ok(MadeSubscription::TooLong(minutes));
                }
                if error_code(&response.body).is_one_of(&["validationerror", "invalidrequest"]) && message.contains("validation request") {
                    return Ok(MadeSubscription::Unanswered);
                }
            }
            StatusCode::CONFLICT => return Ok(MadeSubscription::Taken),
            StatusCode::FORBIDDEN => return Ok(MadeSubscription::Refused),
            _ => {}
        }
        Err(refusal(response, caller))
    }

    /// All of the caller's mailbox, drafts and sent items as well.
    async fn watched(&self, caller: &Caller, with_content: bool) -> Result<String> {
        let place = match self.pipeline.shared_mailbox(&caller.account_id).await? {
            None => "me".to_owned(),
            // No part of an address here, so what need not be encoded is not.
            Some(address) => format!("users/{}", encoded(&address, b"-._~@+'")),
        };
        Ok(format!("/{place}/messages{}", if with_content { WITH_CONTENT } else { "" }))
    }

    pub async fn renew_subscription(&self, caller: &Caller, id: &str, expires_at: i64) -> Result<RenewedSubscription> {
        let url = self.url(&format!("subscriptions/{}", segment(id)?), &[])?;
        let body = serde_json::json!({ "expirationDateTime": time(expires_at) }).to_string().into_bytes();
        let response = self.pipeline.send(self.write(caller, Method::PATCH, url, body, Safety::Repeatable)).await?;
        if response.status.is_success() {
            let renewed: WireSubscription = wire::read(&response.body)?;
            return Ok(RenewedSubscription::Until(renewed.expires_at(expires_at, to_ms(self.pipeline.clock().now()))));
        }
        if response.status == StatusCode::BAD_REQUEST && let Some(minutes) = longest(&error_message(&response.body)) {
            return Ok(RenewedSubscription::TooLong(minutes));
        }
        if fault::is_absent(response.status, &response.body) {
            return Ok(RenewedSubscription::Gone);
        }
        Err(refusal(response, caller))
    }

    /// Tells Microsoft that the access goes on. False: there is no such subscription any more.
    pub async fn reauthorize_subscription(&self, caller: &Caller, id: &str) -> Result<bool> {
        let url = self.url(&format!("subscriptions/{}/reauthorize", segment(id)?), &[])?;
        Ok(self.look(self.write(caller, Method::POST, url, Vec::new(), Safety::Repeatable)).await?.is_some())
    }

    /// One that is gone already is deleted.
    pub async fn unsubscribe(&self, caller: &Caller, id: &str) -> Result<()> {
        let url = self.url(&format!("subscriptions/{}", segment(id)?), &[])?;
        self.look(self.write(caller, Method::DELETE, url, Vec::new(), Safety::Repeatable)).await.map(drop)
    }

    /// Those of this application and person; of an organisation's token all of the application there.
    pub async fn subscriptions(&self, caller: &Caller) -> Result<Vec<ListedSubscription>> {
        let list = self.list::<WireSubscription>(caller, self.url("subscriptions", &[])?).await?;
        let items = list.map(|list| list.items).unwrap_or_default();
        Ok(items.into_iter().filter_map(|one| Some(ListedSubscription { id: one.id.filter(|id| is_id(id))?, client_state: one.client_state })).collect())
    }
}

fn refusal(response: Response, caller: &Caller) -> crate::error::Error {
    let error = fault::error(response.status, &response.body, &response.secrets).with_request_id(response.request_id()).on_account(&caller.account_id);
    // What we ask for is always the same, so a 400 is not the caller's.
    if error.kind() == ErrorKind::InvalidInput { crate::error::Error::new(ErrorKind::Upstream, error.reason().to_owned()).on_account(&caller.account_id) } else { error }
}

#[cfg(test)]
mod tests {
    use super::{WireSubscription, longest};
    use serde_json::json;

    #[test]
    fn whatever_end_is_told_it_is_renewed_in_time() {
        let (now, asked) = (1_768_467_600_000, 1_769_072_400_000);
        for (told, end) in [
            (json!("2026-01-16T09:00:00Z"), 1_768_554_000_000),
            (json!("9999-12-30T00:00:00Z"), asked),
            (json!("9999-12-31T23:59:59Z"), asked),
            (json!("0001-01-01T00:00:00Z"), asked),
            (json!("2026-01-01T00:00:00Z"), asked),
            (json!("soon"), asked),
            (json!(17), asked),
            (json!(null), asked),
            (json!({ "at": [] }), asked),
        ] {
            let shown: WireSubscription = serde_json::from_value(json!({ "id": "s", "expirationDateTime": told })).unwrap();
            assert_eq!(shown.expires_at(asked, now), end, "{told}");
        }
    }

    #[test]
    fn a_refusal_names_the_longest_lifetime() {
        for (message, minutes) in [
            ("subscription expiration can only be 4230 minutes in the future.", Some(4_230)),
            ("expirationdatetime is out of range: subscription expiration can only be 10080 minutes in the future", Some(10_080)),
            ("subscription expiration can only be 0 minutes in the future.", None),
            ("subscription expiration can only be 99999999999999999999 minutes in the future.", None),
            ("subscription validation request timed out.", None),
            ("wait 10 minutes", None),
            ("", None),
        ] {
            assert_eq!(longest(message), minutes, "{message}");
        }
    }
}
