//! What went wrong, and what the caller should do about it.

use crate::foreign::RequestId;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// What a failed call means for the caller; each kind asks for a different reaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// An argument is wrong; nothing was sent or stored. Mend the call.
    InvalidInput,
    /// An argument or an answer is larger than the documented limit.
    LimitExceeded,
    /// No such account, or it is disconnected.
    NotConnected,
    /// Microsoft wants the person to sign in again.
    NeedsReconnect,
    /// The person or the administrator has not granted what this needs.
    ConsentMissing,
    /// Signed in, but not allowed.
    Forbidden,
    /// The thing asked for does not exist.
    NotFound,
    /// It contradicts what is already there: the same key with other content, a sign-in already used.
    Conflict,
    /// Microsoft asks to come back later than this call may wait.
    Throttled,
    /// Microsoft failed or answered something unreadable.
    Upstream,
    /// Microsoft could not be reached; nothing was done.
    Network,
    /// It may or may not have happened; ask before repeating.
    OutcomeUnknown,
    /// An address received or configured is not on the list of allowed hosts; nothing was sent there.
    LinkRejected,
    /// A token or sign-in answer failed its checks; nothing was stored.
    TokenRejected,
    /// The store is locked.
    VaultLocked,
    /// The root key is not the one the store was made with.
    WrongKey,
    /// The store is damaged; it was left as it is.
    Corrupt,
    /// Another process holds the store for too long.
    StoreBusy,
    /// No space left; nothing was lost.
    StoreFull,
    /// The place in the change feed is older than what is kept.
    CursorExpired,
    /// The app of the bot is not installed for this person or team.
    AppNotInstalled,
    /// A person or an administrator has blocked the bot there.
    BotBlocked,
    /// The conversation of the bot was deleted, or is another bot's.
    ConversationGone,
    /// The caller stopped it.
    Cancelled,
    /// The engine is shut down.
    Closed,
    /// The process was forked while an engine was open; neither it nor another one works in the child. Fork before `open`, or start the child as a program of its own.
    Forked,
    /// A defect of Tidings.
    Internal,
}

/// Who can mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    User,
    Admin,
    Developer,
    Wait,
    Nobody,
}

impl ErrorKind {
    /// Who can usually mend this kind.
    pub fn remedy(self) -> Remedy {
        match self {
            Self::NeedsReconnect | Self::NotConnected => Remedy::User,
            Self::ConsentMissing | Self::Forbidden | Self::AppNotInstalled => Remedy::Admin,
            Self::Throttled | Self::Upstream | Self::Network | Self::StoreBusy => Remedy::Wait,
            Self::Cancelled | Self::OutcomeUnknown | Self::BotBlocked => Remedy::User,
            Self::StoreFull | Self::Corrupt | Self::WrongKey | Self::VaultLocked => Remedy::Admin,
            Self::Internal => Remedy::Nobody,
            Self::InvalidInput
            | Self::LimitExceeded
            | Self::NotFound
            | Self::Conflict
            | Self::LinkRejected
            | Self::CursorExpired
            | Self::ConversationGone
            | Self::TokenRejected
            | Self::Closed
            | Self::Forked => Remedy::Developer,
        }
    }

    /// The same call may succeed later without anybody doing anything.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Throttled | Self::Upstream | Self::Network | Self::StoreBusy)
    }
}

/// Every failure of the engine. `reason` says what happened and what to do, in words that may be shown; it never holds a secret, an
/// address or foreign text. What lies beneath is in `source` and stays inside the process.
#[derive(Clone)]
pub struct Error {
    kind: ErrorKind,
    reason: String,
    account_id: Option<String>,
    request_id: Option<RequestId>,
    retry_after_ms: Option<u64>,
    remedy: Remedy,
    is_overload: bool,
    awaits_turn: bool,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(kind: ErrorKind, reason: impl Into<String>) -> Self {
        Self {
            kind,
            reason: reason.into(),
            account_id: None,
            request_id: None,
            retry_after_ms: None,
            remedy: kind.remedy(),
            is_overload: false,
            awaits_turn: false,
            source: None,
        }
    }

    pub fn invalid(reason: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, reason)
    }

    pub fn internal(reason: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, reason)
    }

    /// Names the account it happened to, unless one is named already.
    pub fn on_account(mut self, account_id: impl Into<String>) -> Self {
        self.account_id.get_or_insert_with(|| account_id.into());
        self
    }

    pub(crate) fn with_request_id(mut self, request_id: Option<RequestId>) -> Self {
        self.request_id = request_id.or(self.request_id);
        self
    }

    /// The request that another failure was about.
    pub(crate) fn with_request_of(self, other: &Self) -> Self {
        self.with_request_id(other.request_id.clone())
    }

    pub(crate) fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }

    pub fn with_retry_after_ms(mut self, ms: Option<u64>) -> Self {
        self.retry_after_ms = ms.or(self.retry_after_ms);
        self
    }

    pub fn with_remedy(mut self, remedy: Remedy) -> Self {
        self.remedy = remedy;
        self
    }

    /// The service failed (5xx), whether or not it said when to come back: perhaps what was asked for is too much for it.
    pub fn overloaded(mut self) -> Self {
        self.is_overload = true;
        self
    }

    /// Microsoft was not asked: the turn comes after `retry_after_ms`, as far as is known.
    pub(crate) fn before_its_turn(mut self) -> Self {
        self.awaits_turn = true;
        self
    }

    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
    pub fn reason(&self) -> &str {
        &self.reason
    }
    pub fn account_id(&self) -> Option<&str> {
        self.account_id.as_deref()
    }
    /// Microsoft's `request-id`, for a support case.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_ref().map(RequestId::as_str)
    }
    /// The wait Microsoft asked for, in milliseconds.
    pub fn retry_after_ms(&self) -> Option<u64> {
        self.retry_after_ms
    }
    /// See [`overloaded`](Self::overloaded).
    pub fn is_overload(&self) -> bool {
        self.is_overload
    }
    /// See [`before_its_turn`](Self::before_its_turn).
    pub(crate) fn awaits_turn(&self) -> bool {
        self.awaits_turn
    }
    pub fn remedy(&self) -> Remedy {
        self.remedy
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

// `source` may quote a server or a driver, so it is left out here: Debug ends up in logs.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.kind)
            .field("reason", &self.reason)
            .field("account_id", &self.account_id)
            .field("request_id", &self.request_id)
            .field("retry_after_ms", &self.retry_after_ms)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|s| s as &(dyn StdError + 'static))
    }
}
