//! What crosses to hosts: plain, owned, no behaviour.

mod account;
mod address;
mod app;
mod backfill;
mod bot;
mod calendar;
mod contact;
mod draft;
mod endpoint;
mod health;
mod inbound;
mod retention;
mod message;
mod news;
mod permission;
mod places;
mod printed;
mod raw;
mod receipt;
mod teams_messages;
mod teams;
mod workflow;

pub use account::{Account, AccountFilter, AccountKind, AccountPage, AccountState, Approval, ConnectRequest, Feature, LinkRequest, SignIn, TenantRequest};
pub(crate) use address::is_mail_address;
pub use app::{AppDeveloper, AppInstall, AppLocalization, AppPackage, AppScope, AppTexts, InstallRequest};
pub use backfill::{Backfill, BackfillEstimate, BackfillRange, BackfillState};
pub use calendar::{Attendee, AttendeeAnswer, AttendeeKind, CalendarEvent, CalendarPage, CalendarQuery, EventKind, Sensitivity, ShowAs};
pub use contact::{Contact, ContactPage, ContactQuery};
pub use bot::{
    BotActivity, BotActivityKind, BotActivityPage, BotActivityQuery, BotAnswer, BotConversation, BotConversationPage, BotConversationQuery, BotDraft, BotInvoke, BotPlaceKind, BotPlaceState, BotReceived,
    RosterMember, RosterPage,
};
pub(crate) use draft::RouteDraft;
pub(crate) use receipt::SendRoute;
pub use endpoint::{Endpoint, EndpointChange, EndpointDraft, EndpointKind, EndpointPage, EndpointQuery, EndpointRequest, EndpointState, EndpointTarget, SubscriberLink};
pub use draft::{Address, BodyType, Draft, FileAttachment, ForwardDraft, Importance, MailDraft, MailHeader, Preview, ReplyDraft, Signature, WorkflowDraft};
pub use health::{AccountHealth, Badge, Health, LogField, LogLevel, LogRecord, Metrics, Transport};
pub use inbound::{HttpRequest, HttpResponse};
pub use retention::{
    AuditChainHead, AuditFault, AuditHead, AuditKind, AuditPage, AuditRecord, AuditVerdict, KeyRotation, OwnerDeletion, PurgeReport, PurgeRequest, RotationReport,
};
pub use message::{AttachmentInfo, AttachmentKind, BodyForm, BodyOptions, FlagStatus, Folder, InlineImages, LinkRule, MailThread, Message, MessageBody, MessageKind, MessagePage, MessageQuery, SearchQuery, ThreadPage, ThreadQuery, ThreadSummary};
pub use news::{Change, ChangeKind, ChangeQuery, Event, QuarantineKind, QuarantinedItem, RunReport, SyncOutcome, SyncReport};
pub use permission::{MailboxState, Permission, PermissionList, PermissionQuery, Verification};
pub use places::{ChannelKind, ChatKind, ChatMember, ChatMessage, PeopleQuery, Person, Team, TeamChannel, TeamChannels, TeamsChat};
pub use raw::{GraphVersion, RawOutcome, RawPage, RawRequest};
pub use teams_messages::{TeamsMessage, TeamsMessageKind, TeamsMessagePage, TeamsMessageQuery};
pub use receipt::{AutomaticReply, Bounce, BounceKind, LastSender, OutboxFilter, Receipt, Route, SendPart, SendState};
pub use teams::{ChannelPostDraft, ChatDraft, ChatImportance, FileLink, Mention, MentionTarget};
pub use workflow::Workflow;

/// Serialises times as RFC 3339 text, so that stored records and test reports stay readable.
pub(crate) mod rfc3339 {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
    use std::time::SystemTime;

    pub fn to_text(at: SystemTime) -> String {
        jiff::Timestamp::try_from(at).map(|t| t.to_string()).unwrap_or_default()
    }

    pub fn from_text(text: &str) -> Option<SystemTime> {
        text.parse::<jiff::Timestamp>().ok().map(SystemTime::from)
    }

    pub fn serialize<S: Serializer>(at: &SystemTime, out: S) -> Result<S::Ok, S::Error> {
        to_text(*at).serialize(out)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<SystemTime, D::Error> {
        let text = String::deserialize(input)?;
        from_text(&text).ok_or_else(|| D::Error::custom("not an RFC 3339 time"))
    }

    pub mod option {
        use super::*;

        pub fn serialize<S: Serializer>(at: &Option<SystemTime>, out: S) -> Result<S::Ok, S::Error> {
            at.map(to_text).serialize(out)
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<SystemTime>, D::Error> {
            Ok(Option::<String>::deserialize(input)?.as_deref().and_then(from_text))
        }
    }
}
