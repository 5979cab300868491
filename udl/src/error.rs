//! The core's error as UniFFI wants it: one variant per kind, each with the same fields.

use tidings::{ErrorKind, Remedy};

macro_rules! variants {
    ($($kind:ident)*) => {
        #[derive(Debug)]
        pub enum TidingsError {
            $($kind { reason: String, account_id: Option<String>, request_id: Option<String>, retry_after_ms: Option<u64>, remedy: Remedy },)*
        }

        impl From<tidings::Error> for TidingsError {
            fn from(e: tidings::Error) -> Self {
                let reason = e.reason().to_owned();
                let account_id = e.account_id().map(str::to_owned);
                let request_id = e.request_id().map(str::to_owned);
                let (retry_after_ms, remedy) = (e.retry_after_ms(), e.remedy());
                match e.kind() {
                    $(ErrorKind::$kind => Self::$kind { reason, account_id, request_id, retry_after_ms, remedy },)*
                }
            }
        }

        impl std::fmt::Display for TidingsError {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $(Self::$kind { reason, .. })|* => f.write_str(reason),
                }
            }
        }
    };
}

variants! {
    InvalidInput LimitExceeded NotConnected NeedsReconnect ConsentMissing Forbidden NotFound Conflict Throttled Upstream Network
    OutcomeUnknown LinkRejected TokenRejected VaultLocked WrongKey Corrupt StoreBusy StoreFull CursorExpired AppNotInstalled BotBlocked ConversationGone Cancelled Closed Forked Internal
}

impl std::error::Error for TidingsError {}
