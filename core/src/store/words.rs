//! How states and kinds are spelled in a store, whichever backend it has. A word is never renamed.

use super::{Approver, BackfillPhase, BackfillWish, EditedProperty, ItemState, KeyPurpose, SubscriptionState};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{AccountKind, AccountState, AuditKind, BackfillRange, BotActivityKind, BotPlaceKind, BotPlaceState, ChangeKind, EndpointKind, EndpointState, Feature, MessageKind, QuarantineKind, SendRoute};

/// For words and values of the store that no release wrote.
pub fn corrupt(what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("The store holds {what} that this version does not know. It is damaged or newer; it was left as it is."))
}

/// A value stored as a word.
pub trait Word: Sized + Copy + 'static {
    const WHAT: &'static str;
    const ALL: &'static [Self];
    fn word(self) -> &'static str;

    fn parse(word: &str) -> Result<Self> {
        Self::ALL.iter().copied().find(|v| v.word() == word).ok_or_else(|| corrupt(Self::WHAT))
    }
}

macro_rules! words {
    ($type:ident, $what:literal, { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl Word for $type {
            const WHAT: &'static str = $what;
            const ALL: &'static [Self] = &[$(Self::$variant),+];
            fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}

words!(AccountState, "an account state", {
    Connected = "connected",
    NeedsReconnect = "needs_reconnect",
    AwaitingAdmin = "awaiting_admin",
    Declined = "declined",
    Misconfigured = "misconfigured",
    Disconnected = "disconnected",
});

words!(AccountKind, "a kind of account", { Person = "person", Tenant = "tenant", Link = "link", SharedMailbox = "shared_mailbox" });

words!(SubscriptionState, "a state of a subscription", { Absent = "absent", Creating = "creating", Active = "active", Failed = "failed" });

words!(BackfillRange, "a range of a back-fill", {
    Nothing = "nothing",
    ThirtyDays = "thirty_days",
    NinetyDays = "ninety_days",
    TwelveMonths = "twelve_months",
    Everything = "everything",
});

words!(BackfillPhase, "a phase of a back-fill", { Listing = "listing", Seeding = "seeding", Done = "done" });

words!(BackfillWish, "a wish for a back-fill", { Run = "run", Pause = "pause", Cancel = "cancel" });

words!(Approver, "an approver", { Unsaid = "unsaid", Refused = "refused", Proven = "proven" });

words!(Feature, "a feature", {
    Chat = "chat",
    Channels = "channels",
    People = "people",
    MailSend = "mail_send",
    MailSync = "mail_sync",
    SharedMailboxes = "shared_mailboxes",
    Contacts = "contacts",
    Calendar = "calendar",
});

words!(QuarantineKind, "a kind of quarantine", { Message = "message", Attachments = "attachments", Removal = "removal" });

words!(MessageKind, "a kind of message", { Ordinary = "ordinary", Bounce = "bounce", AutomaticReply = "automatic_reply" });

words!(EditedProperty, "a property", { Read = "read", Flag = "flag", Categories = "categories", Place = "place" });

words!(SendRoute, "a route", { Mail = "mail", Reply = "reply", Forward = "forward", Chat = "chat", ChannelPost = "channel_post", Workflow = "workflow", Bot = "bot" });

words!(EndpointKind, "a kind of endpoint", { TeamsChannel = "teams_channel", TeamsUser = "teams_user", Workflow = "workflow", Chat = "chat", Mail = "mail" });

words!(EndpointState, "a state of an endpoint", { Active = "active", Retired = "retired" });

words!(BotPlaceKind, "a kind of conversation", { Personal = "personal", Group = "group", Channel = "channel" });

words!(BotActivityKind, "a kind of activity", {
    Message = "message",
    MessageEdited = "message_edited",
    MessageDeleted = "message_deleted",
    ReactionAdded = "reaction_added",
    ReactionRemoved = "reaction_removed",
    Installed = "installed",
    Removed = "removed",
    CardAction = "card_action",
});

words!(BotPlaceState, "a state of a conversation", { Open = "open", NotInstalled = "not_installed", Blocked = "blocked", Gone = "gone" });

words!(KeyPurpose, "a key purpose", { Store = "store", Secrets = "secrets", Content = "content", Hashes = "hashes", Audit = "audit" });

words!(ChangeKind, "a kind of change", {
    MessageAdded = "message_added",
    MessageChanged = "message_changed",
    MessageMoved = "message_moved",
    MessageRemoved = "message_removed",
    AccountChanged = "account_changed",
    SendChanged = "send_changed",
    ContactChanged = "contact_changed",
    ContactRemoved = "contact_removed",
    EventChanged = "event_changed",
    EventRemoved = "event_removed",
    ChatMessageChanged = "chat_message_changed",
    BotMessage = "bot_message",
    BotMessageEdited = "bot_message_edited",
    BotReaction = "bot_reaction",
    BotInstalled = "bot_installed",
    BotRemoved = "bot_removed",
    BotCardAction = "bot_card_action",
    ChatMessageRemoved = "chat_message_removed",
    SendAnswered = "send_answered",
    EndpointChanged = "endpoint_changed",
});

words!(AuditKind, "a kind of audit record", {
    StoreMade = "store_made",
    SignedIn = "signed_in",
    SignInRefused = "sign_in_refused",
    ApprovalAsked = "approval_asked",
    StateChanged = "state_changed",
    Disconnected = "disconnected",
    ContentRead = "content_read",
    RawRequest = "raw_request",
    SendQueued = "send_queued",
    SendSettled = "send_settled",
    SentChanged = "sent_changed",
    KeyRotated = "key_rotated",
    KeyDestroyed = "key_destroyed",
    OwnerDeleted = "owner_deleted",
    OwnerRestored = "owner_restored",
    Purged = "purged",
    StoreCopied = "store_copied",
    ChainBegun = "chain_begun",
    AuditTrimmed = "audit_trimmed",
    WorkflowAdded = "workflow_added",
    WorkflowRemoved = "workflow_removed",
});

words!(ItemState, "a send state", {
    Queued = "queued",
    Claimed = "claimed",
    Prepared = "prepared",
    Dispatching = "dispatching",
    RetryWait = "retry_wait",
    Reconciling = "reconciling",
    Sent = "sent",
    Unknown = "unknown",
    Failed = "failed",
    Cancelled = "cancelled",
});

words!(ErrorKind, "a kind of error", {
    InvalidInput = "invalid_input",
    LimitExceeded = "limit_exceeded",
    NotConnected = "not_connected",
    NeedsReconnect = "needs_reconnect",
    ConsentMissing = "consent_missing",
    Forbidden = "forbidden",
    NotFound = "not_found",
    Conflict = "conflict",
    Throttled = "throttled",
    Upstream = "upstream",
    Network = "network",
    OutcomeUnknown = "outcome_unknown",
    LinkRejected = "link_rejected",
    TokenRejected = "token_rejected",
    VaultLocked = "vault_locked",
    WrongKey = "wrong_key",
    Corrupt = "corrupt",
    StoreBusy = "store_busy",
    StoreFull = "store_full",
    CursorExpired = "cursor_expired",
    AppNotInstalled = "app_not_installed",
    BotBlocked = "bot_blocked",
    ConversationGone = "conversation_gone",
    Cancelled = "cancelled",
    Closed = "closed",
    Forked = "forked",
    Internal = "internal",
});
