//! What a process leaves to the next of the limits of a mailbox: a Retry-After that is not over, and the requests that count still.

/// Of one part of Graph and one mailbox, as one application asks for it. `service` `sign_in`: of the sign-ins of one account, whose id is the `user_id`; it
/// has neither application nor tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Throttle {
    pub client_id: String,
    pub tenant_id: String,
    pub user_id: String,
    pub service: String,
    /// The end of the Retry-After by wall time, in milliseconds since 1970. 0: there is none.
    pub until: i64,
    pub made: Option<RequestsMade>,
}

/// Requests of late.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestsMade {
    /// When they were counted, in milliseconds since 1970.
    pub at: i64,
    /// In each sub-span of the window, the oldest first; the last one is that of `at`.
    pub counts: Vec<u32>,
}
