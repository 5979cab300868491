//! Graph's refusals, in one table. Status and code decide, never the message, which is written for people and changes.

use crate::error::{Error, ErrorKind, Remedy};
use crate::foreign::Secrets;
use crate::pipeline::error_code;
use http::StatusCode;

/// There is no mailbox that programs may use.
pub fn is_no_mailbox(code: &str) -> bool {
    matches!(code, "mailboxnotenabledforrestapi" | "errormailboxnotenabledforrestapi")
}

/// The service looked and has no such item. Any other 404 (no such mailbox, nothing said at all) proves nothing of the item.
pub fn is_item_gone(status: StatusCode, body: &[u8]) -> bool {
    status == StatusCode::NOT_FOUND && error_code(body).is_one_of(&["erroritemnotfound", "itemnotfound"])
}

/// It is not there, for whatever reason.
pub fn is_absent(status: StatusCode, body: &[u8]) -> bool {
    told(status.as_u16(), error_code(body).to_compare()).0 == ErrorKind::NotFound
}

/// Asking again brings nothing, now or later: it is not there, it is broken, or it may not be read.
pub fn is_lasting(status: StatusCode, body: &[u8]) -> bool {
    let code = error_code(body);
    let (kind, _) = told(status.as_u16(), code.to_compare());
    code.is_one_of(&["errorcorruptdata", "errorcannotopenfileattachment"]) || !matches!(kind, ErrorKind::Throttled | ErrorKind::Upstream | ErrorKind::NeedsReconnect)
}

/// Somebody, perhaps Microsoft itself, changed the item in between: nothing was done, and it passes.
pub fn is_contested(code: &str) -> bool {
    matches!(code, "errorirresolvableconflict" | "resourcemodified" | "errorstaleobject" | "preconditionfailed") || code.starts_with("errorchangekeyrequired")
}

/// `secrets`: of the exchange the answer came in, which its code must not repeat.
pub fn error(status: StatusCode, body: &[u8], secrets: &Secrets) -> Error {
    let code = error_code(body);
    let (kind, reason) = told(status.as_u16(), code.to_compare());
    let named = code.shown(secrets).map(|code| format!(", {code}")).unwrap_or_default();
    let error = Error::new(kind, format!("{reason} (HTTP {}{named}).", status.as_u16()));
    match code.to_compare() {
        code if is_quota(code) => error.with_remedy(Remedy::User),
        // Nobody has to do anything: the next try may go through.
        _ if kind == ErrorKind::Conflict => error.with_remedy(Remedy::Wait),
        _ if matches!(status.as_u16(), 507 | 509) => error.with_remedy(Remedy::User),
        "mailboxnotenabledforrestapi" | "errormailboxnotenabledforrestapi" => error.with_remedy(Remedy::Admin),
        _ => error,
    }
}

/// There is no room, or too much was sent today. It lasts, and it ends.
fn is_quota(code: &str) -> bool {
    code.ends_with("quotaexceeded") || matches!(code, "quotalimitreached" | "errorexceededmessagelimit" | "errormailboxfull")
}

fn told(status: u16, code: &str) -> (ErrorKind, &'static str) {
    use ErrorKind::{Conflict, Forbidden, InvalidInput, LimitExceeded, NeedsReconnect, NotFound, Throttled, Upstream};
    // Codes that mean the same under whatever status they come.
    let by_code = match code {
        "mailboxnotenabledforrestapi" | "errormailboxnotenabledforrestapi" => {
            Some((Forbidden, "This account has no mailbox that programs may use: it has no Exchange Online licence (unlicensed), or is on a server of the organisation's own (on-premises). Ask an administrator"))
        }
        "errorsendasdenied" => Some((Forbidden, "This account may not send in that name")),
        "erroraccessdenied" => Some((Forbidden, "Microsoft does not allow this account to do that: a permission or a right is missing, or a policy of Exchange keeps it out")),
        "authorization_requestdenied" | "accessdenied" => Some((Forbidden, "Microsoft does not allow this account to do that; a permission or a right is missing")),
        code if is_quota(code) => Some((LimitExceeded, "The mailbox is full, or has sent as much as it may for now. Make room, or wait")),
        "errormessagesizeexceeded" => Some((LimitExceeded, "The message is larger than this organisation lets its mailboxes send: 35 MB, unless its administrator has set another limit of up to 150 MB. Send a link instead, or ask the administrator")),
        "errorinvalidrecipients" => Some((InvalidInput, "A recipient is not a valid address")),
        "erroritemnotfound" | "errorsyncfoldernotfound" | "itemnotfound" | "request_resourcenotfound" | "resourcenotfound" | "errorfoldernotfound" => {
            Some((NotFound, "Microsoft does not have it, or no longer"))
        }
        "errorinvaliduser" | "errornonexistentmailbox" => Some((NotFound, "There is no such person or mailbox")),
        "errorserverbusy" | "errormailboxstoreunavailable" | "errorinternalservertransienterror" | "servicenotavailable" => Some((Upstream, "Microsoft's service is busy. Try again later")),
        "toomanyrequests" | "applicationthrottled" | "activitylimitreached" => Some((Throttled, "Microsoft asks to come back later")),
        code if is_contested(code) => Some((Conflict, "It was changed by somebody else at the same moment. Read it again")),
        _ => None,
    };
    if let Some(told) = by_code {
        return told;
    }
    match status {
        401 => (NeedsReconnect, "Microsoft does not accept this account's sign-in. Connect the account again"),
        403 => (Forbidden, "Microsoft does not allow this account to do that; a permission, licence or policy is in the way"),
        404 => (NotFound, "Microsoft does not have it, or no longer"),
        409 | 412 | 423 => (Conflict, "It contradicts what Microsoft has"),
        413 => (LimitExceeded, "It is larger than Microsoft accepts"),
        429 => (Throttled, "Microsoft asks to come back later"),
        507 | 509 => (LimitExceeded, "A quota of Microsoft is used up"),
        400..=499 => (InvalidInput, "Microsoft refused the request as it stands"),
        _ => (Upstream, "Microsoft's service answered something that cannot be used. Try again later"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_decide_whatever_their_spelling() {
        for (status, body, kind) in [
            (404, r#"{"error":{"code":"ErrorItemNotFound","message":"x"}}"#, ErrorKind::NotFound),
            (404, r#"{"error":{"code":"MailboxNotEnabledForRESTAPI"}}"#, ErrorKind::Forbidden),
            (403, r#"{"error":{"code":"ErrorSendAsDenied"}}"#, ErrorKind::Forbidden),
            (429, r#"{"error":{"code":"ERRORQUOTAEXCEEDED"}}"#, ErrorKind::LimitExceeded),
            (429, "{}", ErrorKind::Throttled),
            (401, "", ErrorKind::NeedsReconnect),
            (400, r#"{"error":{"code":"<script>"}}"#, ErrorKind::InvalidInput),
            (412, "", ErrorKind::Conflict),
            (423, "", ErrorKind::Conflict),
            (400, r#"{"error":{"code":"ErrorChangeKeyRequiredForWriteOperations"}}"#, ErrorKind::Conflict),
            (507, "", ErrorKind::LimitExceeded),
            (403, r#"{"error":{"code":"ErrorSubmissionQuotaExceeded"}}"#, ErrorKind::LimitExceeded),
            (503, "", ErrorKind::Upstream),
        ] {
            let error = error(StatusCode::from_u16(status).unwrap(), body.as_bytes(), &Secrets::default());
            assert_eq!(error.kind(), kind, "{status} {body}");
            assert!(!error.reason().contains('<') && !error.reason().contains('x') || error.reason().contains("exceeded") || kind != ErrorKind::NotFound);
        }
    }
}
