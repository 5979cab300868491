# Written from udl/src/*.udl by `cargo run -p tidings-generator -- stubs`. Do not edit.
import enum
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import ClassVar, Literal, TypeAlias, TypedDict, final, overload

from typing_extensions import NotRequired, Self, disjoint_base

class ErrorKind(str, enum.Enum):
    """What a failed call means for the caller; each kind asks for a different reaction."""
    INVALID_INPUT = "invalid_input"
    LIMIT_EXCEEDED = "limit_exceeded"
    NOT_CONNECTED = "not_connected"
    NEEDS_RECONNECT = "needs_reconnect"
    CONSENT_MISSING = "consent_missing"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    THROTTLED = "throttled"
    UPSTREAM = "upstream"
    NETWORK = "network"
    OUTCOME_UNKNOWN = "outcome_unknown"
    LINK_REJECTED = "link_rejected"
    TOKEN_REJECTED = "token_rejected"
    VAULT_LOCKED = "vault_locked"
    WRONG_KEY = "wrong_key"
    CORRUPT = "corrupt"
    STORE_BUSY = "store_busy"
    STORE_FULL = "store_full"
    CURSOR_EXPIRED = "cursor_expired"
    APP_NOT_INSTALLED = "app_not_installed"
    BOT_BLOCKED = "bot_blocked"
    CONVERSATION_GONE = "conversation_gone"
    CANCELLED = "cancelled"
    CLOSED = "closed"
    FORKED = "forked"
    INTERNAL = "internal"
    def __new__(cls, value: object) -> Self: ...

_ErrorKind: TypeAlias = ErrorKind | Literal["invalid_input", "limit_exceeded", "not_connected", "needs_reconnect", "consent_missing", "forbidden", "not_found", "conflict", "throttled", "upstream", "network", "outcome_unknown", "link_rejected", "token_rejected", "vault_locked", "wrong_key", "corrupt", "store_busy", "store_full", "cursor_expired", "app_not_installed", "bot_blocked", "conversation_gone", "cancelled", "closed", "forked", "internal"]

class Remedy(str, enum.Enum):
    """Who can mend it."""
    USER = "user"
    ADMIN = "admin"
    DEVELOPER = "developer"
    WAIT = "wait"
    NOBODY = "nobody"
    def __new__(cls, value: object) -> Self: ...

_Remedy: TypeAlias = Remedy | Literal["user", "admin", "developer", "wait", "nobody"]

class Content(str, enum.Enum):
    """What the store does with mail. Tokens and keys are always sealed.
    `Sealed`: subjects, addresses and bodies are encrypted. `Clear`: there is a full-text index beside them, which whoever has the file can read; `search` uses it."""
    SEALED = "sealed"
    CLEAR = "clear"
    def __new__(cls, value: object) -> Self: ...

_Content: TypeAlias = Content | Literal["sealed", "clear"]

class CopiedStore(str, enum.Enum):
    """What becomes of sends that were open when the store was copied or restored from a backup; the original, or the time since, may have sent them.
    `Park`: they wait, and their receipts say so, until the store is opened with `Go`. `Go`: they go out, also those that wait since an earlier open."""
    PARK = "park"
    GO = "go"
    def __new__(cls, value: object) -> Self: ...

_CopiedStore: TypeAlias = CopiedStore | Literal["park", "go"]

class Feature(str, enum.Enum):
    """What a person connects for; the engine derives the smallest set of Microsoft permissions."""
    CHAT = "chat"
    CHANNELS = "channels"
    PEOPLE = "people"
    MAIL_SEND = "mail_send"
    MAIL_SYNC = "mail_sync"
    SHARED_MAILBOXES = "shared_mailboxes"
    CONTACTS = "contacts"
    CALENDAR = "calendar"
    def __new__(cls, value: object) -> Self: ...

_Feature: TypeAlias = Feature | Literal["chat", "channels", "people", "mail_send", "mail_sync", "shared_mailboxes", "contacts", "calendar"]

class AccountState(str, enum.Enum):
    CONNECTED = "connected"
    NEEDS_RECONNECT = "needs_reconnect"
    AWAITING_ADMIN = "awaiting_admin"
    DECLINED = "declined"
    MISCONFIGURED = "misconfigured"
    DISCONNECTED = "disconnected"
    def __new__(cls, value: object) -> Self: ...

_AccountState: TypeAlias = AccountState | Literal["connected", "needs_reconnect", "awaiting_admin", "declined", "misconfigured", "disconnected"]

class AccountKind(str, enum.Enum):
    """`Person`: one person's mailbox and chats. `Tenant`: a whole organisation, without a person. `Link`: a person who is known, whose data is not touched.
    `SharedMailbox`: a mailbox that is opened through the account of somebody who may, or through that of its organisation."""
    PERSON = "person"
    TENANT = "tenant"
    LINK = "link"
    SHARED_MAILBOX = "shared_mailbox"
    def __new__(cls, value: object) -> Self: ...

_AccountKind: TypeAlias = AccountKind | Literal["person", "tenant", "link", "shared_mailbox"]

class MailboxState(str, enum.Enum):
    """`NotAsked`: the account has no mail feature. `Unlicensed`: no Exchange Online licence. `OnPremises`: it is on a server of the organisation's own, which
    Graph cannot reach. `Forbidden`: the permission is missing. `Unreachable`: no answer; try again."""
    NOT_ASKED = "not_asked"
    REACHABLE = "reachable"
    UNLICENSED = "unlicensed"
    ON_PREMISES = "on_premises"
    FORBIDDEN = "forbidden"
    UNREACHABLE = "unreachable"
    def __new__(cls, value: object) -> Self: ...

_MailboxState: TypeAlias = MailboxState | Literal["not_asked", "reachable", "unlicensed", "on_premises", "forbidden", "unreachable"]

class Badge(str, enum.Enum):
    """`Healthy`: a success within 25 hours, or it has nothing to sync. `Incomplete`: the same, but something is set aside. `NeverSynced`: nothing was fetched yet. `Stale`: the last success is older. `Error`: it does not work."""
    HEALTHY = "healthy"
    INCOMPLETE = "incomplete"
    NEVER_SYNCED = "never_synced"
    STALE = "stale"
    ERROR = "error"
    def __new__(cls, value: object) -> Self: ...

_Badge: TypeAlias = Badge | Literal["healthy", "incomplete", "never_synced", "stale", "error"]

class Transport(str, enum.Enum):
    """How news of a mailbox come: `Manual` when the host calls `sync`, `Push` while Microsoft posts to `notification_url`."""
    MANUAL = "manual"
    POLLING = "polling"
    PUSH = "push"
    def __new__(cls, value: object) -> Self: ...

_Transport: TypeAlias = Transport | Literal["manual", "polling", "push"]

class BodyType(str, enum.Enum):
    TEXT = "text"
    HTML = "html"
    MARKDOWN = "markdown"
    def __new__(cls, value: object) -> Self: ...

_BodyType: TypeAlias = BodyType | Literal["text", "html", "markdown"]

class Importance(str, enum.Enum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    def __new__(cls, value: object) -> Self: ...

_Importance: TypeAlias = Importance | Literal["low", "normal", "high"]

class Route(str, enum.Enum):
    MAIL = "mail"
    REPLY = "reply"
    FORWARD = "forward"
    CHAT = "chat"
    CHANNEL_POST = "channel_post"
    WORKFLOW = "workflow"
    BOT = "bot"
    TO_ENDPOINT = "to_endpoint"
    def __new__(cls, value: object) -> Self: ...

_Route: TypeAlias = Route | Literal["mail", "reply", "forward", "chat", "channel_post", "workflow", "bot", "to_endpoint"]

class SendState(str, enum.Enum):
    """`Queued`: stored, not sent. `Sending`: under way. `Sent`: Microsoft has it. `Unknown`: it may have been sent; it is never repeated by itself.
    `Failed`: it was not sent. `Cancelled`: taken back before it was sent."""
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    FAILED = "failed"
    CANCELLED = "cancelled"
    def __new__(cls, value: object) -> Self: ...

_SendState: TypeAlias = SendState | Literal["queued", "sending", "sent", "unknown", "failed", "cancelled"]

class BounceKind(str, enum.Enum):
    PERMANENT = "permanent"
    TEMPORARY = "temporary"
    def __new__(cls, value: object) -> Self: ...

_BounceKind: TypeAlias = BounceKind | Literal["permanent", "temporary"]

class ChatImportance(str, enum.Enum):
    """`Urgent` tells the recipients every two minutes for twenty minutes, where their organisation allows it."""
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"
    def __new__(cls, value: object) -> Self: ...

_ChatImportance: TypeAlias = ChatImportance | Literal["normal", "high", "urgent"]

class BotActivityKind(str, enum.Enum):
    """`MessageEdited`, `MessageDeleted`: of a message that was there before. `Installed`, `Removed`: the app of the bot, for a person or a team. `CardAction`: a button
    of a card was pressed."""
    MESSAGE = "message"
    MESSAGE_EDITED = "message_edited"
    MESSAGE_DELETED = "message_deleted"
    REACTION_ADDED = "reaction_added"
    REACTION_REMOVED = "reaction_removed"
    INSTALLED = "installed"
    REMOVED = "removed"
    CARD_ACTION = "card_action"
    def __new__(cls, value: object) -> Self: ...

_BotActivityKind: TypeAlias = BotActivityKind | Literal["message", "message_edited", "message_deleted", "reaction_added", "reaction_removed", "installed", "removed", "card_action"]

class BotPlaceKind(str, enum.Enum):
    """Where a bot writes, and is written to."""
    PERSONAL = "personal"
    GROUP = "group"
    CHANNEL = "channel"
    def __new__(cls, value: object) -> Self: ...

_BotPlaceKind: TypeAlias = BotPlaceKind | Literal["personal", "group", "channel"]

class BotPlaceState(str, enum.Enum):
    """Whether the bot may write there, as it was told last."""
    OPEN = "open"
    NOT_INSTALLED = "not_installed"
    BLOCKED = "blocked"
    GONE = "gone"
    def __new__(cls, value: object) -> Self: ...

_BotPlaceState: TypeAlias = BotPlaceState | Literal["open", "not_installed", "blocked", "gone"]

class AppScope(str, enum.Enum):
    """Where an app's bot works. `Personal`: one person's own chat with it; `Team`: the channels of a team; `GroupChat`: chats of several people."""
    PERSONAL = "personal"
    TEAM = "team"
    GROUP_CHAT = "group_chat"
    def __new__(cls, value: object) -> Self: ...

_AppScope: TypeAlias = AppScope | Literal["personal", "team", "group_chat"]

class EndpointKind(str, enum.Enum):
    """Kinds of endpoints. `TeamsChannel`: a channel of a team. `TeamsUser`: the bot's own chat with a person. `Workflow`: what was added with `add_workflow`. `Chat`: a chat of
    a connected person. `Mail`: a mail address."""
    TEAMS_CHANNEL = "teams_channel"
    TEAMS_USER = "teams_user"
    WORKFLOW = "workflow"
    CHAT = "chat"
    MAIL = "mail"
    def __new__(cls, value: object) -> Self: ...

_EndpointKind: TypeAlias = EndpointKind | Literal["teams_channel", "teams_user", "workflow", "chat", "mail"]

class EndpointState(str, enum.Enum):
    """`Retired`: it gets nothing until it is changed; `reason` of it says why."""
    ACTIVE = "active"
    RETIRED = "retired"
    def __new__(cls, value: object) -> Self: ...

_EndpointState: TypeAlias = EndpointState | Literal["active", "retired"]

class ChannelKind(str, enum.Enum):
    """`Private` and `Shared`: only its own members see it."""
    STANDARD = "standard"
    PRIVATE = "private"
    SHARED = "shared"
    OTHER = "other"
    def __new__(cls, value: object) -> Self: ...

_ChannelKind: TypeAlias = ChannelKind | Literal["standard", "private", "shared", "other"]

class ChatKind(str, enum.Enum):
    ONE_ON_ONE = "one_on_one"
    GROUP = "group"
    MEETING = "meeting"
    OTHER = "other"
    def __new__(cls, value: object) -> Self: ...

_ChatKind: TypeAlias = ChatKind | Literal["one_on_one", "group", "meeting", "other"]

class QuarantineKind(str, enum.Enum):
    """What of a message could not be read or told: all of it, what is attached, or whether it was removed."""
    MESSAGE = "message"
    ATTACHMENTS = "attachments"
    REMOVAL = "removal"
    def __new__(cls, value: object) -> Self: ...

_QuarantineKind: TypeAlias = QuarantineKind | Literal["message", "attachments", "removal"]

class BackfillRange(str, enum.Enum):
    """How far back mail is fetched: not at all, only mail that comes from now on; 30, 90 or 365 days; or all of it."""
    NOTHING = "nothing"
    THIRTY_DAYS = "thirty_days"
    NINETY_DAYS = "ninety_days"
    TWELVE_MONTHS = "twelve_months"
    EVERYTHING = "everything"
    def __new__(cls, value: object) -> Self: ...

_BackfillRange: TypeAlias = BackfillRange | Literal["nothing", "thirty_days", "ninety_days", "twelve_months", "everything"]

class BackfillState(str, enum.Enum):
    """What a back-fill is at. `Listing`: mail of the range is fetched, the newest first. `Seeding`: all mail of the range is here, and the folders are walked once more
    for their delta links, which also shows what was missed or removed meanwhile. `Paused`: `resume_backfill` goes on from there. `Cancelled`: what is here stays,
    and nothing older is fetched."""
    LISTING = "listing"
    SEEDING = "seeding"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    DONE = "done"
    def __new__(cls, value: object) -> Self: ...

_BackfillState: TypeAlias = BackfillState | Literal["listing", "seeding", "paused", "cancelled", "done"]

class AttachmentKind(str, enum.Enum):
    """What an attachment is."""
    FILE = "file"
    ITEM = "item"
    REFERENCE = "reference"
    def __new__(cls, value: object) -> Self: ...

_AttachmentKind: TypeAlias = AttachmentKind | Literal["file", "item", "reference"]

class MessageKind(str, enum.Enum):
    """What a message is, by its form. That can be forged: what is proven, and answers a mail that was sent here, stands in that receipt."""
    ORDINARY = "ordinary"
    BOUNCE = "bounce"
    AUTOMATIC_REPLY = "automatic_reply"
    def __new__(cls, value: object) -> Self: ...

_MessageKind: TypeAlias = MessageKind | Literal["ordinary", "bounce", "automatic_reply"]

class FlagStatus(str, enum.Enum):
    """`Complete`: it was flagged, and is done."""
    NOT_FLAGGED = "not_flagged"
    FLAGGED = "flagged"
    COMPLETE = "complete"
    def __new__(cls, value: object) -> Self: ...

_FlagStatus: TypeAlias = FlagStatus | Literal["not_flagged", "flagged", "complete"]

class BodyForm(str, enum.Enum):
    """A form in which a body is made ready."""
    ORIGINAL = "original"
    TEXT = "text"
    HTML = "html"
    def __new__(cls, value: object) -> Self: ...

_BodyForm: TypeAlias = BodyForm | Literal["original", "text", "html"]

class InlineImages(str, enum.Enum):
    """What becomes of pictures that a mail carries itself and shows in its HTML."""
    KEEP = "keep"
    DATA = "data"
    LEAVE_OUT = "leave_out"
    def __new__(cls, value: object) -> Self: ...

_InlineImages: TypeAlias = InlineImages | Literal["keep", "data", "leave_out"]

class EventKind(str, enum.Enum):
    """`Single`: happens once. `Occurrence`: one of a series, as the series is. `Exception`: one of a series that was changed by itself."""
    SINGLE = "single"
    OCCURRENCE = "occurrence"
    EXCEPTION = "exception"
    def __new__(cls, value: object) -> Self: ...

_EventKind: TypeAlias = EventKind | Literal["single", "occurrence", "exception"]

class ShowAs(str, enum.Enum):
    """What others see of the person's time."""
    FREE = "free"
    TENTATIVE = "tentative"
    BUSY = "busy"
    OUT_OF_OFFICE = "out_of_office"
    WORKING_ELSEWHERE = "working_elsewhere"
    UNKNOWN = "unknown"
    def __new__(cls, value: object) -> Self: ...

_ShowAs: TypeAlias = ShowAs | Literal["free", "tentative", "busy", "out_of_office", "working_elsewhere", "unknown"]

class Sensitivity(str, enum.Enum):
    NORMAL = "normal"
    PERSONAL = "personal"
    PRIVATE = "private"
    CONFIDENTIAL = "confidential"
    def __new__(cls, value: object) -> Self: ...

_Sensitivity: TypeAlias = Sensitivity | Literal["normal", "personal", "private", "confidential"]

class AttendeeAnswer(str, enum.Enum):
    """What somebody who is invited has answered."""
    NONE = "none"
    ORGANIZER = "organizer"
    ACCEPTED = "accepted"
    TENTATIVE = "tentative"
    DECLINED = "declined"
    def __new__(cls, value: object) -> Self: ...

_AttendeeAnswer: TypeAlias = AttendeeAnswer | Literal["none", "organizer", "accepted", "tentative", "declined"]

class AttendeeKind(str, enum.Enum):
    """`Resource`: a room or a thing."""
    REQUIRED = "required"
    OPTIONAL = "optional"
    RESOURCE = "resource"
    def __new__(cls, value: object) -> Self: ...

_AttendeeKind: TypeAlias = AttendeeKind | Literal["required", "optional", "resource"]

class TeamsMessageKind(str, enum.Enum):
    """`System`: of Teams itself, as when somebody joins."""
    MESSAGE = "message"
    SYSTEM = "system"
    def __new__(cls, value: object) -> Self: ...

_TeamsMessageKind: TypeAlias = TeamsMessageKind | Literal["message", "system"]

class ChangeKind(str, enum.Enum):
    MESSAGE_ADDED = "message_added"
    MESSAGE_CHANGED = "message_changed"
    MESSAGE_MOVED = "message_moved"
    MESSAGE_REMOVED = "message_removed"
    ACCOUNT_CHANGED = "account_changed"
    SEND_CHANGED = "send_changed"
    CONTACT_CHANGED = "contact_changed"
    CONTACT_REMOVED = "contact_removed"
    EVENT_CHANGED = "event_changed"
    EVENT_REMOVED = "event_removed"
    CHAT_MESSAGE_CHANGED = "chat_message_changed"
    CHAT_MESSAGE_REMOVED = "chat_message_removed"
    SEND_ANSWERED = "send_answered"
    BOT_MESSAGE = "bot_message"
    BOT_MESSAGE_EDITED = "bot_message_edited"
    BOT_REACTION = "bot_reaction"
    BOT_INSTALLED = "bot_installed"
    BOT_REMOVED = "bot_removed"
    BOT_CARD_ACTION = "bot_card_action"
    ENDPOINT_CHANGED = "endpoint_changed"
    def __new__(cls, value: object) -> Self: ...

_ChangeKind: TypeAlias = ChangeKind | Literal["message_added", "message_changed", "message_moved", "message_removed", "account_changed", "send_changed", "contact_changed", "contact_removed", "event_changed", "event_removed", "chat_message_changed", "chat_message_removed", "send_answered", "bot_message", "bot_message_edited", "bot_reaction", "bot_installed", "bot_removed", "bot_card_action", "endpoint_changed"]

class GraphVersion(str, enum.Enum):
    """Which version of Graph is asked. `Beta` changes without notice."""
    V1 = "v1"
    BETA = "beta"
    def __new__(cls, value: object) -> Self: ...

_GraphVersion: TypeAlias = GraphVersion | Literal["v1", "beta"]

class LogLevel(str, enum.Enum):
    ERROR = "error"
    WARN = "warn"
    INFO = "info"
    DEBUG = "debug"
    TRACE = "trace"
    def __new__(cls, value: object) -> Self: ...

_LogLevel: TypeAlias = LogLevel | Literal["error", "warn", "info", "debug", "trace"]

class AuditKind(str, enum.Enum):
    STORE_MADE = "store_made"
    SIGNED_IN = "signed_in"
    SIGN_IN_REFUSED = "sign_in_refused"
    APPROVAL_ASKED = "approval_asked"
    STATE_CHANGED = "state_changed"
    DISCONNECTED = "disconnected"
    CONTENT_READ = "content_read"
    RAW_REQUEST = "raw_request"
    SEND_QUEUED = "send_queued"
    SEND_SETTLED = "send_settled"
    SENT_CHANGED = "sent_changed"
    KEY_ROTATED = "key_rotated"
    KEY_DESTROYED = "key_destroyed"
    OWNER_DELETED = "owner_deleted"
    OWNER_RESTORED = "owner_restored"
    PURGED = "purged"
    STORE_COPIED = "store_copied"
    CHAIN_BEGUN = "chain_begun"
    AUDIT_TRIMMED = "audit_trimmed"
    WORKFLOW_ADDED = "workflow_added"
    WORKFLOW_REMOVED = "workflow_removed"
    def __new__(cls, value: object) -> Self: ...

_AuditKind: TypeAlias = AuditKind | Literal["store_made", "signed_in", "sign_in_refused", "approval_asked", "state_changed", "disconnected", "content_read", "raw_request", "send_queued", "send_settled", "sent_changed", "key_rotated", "key_destroyed", "owner_deleted", "owner_restored", "purged", "store_copied", "chain_begun", "audit_trimmed", "workflow_added", "workflow_removed"]

class AuditFault(str, enum.Enum):
    """`Changed`: a record is not as it was written. `Missing`: one is gone. `Swapped`: one stands in another's place. `TailMissing`: the end is gone."""
    CHANGED = "changed"
    MISSING = "missing"
    SWAPPED = "swapped"
    TAIL_MISSING = "tail_missing"
    def __new__(cls, value: object) -> Self: ...

_AuditFault: TypeAlias = AuditFault | Literal["changed", "missing", "swapped", "tail_missing"]

class TidingsError(Exception):
    """Every failure of the engine. `reason` says what happened and what to do, in words that may be shown; it never holds a secret, an
    address or foreign text. `account_id` names the account, `request_id` Microsoft's request, `retry_after_ms` the wait Microsoft asked for."""
    kind: ErrorKind
    reason: str
    account_id: str | None
    request_id: str | None
    retry_after_ms: int | None
    remedy: Remedy
    def __init__(self, reason: str, *, account_id: str | None = None, request_id: str | None = None, retry_after_ms: int | None = None, remedy: _Remedy = ...) -> None: ...

class InvalidInputError(TidingsError):
    """An argument is wrong; nothing was sent or stored. Mend the call."""

class LimitExceededError(TidingsError):
    """An argument or an answer is larger than the documented limit."""

class NotConnectedError(TidingsError):
    """No such account, or it is disconnected."""

class NeedsReconnectError(TidingsError):
    """Microsoft wants the person to sign in again."""

class ConsentMissingError(TidingsError):
    """The person or the administrator has not granted what this needs."""

class ForbiddenError(TidingsError):
    """Signed in, but not allowed."""

class NotFoundError(TidingsError):
    """The thing asked for does not exist."""

class ConflictError(TidingsError):
    """It contradicts what is already there: the same key with other content, a sign-in already used."""

class ThrottledError(TidingsError):
    """Microsoft asks to come back later than this call may wait."""

class UpstreamError(TidingsError):
    """Microsoft failed or answered something unreadable."""

class NetworkError(TidingsError):
    """Microsoft could not be reached; nothing was done."""

class OutcomeUnknownError(TidingsError):
    """It may or may not have happened; ask before repeating."""

class LinkRejectedError(TidingsError):
    """An address received or configured is not on the list of allowed hosts; nothing was sent there."""

class TokenRejectedError(TidingsError):
    """A token or sign-in answer failed its checks; nothing was stored."""

class VaultLockedError(TidingsError):
    """The store is locked."""

class WrongKeyError(TidingsError):
    """The root key is not the one the store was made with."""

class CorruptError(TidingsError):
    """The store is damaged; it was left as it is."""

class StoreBusyError(TidingsError):
    """Another process holds the store for too long."""

class StoreFullError(TidingsError):
    """No space left; nothing was lost."""

class CursorExpiredError(TidingsError):
    """The place in the change feed is older than what is kept. Read everything anew (`messages`, `outbox`), then the feed without a cursor."""

class AppNotInstalledError(TidingsError):
    """The app of the bot is not installed for this person or team."""

class BotBlockedError(TidingsError):
    """A person or an administrator has blocked the bot there."""

class ConversationGoneError(TidingsError):
    """The conversation of the bot was deleted, or is another bot's."""

class CancelledError(TidingsError):
    """The caller stopped it."""

class ClosedError(TidingsError):
    """The engine is shut down."""

class ForkedError(TidingsError):
    """The process was forked while an engine was open; neither it nor another one works in the child. Fork before `open`, or start the child as a program of its own."""

class InternalError(TidingsError):
    """A defect of Tidings."""

@final
class App:
    """A further application of yours in Entra, chosen by its name in `connect`."""
    __match_args__ = ("name", "client_id", "client_secret", "certificate", "tenant")
    def __new__(cls, name: str, client_id: str, client_secret: _Secret | None = ..., certificate: _ClientCertificate | None = ..., tenant: str = ...) -> Self: ...
    @property
    def name(self) -> str:
        """1 to 50 letters, digits, `-` or `_`; `default` is the one of `Config` itself."""
    @property
    def client_id(self) -> str: ...
    @property
    def client_secret(self) -> Secret | None: ...
    @property
    def certificate(self) -> ClientCertificate | None: ...
    @property
    def tenant(self) -> str: ...

class _AppFields(TypedDict):
    name: str
    client_id: str
    client_secret: NotRequired[_Secret | None]
    certificate: NotRequired[_ClientCertificate | None]
    tenant: NotRequired[str]

_App: TypeAlias = App | _AppFields

@final
class Config:
    """How an engine is set up."""
    __match_args__ = ("data_dir", "client_id", "cloud", "client_secret", "certificate", "tenant", "apps", "content", "on_copied_store", "send_timeout_ms", "sign_in_seconds", "page_size", "folders", "allow_tls12", "proxy", "ca_certificates", "max_tenant_requests", "max_requests", "keep_changes_days", "keep_sends_days", "workflow_hosts", "mails_per_minute", "recipients_per_day", "notification_url", "calendar_days_before", "calendar_days_after", "encrypted_notifications", "attachment_cache_mb", "bot_app", "bot_tenant", "bot_service_url", "bot_external_id")
    def __new__(cls, data_dir: str, client_id: str, cloud: _Cloud, client_secret: _Secret | None = ..., certificate: _ClientCertificate | None = ..., tenant: str = ..., apps: Sequence[_App] = ..., content: _Content = ..., on_copied_store: _CopiedStore = ..., send_timeout_ms: int = ..., sign_in_seconds: int = ..., page_size: int = ..., folders: Sequence[str] = ..., allow_tls12: bool = ..., proxy: _Secret | None = ..., ca_certificates: str | None = ..., max_tenant_requests: int = ..., max_requests: int = ..., keep_changes_days: int = ..., keep_sends_days: int = ..., workflow_hosts: Sequence[str] = ..., mails_per_minute: int = ..., recipients_per_day: int = ..., notification_url: str | None = ..., calendar_days_before: int = ..., calendar_days_after: int = ..., encrypted_notifications: bool = ..., attachment_cache_mb: int = ..., bot_app: str | None = ..., bot_tenant: str | None = ..., bot_service_url: str | None = ..., bot_external_id: str | None = ...) -> Self: ...
    @property
    def data_dir(self) -> str:
        """Folder of the store, made with mode 0700 if missing. One folder may be opened by several processes."""
    @property
    def client_id(self) -> str:
        """Application (client) id of your registration in Entra."""
    @property
    def cloud(self) -> Cloud: ...
    @property
    def client_secret(self) -> Secret | None:
        """Client secret of a confidential client; none for a public client."""
    @property
    def certificate(self) -> ClientCertificate | None:
        """Certificate instead of a client secret."""
    @property
    def tenant(self) -> str:
        """Whose sign-in page: `common`, `organizations`, `consumers`, a tenant id or a verified domain."""
    @property
    def apps(self) -> list[App]:
        """Further applications."""
    @property
    def content(self) -> Content:
        """Chosen when the store is made; opening it with the other is an error."""
    @property
    def on_copied_store(self) -> CopiedStore:
        """What becomes of sends that were open when the store was copied or restored from a backup."""
    @property
    def send_timeout_ms(self) -> int:
        """How long `send` waits for the outcome before it answers `queued`, in milliseconds."""
    @property
    def sign_in_seconds(self) -> int:
        """How long a started sign-in stays valid, in seconds, 300 at the most."""
    @property
    def page_size(self) -> int:
        """Messages asked for per page of a sync, 1 to 1000."""
    @property
    def folders(self) -> list[str]:
        """Folders to sync, by well-known name or id, or `all`; empty: `inbox` and `sentitems`. `choose_folders` chooses others for an account."""
    @property
    def allow_tls12(self) -> bool:
        """Accept TLS 1.2 beside 1.3, for networks whose proxy needs it."""
    @property
    def proxy(self) -> Secret | None:
        """Proxy as `http://host:port`, or `http://user:password@host:port`; without it the environment decides. A secret, since it may hold a password."""
    @property
    def ca_certificates(self) -> str | None:
        """Further certificate authorities to trust, as PEM: those of a proxy that looks into TLS. The system's are trusted anyway."""
    @property
    def max_tenant_requests(self) -> int:
        """Requests to Microsoft at a time for one tenant and service (mail, Teams, directory), 1 to 64. One mailbox never has more than four."""
    @property
    def max_requests(self) -> int:
        """Requests to Microsoft at a time in all, 1 to 64. Sign-in, renewal of tokens and posts to workflows are not counted."""
    @property
    def keep_changes_days(self) -> int:
        """For how many days the change feed is kept, 1 to 3650, and at the most the last million changes of an account. A cursor from before that is told so."""
    @property
    def keep_sends_days(self) -> int:
        """For how many days a send is kept after it was sent, failed, cancelled or left in doubt, 1 to 3650. After that its receipt is NotFound, and its
        idempotency key forgotten."""
    @property
    def workflow_hosts(self) -> list[str]:
        """Hosts that workflows may be at: one by its name, or with a dot before it all below that name, as in `.logic.azure.com`. Empty: `.logic.azure.com`,
        `.environment.api.powerplatform.com` and `.api.powerplatform.com` in the public cloud, none in the others."""
    @property
    def mails_per_minute(self) -> int:
        """Mails that leave a mailbox in any minute, up to 10,000; 0: no limit. Exchange Online takes 30 and lets those beyond wait by itself. It holds over restarts
        and for all processes of the store. What `send` waits for passes those of a campaign."""
    @property
    def recipients_per_day(self) -> int:
        """Recipients of the mails that leave a mailbox in any 24 hours, up to 1,000,000; 0: no limit. Exchange Online takes 10,000 and refuses those beyond."""
    @property
    def notification_url(self) -> str | None:
        """Where Microsoft posts that something changed in a mailbox: a route of the host's own, which hands what comes to `receive`. https, without user and fragment,
        2,000 characters at the most; none: no mailbox is watched. Plain http is for loopback hosts of a custom cloud only."""
    @property
    def calendar_days_before(self) -> int:
        """How many days before today events of the calendar are synced, 0 to 900."""
    @property
    def calendar_days_after(self) -> int:
        """How many days after today events of the calendar are synced, 1 to 900."""
    @property
    def encrypted_notifications(self) -> bool:
        """Notifications bring what changed of a message, encrypted for a certificate that the engine makes and replaces, and signed by Microsoft. It is proven and counted (`metrics`),
        and read from the mailbox all the same. Such a subscription lives for a day instead of three. Needs `notification_url`."""
    @property
    def attachment_cache_mb(self) -> int:
        """How many megabytes of attachments are kept on disk, sealed, for whoever reads them again; 0: none. Those that were read least recently go first. It is the same in all processes of a
        store, up to 1,000,000."""
    @property
    def bot_app(self) -> str | None:
        """The application that is a bot in Teams: `default`, or the name of one of `apps`. It needs a client secret or a certificate; none: there is no bot."""
    @property
    def bot_tenant(self) -> str | None:
        """Where the bot asks for its tokens: the tenant id of its own organisation if its registration is for one organisation only, as those made since August 2025
        are. None: where bots of several organisations ask (`botframework.com`)."""
    @property
    def bot_service_url(self) -> str | None:
        """Address of the Bot Connector for somebody whom the bot was never told of, as in `https://smba.infra.gcc.teams.microsoft.com/gcc`. None: that of the cloud."""
    @property
    def bot_external_id(self) -> str | None:
        """Id of the bot's app in the organisations' catalogues, as `app_id` of its package: where a message of the bot is to go and the app is missing, it is then installed
        first, once, if the account of the organisation may: for a person, in a group chat, or in the team that `team_id` of the draft names (`AppCatalog.Read.All`;
        `TeamsAppInstallation.ReadWriteSelfForUser.All`, `…ForChat.All`, `…ForTeam.All`; `User.ReadBasic.All` for people by address). Teams learns of it a little later: the message is
        tried again for two minutes. None: nothing is installed."""

@final
class ConnectRequest:
    """A sign-in to start."""
    __match_args__ = ("owner", "features", "redirect_uri", "login_hint", "extra_scopes", "app", "tenant", "context")
    def __new__(cls, owner: str, features: Sequence[_Feature], redirect_uri: str = ..., login_hint: str | None = ..., extra_scopes: Sequence[str] = ..., app: str | None = ..., tenant: str | None = ..., context: str | None = ...) -> Self: ...
    @property
    def owner(self) -> str:
        """Your own opaque key of the person or team that owns the account, 1 to 200 characters."""
    @property
    def features(self) -> list[Feature]:
        """At least one."""
    @property
    def redirect_uri(self) -> str:
        """Where Microsoft sends the browser back; must be registered in Entra. `connect_here` fills it in."""
    @property
    def login_hint(self) -> str | None:
        """Address to fill in on Microsoft's page."""
    @property
    def extra_scopes(self) -> list[str]:
        """Further Microsoft permissions to ask for, as in `Calendars.Read`."""
    @property
    def app(self) -> str | None:
        """Name of the application to connect through; none: the one of `Config` itself."""
    @property
    def tenant(self) -> str | None:
        """Tenant id or domain to sign in to, for guests; none: the one of the application."""
    @property
    def context(self) -> str | None:
        """Anything you want to find again at the account, at most 1000 characters; stored sealed."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class TenantRequest:
    """An organisation to connect, by its administrator."""
    __match_args__ = ("owner", "redirect_uri", "app", "tenant", "context", "endpoint")
    def __new__(cls, owner: str, redirect_uri: str, app: str | None = ..., tenant: str | None = ..., context: str | None = ..., endpoint: SubscriberLink | None = ...) -> Self: ...
    @property
    def owner(self) -> str:
        """As in `ConnectRequest`."""
    @property
    def redirect_uri(self) -> str: ...
    @property
    def app(self) -> str | None: ...
    @property
    def tenant(self) -> str | None:
        """Tenant id or domain, when it is known."""
    @property
    def context(self) -> str | None: ...
    @property
    def endpoint(self) -> SubscriberLink | None:
        """Makes an endpoint for the person who signs in, through the bot of the organisation that is connected; it works once the administrator has approved. None: no endpoint."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class LinkRequest:
    """A person to get to know without touching any data: `openid profile User.Read`, nothing lasting."""
    __match_args__ = ("owner", "redirect_uri", "app", "tenant", "login_hint", "context", "endpoint")
    def __new__(cls, owner: str, redirect_uri: str, app: str | None = ..., tenant: str | None = ..., login_hint: str | None = ..., context: str | None = ..., endpoint: SubscriberLink | None = ...) -> Self: ...
    @property
    def owner(self) -> str:
        """Your own key of that person, 1 to 200 characters."""
    @property
    def redirect_uri(self) -> str: ...
    @property
    def app(self) -> str | None: ...
    @property
    def tenant(self) -> str | None:
        """Tenant id or domain the person must belong to."""
    @property
    def login_hint(self) -> str | None: ...
    @property
    def context(self) -> str | None: ...
    @property
    def endpoint(self) -> SubscriberLink | None:
        """Makes an endpoint for the person once they have signed in, through the bot of a connected organisation, to which they must belong. None: no endpoint."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class SignIn:
    """A started sign-in. Send the person to `url`; keep `binding` in that person's session and hand it to `finish_connect`."""
    __match_args__ = ("url", "binding", "expires_at")
    def __new__(cls, url: str, binding: str, expires_at: datetime) -> Self: ...
    @property
    def url(self) -> str: ...
    @property
    def binding(self) -> str:
        """Secret that ties the callback to the browser it was started in."""
    @property
    def expires_at(self) -> datetime: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Permission:
    """One permission of Microsoft's, explained."""
    __match_args__ = ("name", "title", "reason", "features", "needs_admin", "granted")
    def __new__(cls, name: str, title: str, reason: str, features: Sequence[_Feature], needs_admin: bool, granted: bool | None) -> Self: ...
    @property
    def name(self) -> str:
        """Microsoft's name, as in `Mail.Send`."""
    @property
    def title(self) -> str:
        """What it is, in a few words for the person who is asked."""
    @property
    def reason(self) -> str:
        """Why it is asked for."""
    @property
    def features(self) -> list[Feature]:
        """Features that need it."""
    @property
    def needs_admin(self) -> bool:
        """Microsoft lets only an administrator grant it."""
    @property
    def granted(self) -> bool | None:
        """Whether the account asked about has it; none without an account."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class PermissionList:
    """Permissions, and what they leave alone."""
    __match_args__ = ("items", "not_accessed")
    def __new__(cls, items: Sequence[Permission], not_accessed: Sequence[str]) -> Self: ...
    @property
    def items(self) -> list[Permission]: ...
    @property
    def not_accessed(self) -> list[str]:
        """What is not accessed, in sentences for the person who is asked."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class PermissionQuery:
    """What to explain: the permissions that features need or, with an account, those it was granted as well."""
    __match_args__ = ("features", "extra_scopes", "account_id", "owner")
    def __new__(cls, features: Sequence[_Feature] = ..., extra_scopes: Sequence[str] = ..., account_id: str | None = ..., owner: str | None = ...) -> Self: ...
    @property
    def features(self) -> list[Feature]: ...
    @property
    def extra_scopes(self) -> list[str]: ...
    @property
    def account_id(self) -> str | None: ...
    @property
    def owner(self) -> str | None:
        """Whose the account must be."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Approval:
    """What an administrator has to approve. Send the administrator's browser to `url`, or hand `sheet` to the IT department."""
    __match_args__ = ("account_id", "url", "binding", "expires_at", "justification", "sheet")
    def __new__(cls, account_id: str, url: str, binding: str, expires_at: datetime, justification: str, sheet: str) -> Self: ...
    @property
    def account_id(self) -> str: ...
    @property
    def url(self) -> str:
        """Microsoft's page for administrators; comes back to the redirect URI, for `finish_connect`."""
    @property
    def binding(self) -> str:
        """Secret that ties the callback to the browser it was started in."""
    @property
    def expires_at(self) -> datetime: ...
    @property
    def justification(self) -> str:
        """Text for the box in which Microsoft asks the person why."""
    @property
    def sheet(self) -> str:
        """Markdown: application id, each permission with its reason, what is not accessed, what to do."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Account:
    """A connected Microsoft 365 account."""
    __match_args__ = ("id", "owner", "kind", "state", "app", "context", "address", "display_name", "tenant_id", "user_id", "features", "scopes", "missing", "connected_at", "folders", "problem", "warnings", "access_ends_at", "delegate")
    def __new__(cls, id: str, owner: str, kind: _AccountKind, state: _AccountState, app: str, context: str | None, address: str, display_name: str, tenant_id: str, user_id: str, features: Sequence[_Feature], scopes: Sequence[str], missing: Sequence[_Feature], connected_at: datetime, folders: Sequence[str], problem: str | None, warnings: Sequence[str], access_ends_at: datetime | None, delegate: str | None) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def kind(self) -> AccountKind: ...
    @property
    def state(self) -> AccountState: ...
    @property
    def app(self) -> str:
        """Application it was connected through."""
    @property
    def context(self) -> str | None: ...
    @property
    def address(self) -> str:
        """Address and name as Microsoft gives them; for display, never a key."""
    @property
    def display_name(self) -> str: ...
    @property
    def tenant_id(self) -> str:
        """Entra tenant id and object id: who it is. Empty until somebody has signed in."""
    @property
    def user_id(self) -> str: ...
    @property
    def features(self) -> list[Feature]: ...
    @property
    def scopes(self) -> list[str]:
        """What was really granted."""
    @property
    def missing(self) -> list[Feature]:
        """Features asked for that the granted permissions do not cover."""
    @property
    def connected_at(self) -> datetime: ...
    @property
    def folders(self) -> list[str]:
        """Folders that are synced, by well-known name or id, or `all`; empty: those of the configuration."""
    @property
    def problem(self) -> str | None:
        """Why it is not connected, and what to do."""
    @property
    def warnings(self) -> list[str]:
        """What will not work although it is connected, why, and what to do."""
    @property
    def access_ends_at(self) -> datetime | None:
        """When access ends for good, since no lasting access (`offline_access`) was granted."""
    @property
    def delegate(self) -> str | None:
        """Of a shared mailbox: id of the account it is opened through, or was before it was disconnected."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class AccountFilter:
    """Which accounts, in the order in which they were connected first."""
    __match_args__ = ("owner", "state", "limit", "cursor")
    def __new__(cls, owner: str | None = ..., state: _AccountState | None = ..., limit: int = ..., cursor: str | None = ...) -> Self: ...
    @property
    def owner(self) -> str | None: ...
    @property
    def state(self) -> AccountState | None: ...
    @property
    def limit(self) -> int:
        """1 to 1000."""
    @property
    def cursor(self) -> str | None:
        """`next` of the page before; good for the same owner and state."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class AccountPage:
    """Some accounts of a list."""
    __match_args__ = ("items", "next")
    def __new__(cls, items: Sequence[Account], next: str | None) -> Self: ...
    @property
    def items(self) -> list[Account]: ...
    @property
    def next(self) -> str | None:
        """Cursor of the next page; none at the end."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Verification:
    """What `verify` found."""
    __match_args__ = ("account", "mailbox", "test_message", "problems")
    def __new__(cls, account: Account, mailbox: _MailboxState, test_message: Receipt | None, problems: Sequence[str]) -> Self: ...
    @property
    def account(self) -> Account:
        """As it is now; name and address are brought up to date."""
    @property
    def mailbox(self) -> MailboxState: ...
    @property
    def test_message(self) -> Receipt | None:
        """The test message, if one was asked for."""
    @property
    def problems(self) -> list[str]:
        """What does not work and what to do, in words; empty when all is well."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class AccountHealth:
    """How an account is doing, from recorded facts."""
    __match_args__ = ("account_id", "badge", "state", "transport", "last_success_at", "last_error_at", "last_error_kind", "last_error", "quarantined", "parked_sends", "next_step", "transport_since")
    def __new__(cls, account_id: str, badge: _Badge, state: _AccountState, transport: _Transport, last_success_at: datetime | None, last_error_at: datetime | None, last_error_kind: _ErrorKind | None, last_error: str | None, quarantined: int, parked_sends: int, next_step: str, transport_since: datetime | None) -> Self: ...
    @property
    def account_id(self) -> str: ...
    @property
    def badge(self) -> Badge: ...
    @property
    def state(self) -> AccountState: ...
    @property
    def transport(self) -> Transport: ...
    @property
    def last_success_at(self) -> datetime | None:
        """Last complete sync."""
    @property
    def last_error_at(self) -> datetime | None:
        """Last failure since then."""
    @property
    def last_error_kind(self) -> ErrorKind | None: ...
    @property
    def last_error(self) -> str | None: ...
    @property
    def quarantined(self) -> int:
        """What is set aside because it could not be read or told; `quarantined` lists it."""
    @property
    def parked_sends(self) -> int:
        """Sends that wait for the host since the store was copied or restored."""
    @property
    def next_step(self) -> str:
        """What to do, in words; empty when there is nothing to do."""
    @property
    def transport_since(self) -> datetime | None:
        """Since when news come that way; none where it is the usual way."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Health:
    """All accounts of an owner; the badge is that of the worst."""
    __match_args__ = ("owner", "badge", "accounts")
    def __new__(cls, owner: str, badge: _Badge, accounts: Sequence[AccountHealth]) -> Self: ...
    @property
    def owner(self) -> str: ...
    @property
    def badge(self) -> Badge: ...
    @property
    def accounts(self) -> list[AccountHealth]: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Address:
    """A mail address with an optional display name."""
    __match_args__ = ("address", "name")
    def __new__(cls, address: str, name: str = ...) -> Self: ...
    @property
    def address(self) -> str: ...
    @property
    def name(self) -> str: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

class _AddressFields(TypedDict):
    address: str
    name: NotRequired[str]

# A text stands for the address alone.
_Address: TypeAlias = Address | _AddressFields | str

@final
class FileAttachment:
    """A file to send with a mail or a message of Teams: its content, below 3 MB, or the id of a content that was staged, of any size that Microsoft takes."""
    __match_args__ = ("name", "content", "content_type", "content_id", "staged")
    def __new__(cls, name: str, content: bytes, content_type: str = ..., content_id: str | None = ..., staged: str | None = ...) -> Self: ...
    @property
    def name(self) -> str: ...
    @property
    def content(self) -> bytes:
        """Empty where `staged` says which content it is."""
    @property
    def content_type(self) -> str: ...
    @property
    def content_id(self) -> str | None:
        """It is an image that the HTML body shows, as in `<img src="cid:logo">` with the content id `logo`; in a message of Teams a PNG, JPEG or GIF with a content of
        its own, all of them below 2.8 MB. None: it is listed below the mail or message."""
    @property
    def staged(self) -> str | None:
        """Id of a staged content of this account, as `stage_attachment` and the helpers for files and streams give it."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

class _FileAttachmentFields(TypedDict):
    name: str
    content: bytes
    content_type: NotRequired[str]
    content_id: NotRequired[str | None]
    staged: NotRequired[str | None]

_FileAttachment: TypeAlias = FileAttachment | _FileAttachmentFields

@final
class Signature:
    """What an account puts below its mails."""
    __match_args__ = ("text", "html", "images")
    def __new__(cls, text: str, html: str = ..., images: Sequence[_FileAttachment] = ...) -> Self: ...
    @property
    def text(self) -> str:
        """For bodies that are text."""
    @property
    def html(self) -> str:
        """For those of HTML and Markdown, as it is; none: the text."""
    @property
    def images(self) -> list[FileAttachment]:
        """What the HTML shows, as in `<img src="cid:logo">` with the content id `logo`. Each has a content of its own."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

# A text stands for the text alone.
_Signature: TypeAlias = Signature | str

@final
class MailHeader:
    """A header of a mail that is sent."""
    __match_args__ = ("name", "value")
    def __new__(cls, name: str, value: str) -> Self: ...
    @property
    def name(self) -> str: ...
    @property
    def value(self) -> str: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

class _MailHeaderFields(TypedDict):
    name: str
    value: str

_MailHeader: TypeAlias = MailHeader | _MailHeaderFields

@final
class MailDraft:
    """A new mail. To, cc and bcc together 1 to 500 recipients."""
    __match_args__ = ("account_id", "to", "subject", "body", "body_type", "cc", "bcc", "reply_to", "importance", "attachments", "key", "deadline", "ordering_key", "send_at", "read_receipt", "delivery_receipt", "headers", "from_address", "context", "merge_fields", "add_signature", "link")
    def __new__(cls, account_id: str, to: _Address | Sequence[_Address], subject: str, body: str, body_type: _BodyType = ..., cc: _Address | Sequence[_Address] = ..., bcc: _Address | Sequence[_Address] = ..., reply_to: _Address | Sequence[_Address] = ..., importance: _Importance = ..., attachments: Sequence[_FileAttachment] = ..., key: str | None = ..., deadline: datetime | None = ..., ordering_key: str | None = ..., send_at: datetime | None = ..., read_receipt: bool = ..., delivery_receipt: bool = ..., headers: Sequence[_MailHeader] = ..., from_address: _Address | None = ..., context: str | None = ..., merge_fields: Mapping[str, str] | None = ..., add_signature: bool = ..., link: str | None = ...) -> Self: ...
    @property
    def account_id(self) -> str: ...
    @property
    def to(self) -> list[Address]: ...
    @property
    def subject(self) -> str: ...
    @property
    def body(self) -> str: ...
    @property
    def body_type(self) -> BodyType: ...
    @property
    def cc(self) -> list[Address]: ...
    @property
    def bcc(self) -> list[Address]: ...
    @property
    def reply_to(self) -> list[Address]: ...
    @property
    def importance(self) -> Importance: ...
    @property
    def attachments(self) -> list[FileAttachment]: ...
    @property
    def key(self) -> str | None:
        """Idempotency key, unique per account: the same key and content give the same receipt, other content is a Conflict."""
    @property
    def deadline(self) -> datetime | None:
        """Not sent after this time: what is provably unsent by then becomes `failed`, anything else `unknown`. None: it waits for as long as it takes. It is
        no part of the content: the same key with another deadline gives the send as it was first handed in."""
    @property
    def ordering_key(self) -> str | None:
        """Mails of one account with the same ordering key leave in the order in which they were handed in. None: this mail waits for no other. 1 to 200
        characters. It is no part of the content, as the deadline is none."""
    @property
    def send_at(self) -> datetime | None:
        """Not sent before this time; until then the receipt is `queued`, and `send` answers at once. It may lie a year ahead. It waits for no other message and
        keeps no other waiting, but for those of its order that are to leave at the same time. Like the deadline it is no part of the content."""
    @property
    def read_receipt(self) -> bool:
        """Asks the recipients' mail programs to confirm that it was read, and their mail servers that it arrived. Both may ignore it."""
    @property
    def delivery_receipt(self) -> bool: ...
    @property
    def headers(self) -> list[MailHeader]:
        """Up to five headers of your own; their names begin with `x-`."""
    @property
    def from_address(self) -> Address | None:
        """In whose name it leaves: a shared mailbox, a group or another person, if Exchange lets this account send as it, or on its behalf (recipients then see who
        wrote). It needs the feature shared_mailboxes. None: the account's own address, which may be given as well, and needs nothing more. The draft and the
        sent copy lie in the account's own mailbox."""
    @property
    def context(self) -> str | None:
        """What this mail is about to the host, 1 to 200 characters: `last_sender` then tells the account and the From that its owner used last in this context.
        Like the deadline it is no part of the content. None: nothing is remembered."""
    @property
    def merge_fields(self) -> dict[str, str] | None:
        """Values for the fields of a template: names with dots, as in `candidate.first_name`. None: subject and body are taken to the letter, `{{` included. Some:
        both are templates, filled when the draft is handed in; only what they become is stored, compared and sent. `{{ name }}`, the filters `default`, `upper`,
        `lower`, `title`, `trim` and `escape`, and `{% if %}` with `and`, `or`, `not`, `==`, `!=` and `is defined`; no loops, and nothing else. Each value is escaped for
        where it stands: in HTML, as text; in Markdown, as text; in text, as it is. Every field that is named must be given, but those with `default` or
        `is defined`. 100 fields, names of 100 characters, templates and values of 256 KB, and 1 MB filled at the most.
        Source: Jinja, Template Designer Documentation."""
    @property
    def add_signature(self) -> bool:
        """Puts the account's signature below the body, as `set_signature` gave it: behind a line `-- ` where the body is text, else as HTML, with its images; a body in Markdown
        becomes HTML. It is added once the templates are filled, and is none itself. The signature of the moment counts in which the draft is handed in; it is no part of the
        content that `key` stands for, though whether there is one is. Errors: InvalidInput, where the account has none, and where an attachment has the content id of an image of it."""
    @property
    def link(self) -> str | None:
        """The host's own key for what the mail is about, as a candidate or a ticket, 1 to 200 characters. The sent copy carries it in `links` of its message once it is synced,
        and so does every mail that comes into its conversation afterwards; `messages` finds them by it. It is no part of the content, as the deadline is none."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class ReplyDraft:
    """An answer within a conversation, to those who the message that is answered asks to answer to. Microsoft makes subject, recipients and the quoted
    message below the body, and whether the answered message was read stays as it was."""
    __match_args__ = ("account_id", "message_id", "body", "body_type", "to_all", "to", "cc", "bcc", "importance", "attachments", "key", "deadline", "ordering_key", "send_at", "read_receipt", "delivery_receipt", "headers", "from_address", "context", "merge_fields", "add_signature", "link")
    def __new__(cls, account_id: str, message_id: str, body: str, body_type: _BodyType = ..., to_all: bool = ..., to: _Address | Sequence[_Address] = ..., cc: _Address | Sequence[_Address] = ..., bcc: _Address | Sequence[_Address] = ..., importance: _Importance = ..., attachments: Sequence[_FileAttachment] = ..., key: str | None = ..., deadline: datetime | None = ..., ordering_key: str | None = ..., send_at: datetime | None = ..., read_receipt: bool = ..., delivery_receipt: bool = ..., headers: Sequence[_MailHeader] = ..., from_address: _Address | None = ..., context: str | None = ..., merge_fields: Mapping[str, str] | None = ..., add_signature: bool = ..., link: str | None = ...) -> Self: ...
    @property
    def account_id(self) -> str: ...
    @property
    def message_id(self) -> str:
        """Id of the message that is answered, as `messages` shows it. It is one of this account."""
    @property
    def body(self) -> str: ...
    @property
    def body_type(self) -> BodyType: ...
    @property
    def to_all(self) -> bool:
        """Also to everybody else who got that message."""
    @property
    def to(self) -> list[Address]:
        """Beside those whom Microsoft fills in."""
    @property
    def cc(self) -> list[Address]: ...
    @property
    def bcc(self) -> list[Address]: ...
    @property
    def importance(self) -> Importance: ...
    @property
    def attachments(self) -> list[FileAttachment]: ...
    @property
    def key(self) -> str | None:
        """Idempotency key, as in `MailDraft`."""
    @property
    def deadline(self) -> datetime | None:
        """Not sent after this time, as in `MailDraft`."""
    @property
    def ordering_key(self) -> str | None:
        """As in `MailDraft`; mails, replies and forwards share these keys. None: replies to one message leave in the order in which they were handed in."""
    @property
    def send_at(self) -> datetime | None:
        """Not sent before this time, as in `MailDraft`."""
    @property
    def read_receipt(self) -> bool:
        """As in `MailDraft`."""
    @property
    def delivery_receipt(self) -> bool: ...
    @property
    def headers(self) -> list[MailHeader]: ...
    @property
    def from_address(self) -> Address | None:
        """As in `MailDraft`."""
    @property
    def context(self) -> str | None: ...
    @property
    def merge_fields(self) -> dict[str, str] | None:
        """Values for the fields of the body, which then is a template; as in `MailDraft`."""
    @property
    def add_signature(self) -> bool:
        """As in `MailDraft`: it stands below the body and above the quoted message."""
    @property
    def link(self) -> str | None:
        """As in `MailDraft`."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class ForwardDraft:
    """A message passed on, with its attachments. Microsoft makes the subject and the quoted message below the body."""
    __match_args__ = ("account_id", "message_id", "to", "body", "body_type", "cc", "bcc", "importance", "attachments", "key", "deadline", "ordering_key", "send_at", "read_receipt", "delivery_receipt", "headers", "from_address", "context", "merge_fields", "add_signature", "link")
    def __new__(cls, account_id: str, message_id: str, to: _Address | Sequence[_Address], body: str = ..., body_type: _BodyType = ..., cc: _Address | Sequence[_Address] = ..., bcc: _Address | Sequence[_Address] = ..., importance: _Importance = ..., attachments: Sequence[_FileAttachment] = ..., key: str | None = ..., deadline: datetime | None = ..., ordering_key: str | None = ..., send_at: datetime | None = ..., read_receipt: bool = ..., delivery_receipt: bool = ..., headers: Sequence[_MailHeader] = ..., from_address: _Address | None = ..., context: str | None = ..., merge_fields: Mapping[str, str] | None = ..., add_signature: bool = ..., link: str | None = ...) -> Self: ...
    @property
    def account_id(self) -> str: ...
    @property
    def message_id(self) -> str:
        """Id of the message that is passed on, as `messages` shows it. It is one of this account."""
    @property
    def to(self) -> list[Address]: ...
    @property
    def body(self) -> str: ...
    @property
    def body_type(self) -> BodyType: ...
    @property
    def cc(self) -> list[Address]: ...
    @property
    def bcc(self) -> list[Address]: ...
    @property
    def importance(self) -> Importance: ...
    @property
    def attachments(self) -> list[FileAttachment]: ...
    @property
    def key(self) -> str | None:
        """Idempotency key, as in `MailDraft`."""
    @property
    def deadline(self) -> datetime | None:
        """Not sent after this time, as in `MailDraft`."""
    @property
    def ordering_key(self) -> str | None:
        """As in `MailDraft`; mails, replies and forwards share these keys."""
    @property
    def send_at(self) -> datetime | None:
        """Not sent before this time, as in `MailDraft`."""
    @property
    def read_receipt(self) -> bool:
        """As in `MailDraft`."""
    @property
    def delivery_receipt(self) -> bool: ...
    @property
    def headers(self) -> list[MailHeader]: ...
    @property
    def from_address(self) -> Address | None:
        """As in `MailDraft`."""
    @property
    def context(self) -> str | None: ...
    @property
    def merge_fields(self) -> dict[str, str] | None:
        """Values for the fields of the body, which then is a template; as in `MailDraft`."""
    @property
    def add_signature(self) -> bool:
        """As in `MailDraft`: it stands below the body and above the quoted message."""
    @property
    def link(self) -> str | None:
        """As in `MailDraft`."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class WorkflowDraft:
    """A post to a Teams workflow that was registered with `add_workflow`: a text, or an Adaptive Card. Posts to one workflow leave in the order in which they
    were handed in."""
    __match_args__ = ("workflow_id", "text", "card", "key", "deadline", "send_at", "merge_fields")
    def __new__(cls, workflow_id: str, text: str | None = ..., card: str | None = ..., key: str | None = ..., deadline: datetime | None = ..., send_at: datetime | None = ..., merge_fields: Mapping[str, str] | None = ...) -> Self: ...
    @property
    def workflow_id(self) -> str:
        """Id of the workflow, as `add_workflow` gives it."""
    @property
    def text(self) -> str | None:
        """Shown as a card with this text. One of `text` and `card` is needed, not both. What is posted may have 28,000 bytes."""
    @property
    def card(self) -> str | None:
        """An Adaptive Card as JSON, version 1.0 to 1.5."""
    @property
    def key(self) -> str | None:
        """Idempotency key, as in `MailDraft`."""
    @property
    def deadline(self) -> datetime | None:
        """Not sent after this time, as in `MailDraft`."""
    @property
    def send_at(self) -> datetime | None:
        """Not sent before this time, as in `MailDraft`."""
    @property
    def merge_fields(self) -> dict[str, str] | None:
        """Values for the fields of `text`, which then is a template; as in `MailDraft`."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

# A text stands for the workflow_id alone.
_WorkflowDraft: TypeAlias = WorkflowDraft | str

@final
class Preview:
    """What would be sent."""
    __match_args__ = ("subject", "body", "body_type")
    def __new__(cls, subject: str, body: str, body_type: _BodyType) -> Self: ...
    @property
    def subject(self) -> str:
        """Of a mail or a post in a channel; empty where there is none, and where Microsoft makes it."""
    @property
    def body(self) -> str:
        """Body or text, filled. Empty for a card."""
    @property
    def body_type(self) -> BodyType: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Receipt:
    """What became of a draft."""
    __match_args__ = ("id", "account_id", "route", "state", "key", "attempts", "reason", "internet_message_id", "graph_id", "chat_id", "conversation_id", "created_at", "sent_at", "next_attempt_at", "is_parked", "link", "bounces", "automatic_replies", "endpoint_id", "whole_id", "parts")
    def __new__(cls, id: str, account_id: str, route: _Route, state: _SendState, key: str | None, attempts: int, reason: str | None, internet_message_id: str | None, graph_id: str | None, chat_id: str | None, conversation_id: str | None, created_at: datetime, sent_at: datetime | None, next_attempt_at: datetime | None, is_parked: bool, link: str | None, bounces: Sequence[Bounce], automatic_replies: Sequence[AutomaticReply], endpoint_id: str | None, whole_id: str | None, parts: Sequence[SendPart]) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def account_id(self) -> str:
        """The account it leaves from, or the workflow it goes to. Empty for a whole."""
    @property
    def route(self) -> Route: ...
    @property
    def state(self) -> SendState: ...
    @property
    def key(self) -> str | None: ...
    @property
    def attempts(self) -> int:
        """Times it was tried with a request that may have had an effect, or whose process ended with it. Waiting for the network, a limit or a sign-in is no attempt."""
    @property
    def reason(self) -> str | None:
        """Why it is not sent, or not yet, and what to do."""
    @property
    def internet_message_id(self) -> str | None:
        """Message-ID header of a mail (RFC 5322)."""
    @property
    def graph_id(self) -> str | None:
        """Microsoft's id of the sent copy or chat message, and of the chat."""
    @property
    def chat_id(self) -> str | None: ...
    @property
    def conversation_id(self) -> str | None:
        """The conversation of a sent mail, as in `conversation_id` of messages; none where Microsoft did not tell."""
    @property
    def created_at(self) -> datetime: ...
    @property
    def sent_at(self) -> datetime | None: ...
    @property
    def next_attempt_at(self) -> datetime | None:
        """When it will be tried, or tried again."""
    @property
    def is_parked(self) -> bool:
        """It was open when the store was copied or restored, and waits for the host."""
    @property
    def link(self) -> str | None:
        """As in its draft."""
    @property
    def bounces(self) -> list[Bounce]:
        """What mail systems reported of a mail that did not arrive, or not yet, oldest first. Known once the reports are synced. Only reports that name this very mail, and
        whose origin is proven: the mailbox's own organisation, or the domain of the recipient."""
    @property
    def automatic_replies(self) -> list[AutomaticReply]:
        """Answers that no person wrote: out of office and the like, oldest first. Known once they are synced; proven like the reports."""
    @property
    def endpoint_id(self) -> str | None:
        """The endpoint it goes to; None: it goes to none."""
    @property
    def whole_id(self) -> str | None:
        """Id of the receipt of the whole it is a part of."""
    @property
    def parts(self) -> list[SendPart]:
        """Of a whole: what became of each part, in the order in which the endpoints were made. Its own state is `Queued` while none has begun, `Sending` while one is open,
        then `Sent` if all were; else `Unknown` or `Failed` if one is, and `Cancelled` if all are."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class SendPart:
    """A part of a whole that was sent to endpoints."""
    __match_args__ = ("endpoint_id", "receipt_id", "state", "reason")
    def __new__(cls, endpoint_id: str, receipt_id: str | None, state: _SendState, reason: str | None) -> Self: ...
    @property
    def endpoint_id(self) -> str: ...
    @property
    def receipt_id(self) -> str | None:
        """Its own receipt. None: it was refused as it was handed in, and nothing of it was stored."""
    @property
    def state(self) -> SendState: ...
    @property
    def reason(self) -> str | None: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Bounce:
    """What a mail system reported of one recipient of a sent mail. Source: RFC 3464."""
    __match_args__ = ("recipient", "status", "reason", "kind", "at", "message_id")
    def __new__(cls, recipient: str, status: str, reason: str | None, kind: _BounceKind, at: datetime, message_id: str) -> Self: ...
    @property
    def recipient(self) -> str: ...
    @property
    def status(self) -> str:
        """Status code as in RFC 3463: `5.1.10`."""
    @property
    def reason(self) -> str | None:
        """What the mail system said, in its own words and language; foreign text, 500 characters at the most."""
    @property
    def kind(self) -> BounceKind: ...
    @property
    def at(self) -> datetime: ...
    @property
    def message_id(self) -> str:
        """The message that reports it, as in `id` of a message."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class AutomaticReply:
    """An answer to a sent mail that no person wrote."""
    __match_args__ = ("from_address", "at", "message_id")
    def __new__(cls, from_address: _Address | None, at: datetime, message_id: str) -> Self: ...
    @property
    def from_address(self) -> Address | None: ...
    @property
    def at(self) -> datetime: ...
    @property
    def message_id(self) -> str:
        """The answer, as in `id` of a message."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class LastSender:
    """The account and the From that an owner used last in a context."""
    __match_args__ = ("account_id", "from_address")
    def __new__(cls, account_id: str, from_address: _Address | None) -> Self: ...
    @property
    def account_id(self) -> str: ...
    @property
    def from_address(self) -> Address | None:
        """None: the account's own address."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class OutboxFilter:
    __match_args__ = ("owner", "account_id", "state", "limit")
    def __new__(cls, owner: str | None = ..., account_id: str | None = ..., state: _SendState | None = ..., limit: int = ...) -> Self: ...
    @property
    def owner(self) -> str | None:
        """Sends of all accounts and workflows of this owner. One of `owner` and `account_id` is needed."""
    @property
    def account_id(self) -> str | None:
        """Id of an account or of a workflow."""
    @property
    def state(self) -> SendState | None: ...
    @property
    def limit(self) -> int:
        """Newest first, at most this many, 1 to 1000."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Mention:
    """A mention. It stands in the body wherever its placeholder stands, under the name that Microsoft has."""
    __match_args__ = ("placeholder", "target", "text")
    def __new__(cls, placeholder: str, target: _MentionTarget, text: str | None = ...) -> Self: ...
    @property
    def placeholder(self) -> str:
        """Text of your choice that is in the body, as in `@alex`. 1 to 100 characters; each mention has its own."""
    @property
    def target(self) -> MentionTarget: ...
    @property
    def text(self) -> str | None:
        """Shown in place of the name that Microsoft has."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

class _MentionFields(TypedDict):
    placeholder: str
    target: _MentionTarget
    text: NotRequired[str | None]

_Mention: TypeAlias = Mention | _MentionFields

@final
class FileLink:
    """A file that is somewhere already, as in SharePoint or OneDrive. Whether those who read the message may open it is as it is there."""
    __match_args__ = ("name", "url")
    def __new__(cls, name: str, url: str) -> Self: ...
    @property
    def name(self) -> str: ...
    @property
    def url(self) -> str:
        """An `https` address."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

class _FileLinkFields(TypedDict):
    name: str
    url: str

_FileLink: TypeAlias = FileLink | _FileLinkFields

@final
class ChatDraft:
    """A Teams message in a chat: to one person (`to`), to a group (`members`), or in a chat there is (`chat_id`); one of the three. Messages to one chat leave in
    the order in which they were handed in."""
    __match_args__ = ("account_id", "to", "body", "body_type", "key", "deadline", "send_at", "chat_id", "members", "topic", "importance", "mentions", "cards", "files", "attachments", "merge_fields")
    def __new__(cls, account_id: str, to: str = ..., body: str = ..., body_type: _BodyType = ..., key: str | None = ..., deadline: datetime | None = ..., send_at: datetime | None = ..., chat_id: str | None = ..., members: Sequence[str] = ..., topic: str | None = ..., importance: _ChatImportance = ..., mentions: Sequence[_Mention] = ..., cards: Sequence[str] = ..., files: Sequence[_FileLink] = ..., attachments: Sequence[_FileAttachment] = ..., merge_fields: Mapping[str, str] | None = ...) -> Self: ...
    @property
    def account_id(self) -> str: ...
    @property
    def to(self) -> str:
        """Mail address of one person; the one-to-one chat is made or reused."""
    @property
    def body(self) -> str:
        """Text, HTML or Markdown. HTML is cleaned to what Teams shows. It may be empty beside a card or a file."""
    @property
    def body_type(self) -> BodyType: ...
    @property
    def key(self) -> str | None:
        """Idempotency key, as in `MailDraft`."""
    @property
    def deadline(self) -> datetime | None:
        """Not sent after this time, as in `MailDraft`."""
    @property
    def send_at(self) -> datetime | None:
        """Not sent before this time, as in `MailDraft`."""
    @property
    def chat_id(self) -> str | None:
        """Id of a chat there is, as receipts and `chats` show it."""
    @property
    def members(self) -> list[str]:
        """Mail addresses of the others in a group, up to 249. The group that this account made here for the same members and topic is reused; else one is made."""
    @property
    def topic(self) -> str | None:
        """Name of the group, up to 250 characters."""
    @property
    def importance(self) -> ChatImportance: ...
    @property
    def mentions(self) -> list[Mention]: ...
    @property
    def cards(self) -> list[str]:
        """Adaptive Cards as JSON, up to 10. Buttons that answer to a bot do nothing in a person's message."""
    @property
    def files(self) -> list[FileLink]:
        """Files that are somewhere already, up to 10 with the attachments."""
    @property
    def attachments(self) -> list[FileAttachment]:
        """Files that are uploaded before the message is posted: into the folder `Microsoft Teams Chat Files` of the sender's OneDrive, where the others in the
        chat may then read them (they are shared with each of them, without a mail). Where another file has the name already, a number follows it. How far
        they are is durable: after a cut connection, or in another process, the upload goes on, and nothing is uploaded twice. Files of a message that is not
        posted are removed again. Those with a `content_id` are pictures of the text and go with the message itself, without any of this. The account needs `Files.ReadWrite` among the extra scopes it was connected with, and for a group
        that `chat_id` names `Chat.ReadBasic`; without, ConsentMissing before anything is stored. In a group by `members` those of the draft may open them.
        Names that OneDrive does not take are InvalidInput. Source: Graph, chatMessage: send (with file attachment), and driveItem: invite."""
    @property
    def merge_fields(self) -> dict[str, str] | None:
        """Values for the fields of the body, which then is a template; as in `MailDraft`."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class ChannelPostDraft:
    """A message in a channel of a team, as the person; with `reply_to` an answer in its thread. Messages to one channel leave in the order in which they were
    handed in."""
    __match_args__ = ("account_id", "team_id", "channel_id", "body", "body_type", "reply_to", "subject", "importance", "mentions", "cards", "files", "key", "deadline", "send_at", "attachments", "merge_fields")
    def __new__(cls, account_id: str, team_id: str, channel_id: str, body: str = ..., body_type: _BodyType = ..., reply_to: str | None = ..., subject: str | None = ..., importance: _ChatImportance = ..., mentions: Sequence[_Mention] = ..., cards: Sequence[str] = ..., files: Sequence[_FileLink] = ..., key: str | None = ..., deadline: datetime | None = ..., send_at: datetime | None = ..., attachments: Sequence[_FileAttachment] = ..., merge_fields: Mapping[str, str] | None = ...) -> Self: ...
    @property
    def account_id(self) -> str: ...
    @property
    def team_id(self) -> str:
        """Ids as `teams` and `channels` show them."""
    @property
    def channel_id(self) -> str: ...
    @property
    def body(self) -> str:
        """As in `ChatDraft`."""
    @property
    def body_type(self) -> BodyType: ...
    @property
    def reply_to(self) -> str | None:
        """Id of the message at the head of the thread that is answered, as `graph_id` of its receipt."""
    @property
    def subject(self) -> str | None:
        """Shown above the message; a reply has none."""
    @property
    def importance(self) -> ChatImportance: ...
    @property
    def mentions(self) -> list[Mention]: ...
    @property
    def cards(self) -> list[str]:
        """As in `ChatDraft`."""
    @property
    def files(self) -> list[FileLink]: ...
    @property
    def key(self) -> str | None:
        """Idempotency key, as in `MailDraft`."""
    @property
    def deadline(self) -> datetime | None:
        """Not sent after this time, as in `MailDraft`."""
    @property
    def send_at(self) -> datetime | None:
        """Not sent before this time, as in `MailDraft`."""
    @property
    def attachments(self) -> list[FileAttachment]:
        """As in `ChatDraft`, uploaded to the files of the channel, which its members may open. The account needs `Files.ReadWrite.All` among the extra scopes.
        Source: Graph, channel: get filesFolder."""
    @property
    def merge_fields(self) -> dict[str, str] | None:
        """Values for the fields of subject and body, which then are templates; as in `MailDraft`."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Workflow:
    """A Teams workflow (Power Automate) that takes posts at a URL. Whoever has the URL can post, so it is a secret: it is stored sealed, and never shown again."""
    __match_args__ = ("id", "owner", "name", "url", "host", "context", "added_at")
    def __new__(cls, id: str, owner: str, name: str, url: str, host: str, context: str | None, added_at: datetime) -> Self: ...
    @property
    def id(self) -> str:
        """For `WorkflowDraft`; stands where receipts, changes, events and the audit log name an account."""
    @property
    def owner(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def url(self) -> str:
        """Its URL without what proves anything: `https://prod-1.westeurope.logic.azure.com/…`."""
    @property
    def host(self) -> str: ...
    @property
    def context(self) -> str | None: ...
    @property
    def added_at(self) -> datetime: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class BotDraft:
    """A message of the bot: to one person (`to`), as a new thread in a channel (`channel_id`), as an answer in one (`channel_id` and `reply_to`), or in a conversation
    the bot was told of (`conversation_id`). Messages to one place leave in the order in which they were handed in, if they name it in the same way: a person's address,
    object id and `29:…` are three names, and so is the conversation with them. Of one conversation Teams takes 60 messages in 30 seconds and 1,800 in an hour; what is more
    waits."""
    __match_args__ = ("account_id", "to", "conversation_id", "channel_id", "reply_to", "team_id", "body", "body_type", "merge_fields", "summary", "importance", "notify", "mentions", "cards", "files", "key", "deadline", "send_at")
    def __new__(cls, account_id: str, to: str = ..., conversation_id: str | None = ..., channel_id: str | None = ..., reply_to: str | None = ..., team_id: str | None = ..., body: str = ..., body_type: _BodyType = ..., merge_fields: Mapping[str, str] | None = ..., summary: str | None = ..., importance: _ChatImportance = ..., notify: bool = ..., mentions: Sequence[_Mention] = ..., cards: Sequence[str] = ..., files: Sequence[_FileLink] = ..., key: str | None = ..., deadline: datetime | None = ..., send_at: datetime | None = ...) -> Self: ...
    @property
    def account_id(self) -> str:
        """Id of the account of an organisation, as `connect_tenant` gives it."""
    @property
    def to(self) -> str:
        """Somebody of the organisation: the id that this bot knows them by (`29:…`, as `roster` shows it), their object id in Entra, or their mail address or user
        name. But for the first, they must have been seen: in a roster, or in a team named by `team_id`; by what somebody said to the bot they are known by object id.
        With `bot_external_id` nobody has to have been seen. The conversation with them is made once and remembered."""
    @property
    def conversation_id(self) -> str | None:
        """Id of a conversation, as receipts show it in `chat_id`."""
    @property
    def channel_id(self) -> str | None:
        """Id of a channel, as `channels` shows it."""
    @property
    def reply_to(self) -> str | None:
        """Id of the message at the head of the thread that is answered, as `graph_id` of its receipt."""
    @property
    def team_id(self) -> str | None:
        """The team in which somebody is looked for who was not seen yet, and that a channel is in, for `bot_external_id`: where the bot's app is missing, it is installed
        there. Its id as `teams` shows it."""
    @property
    def body(self) -> str:
        """Text, HTML or Markdown. HTML is cleaned to what Teams shows. It may be empty beside a card or a file."""
    @property
    def body_type(self) -> BodyType: ...
    @property
    def merge_fields(self) -> dict[str, str] | None:
        """Values for the fields of the body, which then is a template; as in `MailDraft`."""
    @property
    def summary(self) -> str | None:
        """Shown where a card cannot be, as in a notification; up to 500 characters."""
    @property
    def importance(self) -> ChatImportance:
        """`Urgent` counts as `High`: bots have no other."""
    @property
    def notify(self) -> bool:
        """It also appears in the activity feed of whoever gets it."""
    @property
    def mentions(self) -> list[Mention]:
        """People only. They must have been seen, as in `to`."""
    @property
    def cards(self) -> list[str]:
        """Adaptive Cards as JSON, up to 10."""
    @property
    def files(self) -> list[FileLink]:
        """Files that are somewhere already, up to 10; shown as links below the text."""
    @property
    def key(self) -> str | None:
        """Idempotency key, as in `MailDraft`."""
    @property
    def deadline(self) -> datetime | None:
        """Not sent after this time, as in `MailDraft`."""
    @property
    def send_at(self) -> datetime | None:
        """Not sent before this time, as in `MailDraft`."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class RosterMember:
    """Somebody in a team, as the bot sees them."""
    __match_args__ = ("id", "object_id", "name", "address", "user_name", "is_guest")
    def __new__(cls, id: str, object_id: str | None, name: str, address: str | None, user_name: str | None, is_guest: bool) -> Self: ...
    @property
    def id(self) -> str:
        """`29:…`: this bot's own id for them."""
    @property
    def object_id(self) -> str | None:
        """Of Entra. None: it is not told."""
    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str | None:
        """None: the organisation hides it, or there is none."""
    @property
    def user_name(self) -> str | None: ...
    @property
    def is_guest(self) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class RosterPage:
    """Some people of a team."""
    __match_args__ = ("items", "next")
    def __new__(cls, items: Sequence[RosterMember], next: str | None) -> Self: ...
    @property
    def items(self) -> list[RosterMember]: ...
    @property
    def next(self) -> str | None:
        """For the next page; none: that was the last."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class BotActivity:
    """Something that somebody said to the bot, that it was told, or that it said itself: then `kind` is `Message`, `MessageEdited` once its words were changed, or
    `MessageDeleted`."""
    __match_args__ = ("id", "account_id", "conversation_id", "kind", "activity_id", "sender_id", "sender_object_id", "sender_name", "text", "value", "at", "verb", "is_own")
    def __new__(cls, id: str, account_id: str, conversation_id: str, kind: _BotActivityKind, activity_id: str, sender_id: str | None, sender_object_id: str | None, sender_name: str, text: str, value: str | None, at: datetime, verb: str | None, is_own: bool) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def account_id(self) -> str: ...
    @property
    def conversation_id(self) -> str:
        """For `conversation_id` of a `BotDraft`; of a thread in a channel it is the thread."""
    @property
    def kind(self) -> BotActivityKind: ...
    @property
    def activity_id(self) -> str:
        """Teams' id of the message it is, or is about."""
    @property
    def sender_id(self) -> str | None:
        """Who did it: the bot's own id for them (`29:…`). None: it is not told."""
    @property
    def sender_object_id(self) -> str | None:
        """The same in Entra."""
    @property
    def sender_name(self) -> str: ...
    @property
    def text(self) -> str:
        """What was said as plain text, without the mention of the bot. Strangers wrote it. Of what the bot said: the body as it was handed in, else the summary."""
    @property
    def value(self) -> str | None:
        """What a card sends, as JSON; the reactions, separated by commas."""
    @property
    def at(self) -> datetime: ...
    @property
    def verb(self) -> str | None:
        """Which button of a card was pressed, if that has a verb (`Action.Execute`)."""
    @property
    def is_own(self) -> bool:
        """The bot itself said it; `sender_id` is then `28:…`."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class BotActivityQuery:
    """Which activities."""
    __match_args__ = ("owner", "account_id", "conversation_id", "limit", "cursor")
    def __new__(cls, owner: str | None = ..., account_id: str | None = ..., conversation_id: str | None = ..., limit: int = ..., cursor: str | None = ...) -> Self: ...
    @property
    def owner(self) -> str | None:
        """Whose: of all organisations of an owner, or of one account. One of them is needed; with both, the account must be the owner's."""
    @property
    def account_id(self) -> str | None: ...
    @property
    def conversation_id(self) -> str | None: ...
    @property
    def limit(self) -> int:
        """1 to 500."""
    @property
    def cursor(self) -> str | None:
        """`next` of the page before."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class BotActivityPage:
    __match_args__ = ("items", "next")
    def __new__(cls, items: Sequence[BotActivity], next: str | None) -> Self: ...
    @property
    def items(self) -> list[BotActivity]: ...
    @property
    def next(self) -> str | None:
        """For the next page; none: that was the last."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class BotConversation:
    """A conversation of the bot."""
    __match_args__ = ("account_id", "id", "kind", "state", "user_id", "name", "active_at")
    def __new__(cls, account_id: str, id: str, kind: _BotPlaceKind, state: _BotPlaceState, user_id: str | None, name: str, active_at: datetime) -> Self: ...
    @property
    def account_id(self) -> str: ...
    @property
    def id(self) -> str:
        """For `conversation_id` of a `BotDraft`."""
    @property
    def kind(self) -> BotPlaceKind: ...
    @property
    def state(self) -> BotPlaceState: ...
    @property
    def user_id(self) -> str | None:
        """With whom, of one with a person."""
    @property
    def name(self) -> str:
        """Of the person, team or group; empty where it was not told."""
    @property
    def active_at(self) -> datetime:
        """When something was said or happened there last, as far as the bot was told."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class BotConversationQuery:
    """Which conversations."""
    __match_args__ = ("owner", "account_id", "limit", "cursor")
    def __new__(cls, owner: str | None = ..., account_id: str | None = ..., limit: int = ..., cursor: str | None = ...) -> Self: ...
    @property
    def owner(self) -> str | None:
        """Whose: of all organisations of an owner, or of one account. One of them is needed; with both, the account must be the owner's."""
    @property
    def account_id(self) -> str | None: ...
    @property
    def limit(self) -> int:
        """1 to 500."""
    @property
    def cursor(self) -> str | None:
        """`next` of the page before."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class BotConversationPage:
    __match_args__ = ("items", "next")
    def __new__(cls, items: Sequence[BotConversation], next: str | None) -> Self: ...
    @property
    def items(self) -> list[BotConversation]: ...
    @property
    def next(self) -> str | None:
        """For the next page; none: that was the last."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class BotInvoke:
    """Something that Teams asks the bot and waits for: the host answers it with a `BotAnswer`."""
    __match_args__ = ("account_id", "conversation_id", "activity_id", "sender_id", "sender_object_id", "sender_name", "name", "value", "verb", "data", "is_automatic", "sign_in_state", "reply_to", "locale")
    def __new__(cls, account_id: str, conversation_id: str, activity_id: str, sender_id: str | None, sender_object_id: str | None, sender_name: str, name: str, value: str | None, verb: str | None, data: str | None, is_automatic: bool, sign_in_state: str | None, reply_to: str | None, locale: str | None) -> Self: ...
    @property
    def account_id(self) -> str:
        """Of the organisation. Where it is connected more than once: the account that was connected first."""
    @property
    def conversation_id(self) -> str:
        """For `conversation_id` of a `BotDraft`."""
    @property
    def activity_id(self) -> str:
        """The same when it is posted again; empty where Teams gives none."""
    @property
    def sender_id(self) -> str | None:
        """Who did it, as in `BotActivity`."""
    @property
    def sender_object_id(self) -> str | None: ...
    @property
    def sender_name(self) -> str: ...
    @property
    def name(self) -> str:
        """What is asked: `adaptiveCard/action`, `signin/verifyState`, or another name of Teams."""
    @property
    def value(self) -> str | None:
        """What comes with it, as JSON; none of a `signin/verifyState`. Strangers wrote it."""
    @property
    def verb(self) -> str | None:
        """Of an `adaptiveCard/action`: the verb of the button."""
    @property
    def data(self) -> str | None:
        """Of an `adaptiveCard/action`: what the card sends, as JSON."""
    @property
    def is_automatic(self) -> bool:
        """Of an `adaptiveCard/action`: nobody pressed a button, the card refreshes itself because it is shown."""
    @property
    def sign_in_state(self) -> str | None:
        """Of a `signin/verifyState`: the code that the sign-in page handed over. A secret."""
    @property
    def reply_to(self) -> str | None:
        """Teams' id of the message that it is about, such as the one with the card."""
    @property
    def locale(self) -> str | None:
        """Language of the person, as in `en-US`."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class BotReceived:
    """What came to the route of a host that answers what Teams asks."""
    __match_args__ = ("response", "invoke")
    def __new__(cls, response: HttpResponse, invoke: BotInvoke | None) -> Self: ...
    @property
    def response(self) -> HttpResponse:
        """What to answer with, unless there is something in `invoke` that is answered."""
    @property
    def invoke(self) -> BotInvoke | None:
        """It is proven, and Teams waits, some ten seconds."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class AppDeveloper:
    """Who makes an app, as Teams shows it."""
    __match_args__ = ("name", "website_url", "privacy_url", "terms_url")
    def __new__(cls, name: str, website_url: str, privacy_url: str, terms_url: str) -> Self: ...
    @property
    def name(self) -> str:
        """1 to 32 characters."""
    @property
    def website_url(self) -> str:
        """These three are https addresses of at most 2,048 characters."""
    @property
    def privacy_url(self) -> str: ...
    @property
    def terms_url(self) -> str: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class AppTexts:
    """What Teams says of an app in one language."""
    __match_args__ = ("name", "description", "full_description", "full_name")
    def __new__(cls, name: str, description: str, full_description: str, full_name: str | None = ...) -> Self: ...
    @property
    def name(self) -> str:
        """1 to 30 characters."""
    @property
    def description(self) -> str:
        """1 to 80 characters."""
    @property
    def full_description(self) -> str:
        """1 to 4,000 characters."""
    @property
    def full_name(self) -> str | None:
        """1 to 100 characters. None: the name."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class AppLocalization:
    """The texts of an app in a further language."""
    __match_args__ = ("language", "texts")
    def __new__(cls, language: str, texts: AppTexts) -> Self: ...
    @property
    def language(self) -> str:
        """A language tag, as in `fr` or `fr-ca`."""
    @property
    def texts(self) -> AppTexts: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

class _AppLocalizationFields(TypedDict):
    language: str
    texts: AppTexts

_AppLocalization: TypeAlias = AppLocalization | _AppLocalizationFields

@final
class AppPackage:
    """A Teams app with a bot, as it is uploaded in Teams, in its admin centre or to the catalogue. Lengths count UTF-16 units."""
    __match_args__ = ("app_id", "version", "developer", "texts", "color_icon", "outline_icon", "scopes", "accent_color", "bot_id", "client_id", "resource", "is_notification_only", "supports_files", "valid_domains", "language", "localizations")
    def __new__(cls, app_id: str, version: str, developer: AppDeveloper, texts: AppTexts, color_icon: bytes, outline_icon: bytes, scopes: Sequence[_AppScope], accent_color: str = ..., bot_id: str | None = ..., client_id: str | None = ..., resource: str | None = ..., is_notification_only: bool = ..., supports_files: bool = ..., valid_domains: Sequence[str] = ..., language: str = ..., localizations: Sequence[_AppLocalization] = ...) -> Self: ...
    @property
    def app_id(self) -> str:
        """A GUID that the app keeps over all its versions; the catalogue calls it the external id."""
    @property
    def version(self) -> str:
        """Three numbers, as in `1.0.0`. A changed package needs a higher one."""
    @property
    def developer(self) -> AppDeveloper: ...
    @property
    def texts(self) -> AppTexts: ...
    @property
    def color_icon(self) -> bytes:
        """A PNG of 192 × 192 pixels, 1 MB at the most."""
    @property
    def outline_icon(self) -> bytes:
        """A PNG of 32 × 32 pixels, white on a transparent ground, 1 MB at the most."""
    @property
    def scopes(self) -> list[AppScope]:
        """Where the bot works, one at least."""
    @property
    def accent_color(self) -> str:
        """The ground behind the icon, as in `#4464EE`."""
    @property
    def bot_id(self) -> str | None:
        """The application id of the bot. None: the `client_id`."""
    @property
    def client_id(self) -> str | None:
        """The application in Entra whose tokens may install the app for itself. None: that of `bot_app`, or else of the configuration."""
    @property
    def resource(self) -> str | None:
        """The resource of single sign-on. None: `api://` and the `client_id`."""
    @property
    def is_notification_only(self) -> bool:
        """People cannot write to the bot; it only tells."""
    @property
    def supports_files(self) -> bool:
        """The bot sends and takes files in personal chats."""
    @property
    def valid_domains(self) -> list[str]:
        """Hosts that what the bot shows may open, at most 16: no `https://`, no path; whole parts may be `*`, as in `*.contoso.com`."""
    @property
    def language(self) -> str:
        """Language tag of `texts`, which are shown as well where there is no better language."""
    @property
    def localizations(self) -> list[AppLocalization]:
        """At most 100 further languages."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class InstallRequest:
    """Which app, and where: exactly one of `team_id` and `user` is given."""
    __match_args__ = ("account_id", "external_id", "team_id", "user", "owner", "endpoint")
    def __new__(cls, account_id: str, external_id: str, team_id: str | None = ..., user: str | None = ..., owner: str | None = ..., endpoint: SubscriberLink | None = ...) -> Self: ...
    @property
    def account_id(self) -> str:
        """The account that asks: of a person, or of an organisation."""
    @property
    def external_id(self) -> str:
        """The id in the app's manifest."""
    @property
    def team_id(self) -> str | None: ...
    @property
    def user(self) -> str | None:
        """A person of the organisation, by mail address or object id."""
    @property
    def owner(self) -> str | None:
        """Whose the account must be."""
    @property
    def endpoint(self) -> SubscriberLink | None:
        """With `install_app` through the account of an organisation: an endpoint is made there once the app is installed, for the person, or in the channel General of the team. None: no endpoint."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class AppInstall:
    """An app as it is installed for a team or a person."""
    __match_args__ = ("installation_id", "app_id", "chat_id", "was_there", "version")
    def __new__(cls, installation_id: str, app_id: str, chat_id: str | None, was_there: bool, version: str | None) -> Self: ...
    @property
    def installation_id(self) -> str: ...
    @property
    def app_id(self) -> str:
        """The catalogue's id of the app."""
    @property
    def chat_id(self) -> str | None:
        """The person's own chat with the bot. None: for a team, and where Microsoft has made none yet."""
    @property
    def was_there(self) -> bool:
        """It was installed before this call."""
    @property
    def version(self) -> str | None:
        """Of the app that is installed, as in its manifest; none where Microsoft does not tell."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class EndpointRequest:
    """An endpoint to add."""
    __match_args__ = ("subscriber", "target", "account_id", "context", "owner")
    def __new__(cls, subscriber: str, target: _EndpointTarget, account_id: str = ..., context: str | None = ..., owner: str | None = ...) -> Self: ...
    @property
    def subscriber(self) -> str:
        """Your own key of who is told something, 1 to 200 characters; it may be the owner of an account."""
    @property
    def target(self) -> EndpointTarget: ...
    @property
    def account_id(self) -> str:
        """The account it goes through; empty for a workflow."""
    @property
    def context(self) -> str | None:
        """What they are told there, as `interviews`: 1 to 200 characters. None: what names no context."""
    @property
    def owner(self) -> str | None:
        """Whose account or workflow it must be. None: anybody's."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class EndpointChange:
    """What becomes of an endpoint; what is left out stays as it is."""
    __match_args__ = ("target", "account_id", "context", "is_active")
    def __new__(cls, target: _EndpointTarget | None = ..., account_id: str | None = ..., context: str | None = ..., is_active: bool | None = ...) -> Self: ...
    @property
    def target(self) -> EndpointTarget | None:
        """Where it is from now on, which makes it active."""
    @property
    def account_id(self) -> str | None:
        """The account it goes through from now on; given with a target alone."""
    @property
    def context(self) -> str | None:
        """Its context; an empty one takes it away."""
    @property
    def is_active(self) -> bool | None:
        """False retires it, true makes it active again."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Endpoint:
    """Where a subscriber is told something."""
    __match_args__ = ("id", "subscriber", "context", "account_id", "kind", "target", "state", "reason", "created_at", "changed_at")
    def __new__(cls, id: str, subscriber: str, context: str | None, account_id: str, kind: _EndpointKind, target: _EndpointTarget, state: _EndpointState, reason: str | None, created_at: datetime, changed_at: datetime) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def subscriber(self) -> str: ...
    @property
    def context(self) -> str | None: ...
    @property
    def account_id(self) -> str:
        """The account it goes through, or the workflow."""
    @property
    def kind(self) -> EndpointKind: ...
    @property
    def target(self) -> EndpointTarget: ...
    @property
    def state(self) -> EndpointState: ...
    @property
    def reason(self) -> str | None:
        """Why it was retired."""
    @property
    def created_at(self) -> datetime: ...
    @property
    def changed_at(self) -> datetime: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class EndpointQuery:
    """Which endpoints. One of `owner`, `account_id` and `subscriber` is needed."""
    __match_args__ = ("owner", "account_id", "subscriber", "context", "state", "limit", "cursor")
    def __new__(cls, owner: str | None = ..., account_id: str | None = ..., subscriber: str | None = ..., context: str | None = ..., state: _EndpointState | None = ..., limit: int = ..., cursor: str | None = ...) -> Self: ...
    @property
    def owner(self) -> str | None:
        """Of the accounts and workflows of this owner."""
    @property
    def account_id(self) -> str | None:
        """Of this account or workflow."""
    @property
    def subscriber(self) -> str | None: ...
    @property
    def context(self) -> str | None:
        """With `subscriber`. Empty: those without a context."""
    @property
    def state(self) -> EndpointState | None: ...
    @property
    def limit(self) -> int:
        """1 to 1000."""
    @property
    def cursor(self) -> str | None:
        """`next` of the page before."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class EndpointPage:
    __match_args__ = ("items", "next")
    def __new__(cls, items: Sequence[Endpoint], next: str | None) -> Self: ...
    @property
    def items(self) -> list[Endpoint]: ...
    @property
    def next(self) -> str | None:
        """For the next page; none: that was the last."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class SubscriberLink:
    """For whom an endpoint is made once a person has signed in."""
    __match_args__ = ("subscriber", "context", "account_id")
    def __new__(cls, subscriber: str = ..., context: str | None = ..., account_id: str = ...) -> Self: ...
    @property
    def subscriber(self) -> str:
        """The subscriber. Empty: the owner of the request."""
    @property
    def context(self) -> str | None: ...
    @property
    def account_id(self) -> str:
        """The account of the organisation through which the bot writes to them. Empty with `connect_tenant`: it is the one that is connected."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class EndpointDraft:
    """A message to one endpoint of a subscriber, or to all that are active in a context. Each endpoint gets it by its own route with a receipt of its own, and the receipt that `send`
    gives stands for the whole."""
    __match_args__ = ("subscriber", "context", "endpoint_id", "subject", "body", "body_type", "merge_fields", "card", "key", "deadline", "send_at")
    def __new__(cls, subscriber: str, context: str | None = ..., endpoint_id: str | None = ..., subject: str = ..., body: str = ..., body_type: _BodyType = ..., merge_fields: Mapping[str, str] | None = ..., card: str | None = ..., key: str | None = ..., deadline: datetime | None = ..., send_at: datetime | None = ...) -> Self: ...
    @property
    def subscriber(self) -> str: ...
    @property
    def context(self) -> str | None:
        """As in `EndpointRequest`: endpoints of this context and no other."""
    @property
    def endpoint_id(self) -> str | None:
        """The only endpoint that gets it, one of this subscriber; its context does not matter then. None: all that are active."""
    @property
    def subject(self) -> str:
        """Of mails, which need one, and of a person's posts in channels."""
    @property
    def body(self) -> str:
        """Text, HTML or Markdown. Mails need one; Teams and workflows take `card` in its place."""
    @property
    def body_type(self) -> BodyType: ...
    @property
    def merge_fields(self) -> dict[str, str] | None:
        """Values for the fields of subject and body, which then are templates; as in `MailDraft`."""
    @property
    def card(self) -> str | None:
        """An Adaptive Card as JSON, shown in Teams and handed to workflows in place of the body. A bot's message shows the body as text where a card cannot be seen, as in a notification."""
    @property
    def key(self) -> str | None:
        """Idempotency key, unique per subscriber: the same key and content give the same receipt, whatever endpoints there are by then; other content is a Conflict."""
    @property
    def deadline(self) -> datetime | None:
        """Not sent after this time, as in `MailDraft`."""
    @property
    def send_at(self) -> datetime | None:
        """Not sent before this time, as in `MailDraft`. It goes to the endpoints of the moment in which it is handed in."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

# A text stands for the subscriber alone.
_EndpointDraft: TypeAlias = EndpointDraft | str

@final
class Person:
    """Somebody of the organisation."""
    __match_args__ = ("id", "name", "address", "user_name", "job_title", "is_guest")
    def __new__(cls, id: str, name: str, address: str | None, user_name: str | None, job_title: str | None, is_guest: bool) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str | None:
        """Mail address; none where Microsoft shows none, as for some guests."""
    @property
    def user_name(self) -> str | None:
        """Name of sign-in (user principal name)."""
    @property
    def job_title(self) -> str | None: ...
    @property
    def is_guest(self) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class PeopleQuery:
    """Whom to look for."""
    __match_args__ = ("account_id", "text", "limit", "owner")
    def __new__(cls, account_id: str, text: str, limit: int = ..., owner: str | None = ...) -> Self: ...
    @property
    def account_id(self) -> str: ...
    @property
    def text(self) -> str:
        """Beginning of a name or of a mail address, 1 to 200 characters."""
    @property
    def limit(self) -> int:
        """1 to 100."""
    @property
    def owner(self) -> str | None:
        """Whose the account must be."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Team:
    """A team that the person belongs to."""
    __match_args__ = ("id", "name", "description", "is_archived")
    def __new__(cls, id: str, name: str, description: str | None, is_archived: bool) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str | None: ...
    @property
    def is_archived(self) -> bool:
        """Nothing can be posted in it."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class TeamChannel:
    """A channel of a team."""
    __match_args__ = ("id", "team_id", "name", "description", "kind", "is_archived", "web_url")
    def __new__(cls, id: str, team_id: str, name: str, description: str | None, kind: _ChannelKind, is_archived: bool, web_url: str | None) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def team_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str | None: ...
    @property
    def kind(self) -> ChannelKind: ...
    @property
    def is_archived(self) -> bool: ...
    @property
    def web_url(self) -> str | None:
        """Opens it in Teams."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class TeamChannels:
    """A team with its channels."""
    __match_args__ = ("team", "channels", "problem")
    def __new__(cls, team: Team, channels: Sequence[TeamChannel], problem: str | None) -> Self: ...
    @property
    def team(self) -> Team: ...
    @property
    def channels(self) -> list[TeamChannel]: ...
    @property
    def problem(self) -> str | None:
        """Why its channels could not be listed; the other teams are not concerned."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class ChatMember:
    """Somebody in a chat."""
    __match_args__ = ("user_id", "name", "address")
    def __new__(cls, user_id: str | None, name: str, address: str | None) -> Self: ...
    @property
    def user_id(self) -> str | None:
        """None for somebody of another organisation whose id is not shown."""
    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str | None: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class TeamsChat:
    """A chat that the person is in."""
    __match_args__ = ("id", "kind", "topic", "members", "updated_at", "web_url")
    def __new__(cls, id: str, kind: _ChatKind, topic: str | None, members: Sequence[ChatMember], updated_at: datetime | None, web_url: str | None) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> ChatKind: ...
    @property
    def topic(self) -> str | None: ...
    @property
    def members(self) -> list[ChatMember]:
        """The person included; of a large chat the first 25."""
    @property
    def updated_at(self) -> datetime | None: ...
    @property
    def web_url(self) -> str | None: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class ChatMessage:
    """What is said in a chat."""
    __match_args__ = ("id", "chat_id", "sender", "body", "body_type", "is_deleted", "sent_at", "edited_at")
    def __new__(cls, id: str, chat_id: str, sender: ChatMember | None, body: str, body_type: _BodyType, is_deleted: bool, sent_at: datetime | None, edited_at: datetime | None) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def chat_id(self) -> str: ...
    @property
    def sender(self) -> ChatMember | None:
        """Who said it; none for an app or a message of Teams itself."""
    @property
    def body(self) -> str: ...
    @property
    def body_type(self) -> BodyType:
        """The body as HTML is as its sender wrote it: clean it before you show it."""
    @property
    def is_deleted(self) -> bool: ...
    @property
    def sent_at(self) -> datetime | None: ...
    @property
    def edited_at(self) -> datetime | None: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class SyncReport:
    """What a sync did."""
    __match_args__ = ("account_id", "folders", "pages", "added", "changed", "moved", "removed", "resynced", "quarantined", "attachments_pending", "duration_ms", "contacts", "events", "chat_messages")
    def __new__(cls, account_id: str, folders: int, pages: int, added: int, changed: int, moved: int, removed: int, resynced: int, quarantined: int, attachments_pending: int, duration_ms: int, contacts: int, events: int, chat_messages: int) -> Self: ...
    @property
    def account_id(self) -> str: ...
    @property
    def folders(self) -> int: ...
    @property
    def pages(self) -> int: ...
    @property
    def added(self) -> int: ...
    @property
    def changed(self) -> int: ...
    @property
    def moved(self) -> int: ...
    @property
    def removed(self) -> int: ...
    @property
    def resynced(self) -> int:
        """Folders whose delta state was lost and that were compared anew."""
    @property
    def quarantined(self) -> int:
        """Items that could not be read and are set aside, also by earlier syncs; `quarantined` lists them. They are asked for again by themselves."""
    @property
    def attachments_pending(self) -> int:
        """Messages whose attachments are not listed yet: there are too many to wait for. They are listed afterwards, while the engine is open, else by the next sync; each is a change."""
    @property
    def duration_ms(self) -> int: ...
    @property
    def contacts(self) -> int:
        """Contacts that are new, changed or gone."""
    @property
    def events(self) -> int:
        """Events of the calendar that are new, changed or gone; each occurrence of a series is one."""
    @property
    def chat_messages(self) -> int:
        """Chat messages that are new, changed or gone."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class SyncOutcome:
    """What became of one account in `sync_all`: a report, or an error."""
    __match_args__ = ("account_id", "report", "error_kind", "error", "retry_after_ms")
    def __new__(cls, account_id: str, report: SyncReport | None, error_kind: _ErrorKind | None, error: str | None, retry_after_ms: int | None) -> Self: ...
    @property
    def account_id(self) -> str: ...
    @property
    def report(self) -> SyncReport | None: ...
    @property
    def error_kind(self) -> ErrorKind | None: ...
    @property
    def error(self) -> str | None:
        """Why it was not synced, and what to do."""
    @property
    def retry_after_ms(self) -> int | None:
        """When to try again at the earliest, in milliseconds from now, if Microsoft said so."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class RunReport:
    """What `run_once` did."""
    __match_args__ = ("syncs", "is_complete", "next_due_at")
    def __new__(cls, syncs: Sequence[SyncOutcome], is_complete: bool, next_due_at: datetime | None) -> Self: ...
    @property
    def syncs(self) -> list[SyncOutcome]:
        """Of the mailboxes that were due, in any order."""
    @property
    def is_complete(self) -> bool:
        """False: the deadline came first, and something is due still."""
    @property
    def next_due_at(self) -> datetime | None:
        """When something will be due next, if ever: run again by then."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Folder:
    """A mail folder."""
    __match_args__ = ("id", "account_id", "display_name", "well_known_name", "is_synced", "stored", "total", "unread")
    def __new__(cls, id: str, account_id: str, display_name: str, well_known_name: str | None, is_synced: bool, stored: int, total: int, unread: int) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def account_id(self) -> str: ...
    @property
    def display_name(self) -> str: ...
    @property
    def well_known_name(self) -> str | None:
        """`inbox`, `sentitems` …, when it is one of Microsoft's own."""
    @property
    def is_synced(self) -> bool:
        """Chosen for sync."""
    @property
    def stored(self) -> int:
        """Messages held here."""
    @property
    def total(self) -> int:
        """Messages, and unread ones among them: as held here where the folder is synced completely, else as Microsoft told last."""
    @property
    def unread(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class QuarantinedItem:
    """Something of a mailbox that is set aside, and asked for again by the syncs to come."""
    __match_args__ = ("kind", "graph_id", "folder_id", "reason", "tries", "since", "next_try_at")
    def __new__(cls, kind: _QuarantineKind, graph_id: str | None, folder_id: str, reason: str, tries: int, since: datetime, next_try_at: datetime) -> Self: ...
    @property
    def kind(self) -> QuarantineKind: ...
    @property
    def graph_id(self) -> str | None:
        """Microsoft's id of the message; none when it came without a usable one: its folder is then read anew."""
    @property
    def folder_id(self) -> str: ...
    @property
    def reason(self) -> str:
        """Why, in our own words."""
    @property
    def tries(self) -> int:
        """How often it was asked for."""
    @property
    def since(self) -> datetime: ...
    @property
    def next_try_at(self) -> datetime:
        """The first sync after this time asks again."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class BackfillEstimate:
    """How many messages a back-fill would look at."""
    __match_args__ = ("account_id", "range", "since", "messages", "folders")
    def __new__(cls, account_id: str, range: _BackfillRange, since: datetime | None, messages: int, folders: int) -> Self: ...
    @property
    def account_id(self) -> str: ...
    @property
    def range(self) -> BackfillRange: ...
    @property
    def since(self) -> datetime | None:
        """Mail received then or later; none for all of it."""
    @property
    def messages(self) -> int:
        """In the folders that are synced, as Microsoft counts them now."""
    @property
    def folders(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Backfill:
    """A back-fill of an account, as it is now."""
    __match_args__ = ("account_id", "range", "state", "since", "done", "total", "rate", "remaining_ms", "started_at", "problem_kind", "problem")
    def __new__(cls, account_id: str, range: _BackfillRange, state: _BackfillState, since: datetime | None, done: int, total: int, rate: int | None, remaining_ms: int | None, started_at: datetime, problem_kind: _ErrorKind | None, problem: str | None) -> Self: ...
    @property
    def account_id(self) -> str: ...
    @property
    def range(self) -> BackfillRange: ...
    @property
    def state(self) -> BackfillState: ...
    @property
    def since(self) -> datetime | None:
        """Mail received then or later; none for all of it."""
    @property
    def done(self) -> int:
        """Messages looked at; never less than before."""
    @property
    def total(self) -> int:
        """Messages in the range, as counted when it began; at least `done`."""
    @property
    def rate(self) -> int | None:
        """Messages a minute while it is at work; none until that is known."""
    @property
    def remaining_ms(self) -> int | None:
        """Milliseconds until all mail of the range is here, at this rate; none unless it is `Listing` and the rate is known."""
    @property
    def started_at(self) -> datetime: ...
    @property
    def problem_kind(self) -> ErrorKind | None:
        """Why it does not get on now, if that is so. It tries again by itself, and goes on when the account is connected again."""
    @property
    def problem(self) -> str | None: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class AttachmentInfo:
    __match_args__ = ("id", "name", "content_type", "size", "is_inline", "kind")
    def __new__(cls, id: str, name: str, content_type: str, size: int, is_inline: bool, kind: _AttachmentKind) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def content_type(self) -> str: ...
    @property
    def size(self) -> int:
        """Bytes."""
    @property
    def is_inline(self) -> bool: ...
    @property
    def kind(self) -> AttachmentKind: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Message:
    """A mail as it was at the last sync; its body comes from `body`."""
    __match_args__ = ("id", "account_id", "graph_id", "folder_id", "conversation_id", "internet_message_id", "subject", "preview", "from_address", "sender_address", "to", "cc", "bcc", "reply_to", "received_at", "sent_at", "is_read", "is_draft", "is_flagged", "importance", "categories", "has_attachments", "attachments", "web_link", "change_key", "links", "flag_status", "flag_due_at", "is_edit_waiting", "kind")
    def __new__(cls, id: str, account_id: str, graph_id: str, folder_id: str, conversation_id: str, internet_message_id: str | None, subject: str, preview: str, from_address: _Address | None, sender_address: _Address | None, to: _Address | Sequence[_Address], cc: _Address | Sequence[_Address], bcc: _Address | Sequence[_Address], reply_to: _Address | Sequence[_Address], received_at: datetime | None, sent_at: datetime | None, is_read: bool, is_draft: bool, is_flagged: bool, importance: _Importance, categories: Sequence[str], has_attachments: bool, attachments: Sequence[AttachmentInfo], web_link: str | None, change_key: str, links: Sequence[str], flag_status: _FlagStatus, flag_due_at: datetime | None, is_edit_waiting: bool, kind: _MessageKind) -> Self: ...
    @property
    def id(self) -> str:
        """Stable as long as the mail is in this mailbox, moves included."""
    @property
    def account_id(self) -> str: ...
    @property
    def graph_id(self) -> str:
        """Microsoft's immutable id."""
    @property
    def folder_id(self) -> str: ...
    @property
    def conversation_id(self) -> str: ...
    @property
    def internet_message_id(self) -> str | None: ...
    @property
    def subject(self) -> str: ...
    @property
    def preview(self) -> str:
        """First line or two of the text."""
    @property
    def from_address(self) -> Address | None: ...
    @property
    def sender_address(self) -> Address | None: ...
    @property
    def to(self) -> list[Address]: ...
    @property
    def cc(self) -> list[Address]: ...
    @property
    def bcc(self) -> list[Address]: ...
    @property
    def reply_to(self) -> list[Address]: ...
    @property
    def received_at(self) -> datetime | None: ...
    @property
    def sent_at(self) -> datetime | None: ...
    @property
    def is_read(self) -> bool: ...
    @property
    def is_draft(self) -> bool: ...
    @property
    def is_flagged(self) -> bool: ...
    @property
    def importance(self) -> Importance: ...
    @property
    def categories(self) -> list[str]: ...
    @property
    def has_attachments(self) -> bool:
        """True when it has attachments other than inline ones."""
    @property
    def attachments(self) -> list[AttachmentInfo]:
        """Inline ones as well, where there are others or the HTML shows them. Listed once the mail is stored; `attachments_pending` of a sync counts those to come."""
    @property
    def web_link(self) -> str | None: ...
    @property
    def change_key(self) -> str:
        """Microsoft's version of the content (subject, people, body); read state, flag and categories may change under the same one. Empty: not told."""
    @property
    def links(self) -> list[str]:
        """The host's keys for what it is about: given by `link`, of the send whose copy it is, or of the messages and sends into whose conversation it came."""
    @property
    def flag_status(self) -> FlagStatus:
        """`is_flagged` says the same of `Flagged`."""
    @property
    def flag_due_at(self) -> datetime | None:
        """The day a flag is due, as Microsoft keeps it: mostly midnight of it, UTC."""
    @property
    def is_edit_waiting(self) -> bool:
        """A change made here (`mark_read`, `flag` …) is still on its way to the mailbox."""
    @property
    def kind(self) -> MessageKind:
        """Told once it was looked at, in the sync that brings it."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class BodyOptions:
    """What is made of a body beside its forms."""
    __match_args__ = ("inline_images", "split")
    def __new__(cls, inline_images: _InlineImages = ..., split: bool = ...) -> Self: ...
    @property
    def inline_images(self) -> InlineImages: ...
    @property
    def split(self) -> bool:
        """Quoted mail and signature are split off, by the marks of the large mail programs: `text` and `html` are what the sender wrote. Nothing is split off where the sender
        answered between the lines. A guess: show the rest on request, never drop it."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class MessageBody:
    """Body of a mail, as stored and in both forms; a form that was not asked for is empty."""
    __match_args__ = ("body_type", "content", "text", "html", "quoted_text", "quoted_html", "signature_text", "signature_html")
    def __new__(cls, body_type: _BodyType, content: str, text: str, html: str, quoted_text: str, quoted_html: str, signature_text: str, signature_html: str) -> Self: ...
    @property
    def body_type(self) -> BodyType:
        """The form Microsoft delivered, and its content unchanged. Unsafe to show as HTML."""
    @property
    def content(self) -> str: ...
    @property
    def text(self) -> str:
        """Plain text, made from the HTML where need be."""
    @property
    def html(self) -> str:
        """HTML that is safe to show: an allow-list of elements, nothing remote."""
    @property
    def quoted_text(self) -> str:
        """With `split`: the mail below, and the signature, apart from `text` and `html`, in the same forms. Empty: none was found."""
    @property
    def quoted_html(self) -> str: ...
    @property
    def signature_text(self) -> str: ...
    @property
    def signature_html(self) -> str: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class MessageQuery:
    __match_args__ = ("owner", "account_id", "folder", "is_read", "conversation_id", "limit", "cursor", "link", "has_attachments", "received_after", "received_before", "address")
    def __new__(cls, owner: str | None = ..., account_id: str | None = ..., folder: str | None = ..., is_read: bool | None = ..., conversation_id: str | None = ..., limit: int = ..., cursor: str | None = ..., link: str | None = ..., has_attachments: bool | None = ..., received_after: datetime | None = ..., received_before: datetime | None = ..., address: str | None = ...) -> Self: ...
    @property
    def owner(self) -> str | None:
        """Whose mail: all accounts of an owner, or one account. One of them is needed; with both, the account must be the owner's."""
    @property
    def account_id(self) -> str | None: ...
    @property
    def folder(self) -> str | None:
        """Folder by id, well-known name in any case, display name or path (`Inbox/Candidates`); without an account, that folder of all accounts of the owner."""
    @property
    def is_read(self) -> bool | None: ...
    @property
    def conversation_id(self) -> str | None: ...
    @property
    def limit(self) -> int:
        """1 to 500."""
    @property
    def cursor(self) -> str | None:
        """`next` of the page before; good for the same owner, account and filters."""
    @property
    def link(self) -> str | None:
        """One of `links` of a message."""
    @property
    def has_attachments(self) -> bool | None:
        """With attachments other than inline ones, or without."""
    @property
    def received_after(self) -> datetime | None:
        """Received at this time or later."""
    @property
    def received_before(self) -> datetime | None:
        """Received before this time; so is one without a time."""
    @property
    def address(self) -> str | None:
        """With this address: sender, recipient, copy or blind copy. Capital letters do not matter."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class MessagePage:
    """Newest first."""
    __match_args__ = ("items", "next")
    def __new__(cls, items: Sequence[Message], next: str | None) -> Self: ...
    @property
    def items(self) -> list[Message]: ...
    @property
    def next(self) -> str | None:
        """Cursor of the next page; none at the end."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class ThreadQuery:
    """Which conversations: those with a mail in the folder, an unread one, one with the link; of several filters, one mail that meets all of them."""
    __match_args__ = ("owner", "account_id", "folder", "unread_only", "link", "limit", "cursor", "address")
    def __new__(cls, owner: str | None = ..., account_id: str | None = ..., folder: str | None = ..., unread_only: bool = ..., link: str | None = ..., limit: int = ..., cursor: str | None = ..., address: str | None = ...) -> Self: ...
    @property
    def owner(self) -> str | None:
        """As in `MessageQuery`."""
    @property
    def account_id(self) -> str | None: ...
    @property
    def folder(self) -> str | None:
        """Folder by id, well-known name in any case, display name or path (`Inbox/Candidates`); without an account, that folder of all accounts of the owner: `inbox` is the unified inbox."""
    @property
    def unread_only(self) -> bool: ...
    @property
    def link(self) -> str | None:
        """One of `links` of a message."""
    @property
    def limit(self) -> int:
        """1 to 200."""
    @property
    def cursor(self) -> str | None:
        """`next` of the page before; good for the same owner, account and filters."""
    @property
    def address(self) -> str | None:
        """With a mail with this address: sender, recipient, copy or blind copy."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class ThreadSummary:
    """One conversation of one account, in a list."""
    __match_args__ = ("conversation_id", "account_id", "subject", "newest", "messages", "unread", "participants", "has_attachments", "links")
    def __new__(cls, conversation_id: str, account_id: str, subject: str, newest: Message, messages: int, unread: int, participants: _Address | Sequence[_Address], has_attachments: bool, links: Sequence[str]) -> Self: ...
    @property
    def conversation_id(self) -> str:
        """Empty: a mail that belongs to none, and is a thread of its own."""
    @property
    def account_id(self) -> str: ...
    @property
    def subject(self) -> str:
        """Of its oldest mail here."""
    @property
    def newest(self) -> Message:
        """Its newest mail that meets the filters."""
    @property
    def messages(self) -> int:
        """Mails of it that are here, in whatever folder; drafts and deleted ones as well where those folders are synced."""
    @property
    def unread(self) -> int:
        """Unread ones among them."""
    @property
    def participants(self) -> list[Address]:
        """Who wrote, the latest first, then who was written to; each once, 100 at the most, of the newest 50 mails and the oldest."""
    @property
    def has_attachments(self) -> bool:
        """One of its mails has attachments other than inline ones."""
    @property
    def links(self) -> list[str]:
        """Of the newest 50 mails and the oldest."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class ThreadPage:
    """By the time of `newest`, newest first."""
    __match_args__ = ("items", "next")
    def __new__(cls, items: Sequence[ThreadSummary], next: str | None) -> Self: ...
    @property
    def items(self) -> list[ThreadSummary]: ...
    @property
    def next(self) -> str | None:
        """Cursor of the next page; none at the end."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class MailThread:
    """All mails of one conversation, oldest first."""
    __match_args__ = ("conversation_id", "account_id", "subject", "messages")
    def __new__(cls, conversation_id: str, account_id: str, subject: str, messages: Sequence[Message]) -> Self: ...
    @property
    def conversation_id(self) -> str: ...
    @property
    def account_id(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def messages(self) -> list[Message]: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class SearchQuery:
    """Words to look for; all of them must be there. `search` says where."""
    __match_args__ = ("text", "owner", "account_id", "limit")
    def __new__(cls, text: str, owner: str | None = ..., account_id: str | None = ..., limit: int = ...) -> Self: ...
    @property
    def text(self) -> str:
        """1 to 200 characters."""
    @property
    def owner(self) -> str | None:
        """As in `MessageQuery`."""
    @property
    def account_id(self) -> str | None: ...
    @property
    def limit(self) -> int:
        """1 to 500."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

# A text stands for the text alone.
_SearchQuery: TypeAlias = SearchQuery | str

@final
class LinkRule:
    """Messages of an owner's accounts get a key of the host's own by who is in them."""
    __match_args__ = ("owner", "key", "addresses", "domains")
    def __new__(cls, owner: str, key: str, addresses: Sequence[str] = ..., domains: Sequence[str] = ...) -> Self: ...
    @property
    def owner(self) -> str: ...
    @property
    def key(self) -> str:
        """As in `link`: 1 to 200 characters. One rule of an owner has it."""
    @property
    def addresses(self) -> list[str]:
        """Mail addresses, whatever the case of their letters. With `domains` 1 to 1,000."""
    @property
    def domains(self) -> list[str]:
        """As in `contoso.com`, which stands for its subdomains as well."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Contact:
    """A contact of a mailbox, as it was at the last sync."""
    __match_args__ = ("id", "account_id", "graph_id", "folder_id", "display_name", "given_name", "surname", "company_name", "department", "job_title", "addresses", "business_phones", "home_phones", "mobile_phone", "categories")
    def __new__(cls, id: str, account_id: str, graph_id: str, folder_id: str, display_name: str, given_name: str | None, surname: str | None, company_name: str | None, department: str | None, job_title: str | None, addresses: _Address | Sequence[_Address], business_phones: Sequence[str], home_phones: Sequence[str], mobile_phone: str | None, categories: Sequence[str]) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def account_id(self) -> str: ...
    @property
    def graph_id(self) -> str:
        """Microsoft's immutable id."""
    @property
    def folder_id(self) -> str:
        """`contacts` for the default folder, else Microsoft's id of the folder."""
    @property
    def display_name(self) -> str: ...
    @property
    def given_name(self) -> str | None: ...
    @property
    def surname(self) -> str | None: ...
    @property
    def company_name(self) -> str | None: ...
    @property
    def department(self) -> str | None: ...
    @property
    def job_title(self) -> str | None: ...
    @property
    def addresses(self) -> list[Address]:
        """Mail addresses, the primary one first."""
    @property
    def business_phones(self) -> list[str]: ...
    @property
    def home_phones(self) -> list[str]: ...
    @property
    def mobile_phone(self) -> str | None: ...
    @property
    def categories(self) -> list[str]: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class ContactQuery:
    __match_args__ = ("owner", "account_id", "address", "limit", "cursor")
    def __new__(cls, owner: str | None = ..., account_id: str | None = ..., address: str | None = ..., limit: int = ..., cursor: str | None = ...) -> Self: ...
    @property
    def owner(self) -> str | None:
        """Whose contacts: of all accounts of an owner, or of one account. One of them is needed; with both, the account must be the owner's."""
    @property
    def account_id(self) -> str | None: ...
    @property
    def address(self) -> str | None:
        """Those with this mail address, in any letter case; of a contact its first 100 count."""
    @property
    def limit(self) -> int:
        """1 to 500."""
    @property
    def cursor(self) -> str | None:
        """`next` of the page before; good for the same owner, account and address."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class ContactPage:
    """In the order in which they came here first."""
    __match_args__ = ("items", "next")
    def __new__(cls, items: Sequence[Contact], next: str | None) -> Self: ...
    @property
    def items(self) -> list[Contact]: ...
    @property
    def next(self) -> str | None:
        """Cursor of the next page; none at the end."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Attendee:
    """Somebody who is invited, or a room."""
    __match_args__ = ("address", "kind", "answer", "answered_at")
    def __new__(cls, address: _Address, kind: _AttendeeKind, answer: _AttendeeAnswer, answered_at: datetime | None) -> Self: ...
    @property
    def address(self) -> Address: ...
    @property
    def kind(self) -> AttendeeKind: ...
    @property
    def answer(self) -> AttendeeAnswer: ...
    @property
    def answered_at(self) -> datetime | None: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class CalendarEvent:
    """An event of the default calendar of a mailbox, as it was at the last sync. Of a series each occurrence is one."""
    __match_args__ = ("id", "account_id", "graph_id", "kind", "series_id", "subject", "preview", "start_at", "end_at", "is_all_day", "start_date", "end_date", "start_time_zone", "end_time_zone", "location", "organizer", "is_organizer", "attendees", "online_meeting_url", "is_cancelled", "show_as", "sensitivity", "categories", "web_link", "changed_at")
    def __new__(cls, id: str, account_id: str, graph_id: str, kind: _EventKind, series_id: str | None, subject: str, preview: str, start_at: datetime, end_at: datetime, is_all_day: bool, start_date: str | None, end_date: str | None, start_time_zone: str | None, end_time_zone: str | None, location: str | None, organizer: _Address | None, is_organizer: bool, attendees: Sequence[Attendee], online_meeting_url: str | None, is_cancelled: bool, show_as: _ShowAs, sensitivity: _Sensitivity, categories: Sequence[str], web_link: str | None, changed_at: datetime | None) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def account_id(self) -> str: ...
    @property
    def graph_id(self) -> str:
        """Microsoft's immutable id."""
    @property
    def kind(self) -> EventKind: ...
    @property
    def series_id(self) -> str | None:
        """Microsoft's id of the series; none of one that happens once."""
    @property
    def subject(self) -> str: ...
    @property
    def preview(self) -> str:
        """The beginning of the text."""
    @property
    def start_at(self) -> datetime:
        """Of one that lasts all day midnight UTC of its first day, whatever the zone: show `start_date`."""
    @property
    def end_at(self) -> datetime:
        """When it is over; of one that lasts all day midnight UTC after its last day."""
    @property
    def is_all_day(self) -> bool: ...
    @property
    def start_date(self) -> str | None:
        """First day of one that lasts all day, as `2026-03-02`, which is no other day in another zone; else none."""
    @property
    def end_date(self) -> str | None:
        """Last day of one that lasts all day."""
    @property
    def start_time_zone(self) -> str | None:
        """The zone the event was made in, as IANA calls it (`Europe/Berlin`); a name that is no zone of Windows as Microsoft gives it; none for a zone that
        somebody made up. `start_at` is right in any case."""
    @property
    def end_time_zone(self) -> str | None: ...
    @property
    def location(self) -> str | None: ...
    @property
    def organizer(self) -> Address | None: ...
    @property
    def is_organizer(self) -> bool:
        """It is the person's own."""
    @property
    def attendees(self) -> list[Attendee]: ...
    @property
    def online_meeting_url(self) -> str | None:
        """Opens the online meeting."""
    @property
    def is_cancelled(self) -> bool:
        """The organiser called it off; it stays until the person removes it."""
    @property
    def show_as(self) -> ShowAs: ...
    @property
    def sensitivity(self) -> Sensitivity: ...
    @property
    def categories(self) -> list[str]: ...
    @property
    def web_link(self) -> str | None:
        """Opens it in Outlook on the web."""
    @property
    def changed_at(self) -> datetime | None:
        """When it, or the series it is of, was changed last."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class CalendarQuery:
    __match_args__ = ("starting", "ending", "owner", "account_id", "limit", "cursor")
    def __new__(cls, starting: datetime, ending: datetime, owner: str | None = ..., account_id: str | None = ..., limit: int = ..., cursor: str | None = ...) -> Self: ...
    @property
    def starting(self) -> datetime:
        """Those that are not over by then."""
    @property
    def ending(self) -> datetime:
        """Those that begin before."""
    @property
    def owner(self) -> str | None:
        """Whose events: of all accounts of an owner, or of one account. One of them is needed; with both, the account must be the owner's."""
    @property
    def account_id(self) -> str | None: ...
    @property
    def limit(self) -> int:
        """1 to 500."""
    @property
    def cursor(self) -> str | None:
        """`next` of the page before; good for the same owner, account and times."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class CalendarPage:
    """In the order in which they begin."""
    __match_args__ = ("items", "next")
    def __new__(cls, items: Sequence[CalendarEvent], next: str | None) -> Self: ...
    @property
    def items(self) -> list[CalendarEvent]: ...
    @property
    def next(self) -> str | None:
        """Cursor of the next page; none at the end."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class TeamsMessage:
    """A message of a chat of the account, as it was at the last sync."""
    __match_args__ = ("id", "account_id", "graph_id", "chat_id", "kind", "sender", "app_name", "is_own", "subject", "body", "importance", "mentions", "attachments", "reply_to", "sent_at", "edited_at")
    def __new__(cls, id: str, account_id: str, graph_id: str, chat_id: str, kind: _TeamsMessageKind, sender: ChatMember | None, app_name: str | None, is_own: bool, subject: str | None, body: str, importance: _ChatImportance, mentions: Sequence[ChatMember], attachments: Sequence[str], reply_to: str | None, sent_at: datetime, edited_at: datetime | None) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def account_id(self) -> str: ...
    @property
    def graph_id(self) -> str:
        """Microsoft's id, which is one within its chat."""
    @property
    def chat_id(self) -> str:
        """Microsoft's id of the chat."""
    @property
    def kind(self) -> TeamsMessageKind: ...
    @property
    def sender(self) -> ChatMember | None:
        """Who said it; none for an app or a message of Teams itself."""
    @property
    def app_name(self) -> str | None:
        """The app that said it."""
    @property
    def is_own(self) -> bool:
        """The person of the account said it."""
    @property
    def subject(self) -> str | None: ...
    @property
    def body(self) -> str:
        """In the form that was asked for."""
    @property
    def importance(self) -> ChatImportance: ...
    @property
    def mentions(self) -> list[ChatMember]:
        """Names of those who are mentioned."""
    @property
    def attachments(self) -> list[str]:
        """Names of the files; nothing of them is kept here."""
    @property
    def reply_to(self) -> str | None:
        """Microsoft's id of the message of this chat that it quotes."""
    @property
    def sent_at(self) -> datetime: ...
    @property
    def edited_at(self) -> datetime | None: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class TeamsMessageQuery:
    __match_args__ = ("owner", "account_id", "chat_id", "form", "limit", "cursor")
    def __new__(cls, owner: str | None = ..., account_id: str | None = ..., chat_id: str | None = ..., form: _BodyForm = ..., limit: int = ..., cursor: str | None = ...) -> Self: ...
    @property
    def owner(self) -> str | None:
        """Whose messages: of all accounts of an owner, or of one account. One of them is needed; with both, the account must be the owner's."""
    @property
    def account_id(self) -> str | None: ...
    @property
    def chat_id(self) -> str | None:
        """Those of this chat, by Microsoft's id."""
    @property
    def form(self) -> BodyForm:
        """`Html` is safe to show, `Original` as its sender wrote it."""
    @property
    def limit(self) -> int:
        """1 to 500."""
    @property
    def cursor(self) -> str | None:
        """`next` of the page before; good for the same owner, account and chat."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class TeamsMessagePage:
    """The newest first."""
    __match_args__ = ("items", "next")
    def __new__(cls, items: Sequence[TeamsMessage], next: str | None) -> Self: ...
    @property
    def items(self) -> list[TeamsMessage]: ...
    @property
    def next(self) -> str | None:
        """Cursor of the next page; none at the end."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class ChangeQuery:
    """Which changes."""
    __match_args__ = ("owner", "account_id", "cursor")
    def __new__(cls, owner: str | None = ..., account_id: str | None = ..., cursor: str | None = ...) -> Self: ...
    @property
    def owner(self) -> str | None:
        """Whose: all accounts of an owner, those that are gone included, or one account or workflow. One of them is needed; with both, the account must be the owner's."""
    @property
    def account_id(self) -> str | None: ...
    @property
    def cursor(self) -> str | None:
        """Only what came after the change with this cursor; good for the same owner or account. From the beginning when none is given."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Change:
    """One durable change. Store `cursor` when you have dealt with it."""
    __match_args__ = ("cursor", "kind", "account_id", "subject_id", "at")
    def __new__(cls, cursor: str, kind: _ChangeKind, account_id: str, subject_id: str | None, at: datetime) -> Self: ...
    @property
    def cursor(self) -> str: ...
    @property
    def kind(self) -> ChangeKind: ...
    @property
    def account_id(self) -> str: ...
    @property
    def subject_id(self) -> str | None:
        """Id of the message, receipt, contact, event, chat message, activity of a bot or endpoint; of `SendAnswered` (a mail that was sent has a bounce or an automatic reply) the receipt."""
    @property
    def at(self) -> datetime: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class HttpRequest:
    """A request that came to the host's own route, as its web framework has it."""
    __match_args__ = ("method", "path", "query", "headers", "body")
    def __new__(cls, method: str = ..., path: str = ..., query: str = ..., headers: Mapping[str, str] = ..., body: bytes | None = ...) -> Self: ...
    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str:
        """Not looked at: which route it is, is the host's to say."""
    @property
    def query(self) -> str:
        """What stands behind the `?`, as it came (percent-encoded)."""
    @property
    def headers(self) -> dict[str, str]: ...
    @property
    def body(self) -> bytes | None:
        """All of it; none where there is none."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class HttpResponse:
    """What the host's route is to answer."""
    __match_args__ = ("status", "headers", "body")
    def __new__(cls, status: int, headers: Mapping[str, str], body: bytes) -> Self: ...
    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> dict[str, str]: ...
    @property
    def body(self) -> bytes: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class RawRequest:
    """A request to any endpoint of Graph."""
    __match_args__ = ("path", "method", "query", "headers", "json", "body", "version", "repeat", "background", "max_wait_ms")
    def __new__(cls, path: str, method: str = ..., query: Mapping[str, str] = ..., headers: Mapping[str, str] = ..., json: str | None = ..., body: bytes | None = ..., version: _GraphVersion = ..., repeat: bool = ..., background: bool = ..., max_wait_ms: int = ...) -> Self: ...
    @property
    def path(self) -> str:
        """Below the version, as in `/me/events`, with or without a query. What may not stand in an address is encoded; what is encoded already stays. Or a link of an
        answer (`@odata.nextLink`, `@odata.deltaLink`), whole and as it came; its own version counts then."""
    @property
    def method(self) -> str:
        """GET, HEAD, POST, PUT, PATCH or DELETE."""
    @property
    def query(self) -> dict[str, str]:
        """Further options, as in `$top`: names and values, which are encoded."""
    @property
    def headers(self) -> dict[str, str]:
        """As in `Prefer`, `ConsistencyLevel`, `If-Match`, `Content-Type`. Ids are immutable unless `Prefer` says otherwise."""
    @property
    def json(self) -> str | None:
        """The body, as JSON."""
    @property
    def body(self) -> bytes | None:
        """The body, as bytes; `Content-Type` says of what kind."""
    @property
    def version(self) -> GraphVersion: ...
    @property
    def repeat(self) -> bool:
        """It may be done twice: after a lost answer or a failure of the service it is repeated, as a GET or HEAD always is."""
    @property
    def background(self) -> bool:
        """It goes after everything that somebody waits for."""
    @property
    def max_wait_ms(self) -> int:
        """How long it may wait in all: for its turn, a Retry-After and between repetitions, in milliseconds, an hour at the most."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

# A text stands for the path alone.
_RawRequest: TypeAlias = RawRequest | str

@final
class RawOutcome:
    """What came of one request of a batch."""
    __match_args__ = ("status", "headers", "body", "request_id", "error_kind", "error", "retry_after_ms")
    def __new__(cls, status: int | None, headers: Mapping[str, str], body: bytes, request_id: str | None, error_kind: _ErrorKind | None, error: str | None, retry_after_ms: int | None) -> Self: ...
    @property
    def status(self) -> int | None:
        """HTTP status; none when there is no answer."""
    @property
    def headers(self) -> dict[str, str]:
        """Names in lower case; values of the same name are joined by commas."""
    @property
    def body(self) -> bytes: ...
    @property
    def request_id(self) -> str | None:
        """Microsoft's id of the exchange, for a support case."""
    @property
    def error_kind(self) -> ErrorKind | None:
        """Why there is no answer, as `request` would have failed."""
    @property
    def error(self) -> str | None: ...
    @property
    def retry_after_ms(self) -> int | None: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class RawPage:
    """One page of a list."""
    __match_args__ = ("items", "envelope", "next_link", "delta_link")
    def __new__(cls, items: Sequence[str], envelope: str, next_link: str | None, delta_link: str | None) -> Self: ...
    @property
    def items(self) -> list[str]:
        """The items of `value`, each as JSON."""
    @property
    def envelope(self) -> str:
        """Everything else of the page, as JSON: `@odata.count`, `@odata.context` and the like."""
    @property
    def next_link(self) -> str | None:
        """Link of the next page; none at the end. As the path of a request it goes on from here."""
    @property
    def delta_link(self) -> str | None:
        """On the last page of a delta: as the path of a request it asks for what has changed since."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class LogField:
    __match_args__ = ("name", "value")
    def __new__(cls, name: str, value: str) -> Self: ...
    @property
    def name(self) -> str: ...
    @property
    def value(self) -> str: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class LogRecord:
    """One log record, without line breaks or control characters."""
    __match_args__ = ("at", "level", "target", "message", "fields")
    def __new__(cls, at: datetime, level: _LogLevel, target: str, message: str, fields: Sequence[LogField]) -> Self: ...
    @property
    def at(self) -> datetime: ...
    @property
    def level(self) -> LogLevel: ...
    @property
    def target(self) -> str:
        """Part of the engine, as in `tidings::auth`."""
    @property
    def message(self) -> str: ...
    @property
    def fields(self) -> list[LogField]: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Metrics:
    """Counts since the engine was opened, in this process."""
    __match_args__ = ("requests", "throttled", "retries", "failures", "tokens_renewed", "sends_queued", "sends_sent", "sends_failed", "sends_unknown", "syncs", "pages", "messages_stored", "sends_parked", "notifications", "notifications_refused", "subscriptions_made", "subscriptions_renewed", "contents_proven", "contents_refused")
    def __new__(cls, requests: int, throttled: int, retries: int, failures: int, tokens_renewed: int, sends_queued: int, sends_sent: int, sends_failed: int, sends_unknown: int, syncs: int, pages: int, messages_stored: int, sends_parked: int, notifications: int, notifications_refused: int, subscriptions_made: int, subscriptions_renewed: int, contents_proven: int, contents_refused: int) -> Self: ...
    @property
    def requests(self) -> int:
        """HTTP requests sent, those answered 429, those sent again, those that ended in an error."""
    @property
    def throttled(self) -> int: ...
    @property
    def retries(self) -> int: ...
    @property
    def failures(self) -> int: ...
    @property
    def tokens_renewed(self) -> int: ...
    @property
    def sends_queued(self) -> int: ...
    @property
    def sends_sent(self) -> int: ...
    @property
    def sends_failed(self) -> int: ...
    @property
    def sends_unknown(self) -> int: ...
    @property
    def syncs(self) -> int: ...
    @property
    def pages(self) -> int: ...
    @property
    def messages_stored(self) -> int: ...
    @property
    def sends_parked(self) -> int:
        """Sends that were parked when the engine was opened, since the store was copied or restored."""
    @property
    def notifications(self) -> int:
        """Notifications that belong to a subscription of the store, and activities of a bot in an organisation that is connected; and those that were dropped: forged, of unknown or
        ended subscriptions, of another tenant."""
    @property
    def notifications_refused(self) -> int: ...
    @property
    def subscriptions_made(self) -> int: ...
    @property
    def subscriptions_renewed(self) -> int: ...
    @property
    def contents_proven(self) -> int:
        """Encrypted contents of notifications that were proven, and those that were dropped: not Microsoft's, for no certificate of the store, changed on the way, or shown twice."""
    @property
    def contents_refused(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class KeyRotation:
    """Which keys to replace. Nothing stops meanwhile; a rotation that was cut off goes on with the next one. Processes that have the store open go on with
    the root key they were opened with: a new store key is also kept under the one it replaces, for two hours, and every process looks for it within the
    hour. So for two hours the replaced store key still opens the new one, in this file and in copies of it made meanwhile; after that it opens nothing
    here. A process that slept through these hours gets VaultLocked until it is opened with the new root key."""
    __match_args__ = ("new_root_key", "store_key", "data_keys", "account_id")
    def __new__(cls, new_root_key: _RootKey | None = ..., store_key: bool = ..., data_keys: bool = ..., account_id: str | None = ...) -> Self: ...
    @property
    def new_root_key(self) -> RootKey | None:
        """The new key that opens the store; other processes need it at their next start."""
    @property
    def store_key(self) -> bool:
        """The key between root key and accounts."""
    @property
    def data_keys(self) -> bool:
        """Keys of tokens and mail; everything sealed with them is sealed anew."""
    @property
    def account_id(self) -> str | None:
        """Data keys of this account only."""

@final
class RotationReport:
    """What a rotation did."""
    __match_args__ = ("root_key", "store_key", "data_keys", "values", "duration_ms")
    def __new__(cls, root_key: bool, store_key: bool, data_keys: int, values: int, duration_ms: int) -> Self: ...
    @property
    def root_key(self) -> bool: ...
    @property
    def store_key(self) -> bool: ...
    @property
    def data_keys(self) -> int:
        """Data keys replaced."""
    @property
    def values(self) -> int:
        """Values sealed anew."""
    @property
    def duration_ms(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class AuditRecord:
    """One entry of the audit log. Never holds content, addresses or secrets. Every owner has a chain of records; what belongs to no owner, the store and its
    own keys, has one too, and so has what a version before chains per owner wrote."""
    __match_args__ = ("number", "owner", "at", "kind", "account_id", "subject", "detail", "hash")
    def __new__(cls, number: int, owner: str | None, at: datetime, kind: _AuditKind, account_id: str | None, subject: str | None, detail: str, hash: str) -> Self: ...
    @property
    def number(self) -> int:
        """1, 2, 3 …, without gaps in its chain."""
    @property
    def owner(self) -> str | None:
        """Keyed hash of the owner whose chain it is in; none: the store's own."""
    @property
    def at(self) -> datetime: ...
    @property
    def kind(self) -> AuditKind: ...
    @property
    def account_id(self) -> str | None: ...
    @property
    def subject(self) -> str | None:
        """Id of the message or receipt, or a keyed hash of the owner."""
    @property
    def detail(self) -> str:
        """What happened, in words."""
    @property
    def hash(self) -> str:
        """Keyed hash over this record and the hash before it in its chain, in hex."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class AuditPage:
    """Oldest first."""
    __match_args__ = ("items", "next")
    def __new__(cls, items: Sequence[AuditRecord], next: str | None) -> Self: ...
    @property
    def items(self) -> list[AuditRecord]: ...
    @property
    def next(self) -> str | None:
        """Cursor for what comes after; none when there are no records at all."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class AuditChainHead:
    """The end of one owner's chain at some moment."""
    __match_args__ = ("owner", "number", "hash")
    def __new__(cls, owner: str, number: int, hash: str) -> Self: ...
    @property
    def owner(self) -> str:
        """Keyed hash of the owner."""
    @property
    def number(self) -> int: ...
    @property
    def hash(self) -> str: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

class _AuditChainHeadFields(TypedDict):
    owner: str
    number: int
    hash: str

_AuditChainHead: TypeAlias = AuditChainHead | _AuditChainHeadFields

@final
class AuditHead:
    """The end of the log at some moment. Keep it elsewhere: a log cut off behind the store's back shows against it."""
    __match_args__ = ("number", "hash", "owner", "chains")
    def __new__(cls, number: int, hash: str, owner: str | None = ..., chains: Sequence[_AuditChainHead] = ...) -> Self: ...
    @property
    def number(self) -> int:
        """Of the last record of the store's own chain, or of the one owner who was asked about."""
    @property
    def hash(self) -> str: ...
    @property
    def owner(self) -> str | None:
        """Keyed hash of the one owner who was asked about."""
    @property
    def chains(self) -> list[AuditChainHead]:
        """Of all owners, when all were asked about."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class AuditVerdict:
    """Whether the log, or one owner's chain, is as it was written."""
    __match_args__ = ("intact", "records", "head", "fault", "owner", "at", "reason")
    def __new__(cls, intact: bool, records: int, head: AuditHead | None, fault: _AuditFault | None, owner: str | None, at: int | None, reason: str) -> Self: ...
    @property
    def intact(self) -> bool: ...
    @property
    def records(self) -> int:
        """How many there are, of all chains that were asked about."""
    @property
    def head(self) -> AuditHead | None:
        """None when there is nothing to note."""
    @property
    def fault(self) -> AuditFault | None: ...
    @property
    def owner(self) -> str | None:
        """Keyed hash of the owner in whose chain the fault is; none: in the store's own."""
    @property
    def at(self) -> int | None:
        """Number, in its chain, of the first record that is wrong or gone."""
    @property
    def reason(self) -> str: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class PurgeRequest:
    """What to purge: an account, or everything of an owner. Exactly one of them."""
    __match_args__ = ("account_id", "owner")
    def __new__(cls, account_id: str | None = ..., owner: str | None = ...) -> Self: ...
    @property
    def account_id(self) -> str | None: ...
    @property
    def owner(self) -> str | None: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class PurgeReport:
    """A purge that has ended; it is also in the audit log."""
    __match_args__ = ("account_ids", "rows", "finished_at")
    def __new__(cls, account_ids: Sequence[str], rows: int, finished_at: datetime) -> Self: ...
    @property
    def account_ids(self) -> list[str]: ...
    @property
    def rows(self) -> int:
        """Mails, sends and other rows erased."""
    @property
    def finished_at(self) -> datetime: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class OwnerDeletion:
    """An owner who was deleted: all accounts are disconnected, what is held of them is purged at `purge_at`."""
    __match_args__ = ("owner", "account_ids", "purge_at")
    def __new__(cls, owner: str, account_ids: Sequence[str], purge_at: datetime) -> Self: ...
    @property
    def owner(self) -> str: ...
    @property
    def account_ids(self) -> list[str]: ...
    @property
    def purge_at(self) -> datetime: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@disjoint_base
class Cloud:
    """Which Microsoft cloud to talk to."""
    @final
    class Public(Cloud):
        """login.microsoftonline.com and graph.microsoft.com, GCC included."""
        __match_args__ = ()
        def __new__(cls) -> Self: ...
    @final
    class UsGov(Cloud):
        """US Government L4 (GCC High)."""
        __match_args__ = ()
        def __new__(cls) -> Self: ...
    @final
    class UsGovDod(Cloud):
        """US Government L5 (DoD)."""
        __match_args__ = ()
        def __new__(cls) -> Self: ...
    @final
    class China(Cloud):
        """China, operated by 21Vianet."""
        __match_args__ = ()
        def __new__(cls) -> Self: ...
    @final
    class Custom(Cloud):
        """Another Entra and Graph, such as the simulator: two origins, `graph` with or without `/v1.0`. Plain HTTP is accepted for loopback hosts only."""
        __match_args__ = ("login", "graph")
        def __new__(cls, login: str, graph: str) -> Self: ...
        @property
        def login(self) -> str: ...
        @property
        def graph(self) -> str: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

_Cloud: TypeAlias = Cloud | Literal["public"] | Literal["us_gov"] | Literal["us_gov_dod"] | Literal["china"]

@disjoint_base
class Draft:
    """Anything that can be sent."""
    @final
    class Mail(Draft):
        __match_args__ = ("mail",)
        def __new__(cls, mail: MailDraft) -> Self: ...
        @property
        def mail(self) -> MailDraft: ...
    @final
    class Reply(Draft):
        __match_args__ = ("reply",)
        def __new__(cls, reply: ReplyDraft) -> Self: ...
        @property
        def reply(self) -> ReplyDraft: ...
    @final
    class Forward(Draft):
        __match_args__ = ("forward",)
        def __new__(cls, forward: ForwardDraft) -> Self: ...
        @property
        def forward(self) -> ForwardDraft: ...
    @final
    class Chat(Draft):
        __match_args__ = ("chat",)
        def __new__(cls, chat: ChatDraft) -> Self: ...
        @property
        def chat(self) -> ChatDraft: ...
    @final
    class ChannelPost(Draft):
        __match_args__ = ("channel_post",)
        def __new__(cls, channel_post: ChannelPostDraft) -> Self: ...
        @property
        def channel_post(self) -> ChannelPostDraft: ...
    @final
    class Workflow(Draft):
        __match_args__ = ("workflow",)
        def __new__(cls, workflow: _WorkflowDraft) -> Self: ...
        @property
        def workflow(self) -> WorkflowDraft: ...
    @final
    class Bot(Draft):
        __match_args__ = ("bot",)
        def __new__(cls, bot: BotDraft) -> Self: ...
        @property
        def bot(self) -> BotDraft: ...
    @final
    class ToEndpoint(Draft):
        __match_args__ = ("to_endpoint",)
        def __new__(cls, to_endpoint: _EndpointDraft) -> Self: ...
        @property
        def to_endpoint(self) -> EndpointDraft: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

_Draft: TypeAlias = Draft | MailDraft | ReplyDraft | ForwardDraft | ChatDraft | ChannelPostDraft | WorkflowDraft | BotDraft | EndpointDraft

@disjoint_base
class MentionTarget:
    """Whom or what a mention tells."""
    @final
    class Person(MentionTarget):
        """Somebody of the organisation, by mail address."""
        __match_args__ = ("address",)
        def __new__(cls, address: str) -> Self: ...
        @property
        def address(self) -> str: ...
    @final
    class Channel(MentionTarget):
        """A channel of the team that is posted to, with those who follow it; without an id the channel that is posted to."""
        __match_args__ = ("channel_id",)
        def __new__(cls, channel_id: str | None) -> Self: ...
        @property
        def channel_id(self) -> str | None: ...
    @final
    class Team(MentionTarget):
        """All members of the team of the channel that is posted to."""
        __match_args__ = ()
        def __new__(cls) -> Self: ...
    @final
    class Tag(MentionTarget):
        """Those who have this tag in the team of the channel that is posted to. Its name is the text of the mention."""
        __match_args__ = ("tag_id",)
        def __new__(cls, tag_id: str) -> Self: ...
        @property
        def tag_id(self) -> str: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

_MentionTarget: TypeAlias = MentionTarget | Literal["team"]

@disjoint_base
class BotAnswer:
    """What the host answers to a `BotInvoke`."""
    @final
    class Card(BotAnswer):
        """To an `adaptiveCard/action`: an Adaptive Card as JSON, shown in place of the one whose button was pressed."""
        __match_args__ = ("card",)
        def __new__(cls, card: str) -> Self: ...
        @property
        def card(self) -> str: ...
    @final
    class Message(BotAnswer):
        """To an `adaptiveCard/action`: a text that is shown to the person."""
        __match_args__ = ("text",)
        def __new__(cls, text: str) -> Self: ...
        @property
        def text(self) -> str: ...
    @final
    class Failure(BotAnswer):
        """It did not work. `status`: 400 to 599, as in HTTP; `reason` is shown to the person."""
        __match_args__ = ("status", "reason")
        def __new__(cls, status: int, reason: str) -> Self: ...
        @property
        def status(self) -> int: ...
        @property
        def reason(self) -> str: ...
    @final
    class Json(BotAnswer):
        """To anything but an `adaptiveCard/action`: the JSON that Teams documents for it."""
        __match_args__ = ("body",)
        def __new__(cls, body: str) -> Self: ...
        @property
        def body(self) -> str: ...
    @final
    class Done(BotAnswer):
        """It is done, and there is nothing to show."""
        __match_args__ = ()
        def __new__(cls) -> Self: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

_BotAnswer: TypeAlias = BotAnswer | Literal["done"]

@disjoint_base
class EndpointTarget:
    """Where an endpoint is."""
    @final
    class TeamsChannel(EndpointTarget):
        """Ids as `teams` and `channels` show them. Through the account of an organisation the bot writes there, through that of a person the person does."""
        __match_args__ = ("team_id", "channel_id")
        def __new__(cls, team_id: str, channel_id: str) -> Self: ...
        @property
        def team_id(self) -> str: ...
        @property
        def channel_id(self) -> str: ...
    @final
    class TeamsUser(EndpointTarget):
        """A person of the organisation whose account it goes through, as `to` of a `BotDraft`."""
        __match_args__ = ("user",)
        def __new__(cls, user: str) -> Self: ...
        @property
        def user(self) -> str: ...
    @final
    class Workflow(EndpointTarget):
        """Id as `add_workflow` gives it."""
        __match_args__ = ("workflow_id",)
        def __new__(cls, workflow_id: str) -> Self: ...
        @property
        def workflow_id(self) -> str: ...
    @final
    class Chat(EndpointTarget):
        """Either the mail address of a person (`to`), or a chat there is (`chat_id`), as in `ChatDraft`."""
        __match_args__ = ("to", "chat_id")
        def __new__(cls, to: str | None, chat_id: str | None) -> Self: ...
        @property
        def to(self) -> str | None: ...
        @property
        def chat_id(self) -> str | None: ...
    @final
    class Mail(EndpointTarget):
        __match_args__ = ("address",)
        def __new__(cls, address: _Address) -> Self: ...
        @property
        def address(self) -> Address: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

_EndpointTarget: TypeAlias = EndpointTarget | Address

@disjoint_base
class Event:
    """Something that just happened; for progress and state. What must not be missed is in `changes`."""
    @final
    class AccountConnected(Event):
        __match_args__ = ("account_id",)
        def __new__(cls, account_id: str) -> Self: ...
        @property
        def account_id(self) -> str: ...
    @final
    class AccountChanged(Event):
        __match_args__ = ("account_id", "state")
        def __new__(cls, account_id: str, state: _AccountState) -> Self: ...
        @property
        def account_id(self) -> str: ...
        @property
        def state(self) -> AccountState: ...
    @final
    class SendChanged(Event):
        __match_args__ = ("receipt",)
        def __new__(cls, receipt: Receipt) -> Self: ...
        @property
        def receipt(self) -> Receipt: ...
    @final
    class UploadProgress(Event):
        """Large attachments of a mail on their way to Microsoft: bytes that have arrived, of all."""
        __match_args__ = ("account_id", "receipt_id", "sent", "total")
        def __new__(cls, account_id: str, receipt_id: str, sent: int, total: int) -> Self: ...
        @property
        def account_id(self) -> str: ...
        @property
        def receipt_id(self) -> str: ...
        @property
        def sent(self) -> int: ...
        @property
        def total(self) -> int: ...
    @final
    class SyncProgress(Event):
        __match_args__ = ("account_id", "folder_id", "stored", "total")
        def __new__(cls, account_id: str, folder_id: str, stored: int, total: int) -> Self: ...
        @property
        def account_id(self) -> str: ...
        @property
        def folder_id(self) -> str: ...
        @property
        def stored(self) -> int: ...
        @property
        def total(self) -> int: ...
    @final
    class SyncFinished(Event):
        __match_args__ = ("report",)
        def __new__(cls, report: SyncReport) -> Self: ...
        @property
        def report(self) -> SyncReport: ...
    @final
    class SyncFailed(Event):
        __match_args__ = ("account_id", "kind", "reason")
        def __new__(cls, account_id: str, kind: _ErrorKind, reason: str) -> Self: ...
        @property
        def account_id(self) -> str: ...
        @property
        def kind(self) -> ErrorKind: ...
        @property
        def reason(self) -> str: ...
    @final
    class EditRefused(Event):
        """Microsoft refused for good what was changed of a message here (`mark_read`, `flag` …); it shows again what the mailbox says."""
        __match_args__ = ("account_id", "message_id", "kind", "reason")
        def __new__(cls, account_id: str, message_id: str, kind: _ErrorKind, reason: str) -> Self: ...
        @property
        def account_id(self) -> str: ...
        @property
        def message_id(self) -> str: ...
        @property
        def kind(self) -> ErrorKind: ...
        @property
        def reason(self) -> str: ...
    @final
    class BackfillChanged(Event):
        """A back-fill got on by a page, or changed its state."""
        __match_args__ = ("backfill",)
        def __new__(cls, backfill: Backfill) -> Self: ...
        @property
        def backfill(self) -> Backfill: ...
    @final
    class Missed(Event):
        """The reader was too slow; this many events were dropped, the oldest first."""
        __match_args__ = ("count",)
        def __new__(cls, count: int) -> Self: ...
        @property
        def count(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

_Event: TypeAlias = Event | Receipt | SyncReport | Backfill

@final
class LoopbackSignIn:
    """A sign-in whose callback this process receives itself, on a loopback address (RFC 8252)."""
    def url(self) -> str:
        """Open this in a browser."""
    async def wait(self) -> Account:
        """Waits for the browser to come back and finishes the sign-in. A wait that is given up can be taken up by another one until the sign-in expires.
        Errors: those of `finish_connect`; Cancelled when the sign-in expired."""

@final
class BlockingLoopbackSignIn:
    """A sign-in whose callback this process receives itself, on a loopback address (RFC 8252)."""
    def url(self) -> str:
        """Open this in a browser."""
    def wait(self) -> Account:
        """Waits for the browser to come back and finishes the sign-in. A wait that is given up can be taken up by another one until the sign-in expires.
        Errors: those of `finish_connect`; Cancelled when the sign-in expired."""

_LoopbackSignIn: TypeAlias = LoopbackSignIn | BlockingLoopbackSignIn

@final
class DeviceSignIn:
    """A sign-in on another device, by a code (RFC 8628)."""
    def user_code(self) -> str:
        """What the person types in at `verification_uri`."""
    def verification_uri(self) -> str:
        ...
    def message(self) -> str:
        """A sentence for the person, with address and code."""
    def expires_at(self) -> datetime:
        ...
    async def wait(self) -> Account:
        """Waits until the person has signed in and finishes. A wait that is given up can be taken up by another one until the code expires.
        Errors: those of `finish_connect`; Cancelled when declined or expired."""

@final
class BlockingDeviceSignIn:
    """A sign-in on another device, by a code (RFC 8628)."""
    def user_code(self) -> str:
        """What the person types in at `verification_uri`."""
    def verification_uri(self) -> str:
        ...
    def message(self) -> str:
        """A sentence for the person, with address and code."""
    def expires_at(self) -> datetime:
        ...
    def wait(self) -> Account:
        """Waits until the person has signed in and finishes. A wait that is given up can be taken up by another one until the code expires.
        Errors: those of `finish_connect`; Cancelled when declined or expired."""

_DeviceSignIn: TypeAlias = DeviceSignIn | BlockingDeviceSignIn

@final
class AttachmentWriter:
    """One content on its way into the store. Dropped before `finish`, nothing of it is left."""
    async def write(self, chunk: bytes) -> None:
        """The next bytes, at most 8 MB. Runs to its end also when the caller stops waiting. After an error nothing of the content is left. Errors:
        InvalidInput (more than was said), LimitExceeded (more than 150 MB, or more than 8 MB at once), Conflict (finished or given up), NotFound (erased
        meanwhile), StoreFull."""
    async def finish(self) -> FileAttachment:
        """The end: the attachment for a draft. Errors: InvalidInput (less than was said; nothing of the content is left), as `write` otherwise."""
    async def abort(self) -> None:
        """Gives it up: nothing of the content is left. Of one that is finished nothing changes. May be called twice."""

@final
class BlockingAttachmentWriter:
    """One content on its way into the store. Dropped before `finish`, nothing of it is left."""
    def write(self, chunk: bytes) -> None:
        """The next bytes, at most 8 MB. Runs to its end also when the caller stops waiting. After an error nothing of the content is left. Errors:
        InvalidInput (more than was said), LimitExceeded (more than 150 MB, or more than 8 MB at once), Conflict (finished or given up), NotFound (erased
        meanwhile), StoreFull."""
    def finish(self) -> FileAttachment:
        """The end: the attachment for a draft. Errors: InvalidInput (less than was said; nothing of the content is left), as `write` otherwise."""
    def abort(self) -> None:
        """Gives it up: nothing of the content is left. Of one that is finished nothing changes. May be called twice."""

_AttachmentWriter: TypeAlias = AttachmentWriter | BlockingAttachmentWriter

@final
class AttachmentContent:
    """A content of a mailbox. Its connection is kept until the end of it, an hour at the most, or until this is let go of. After an error of `next` or `body` the
    next call goes on where it broke off: the content is asked for again, what was given out is passed over and compared by its hash."""
    def name(self) -> str:
        """As it is in the mail, or the subject of a mail as MIME; foreign text, and no safe name of a file."""
    def content_type(self) -> str:
        """As the sender said. Of an item what its content is: `message/rfc822`, `text/vcard` or `text/calendar`."""
    def kind(self) -> AttachmentKind:
        """A mail as MIME is an item."""
    def size(self) -> int | None:
        """Bytes of the content, where Microsoft announces them. (`size` of an `AttachmentInfo` counts what the mailbox needs for it.)"""
    async def body(self) -> bytes:
        """The whole content, or what `next` has not given out yet. A cancelled wait loses nothing. Errors: LimitExceeded (more than 64 MB: take it piece by piece),
        and those of `next`."""
    async def next(self) -> bytes | None:
        """The next piece; none at the end. A content up to 1 MB is one piece. A cancelled wait loses nothing; after an error the next call goes on where it broke off.
        Errors: Upstream (the connection broke), Conflict (after that it was another content: open it anew), NotFound (it is gone from the mailbox), InvalidInput (a
        reference has no content), Closed, and those of `attachment`."""
    def __aiter__(self) -> Self: ...
    async def __anext__(self) -> bytes: ...

@final
class BlockingAttachmentContent:
    """A content of a mailbox. Its connection is kept until the end of it, an hour at the most, or until this is let go of. After an error of `next` or `body` the
    next call goes on where it broke off: the content is asked for again, what was given out is passed over and compared by its hash."""
    def name(self) -> str:
        """As it is in the mail, or the subject of a mail as MIME; foreign text, and no safe name of a file."""
    def content_type(self) -> str:
        """As the sender said. Of an item what its content is: `message/rfc822`, `text/vcard` or `text/calendar`."""
    def kind(self) -> AttachmentKind:
        """A mail as MIME is an item."""
    def size(self) -> int | None:
        """Bytes of the content, where Microsoft announces them. (`size` of an `AttachmentInfo` counts what the mailbox needs for it.)"""
    def body(self) -> bytes:
        """The whole content, or what `next` has not given out yet. A cancelled wait loses nothing. Errors: LimitExceeded (more than 64 MB: take it piece by piece),
        and those of `next`."""
    def next(self) -> bytes | None:
        """The next piece; none at the end. A content up to 1 MB is one piece. A cancelled wait loses nothing; after an error the next call goes on where it broke off.
        Errors: Upstream (the connection broke), Conflict (after that it was another content: open it anew), NotFound (it is gone from the mailbox), InvalidInput (a
        reference has no content), Closed, and those of `attachment`."""
    def __iter__(self) -> Self: ...
    def __next__(self) -> bytes: ...

_AttachmentContent: TypeAlias = AttachmentContent | BlockingAttachmentContent

@final
class EventStream:
    """Live events from the moment it was made."""
    async def next(self) -> Event | None:
        """Waits for the next event; none after shutdown. A cancelled wait loses nothing. Errors: InvalidInput (the owner)."""
    def __aiter__(self) -> Self: ...
    async def __anext__(self) -> Event: ...

@final
class BlockingEventStream:
    """Live events from the moment it was made."""
    def next(self) -> Event | None:
        """Waits for the next event; none after shutdown. A cancelled wait loses nothing. Errors: InvalidInput (the owner)."""
    def __iter__(self) -> Self: ...
    def __next__(self) -> Event: ...

_EventStream: TypeAlias = EventStream | BlockingEventStream

@final
class ChangeStream:
    """The change feed: ordered, at least once, survives restarts."""
    async def next(self, limit: int) -> list[Change]:
        """Waits for at least one change, then gives up to `limit` (1 to 1000) in order; empty after shutdown. A cancelled wait loses nothing."""
    async def ready(self, limit: int) -> list[Change]:
        """Gives up to `limit` changes that are there, without waiting."""
    def __aiter__(self) -> Self: ...
    async def __anext__(self) -> Change: ...

@final
class BlockingChangeStream:
    """The change feed: ordered, at least once, survives restarts."""
    def next(self, limit: int) -> list[Change]:
        """Waits for at least one change, then gives up to `limit` (1 to 1000) in order; empty after shutdown. A cancelled wait loses nothing."""
    def ready(self, limit: int) -> list[Change]:
        """Gives up to `limit` changes that are there, without waiting."""
    def __iter__(self) -> Self: ...
    def __next__(self) -> Change: ...

_ChangeStream: TypeAlias = ChangeStream | BlockingChangeStream

@final
class RawResponse:
    """An answer of Graph, whatever its status. A body up to 1 MB is here as a whole; a longer one arrives as it is asked for, and its connection is kept until the end
    of it, an hour at the most, or until this is let go of."""
    def status(self) -> int:
        """HTTP status."""
    def headers(self) -> dict[str, str]:
        """Names in lower case; values of the same name are joined by commas."""
    def request_id(self) -> str | None:
        """Microsoft's id of the exchange, for a support case."""
    async def body(self) -> bytes:
        """The body; of one longer than 1 MB, what `next` has not given out yet. A cancelled wait loses nothing. Errors: LimitExceeded (more than 64 MB: take it piece
        by piece), Upstream (the connection broke), Closed."""
    async def next(self) -> bytes | None:
        """The next piece of the body; none at the end. A body up to 1 MB is one piece. A cancelled wait loses nothing. Errors: Upstream (the connection broke), Closed."""
    def __aiter__(self) -> Self: ...
    async def __anext__(self) -> bytes: ...

@final
class BlockingRawResponse:
    """An answer of Graph, whatever its status. A body up to 1 MB is here as a whole; a longer one arrives as it is asked for, and its connection is kept until the end
    of it, an hour at the most, or until this is let go of."""
    def status(self) -> int:
        """HTTP status."""
    def headers(self) -> dict[str, str]:
        """Names in lower case; values of the same name are joined by commas."""
    def request_id(self) -> str | None:
        """Microsoft's id of the exchange, for a support case."""
    def body(self) -> bytes:
        """The body; of one longer than 1 MB, what `next` has not given out yet. A cancelled wait loses nothing. Errors: LimitExceeded (more than 64 MB: take it piece
        by piece), Upstream (the connection broke), Closed."""
    def next(self) -> bytes | None:
        """The next piece of the body; none at the end. A body up to 1 MB is one piece. A cancelled wait loses nothing. Errors: Upstream (the connection broke), Closed."""
    def __iter__(self) -> Self: ...
    def __next__(self) -> bytes: ...

_RawResponse: TypeAlias = RawResponse | BlockingRawResponse

@final
class RawPages:
    """A list of Graph, page by page."""
    async def next(self) -> RawPage | None:
        """The next page; none at the end. A cancelled wait loses nothing, and after an error the same page is asked for again. Errors: those of `request`; a refusal by
        its kind (Forbidden, NotFound, InvalidInput …); CursorExpired, when the state of a delta is gone; LinkRejected, when a link leads away from this cloud's Graph;
        Upstream, when the links lead in a circle; InvalidInput, when the answer is no list."""
    def __aiter__(self) -> Self: ...
    async def __anext__(self) -> RawPage: ...

@final
class BlockingRawPages:
    """A list of Graph, page by page."""
    def next(self) -> RawPage | None:
        """The next page; none at the end. A cancelled wait loses nothing, and after an error the same page is asked for again. Errors: those of `request`; a refusal by
        its kind (Forbidden, NotFound, InvalidInput …); CursorExpired, when the state of a delta is gone; LinkRejected, when a link leads away from this cloud's Graph;
        Upstream, when the links lead in a circle; InvalidInput, when the answer is no list."""
    def __iter__(self) -> Self: ...
    def __next__(self) -> RawPage: ...

_RawPages: TypeAlias = RawPages | BlockingRawPages

@final
class LogStream:
    """Log records from the moment it was made. A reader who is too slow loses the oldest."""
    async def next(self) -> LogRecord | None:
        """Waits for the next record. A cancelled wait loses nothing."""
    def __aiter__(self) -> Self: ...
    async def __anext__(self) -> LogRecord: ...

@final
class BlockingLogStream:
    """Log records from the moment it was made. A reader who is too slow loses the oldest."""
    def next(self) -> LogRecord | None:
        """Waits for the next record. A cancelled wait loses nothing."""
    def __iter__(self) -> Self: ...
    def __next__(self) -> LogRecord: ...

_LogStream: TypeAlias = LogStream | BlockingLogStream

@final
class Secret:
    """A value that is never printed and is wiped from memory when dropped."""
    def __new__(cls, value: str) -> Self:
        """Takes the text over."""

_Secret: TypeAlias = Secret | str

@final
class RootKey:
    """The key that opens the store. It is never written anywhere."""
    @staticmethod
    def raw(key: bytes) -> RootKey:
        """Exactly 32 random bytes. Errors: InvalidInput when it has another length or is all one byte."""
    @staticmethod
    def passphrase(passphrase: str) -> RootKey:
        """From a passphrase of at least 12 characters, through Argon2id (RFC 9106: 64 MiB, 3 passes); salt and costs are kept with the store.
        Errors: InvalidInput."""
    @staticmethod
    def from_keyring(service: str, user: str) -> RootKey:
        """From the key store of the operating system (Keychain, Credential Manager, Secret Service); made there when there is none under these names.
        Blocks while the system asks the person. Errors: InvalidInput, VaultLocked when the key store cannot be used."""
    @staticmethod
    def unwrapped(key: bytes, wrapped: bytes) -> RootKey:
        """A key that your KMS has unwrapped: exactly 32 bytes. `wrapped` (1 byte to 16 KB) is kept with the store; `wrapped_root_key` gives it back for
        the next start. Errors: InvalidInput."""

_RootKey: TypeAlias = RootKey | bytes

@final
class ClientCertificate:
    """A certificate that proves which application asks, instead of a client secret. Never printed.
    Source: Microsoft identity platform, certificate credentials."""
    @staticmethod
    def from_pem(certificate: str, private_key: str) -> ClientCertificate:
        """Both as PEM; the private key is RSA of 2048 bits or more, unencrypted. Errors: InvalidInput."""

_ClientCertificate: TypeAlias = ClientCertificate

@final
class TestClock:
    """A clock that stands still until a test moves it. For your own tests against the simulator."""
    def __new__(cls, now_ms: int) -> Self:
        """Starts at this many milliseconds since 1970 (UTC)."""
    def now_ms(self) -> int:
        """The time it shows, in milliseconds since 1970 (UTC)."""
    def advance(self, ms: int) -> None:
        """Moves it forward and wakes whoever waited for that."""
    async def next_wait(self) -> int:
        """Waits until the engine has nothing to do but wait (for a Retry-After, a back-off), and tells how many milliseconds that is from now."""

@final
class BlockingTestClock:
    """A clock that stands still until a test moves it. For your own tests against the simulator."""
    def __new__(cls, now_ms: int) -> Self:
        """Starts at this many milliseconds since 1970 (UTC)."""
    def now_ms(self) -> int:
        """The time it shows, in milliseconds since 1970 (UTC)."""
    def advance(self, ms: int) -> None:
        """Moves it forward and wakes whoever waited for that."""
    def next_wait(self) -> int:
        """Waits until the engine has nothing to do but wait (for a Retry-After, a back-off), and tells how many milliseconds that is from now."""

_TestClock: TypeAlias = TestClock | BlockingTestClock

@final
class Engine:
    """One engine per process and store is enough; all methods may be called at the same time from any thread.
    Durable steps run to their end even when the caller stops waiting."""
    @staticmethod
    def open(config: Config | str | os.PathLike[str], root_key: _RootKey) -> Engine:
        """Opens or makes the store, and takes up sends left by an earlier process, unless the store was copied or restored (see `on_copied_store`). A store that was
        not closed properly is checked first. Touches no network. Errors: InvalidInput, WrongKey, Corrupt, StoreBusy."""
    @staticmethod
    def open_with_clock(config: Config, root_key: _RootKey, clock: _TestClock) -> Engine:
        """`open` on a clock that tests move. Errors: as `open`; InvalidInput unless the cloud is `Custom` on loopback."""
    @staticmethod
    def open_file(path: str, root_key: _RootKey) -> Engine:
        """`open` with the settings of a `tidings.toml`, in which `${NAME}` stands for an environment variable. Unknown keys are errors.
        Errors: as `open`."""
    async def close(self) -> None:
        """Stops new work, lets durable steps end, and closes the store. May be called twice. Streams end."""
    @overload
    async def connect(self, request: ConnectRequest) -> SignIn:
        """Starts a sign-in (authorization code with PKCE). Stores the attempt, touches no network. Errors: InvalidInput, Conflict (the owner was deleted).
        Source: Microsoft identity platform, OAuth 2.0 authorization code flow; RFC 7636."""
    @overload
    async def connect(self, *, owner: str, features: Sequence[_Feature], redirect_uri: str = ..., login_hint: str | None = ..., extra_scopes: Sequence[str] = ..., app: str | None = ..., tenant: str | None = ..., context: str | None = ...) -> SignIn: ...
    async def finish_connect(self, callback_url: str, binding: str) -> Account:
        """Ends a sign-in with the URL the browser came back to. Works once per attempt, also after a restart; runs to its end when the caller stops waiting.
        Also takes the callback of an `Approval`. Errors: InvalidInput, Conflict (already used, or another person than the account's), Cancelled (declined or
        expired), ConsentMissing (an administrator must approve first: `account_id` names the stored account, for `approval`), Forbidden (a policy, a wrong
        registration, a guest who would connect an organisation, nobody who may approve for it), LimitExceeded (20 accounts of the owner wait already), TokenRejected (it failed its checks, or Microsoft does not take its code any more: start again), Network (the same callback can be
        brought again)."""
    @overload
    async def connect_here(self, request: ConnectRequest) -> LoopbackSignIn:
        """Starts a sign-in whose callback is received on a loopback port of this machine. Errors: as `connect`."""
    @overload
    async def connect_here(self, *, owner: str, features: Sequence[_Feature], redirect_uri: str = ..., login_hint: str | None = ..., extra_scopes: Sequence[str] = ..., app: str | None = ..., tenant: str | None = ..., context: str | None = ...) -> LoopbackSignIn: ...
    @overload
    async def connect_device(self, request: ConnectRequest) -> DeviceSignIn:
        """Starts a sign-in by a code that the person types in on any device. Errors: as `connect`; Network, Forbidden (a wrong registration).
        Source: Microsoft identity platform, device authorization grant; RFC 8628."""
    @overload
    async def connect_device(self, *, owner: str, features: Sequence[_Feature], redirect_uri: str = ..., login_hint: str | None = ..., extra_scopes: Sequence[str] = ..., app: str | None = ..., tenant: str | None = ..., context: str | None = ...) -> DeviceSignIn: ...
    @overload
    async def connect_tenant(self, request: TenantRequest) -> SignIn:
        """Starts to connect an organisation. The sign-in proves which one, and by `wids` that the person may approve; the account it gives awaits the administrator's `approval` and then gets
        tokens of its own. Errors: as `connect`; Forbidden (personal accounts).
        Source: Microsoft identity platform, admin consent; OAuth 2.0 client credentials flow."""
    @overload
    async def connect_tenant(self, *, owner: str, redirect_uri: str, app: str | None = ..., tenant: str | None = ..., context: str | None = ..., endpoint: SubscriberLink | None = ...) -> SignIn: ...
    @overload
    async def link_person(self, request: LinkRequest) -> SignIn:
        """Starts a sign-in that only tells who somebody is. Errors: as `connect`."""
    @overload
    async def link_person(self, *, owner: str, redirect_uri: str, app: str | None = ..., tenant: str | None = ..., login_hint: str | None = ..., context: str | None = ..., endpoint: SubscriberLink | None = ...) -> SignIn: ...
    async def reconnect(self, account_id: str, redirect_uri: str, owner: str | None = ...) -> SignIn:
        """Starts a new sign-in for an account that has one; it keeps its id, mail and queue, and only the same person may finish it. What Microsoft asked for
        (claims) is passed on. Errors: as `connect`; NotFound."""
    async def add_features(self, account_id: str, features: Sequence[_Feature], redirect_uri: str, owner: str | None = ...) -> SignIn:
        """Starts a sign-in that asks for further features, beside those the account has. Errors: as `connect`; NotFound."""
    async def add_shared_mailbox(self, account_id: str, address: str, owner: str | None = ...) -> Account:
        """Adds a shared mailbox of the organisation, or another person's mailbox that is shared with this account, as an account of its own: with its own id,
        folders, messages, health and schedule, and the owner of the account that opens it, its delegate. Exchange has to show first that it lets the delegate
        in: the inbox is read, and a draft is made and removed. Where only reading works, the mailbox is synced and nothing is sent from it; whether Exchange
        lets mail out in its name (Send As, Send on Behalf) only a send tells. Microsoft tells nothing of such mailboxes, so it is looked at every few minutes
        once the engine has started. A mailbox that is there already keeps its id, mail and queue, and is opened through this account from then on. When its
        delegate is disconnected or purged, so is the mailbox. With the account of an organisation any mailbox of it is added, a person's as well: it needs `Mail.Read` as a permission of the
        application, `Mail.ReadWrite` to change mail, `Mail.Send` beside that to send; with `Contacts.Read` and `Calendars.Read` it has those as well. Such a mailbox is told of by Microsoft like a
        person's. Runs to its end when the caller stops waiting.
        Errors: InvalidInput (the address, the account's own address, a personal account, an account that is a shared mailbox itself), ConsentMissing (Mail.ReadWrite.Shared was not granted: add the
        feature shared_mailboxes; of an organisation the permission is named), Forbidden (no right in Exchange, or a policy of it), NotFound (no such account, or no such mailbox), NotConnected,
        NeedsReconnect, Throttled, Network.
        Source: Graph, outlook-share-messages-folders and outlook-send-mail-from-other-user, auth-limit-mailbox-access."""
    @overload
    async def permissions(self, query: PermissionQuery) -> PermissionList:
        """Explains permissions to the person who is asked for them. Errors: InvalidInput, NotFound."""
    @overload
    async def permissions(self, *, features: Sequence[_Feature] = ..., extra_scopes: Sequence[str] = ..., account_id: str | None = ..., owner: str | None = ...) -> PermissionList: ...
    async def approval(self, account_id: str, redirect_uri: str, owner: str | None = ...) -> Approval:
        """What an administrator has to approve for this account: link, texts. The link is valid as long as a sign-in; ask again for another.
        Errors: InvalidInput, NotFound, Forbidden (personal accounts)."""
    async def resume(self, account_id: str, owner: str | None = ...) -> Account:
        """Looks whether the approval came without a callback: an organisation's account is then connected, and one that is connected has the permissions that were approved since. A person's account says that the person signs in again.
        Errors: NotFound, NotConnected, Network, ConsentMissing (not yet), Forbidden (a wrong registration, or nobody who may approve has signed in), Conflict (another owner has this organisation)."""
    @overload
    async def accounts(self, filter: AccountFilter) -> AccountPage:
        """A page of the accounts, in the order in which they were connected first. Errors: InvalidInput (limit, or the cursor is another list's)."""
    @overload
    async def accounts(self, *, owner: str | None = ..., state: _AccountState | None = ..., limit: int = ..., cursor: str | None = ...) -> AccountPage: ...
    async def account(self, account_id: str, owner: str | None = ...) -> Account:
        """With an `owner`, here and in all calls that take one, the account or message of another owner is NotFound. Errors: NotFound."""
    async def verify(self, account_id: str, test_message: bool, owner: str | None = ...) -> Verification:
        """Asks Microsoft who the account is and whether its mailbox can be reached; sends a mail to itself if a test message is asked for. Of an
        organisation, whether Graph takes the application's token. An account that needs
        its person is tried once more: if a renewed token opens it, it is connected again.
        Errors: NotFound, NotConnected, NeedsReconnect, Network."""
    async def health(self, owner: str) -> Health:
        """How all accounts of an owner are doing. Touches no network. Errors: NotFound."""
    async def disconnect(self, account_id: str, owner: str | None = ...) -> Account:
        """Cancels queued sends, stops syncs and destroys the account's tokens at once; works offline. Its subscription is deleted at Microsoft first, if that can be
        reached within five seconds; else it expires, and what is posted until then is dropped. Shared mailboxes that are opened through it are disconnected with it. Synced mail is kept. Errors: NotFound."""
    async def stage_attachment(self, account_id: str, name: str, content_type: str = ..., size: int | None = ..., content_id: str | None = ...) -> AttachmentWriter:
        """Begins an attachment of up to 150 MB that is handed in piece by piece, sealed and durable, before the draft that names it. `size`: bytes that it comes
        to, if that is known; another count is an error. What `finish` gives goes into drafts of this account, into several of them if they are handed in
        before the first of them is sent. It is kept for a day, and then for as long as a send needs it. Touches no network. The helpers of each
        language for files and streams do all of it in one call. Errors: InvalidInput (name, content type), LimitExceeded (size), NotConnected,
        NeedsReconnect, ConsentMissing, StoreFull.
        Source: Graph, Attach large files to Outlook messages."""
    async def set_signature(self, account_id: str, signature: _Signature | None = ..., owner: str | None = ...) -> None:
        """What the account puts below its mails whose drafts say `add_signature`; None takes it away. It is stored sealed, 256 KB with its images at the most, and stays
        after `disconnect`. Drafts that were handed in before keep the signature of that moment. Durable when it returns. With `owner`, an account of another owner
        is NotFound. Errors: InvalidInput (no text, an image without content or content id), LimitExceeded, NotFound, StoreBusy."""
    async def signature(self, account_id: str, owner: str | None = ...) -> Signature | None:
        """As it was set; None: the account has none. Errors: NotFound."""
    async def preview(self, draft: _Draft) -> Preview:
        """What the draft says once its merge fields are filled in and its signature is added, as it would be sent; stores and sends nothing, and touches no network. Errors: as `send` before storing, but for
        what only the draft's key or the things it names would bring."""
    async def send(self, draft: _Draft) -> Receipt:
        """Stores the draft, delivers it and answers with the outcome; `queued` when `send_timeout_ms` passed first.
        Errors before anything is stored: InvalidInput, LimitExceeded, NotConnected, ConsentMissing (also of a `from_address` that is not the account's own),
        Conflict. After that the receipt tells: without a right in Exchange to the `from_address` it is `failed`."""
    async def enqueue(self, draft: _Draft) -> Receipt:
        """Stores the draft and answers at once; delivery goes on in the background, after what `send` waits for. Errors: as `send` before storing."""
    async def enqueue_all(self, drafts: Sequence[_Draft]) -> list[Receipt]:
        """`enqueue` for 1 to 1000 drafts in one transaction: all of them are stored, or none. Receipts come in the order of the drafts; one whose idempotency
        key is known gives the receipt there is. Together they may hold 64 MB. Errors: as `send` before storing; what is wrong with a draft says which."""
    async def receipt(self, receipt_id: str, owner: str | None = ...) -> Receipt:
        """What became of a draft. With `owner`, a send of another owner is NotFound. Errors: NotFound."""
    @overload
    async def outbox(self, filter: OutboxFilter) -> list[Receipt]:
        """Sends of an owner or an account, newest first; of what went to endpoints the parts, which name their whole. Errors: InvalidInput when neither is named."""
    @overload
    async def outbox(self, *, owner: str | None = ..., account_id: str | None = ..., state: _SendState | None = ..., limit: int = ...) -> list[Receipt]: ...
    async def last_sender(self, owner: str, context: str) -> LastSender | None:
        """The account and the From that this owner used last in this context, as the drafts name it (1 to 200 characters): remembered with the send when it was
        stored, whatever became of it, for a year after it was used last. None: nothing is remembered, or the account is disconnected or purged; the one
        before it is not offered in its place. What one owner used no other is told. Touches no network. Errors: InvalidInput."""
    async def edit(self, receipt_id: str, draft: _Draft, owner: str | None = ...) -> Receipt:
        """Replaces what a send says that has not left: the draft is whole, what it leaves out is gone, with its time, deadline and order. The send keeps its
        receipt, its account, its kind and its idempotency key, which then stands for the new content. With `owner`, a send of another owner is NotFound.
        Errors: as `send` before storing; NotFound; Conflict when it has left, is being sent, or something of it may lie at Microsoft already, as a draft or a file."""
    async def edit_sent(self, receipt_id: str, draft: _Draft, owner: str | None = ...) -> Receipt:
        """Replaces what a message in a chat or channel, or one of the bot, says that was sent: the draft is whole and checked like a new one; its key, time and place change nothing. It is changed at once,
        and the same call again does no harm. The account needs `Chat.ReadWrite`, for a channel `ChannelMessage.ReadWrite`, among the extra scopes it was
        connected with; a bot needs nothing more. With `owner`, a send of another owner is NotFound. Errors: InvalidInput, LimitExceeded; NotFound (also when the message is gone);
        Conflict for a mail, and for what was not sent; NotConnected, NeedsReconnect, ConsentMissing; Forbidden. Source: Graph, chatMessage: update."""
    async def delete_sent(self, receipt_id: str, owner: str | None = ...) -> Receipt:
        """Deletes a message in a chat or channel, or one of the bot, that was sent; those who see it are shown that it was deleted. The same call again does no harm, and the receipt
        stays. Permissions and errors: as `edit_sent`. Source: Graph, chatMessage: softDelete."""
    async def cancel(self, receipt_id: str, owner: str | None = ...) -> Receipt:
        """Takes a send back that is provably unsent, and its draft out of the mailbox if one was made. What is cancelled already stays so. A parked send ends
        as `unknown`: it does not leave from here, and the original of the store may have sent it. With `owner`, a send of another owner is NotFound.
        Errors: NotFound, Conflict when it was sent, is being sent, may have been sent, or failed."""
    async def retry(self, receipt_id: str, even_if_unknown: bool = ..., owner: str | None = ...) -> Receipt:
        """Sends a failed one again, without its deadline; the receipt is `queued`, and delivery goes on in the background. With `even_if_unknown` also one that
        may have been sent: a mail is looked for once more first, a chat message is posted again. A parked send is let go by that as well. With `owner`, a
        send of another owner is NotFound. Errors: NotFound, Conflict when it is not failed, NotConnected, NeedsReconnect, ConsentMissing, StoreBusy."""
    async def add_workflow(self, owner: str, name: str, url: str, context: str | None = ...) -> Workflow:
        """Registers the URL of a Teams workflow whose trigger is a webhook request. The URL is a secret and is not shown again; nothing is sent to it here: send a
        first post to try it. `name` is for display, 1 to 100 characters; `context` is anything you want to find again at the workflow, at most 1000
        characters, stored sealed. Durable when it returns; runs to its end when the caller stops waiting. Errors: InvalidInput (owner, name, context, or the URL
        is none of a workflow), LinkRejected (its host is not one that workflows are at: see `workflow_hosts`), LimitExceeded (1,000 of one owner), Conflict (the
        owner was deleted).
        Source: Power Automate, “When a Teams webhook request is received”."""
    async def workflows(self, owner: str) -> list[Workflow]:
        """Workflows of an owner, in the order in which they were added. Touches no network. Errors: InvalidInput (the owner)."""
    async def remove_workflow(self, workflow_id: str, owner: str | None = ...) -> None:
        """Destroys the URL and takes back what was not posted yet; works offline. Receipts stay until `purge`, which takes its id. In Power Automate the workflow is as it was. With `owner`, a
        workflow of another owner is NotFound. Errors: NotFound."""
    async def roster(self, account_id: str, team_id: str, limit: int = ..., cursor: str | None = ..., owner: str | None = ...) -> RosterPage:
        """People of a team as the bot sees them, a page of up to `limit` (50 to 500) at a time; `account_id` is that of an organisation, `cursor` the `next` of the page
        before. They are remembered, so that a `BotDraft` finds them by address, object id or `id`. The bot's app has to be installed in the team. Errors: InvalidInput;
        NotFound (the account, the team); NotConnected; Forbidden; AppNotInstalled; Throttled. Source: Teams, get Teams specific context for your bot."""
    @overload
    async def bot_activities(self, query: BotActivityQuery) -> BotActivityPage:
        """What people said to the bot, what it was told, and what it said itself once that was sent (`is_own`), the newest first: of all organisations of an owner or of one
        account, of all conversations or of one. It is kept as long as changes are (`keep_changes_days`). Touches no network. Errors: InvalidInput (also when neither is named, or the cursor is another query's),
        NotFound."""
    @overload
    async def bot_activities(self, *, owner: str | None = ..., account_id: str | None = ..., conversation_id: str | None = ..., limit: int = ..., cursor: str | None = ...) -> BotActivityPage: ...
    async def bot_activity(self, id: str, owner: str | None = ...) -> BotActivity:
        """One of them, as a change names it in `subject_id`. Touches no network. Errors: NotFound."""
    @overload
    async def conversations(self, query: BotConversationQuery) -> BotConversationPage:
        """Conversations of the bot, the one in which something happened last first: of all organisations of an owner or of one account. Touches no network. Errors: as
        `bot_activities`."""
    @overload
    async def conversations(self, *, owner: str | None = ..., account_id: str | None = ..., limit: int = ..., cursor: str | None = ...) -> BotConversationPage: ...
    async def typing(self, account_id: str, conversation_id: str, owner: str | None = ...) -> None:
        """Shows in a conversation, for a few seconds, that the bot is typing. Errors: InvalidInput; NotFound (the account, the conversation); NotConnected; AppNotInstalled;
        BotBlocked; ConversationGone. Source: Bot Framework, activity of the type typing."""
    @overload
    async def app_package(self, package: AppPackage) -> bytes:
        """A Teams app with a bot as the zip that is uploaded: manifest 1.25, both icons, and a file for each further language. Everything is checked by the rules of
        Microsoft's schema before anything is made; the same package gives the same bytes, on every machine. Stores nothing and touches no network.
        Errors: InvalidInput, which names the field. Source: Microsoft Teams, app manifest schema 1.25."""
    @overload
    async def app_package(self, *, app_id: str, version: str, developer: AppDeveloper, texts: AppTexts, color_icon: bytes, outline_icon: bytes, scopes: Sequence[_AppScope], accent_color: str = ..., bot_id: str | None = ..., client_id: str | None = ..., resource: str | None = ..., is_notification_only: bool = ..., supports_files: bool = ..., valid_domains: Sequence[str] = ..., language: str = ..., localizations: Sequence[_AppLocalization] = ...) -> bytes: ...
    @overload
    async def install_app(self, request: InstallRequest) -> AppInstall:
        """Installs an app of the organisation's catalogue, or of the store, for a team or a person; that it is installed already is success, whatever its version.
        The account needs `AppCatalog.Read.All`, and `TeamsAppInstallation.ReadWriteSelfForTeam` or `TeamsAppInstallation.ReadWriteSelfForUser` (an organisation's
        account those that end in `.All`), or a larger one: the Self permissions install the app that names the account's application as its `client_id`. A
        person named by address is looked up, which needs `User.ReadBasic.All`. Runs to its end when the caller stops waiting; the same call
        again does no harm. Errors: InvalidInput; NotFound (the account, the app, the team or the person); NotConnected, NeedsReconnect; ConsentMissing, which
        names the permission; Forbidden (a policy of the organisation, or an account of another kind); Throttled, Network; Upstream (accepted, but not to be seen yet).
        Source: Graph, team: add app, userTeamwork: install app."""
    @overload
    async def install_app(self, *, account_id: str, external_id: str, team_id: str | None = ..., user: str | None = ..., owner: str | None = ..., endpoint: SubscriberLink | None = ...) -> AppInstall: ...
    @overload
    async def installed_app(self, request: InstallRequest) -> AppInstall | None:
        """The app as it is installed there; None: it is not. Permissions and errors: as `install_app`."""
    @overload
    async def installed_app(self, *, account_id: str, external_id: str, team_id: str | None = ..., user: str | None = ..., owner: str | None = ..., endpoint: SubscriberLink | None = ...) -> AppInstall | None: ...
    @overload
    async def upgrade_app(self, request: InstallRequest) -> AppInstall:
        """Brings the app that is installed there to the catalogue's newest version, and tells that one. Permissions and errors: as `install_app`; NotFound also
        where it is not installed. Source: Graph, teamsAppInstallation: upgrade."""
    @overload
    async def upgrade_app(self, *, account_id: str, external_id: str, team_id: str | None = ..., user: str | None = ..., owner: str | None = ..., endpoint: SubscriberLink | None = ...) -> AppInstall: ...
    @overload
    async def uninstall_app(self, request: InstallRequest) -> None:
        """Removes the app there; that it is not installed is success. The bot can write there no longer. Permissions and errors: as `install_app`.
        Source: Graph, team: remove app, userTeamwork: uninstall app."""
    @overload
    async def uninstall_app(self, *, account_id: str, external_id: str, team_id: str | None = ..., user: str | None = ..., owner: str | None = ..., endpoint: SubscriberLink | None = ...) -> None: ...
    @overload
    async def add_endpoint(self, request: EndpointRequest) -> Endpoint:
        """Adds a place where a subscriber is told something. The same target for the same subscriber and context is the same endpoint: it is made active if it was retired, and
        answered. Touches no network but to renew a sign-in; whether the place is there turns out with the first message. Durable when it returns. Errors: InvalidInput; NotFound (the account or workflow, of
        this owner); NotConnected, NeedsReconnect, ConsentMissing; Forbidden (an account of a kind that cannot write there); LimitExceeded (100 of one subscriber);
        Conflict (the subscriber is an owner who was deleted)."""
    @overload
    async def add_endpoint(self, *, subscriber: str, target: _EndpointTarget, account_id: str = ..., context: str | None = ..., owner: str | None = ...) -> Endpoint: ...
    @overload
    async def endpoints(self, query: EndpointQuery) -> EndpointPage:
        """Endpoints in the order in which they were made, retired ones too. Touches no network. Errors: InvalidInput (also when neither owner, account nor subscriber is named,
        or the cursor is another query's), NotFound."""
    @overload
    async def endpoints(self, *, owner: str | None = ..., account_id: str | None = ..., subscriber: str | None = ..., context: str | None = ..., state: _EndpointState | None = ..., limit: int = ..., cursor: str | None = ...) -> EndpointPage: ...
    async def change_endpoint(self, endpoint_id: str, change: EndpointChange, owner: str | None = ...) -> Endpoint:
        """Changes an endpoint; it keeps its id. A new target makes it active. What is under way to the old one is not called back, and can retire it no more. Durable when it returns. With
        `owner`, an endpoint whose subscriber, account or workflow is not theirs is NotFound. Errors: as `add_endpoint`; NotFound; Conflict (there is one like it)."""
    async def remove_endpoint(self, endpoint_id: str, owner: str | None = ...) -> None:
        """Removes an endpoint. What is under way to it goes on, and receipts stay. With `owner`, as `change_endpoint`. Errors: NotFound."""
    async def find_person(self, account_id: str, address: str, owner: str | None = ...) -> Person | None:
        """The person of the organisation who has this mail address; none when there is nobody. The account of an organisation needs `User.ReadBasic.All` as a
        permission of the application. Errors: InvalidInput; NotFound (the account); NotConnected, NeedsReconnect; ConsentMissing without the feature people or
        chat, or the permission; Conflict when more than one person has it. Source: Graph, user: list."""
    @overload
    async def people(self, query: PeopleQuery) -> list[Person]:
        """People of the organisation whose name or address begins with a text, by name. Errors: as `find_person`. Source: Graph, $search on users."""
    @overload
    async def people(self, *, account_id: str, text: str, limit: int = ..., owner: str | None = ...) -> list[Person]: ...
    async def teams(self, account_id: str, owner: str | None = ...) -> list[Team]:
        """The teams the person belongs to; with the account of an organisation all its teams, for which the application needs `Team.ReadBasic.All` as its own. Errors:
        NotFound (the account); NotConnected, NeedsReconnect; ConsentMissing without the feature channels, or the permission. Source: Graph, user: list joinedTeams, teams: list."""
    async def channels(self, account_id: str, team_id: str, owner: str | None = ...) -> list[TeamChannel]:
        """The channels of a team that the person sees. Errors: as `teams`; InvalidInput; NotFound and Forbidden for a team that is not the person's.
        Source: Graph, channel: list."""
    async def all_channels(self, account_id: str, owner: str | None = ...) -> list[TeamChannels]:
        """All teams of the person with their channels, asked for twenty teams at a time. What is wrong with one team is told of that one. Errors: as `teams`."""
    async def chats(self, account_id: str, limit: int = ..., owner: str | None = ...) -> list[TeamsChat]:
        """Chats the person is in, the one with the newest message first; `limit` 1 to 1000. It needs a permission that is not asked for sending: connect with
        `Chat.ReadBasic` or `Chat.Read` among the extra scopes. Errors: InvalidInput; NotFound (the account); NotConnected, NeedsReconnect; ConsentMissing.
        Source: Graph, chat: list."""
    async def chat_messages(self, account_id: str, chat_id: str, limit: int = ..., owner: str | None = ...) -> list[ChatMessage]:
        """What was said in a chat, the newest first; `limit` 1 to 1000. It needs `Chat.Read` among the extra scopes the account was connected with. Microsoft's
        terms allow no chat to be polled more than once a day. Errors: as `chats`; NotFound for a chat the person is not in. Source: Graph, chat: list messages."""
    def start(self) -> None:
        """From now on, until shutdown, this process brings mailboxes up to date by itself: those of all accounts that are connected for `mail_sync`, `contacts`, `calendar` or chats that may be read, seconds after
        something happened in them and minutes apart when they are quiet; chats once a day. What came is in `changes`. Several processes on one store share the work. May be
        called twice. Errors: Closed, Forked."""
    async def run_once(self, deadline_ms: int) -> RunReport:
        """Does what is due and ends: mailboxes are brought up to date, sends and changes of messages delivered, subscriptions renewed, and what is older than is kept erased. For programs that run now and then: a
        timer, a serverless function, a background window of a phone. At `deadline_ms` (from now; 1,000 to 86,400,000) syncs stop after a page, and what is left
        is due at the next call. Safe beside other processes on the same store. A cancelled call stops the same way and loses nothing.
        Errors: InvalidInput, Closed, StoreBusy; what fails in one mailbox is in the report."""
    async def sync(self, account_id: str, owner: str | None = ...) -> SyncReport:
        """Brings the account's folders up to date, its contacts, its calendar and its chats (for `chat`, if `Chat.Read` was granted: Microsoft allows them to be asked for once a day). Each page is stored with its cursor in one transaction; a cancelled call stops after a page and loses nothing.
        While a back-fill of the account is not done, folders that it has not come to the end of bring what is new in them. Calls that come while a sync of the account runs
        share the one after it. What is wrong with one folder, one chat or one event, or with mail, contacts or the calendar as a whole, keeps none of the others out; the first of it is the error in the end.
        Source: Graph, message: delta. Errors: NotFound (of another owner), NotConnected, NeedsReconnect, ConsentMissing, Throttled, Network, Upstream, LinkRejected."""
    async def sync_all(self, owner: str | None = ...) -> list[SyncOutcome]:
        """`sync` for all accounts of an owner, or of everybody when none is named, that are connected for `mail_sync`, `contacts`, `calendar` or chats that may be read: several at a time, in any order. Outcomes
        come in the order of `accounts`; the failure of one stops no other. A cancelled call stops each sync after a page. Errors: InvalidInput (the owner)."""
    async def choose_folders(self, account_id: str, folders: Sequence[str], owner: str | None = ...) -> Account:
        """Chooses the folders that are synced from the next sync on, by well-known name, id or, once they are known, display name, or `["all"]` for every folder, those to come as well; an empty
        list: those of the configuration. Mail of a folder that is no longer chosen is kept as it is. Touches no network.
        Errors: InvalidInput, LimitExceeded (more than 1,000), NotFound."""
    async def folders(self, account_id: str, owner: str | None = ...) -> list[Folder]:
        """Folders known from the last sync. Errors: NotFound."""
    async def quarantined(self, account_id: str, owner: str | None = ...) -> list[QuarantinedItem]:
        """What of the mailbox is set aside because it could not be read or told, oldest first, 1,000 at the most. Each is asked for again by the syncs to come,
        with growing pauses, and leaves this list when it can be read or is gone. Touches no network. Errors: NotFound."""
    async def estimate_backfill(self, account_id: str, range: _BackfillRange, owner: str | None = ...) -> BackfillEstimate:
        """How many messages a range holds in the folders of the account that are synced, before anything is fetched. Asks Microsoft for the folders and, for a range
        with a beginning, for a count of each. Errors: InvalidInput, NotFound, NotConnected, NeedsReconnect, ConsentMissing, those of the network.
        Source: Graph, list mailFolders; list messages, `$count`."""
    async def backfill(self, account_id: str, range: _BackfillRange, owner: str | None = ...) -> Backfill:
        """Fetches the mail of a range in the background, the newest first, bodies included, and answers once that is stored, with an estimate. It goes on in this
        process, or in another one that opens the store, until it is `Done`: over restarts, expired links and new sign-ins. Each page is durable with how far it
        brings the back-fill. New mail does not wait for it: `sync`, `start` and push go on. From then on nothing is fetched that is older than the range and was not
        fetched before. Called again it changes the range: what is here stays, a larger range fetches what is missing. Progress is in `events`
        (`BackfillChanged`) and `backfill_status`. An account without a back-fill is fetched whole by its first sync. A cancelled call has begun it or not.
        Errors: as `estimate_backfill`; Conflict."""
    async def pause_backfill(self, account_id: str, owner: str | None = ...) -> Backfill:
        """Has a back-fill wait; nothing more of it is stored once this answers. Durable. Changes nothing of one that is done, cancelled or paused already.
        Touches no network. Errors: NotFound."""
    async def resume_backfill(self, account_id: str, owner: str | None = ...) -> Backfill:
        """Has a paused back-fill go on from where it is, also when its links have expired meanwhile. Durable. Changes nothing of one that is not paused.
        Touches no network. Errors: NotFound."""
    async def cancel_backfill(self, account_id: str, owner: str | None = ...) -> Backfill:
        """Ends a back-fill for good: what is here stays, and nothing older is fetched. The folders are still walked for their delta links, so that syncs go on from
        there. `backfill` begins another one. Durable. Changes nothing of one that is done. Touches no network. Errors: NotFound."""
    async def backfill_status(self, account_id: str, owner: str | None = ...) -> Backfill | None:
        """How far the account's last back-fill is; none if there was none. Touches no network. Errors: NotFound."""
    @overload
    async def messages(self, query: MessageQuery) -> MessagePage:
        """Of all accounts of an owner, or of one account. The first list that asks for an `address`, or after an update for
        `has_attachments`, looks through all mail that is here, some seconds for 100,000. Errors: InvalidInput (also when neither is named, or the cursor is another query's),
        NotFound."""
    @overload
    async def messages(self, *, owner: str | None = ..., account_id: str | None = ..., folder: str | None = ..., is_read: bool | None = ..., conversation_id: str | None = ..., limit: int = ..., cursor: str | None = ..., link: str | None = ..., has_attachments: bool | None = ..., received_after: datetime | None = ..., received_before: datetime | None = ..., address: str | None = ...) -> MessagePage: ...
    @overload
    async def threads(self, query: ThreadQuery) -> ThreadPage:
        """Conversations of all accounts of an owner or of one account, each once, with its newest mail; two accounts in the same conversation are two threads. Pages hold
        still while mail arrives: what came since the first page was asked for shows at the top of the next walk, and moves nothing in this one. Errors: as `messages`."""
    @overload
    async def threads(self, *, owner: str | None = ..., account_id: str | None = ..., folder: str | None = ..., unread_only: bool = ..., link: str | None = ..., limit: int = ..., cursor: str | None = ..., address: str | None = ...) -> ThreadPage: ...
    async def message(self, message_id: str, owner: str | None = ...) -> Message:
        """Errors: NotFound."""
    async def body(self, message_id: str, owner: str | None = ..., form: _BodyForm | None = ..., options: BodyOptions | None = ...) -> MessageBody:
        """The content as it came and both forms, or with `form` only that one made of it: making text or safe HTML of a long mail takes milliseconds. Touches no network, unless
        pictures are asked for as data. Errors: NotFound; for pictures as data those of `attachment`."""
    async def attachment(self, message_id: str, attachment_id: str, owner: str | None = ...) -> AttachmentContent:
        """The content of an attachment, from the mailbox: one up to 1 MB is here when this answers, a longer one arrives as it is asked for. Of an item it is MIME, a
        vCard or iCalendar; a reference has none (see `AttachmentContent`). Works for attachments that are not listed yet as well. Needs `mail_sync`. With
        `attachment_cache_mb` of `Config`, one that was read to its end before is served from disk, as a body is: without a request, and recorded as read all the same. Errors: NotFound
        (also when the mail or the attachment is gone from the mailbox), InvalidInput, NotConnected, NeedsReconnect, ConsentMissing, Throttled, Network, Upstream.
        Source: Graph, Get attachment."""
    async def mime(self, message_id: str, owner: str | None = ...) -> AttachmentContent:
        """A whole mail as MIME, with all that is attached, from the mailbox and in the form of `attachment`. Errors: as `attachment`.
        Source: Graph, Get MIME content of a message."""
    @overload
    async def search(self, query: SearchQuery) -> list[Message]:
        """Of all accounts of an owner or of one account. In a store with clear content its own index is asked, and the best matches come first; it holds subjects, names,
        addresses and bodies. A store with sealed content has none: Microsoft searches the mailboxes, in subjects, senders and bodies, among the newest 1,000 that match,
        and the newest come first. Either way only mail that is here is shown, so what lies in folders that are not synced is left out. Of an owner's accounts, those that
        are disconnected or without `mail_sync` cannot be asked and are left out as well; any other failure fails the search. Words are words: quotes, operators and
        brackets mean nothing. Errors: InvalidInput (also when neither is named), NotFound; sealed: NotConnected, NeedsReconnect, ConsentMissing, Throttled, Network,
        Upstream, with the account.
        Source: Graph, use the $search query parameter."""
    @overload
    async def search(self, *, text: str, owner: str | None = ..., account_id: str | None = ..., limit: int = ...) -> list[Message]: ...
    async def thread(self, message_id: str, owner: str | None = ...) -> MailThread:
        """The conversation a message belongs to, in its account. Errors: NotFound."""
    async def mark_read(self, message_id: str, is_read: bool, owner: str | None = ...) -> Message:
        """Sets the read state here and, in the background, in the mailbox: as `mark_all_read`, of one message, which is handed out as it is then. Errors:
        NotFound, NotConnected, NeedsReconnect, ConsentMissing, StoreBusy."""
    async def mark_all_read(self, message_ids: Sequence[str], is_read: bool, owner: str | None = ...) -> None:
        """Sets the read state of 1 to 1,000 messages: of all of them, or of none. It is stored and shows at once, and goes to the mailbox in the background, many
        in a batch; `is_edit_waiting` of a message says that it is on its way. Offline it waits, without end and over restarts. Of each property the newest
        change counts, by Microsoft's clock and to the second: a newer one here replaces one that waits; where somebody else changed it in the mailbox after
        that, theirs stays. What Microsoft refuses for good is taken back here, which is a change in the feed and the event `EditRefused`; of a message that
        is gone nothing is left to change. A disconnect drops what waits. Source: Graph, message: update.
        Errors, before anything is stored: InvalidInput, NotFound (one of them is unknown or of another owner), NotConnected, NeedsReconnect, ConsentMissing
        (`Mail.ReadWrite`), StoreBusy."""
    async def flag(self, message_ids: Sequence[str], status: _FlagStatus, due_at: datetime | None = ..., owner: str | None = ...) -> None:
        """Flags 1 to 1,000 messages for follow-up, marks them as done, or takes the flag away; otherwise as `mark_all_read`. `due_at` is for `Flagged` alone:
        Outlook shows its day. Without it the flag has none. Source: Graph, followupFlag. Errors: as `mark_all_read`."""
    async def categorize(self, message_ids: Sequence[str], add: Sequence[str] = ..., remove: Sequence[str] = ..., owner: str | None = ...) -> None:
        """Adds and removes categories of 1 to 1,000 messages, by name; otherwise as `mark_all_read`. The list as it is here, changed by these, is what the mailbox
        gets, and the list is one property. 1 to 50 names of 1 to 255 characters. Errors: as `mark_all_read`."""
    async def move_messages(self, message_ids: Sequence[str], folder: str, owner: str | None = ...) -> None:
        """Moves 1 to 1,000 messages to a folder, by its id, well-known name, display name or path, as of the last sync; otherwise as `mark_all_read`. They keep their ids. Not to
        Deleted Items or below: mail is never deleted from here. Source: Graph, message: move. Errors: as `mark_all_read`; NotFound, for a folder that is not
        known; InvalidInput, for one that takes no mail."""
    async def link(self, message_ids: Sequence[str], key: str, owner: str | None = ...) -> None:
        """Gives 1 to 1,000 messages a key of the host's own, all of them or none: `links` shows it, of what came into their conversations since as well, and of
        what comes there later; `messages` finds them by it. Each is a change in the feed. Nothing of it leaves this store.
        Errors: InvalidInput, NotFound (one of them is unknown or of another owner), StoreBusy."""
    async def unlink(self, message_ids: Sequence[str], key: str, owner: str | None = ...) -> None:
        """Takes a key from 1 to 1,000 messages, whoever gave it, and remembers that. Others of their conversations keep it; where no message of a conversation
        is left that was given it, what comes there gets it no more. Errors: as `link`."""
    @overload
    async def set_link_rule(self, rule: LinkRule) -> None:
        """From now on messages of the owner's accounts get the rule's key by who wrote them and who is among `to` and `cc`: as they arrive, and those that are here in
        the background, in steps that survive a restart; as if by `link`, so that their conversations inherit it. An address may stand in many rules. A message the key was taken
        from by `unlink` does not get it back. A rule with the same key is replaced; what messages got by it stays. Addresses are stored sealed, and found by keyed hashes.
        Errors: InvalidInput, LimitExceeded (10,000 rules of the owner), Conflict (the owner was deleted), StoreBusy."""
    @overload
    async def set_link_rule(self, *, owner: str, key: str, addresses: Sequence[str] = ..., domains: Sequence[str] = ...) -> None: ...
    async def link_rules(self, owner: str) -> list[LinkRule]:
        """All rules of an owner, in the order in which they were made. Errors: InvalidInput."""
    async def remove_link_rule(self, owner: str, key: str) -> None:
        """No more messages get a key by this rule; those that have it keep it. Errors: InvalidInput, NotFound."""
    async def archive(self, message_ids: Sequence[str], owner: str | None = ...) -> None:
        """`move_messages` to the archive folder of their mailboxes. Errors: as `move_messages`; NotFound where a mailbox has no archive folder."""
    @overload
    async def contacts(self, query: ContactQuery) -> ContactPage:
        """Contacts as of the last sync, of all accounts of an owner or of one account, all of them or those with a mail address. Accounts that are connected for
        `contacts` have theirs synced by `sync`, `start` and `run_once`. Touches no network.
        Errors: InvalidInput (also when neither is named, or the cursor is another query's), NotFound."""
    @overload
    async def contacts(self, *, owner: str | None = ..., account_id: str | None = ..., address: str | None = ..., limit: int = ..., cursor: str | None = ...) -> ContactPage: ...
    @overload
    async def events_between(self, query: CalendarQuery) -> CalendarPage:
        """Events between two times as of the last sync, in the order in which they begin, of all accounts of an owner or of one account; each occurrence of a series
        is one. Accounts that are connected for `calendar` have their default calendar synced by `sync`, `start` and `run_once`, from `calendar_days_before` to
        `calendar_days_after` of the configuration. One that lasts all day counts from midnight to midnight UTC. Touches no network.
        Errors: InvalidInput (also when neither is named, or the cursor is another query's), NotFound, ConsentMissing (the account was not connected for `calendar`)."""
    @overload
    async def events_between(self, *, starting: datetime, ending: datetime, owner: str | None = ..., account_id: str | None = ..., limit: int = ..., cursor: str | None = ...) -> CalendarPage: ...
    @overload
    async def chat_history(self, query: TeamsMessageQuery) -> TeamsMessagePage:
        """Messages of Teams chats as of the last sync, the newest first, of all accounts of an owner or of one account, of all chats or of one. Accounts that are
        connected for `chat` with `Chat.Read` among the extra scopes have theirs synced: by `sync` and `sync_all` when they are called, by `start` and `run_once`
        once a day, as Microsoft's terms allow; of a chat that is new here the last 30 days, and at the most the newest 1,000 messages at a time. A message that
        was changed or deleted is noticed at once if it is the last of its chat, else with the next one that is said there. Touches no network.
        Errors: InvalidInput (also when neither is named, or the cursor is another query's), NotFound, ConsentMissing (the account may not read chats)."""
    @overload
    async def chat_history(self, *, owner: str | None = ..., account_id: str | None = ..., chat_id: str | None = ..., form: _BodyForm = ..., limit: int = ..., cursor: str | None = ...) -> TeamsMessagePage: ...
    def events(self, owner: str | None = ...) -> EventStream:
        """Live events from now on: of all accounts of an owner, or of everybody when none is named."""
    @overload
    def changes(self, query: ChangeQuery) -> ChangeStream:
        """The change feed of all accounts of an owner, or of one account. What is wrong with the query is told by the stream: InvalidInput, NotFound,
        CursorExpired (it is older than what is kept: `keep_changes_days`)."""
    @overload
    def changes(self, *, owner: str | None = ..., account_id: str | None = ..., cursor: str | None = ...) -> ChangeStream: ...
    @overload
    async def receive(self, request: HttpRequest) -> HttpResponse:
        """Takes a request that came to `notification_url`, whatever it holds, and gives the answer to send back. Mount it as one route that takes POST; the body must
        be whole. Answered within three seconds, without a request to anybody: Microsoft's question whether the route is there by its token as plain text;
        notifications by 202 once they are durable, good and bad ones alike (a bad one is dropped, and counted by `metrics`); what is no list of notifications by
        400, more than 4 MB or 1,000 of them by 413, and 503 when the store cannot be written, upon which Microsoft comes again. The accounts that were told of are
        synced in the background, each once for all that was told of it meanwhile, and after a restart as well. What the Bot Connector posts to the bot comes the same way: an activity that is
        proven is durable before its 202 and told by `changes`; 401 and 403 refuse what is not proven, 400 what cannot be read, 501 what waits for an answer of the host (see `receive_invoke`). Errors: Closed, Forked.
        Source: Graph, receive change notifications through webhooks."""
    @overload
    async def receive(self, *, method: str = ..., path: str = ..., query: str = ..., headers: Mapping[str, str] = ..., body: bytes | None = ...) -> HttpResponse: ...
    @overload
    async def receive_invoke(self, request: HttpRequest) -> BotReceived:
        """`receive` for a host that answers what Teams asks the bot and waits for (activities of the type `invoke`). Such a one is proven like any other; 403 refuses one
        of an organisation that is not connected, or in a conversation of another organisation. It comes in `invoke`: make the answer with `invoke_response` within ten
        seconds, since Teams waits for about fifteen at the most. The button of a card that somebody pressed is durable by then and told by `changes` (BotCardAction),
        once for each activity; posted again, it comes again, as Teams wants an answer. Errors: Closed, Forked.
        Source: Adaptive Cards, Universal Action Model; Bot Framework, invoke activity."""
    @overload
    async def receive_invoke(self, *, method: str = ..., path: str = ..., query: str = ..., headers: Mapping[str, str] = ..., body: bytes | None = ...) -> BotReceived: ...
    async def watch(self, account_id: str, on: bool, owner: str | None = ...) -> None:
        """Whether Microsoft is to tell what changes in the account's mailbox. Every account with `mail_sync` is watched when `notification_url` is set; this takes
        one out, or in again. Stores the wish and answers at once; the subscription is made or deleted in the background, and `health` tells by which way news
        come. Errors: InvalidInput (`notification_url` is not set), NotFound; to watch it also NotConnected, NeedsReconnect, ConsentMissing, Forbidden (an account without
        a mailbox, or a shared mailbox that a person opens)."""
    async def request(self, account_id: str, request: _RawRequest, owner: str | None = ...) -> RawResponse:
        """Any endpoint of Graph, v1.0 or beta, with the account's token, under its limits. A GET or HEAD is repeated after an outage or a lost answer; anything else only
        with `repeat`, and never by itself when it may have been done. 429 and 503 with a Retry-After are waited for as long as `max_wait_ms` allows. What Graph answers
        is handed out as it came, refusals (4xx) and redirects included: none is followed, since the token is for Graph alone; the address in `location` is yours to
        fetch, without one. A cancelled call is not sent; one that was under way may have been done.
        Errors: InvalidInput and LimitExceeded (before anything is sent), LinkRejected (an address that is not this cloud's Graph; nothing was sent), NotFound (of
        another owner), NotConnected, NeedsReconnect (a renewed token is refused as well), ConsentMissing, Forbidden (the registration, or `/me` of an organisation: nothing was sent), Throttled, Network (nothing was
        sent), OutcomeUnknown (it may have been done), Upstream (asked as often as sensible), StoreBusy.
        Source: Graph, use the API."""
    async def batch(self, account_id: str, requests: _RawRequest | Sequence[_RawRequest], owner: str | None = ...) -> list[RawOutcome]:
        """Many requests, in `$batch`es of up to 20 or beside them, whichever fits; in any order, and none waits for another. Outcomes come in the order of the requests,
        each with its own answer or failure: what is throttled or fails is repeated by itself, as by `request`. Bodies are whole. 10,000 requests and 64 MB of bodies at
        the most. Errors: as `request` before anything is sent (what is wrong with a request says which); later failures are in the outcomes.
        Source: Graph, combine multiple HTTP requests using JSON batching."""
    def pages(self, account_id: str, request: _RawRequest, owner: str | None = ...) -> RawPages:
        """A list, page by page: `@odata.nextLink` is followed on this cloud's Graph alone. What is wrong with the request is told by the stream."""
    def metrics(self) -> Metrics:
        """Counts since the engine was opened."""
    @overload
    async def rotate_keys(self, rotation: KeyRotation) -> RotationReport:
        """Replaces keys while everything goes on. Waits up to 30 s for another rotation to end. Errors: InvalidInput, NotFound, StoreBusy when another rotation
        still runs, VaultLocked when the store key or root key is to be replaced and the root key was replaced since this process opened the store.
        Corrupt when a value cannot be opened: it is left with its old key, and everything else was replaced."""
    @overload
    async def rotate_keys(self, *, new_root_key: _RootKey | None = ..., store_key: bool = ..., data_keys: bool = ..., account_id: str | None = ...) -> RotationReport: ...
    async def audit(self, limit: int, cursor: str | None = ..., owner: str | None = ...) -> AuditPage:
        """The audit log after `cursor`, up to `limit` records (1 to 1000), in the order in which they were written. With `owner`, only the chain of this
        owner. Errors: InvalidInput (also when the cursor is another list's)."""
    async def verify_audit(self, expected: AuditHead | None = ..., owner: str | None = ...) -> AuditVerdict:
        """Checks the audit log record by record, and its end against `expected` if given. With `owner`, only the chain of this owner, without reading any
        other; that a chain is gone as a whole shows when all are checked, or against `expected`. Errors: InvalidInput."""
    @overload
    async def trim_audit(self, exported: AuditHead) -> int:
        """Erases the records up to `exported`, the head of a log that the host has read with `audit` and keeps elsewhere: the rest can still be proven. The log
        is checked first, and the call recorded. The store's own chain is kept from the record on that says that the first owner's was begun. Answers how
        many records were erased. Durable in pieces: a call that was cut off is taken up by the next one. Errors: InvalidInput, Corrupt (the log is not as it
        was written, or does not hold `exported`: nothing is erased)."""
    @overload
    async def trim_audit(self, *, number: int, hash: str, owner: str | None = ..., chains: Sequence[_AuditChainHead] = ...) -> int: ...
    @overload
    async def purge(self, request: PurgeRequest) -> PurgeReport:
        """Destroys the content key at once, then erases every row, and the same of shared mailboxes that are opened through the account. What was begun is ended at the next open. Errors: InvalidInput, NotFound,
        StoreBusy (all is erased, but another process that reads the store keeps older bytes in its log; the purge ends by itself once it is done)."""
    @overload
    async def purge(self, *, account_id: str | None = ..., owner: str | None = ...) -> PurgeReport: ...
    async def delete_owner(self, owner: str) -> OwnerDeletion:
        """Disconnects all accounts of an owner and purges them in 30 days. Errors: InvalidInput, NotFound (the owner has no account)."""
    async def restore_owner(self, owner: str) -> None:
        """Takes `delete_owner` back, as long as nothing is purged; the accounts stay disconnected. Errors: NotFound."""
    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *_exc: type[BaseException] | BaseException | TracebackType | None) -> None: ...

@final
class BlockingEngine:
    """One engine per process and store is enough; all methods may be called at the same time from any thread.
    Durable steps run to their end even when the caller stops waiting."""
    @staticmethod
    def open(config: Config | str | os.PathLike[str], root_key: _RootKey) -> BlockingEngine:
        """Opens or makes the store, and takes up sends left by an earlier process, unless the store was copied or restored (see `on_copied_store`). A store that was
        not closed properly is checked first. Touches no network. Errors: InvalidInput, WrongKey, Corrupt, StoreBusy."""
    @staticmethod
    def open_with_clock(config: Config, root_key: _RootKey, clock: _TestClock) -> BlockingEngine:
        """`open` on a clock that tests move. Errors: as `open`; InvalidInput unless the cloud is `Custom` on loopback."""
    @staticmethod
    def open_file(path: str, root_key: _RootKey) -> BlockingEngine:
        """`open` with the settings of a `tidings.toml`, in which `${NAME}` stands for an environment variable. Unknown keys are errors.
        Errors: as `open`."""
    def close(self) -> None:
        """Stops new work, lets durable steps end, and closes the store. May be called twice. Streams end."""
    @overload
    def connect(self, request: ConnectRequest) -> SignIn:
        """Starts a sign-in (authorization code with PKCE). Stores the attempt, touches no network. Errors: InvalidInput, Conflict (the owner was deleted).
        Source: Microsoft identity platform, OAuth 2.0 authorization code flow; RFC 7636."""
    @overload
    def connect(self, *, owner: str, features: Sequence[_Feature], redirect_uri: str = ..., login_hint: str | None = ..., extra_scopes: Sequence[str] = ..., app: str | None = ..., tenant: str | None = ..., context: str | None = ...) -> SignIn: ...
    def finish_connect(self, callback_url: str, binding: str) -> Account:
        """Ends a sign-in with the URL the browser came back to. Works once per attempt, also after a restart; runs to its end when the caller stops waiting.
        Also takes the callback of an `Approval`. Errors: InvalidInput, Conflict (already used, or another person than the account's), Cancelled (declined or
        expired), ConsentMissing (an administrator must approve first: `account_id` names the stored account, for `approval`), Forbidden (a policy, a wrong
        registration, a guest who would connect an organisation, nobody who may approve for it), LimitExceeded (20 accounts of the owner wait already), TokenRejected (it failed its checks, or Microsoft does not take its code any more: start again), Network (the same callback can be
        brought again)."""
    @overload
    def connect_here(self, request: ConnectRequest) -> BlockingLoopbackSignIn:
        """Starts a sign-in whose callback is received on a loopback port of this machine. Errors: as `connect`."""
    @overload
    def connect_here(self, *, owner: str, features: Sequence[_Feature], redirect_uri: str = ..., login_hint: str | None = ..., extra_scopes: Sequence[str] = ..., app: str | None = ..., tenant: str | None = ..., context: str | None = ...) -> BlockingLoopbackSignIn: ...
    @overload
    def connect_device(self, request: ConnectRequest) -> BlockingDeviceSignIn:
        """Starts a sign-in by a code that the person types in on any device. Errors: as `connect`; Network, Forbidden (a wrong registration).
        Source: Microsoft identity platform, device authorization grant; RFC 8628."""
    @overload
    def connect_device(self, *, owner: str, features: Sequence[_Feature], redirect_uri: str = ..., login_hint: str | None = ..., extra_scopes: Sequence[str] = ..., app: str | None = ..., tenant: str | None = ..., context: str | None = ...) -> BlockingDeviceSignIn: ...
    @overload
    def connect_tenant(self, request: TenantRequest) -> SignIn:
        """Starts to connect an organisation. The sign-in proves which one, and by `wids` that the person may approve; the account it gives awaits the administrator's `approval` and then gets
        tokens of its own. Errors: as `connect`; Forbidden (personal accounts).
        Source: Microsoft identity platform, admin consent; OAuth 2.0 client credentials flow."""
    @overload
    def connect_tenant(self, *, owner: str, redirect_uri: str, app: str | None = ..., tenant: str | None = ..., context: str | None = ..., endpoint: SubscriberLink | None = ...) -> SignIn: ...
    @overload
    def link_person(self, request: LinkRequest) -> SignIn:
        """Starts a sign-in that only tells who somebody is. Errors: as `connect`."""
    @overload
    def link_person(self, *, owner: str, redirect_uri: str, app: str | None = ..., tenant: str | None = ..., login_hint: str | None = ..., context: str | None = ..., endpoint: SubscriberLink | None = ...) -> SignIn: ...
    def reconnect(self, account_id: str, redirect_uri: str, owner: str | None = ...) -> SignIn:
        """Starts a new sign-in for an account that has one; it keeps its id, mail and queue, and only the same person may finish it. What Microsoft asked for
        (claims) is passed on. Errors: as `connect`; NotFound."""
    def add_features(self, account_id: str, features: Sequence[_Feature], redirect_uri: str, owner: str | None = ...) -> SignIn:
        """Starts a sign-in that asks for further features, beside those the account has. Errors: as `connect`; NotFound."""
    def add_shared_mailbox(self, account_id: str, address: str, owner: str | None = ...) -> Account:
        """Adds a shared mailbox of the organisation, or another person's mailbox that is shared with this account, as an account of its own: with its own id,
        folders, messages, health and schedule, and the owner of the account that opens it, its delegate. Exchange has to show first that it lets the delegate
        in: the inbox is read, and a draft is made and removed. Where only reading works, the mailbox is synced and nothing is sent from it; whether Exchange
        lets mail out in its name (Send As, Send on Behalf) only a send tells. Microsoft tells nothing of such mailboxes, so it is looked at every few minutes
        once the engine has started. A mailbox that is there already keeps its id, mail and queue, and is opened through this account from then on. When its
        delegate is disconnected or purged, so is the mailbox. With the account of an organisation any mailbox of it is added, a person's as well: it needs `Mail.Read` as a permission of the
        application, `Mail.ReadWrite` to change mail, `Mail.Send` beside that to send; with `Contacts.Read` and `Calendars.Read` it has those as well. Such a mailbox is told of by Microsoft like a
        person's. Runs to its end when the caller stops waiting.
        Errors: InvalidInput (the address, the account's own address, a personal account, an account that is a shared mailbox itself), ConsentMissing (Mail.ReadWrite.Shared was not granted: add the
        feature shared_mailboxes; of an organisation the permission is named), Forbidden (no right in Exchange, or a policy of it), NotFound (no such account, or no such mailbox), NotConnected,
        NeedsReconnect, Throttled, Network.
        Source: Graph, outlook-share-messages-folders and outlook-send-mail-from-other-user, auth-limit-mailbox-access."""
    @overload
    def permissions(self, query: PermissionQuery) -> PermissionList:
        """Explains permissions to the person who is asked for them. Errors: InvalidInput, NotFound."""
    @overload
    def permissions(self, *, features: Sequence[_Feature] = ..., extra_scopes: Sequence[str] = ..., account_id: str | None = ..., owner: str | None = ...) -> PermissionList: ...
    def approval(self, account_id: str, redirect_uri: str, owner: str | None = ...) -> Approval:
        """What an administrator has to approve for this account: link, texts. The link is valid as long as a sign-in; ask again for another.
        Errors: InvalidInput, NotFound, Forbidden (personal accounts)."""
    def resume(self, account_id: str, owner: str | None = ...) -> Account:
        """Looks whether the approval came without a callback: an organisation's account is then connected, and one that is connected has the permissions that were approved since. A person's account says that the person signs in again.
        Errors: NotFound, NotConnected, Network, ConsentMissing (not yet), Forbidden (a wrong registration, or nobody who may approve has signed in), Conflict (another owner has this organisation)."""
    @overload
    def accounts(self, filter: AccountFilter) -> AccountPage:
        """A page of the accounts, in the order in which they were connected first. Errors: InvalidInput (limit, or the cursor is another list's)."""
    @overload
    def accounts(self, *, owner: str | None = ..., state: _AccountState | None = ..., limit: int = ..., cursor: str | None = ...) -> AccountPage: ...
    def account(self, account_id: str, owner: str | None = ...) -> Account:
        """With an `owner`, here and in all calls that take one, the account or message of another owner is NotFound. Errors: NotFound."""
    def verify(self, account_id: str, test_message: bool, owner: str | None = ...) -> Verification:
        """Asks Microsoft who the account is and whether its mailbox can be reached; sends a mail to itself if a test message is asked for. Of an
        organisation, whether Graph takes the application's token. An account that needs
        its person is tried once more: if a renewed token opens it, it is connected again.
        Errors: NotFound, NotConnected, NeedsReconnect, Network."""
    def health(self, owner: str) -> Health:
        """How all accounts of an owner are doing. Touches no network. Errors: NotFound."""
    def disconnect(self, account_id: str, owner: str | None = ...) -> Account:
        """Cancels queued sends, stops syncs and destroys the account's tokens at once; works offline. Its subscription is deleted at Microsoft first, if that can be
        reached within five seconds; else it expires, and what is posted until then is dropped. Shared mailboxes that are opened through it are disconnected with it. Synced mail is kept. Errors: NotFound."""
    def stage_attachment(self, account_id: str, name: str, content_type: str = ..., size: int | None = ..., content_id: str | None = ...) -> BlockingAttachmentWriter:
        """Begins an attachment of up to 150 MB that is handed in piece by piece, sealed and durable, before the draft that names it. `size`: bytes that it comes
        to, if that is known; another count is an error. What `finish` gives goes into drafts of this account, into several of them if they are handed in
        before the first of them is sent. It is kept for a day, and then for as long as a send needs it. Touches no network. The helpers of each
        language for files and streams do all of it in one call. Errors: InvalidInput (name, content type), LimitExceeded (size), NotConnected,
        NeedsReconnect, ConsentMissing, StoreFull.
        Source: Graph, Attach large files to Outlook messages."""
    def set_signature(self, account_id: str, signature: _Signature | None = ..., owner: str | None = ...) -> None:
        """What the account puts below its mails whose drafts say `add_signature`; None takes it away. It is stored sealed, 256 KB with its images at the most, and stays
        after `disconnect`. Drafts that were handed in before keep the signature of that moment. Durable when it returns. With `owner`, an account of another owner
        is NotFound. Errors: InvalidInput (no text, an image without content or content id), LimitExceeded, NotFound, StoreBusy."""
    def signature(self, account_id: str, owner: str | None = ...) -> Signature | None:
        """As it was set; None: the account has none. Errors: NotFound."""
    def preview(self, draft: _Draft) -> Preview:
        """What the draft says once its merge fields are filled in and its signature is added, as it would be sent; stores and sends nothing, and touches no network. Errors: as `send` before storing, but for
        what only the draft's key or the things it names would bring."""
    def send(self, draft: _Draft) -> Receipt:
        """Stores the draft, delivers it and answers with the outcome; `queued` when `send_timeout_ms` passed first.
        Errors before anything is stored: InvalidInput, LimitExceeded, NotConnected, ConsentMissing (also of a `from_address` that is not the account's own),
        Conflict. After that the receipt tells: without a right in Exchange to the `from_address` it is `failed`."""
    def enqueue(self, draft: _Draft) -> Receipt:
        """Stores the draft and answers at once; delivery goes on in the background, after what `send` waits for. Errors: as `send` before storing."""
    def enqueue_all(self, drafts: Sequence[_Draft]) -> list[Receipt]:
        """`enqueue` for 1 to 1000 drafts in one transaction: all of them are stored, or none. Receipts come in the order of the drafts; one whose idempotency
        key is known gives the receipt there is. Together they may hold 64 MB. Errors: as `send` before storing; what is wrong with a draft says which."""
    def receipt(self, receipt_id: str, owner: str | None = ...) -> Receipt:
        """What became of a draft. With `owner`, a send of another owner is NotFound. Errors: NotFound."""
    @overload
    def outbox(self, filter: OutboxFilter) -> list[Receipt]:
        """Sends of an owner or an account, newest first; of what went to endpoints the parts, which name their whole. Errors: InvalidInput when neither is named."""
    @overload
    def outbox(self, *, owner: str | None = ..., account_id: str | None = ..., state: _SendState | None = ..., limit: int = ...) -> list[Receipt]: ...
    def last_sender(self, owner: str, context: str) -> LastSender | None:
        """The account and the From that this owner used last in this context, as the drafts name it (1 to 200 characters): remembered with the send when it was
        stored, whatever became of it, for a year after it was used last. None: nothing is remembered, or the account is disconnected or purged; the one
        before it is not offered in its place. What one owner used no other is told. Touches no network. Errors: InvalidInput."""
    def edit(self, receipt_id: str, draft: _Draft, owner: str | None = ...) -> Receipt:
        """Replaces what a send says that has not left: the draft is whole, what it leaves out is gone, with its time, deadline and order. The send keeps its
        receipt, its account, its kind and its idempotency key, which then stands for the new content. With `owner`, a send of another owner is NotFound.
        Errors: as `send` before storing; NotFound; Conflict when it has left, is being sent, or something of it may lie at Microsoft already, as a draft or a file."""
    def edit_sent(self, receipt_id: str, draft: _Draft, owner: str | None = ...) -> Receipt:
        """Replaces what a message in a chat or channel, or one of the bot, says that was sent: the draft is whole and checked like a new one; its key, time and place change nothing. It is changed at once,
        and the same call again does no harm. The account needs `Chat.ReadWrite`, for a channel `ChannelMessage.ReadWrite`, among the extra scopes it was
        connected with; a bot needs nothing more. With `owner`, a send of another owner is NotFound. Errors: InvalidInput, LimitExceeded; NotFound (also when the message is gone);
        Conflict for a mail, and for what was not sent; NotConnected, NeedsReconnect, ConsentMissing; Forbidden. Source: Graph, chatMessage: update."""
    def delete_sent(self, receipt_id: str, owner: str | None = ...) -> Receipt:
        """Deletes a message in a chat or channel, or one of the bot, that was sent; those who see it are shown that it was deleted. The same call again does no harm, and the receipt
        stays. Permissions and errors: as `edit_sent`. Source: Graph, chatMessage: softDelete."""
    def cancel(self, receipt_id: str, owner: str | None = ...) -> Receipt:
        """Takes a send back that is provably unsent, and its draft out of the mailbox if one was made. What is cancelled already stays so. A parked send ends
        as `unknown`: it does not leave from here, and the original of the store may have sent it. With `owner`, a send of another owner is NotFound.
        Errors: NotFound, Conflict when it was sent, is being sent, may have been sent, or failed."""
    def retry(self, receipt_id: str, even_if_unknown: bool = ..., owner: str | None = ...) -> Receipt:
        """Sends a failed one again, without its deadline; the receipt is `queued`, and delivery goes on in the background. With `even_if_unknown` also one that
        may have been sent: a mail is looked for once more first, a chat message is posted again. A parked send is let go by that as well. With `owner`, a
        send of another owner is NotFound. Errors: NotFound, Conflict when it is not failed, NotConnected, NeedsReconnect, ConsentMissing, StoreBusy."""
    def add_workflow(self, owner: str, name: str, url: str, context: str | None = ...) -> Workflow:
        """Registers the URL of a Teams workflow whose trigger is a webhook request. The URL is a secret and is not shown again; nothing is sent to it here: send a
        first post to try it. `name` is for display, 1 to 100 characters; `context` is anything you want to find again at the workflow, at most 1000
        characters, stored sealed. Durable when it returns; runs to its end when the caller stops waiting. Errors: InvalidInput (owner, name, context, or the URL
        is none of a workflow), LinkRejected (its host is not one that workflows are at: see `workflow_hosts`), LimitExceeded (1,000 of one owner), Conflict (the
        owner was deleted).
        Source: Power Automate, “When a Teams webhook request is received”."""
    def workflows(self, owner: str) -> list[Workflow]:
        """Workflows of an owner, in the order in which they were added. Touches no network. Errors: InvalidInput (the owner)."""
    def remove_workflow(self, workflow_id: str, owner: str | None = ...) -> None:
        """Destroys the URL and takes back what was not posted yet; works offline. Receipts stay until `purge`, which takes its id. In Power Automate the workflow is as it was. With `owner`, a
        workflow of another owner is NotFound. Errors: NotFound."""
    def roster(self, account_id: str, team_id: str, limit: int = ..., cursor: str | None = ..., owner: str | None = ...) -> RosterPage:
        """People of a team as the bot sees them, a page of up to `limit` (50 to 500) at a time; `account_id` is that of an organisation, `cursor` the `next` of the page
        before. They are remembered, so that a `BotDraft` finds them by address, object id or `id`. The bot's app has to be installed in the team. Errors: InvalidInput;
        NotFound (the account, the team); NotConnected; Forbidden; AppNotInstalled; Throttled. Source: Teams, get Teams specific context for your bot."""
    @overload
    def bot_activities(self, query: BotActivityQuery) -> BotActivityPage:
        """What people said to the bot, what it was told, and what it said itself once that was sent (`is_own`), the newest first: of all organisations of an owner or of one
        account, of all conversations or of one. It is kept as long as changes are (`keep_changes_days`). Touches no network. Errors: InvalidInput (also when neither is named, or the cursor is another query's),
        NotFound."""
    @overload
    def bot_activities(self, *, owner: str | None = ..., account_id: str | None = ..., conversation_id: str | None = ..., limit: int = ..., cursor: str | None = ...) -> BotActivityPage: ...
    def bot_activity(self, id: str, owner: str | None = ...) -> BotActivity:
        """One of them, as a change names it in `subject_id`. Touches no network. Errors: NotFound."""
    @overload
    def conversations(self, query: BotConversationQuery) -> BotConversationPage:
        """Conversations of the bot, the one in which something happened last first: of all organisations of an owner or of one account. Touches no network. Errors: as
        `bot_activities`."""
    @overload
    def conversations(self, *, owner: str | None = ..., account_id: str | None = ..., limit: int = ..., cursor: str | None = ...) -> BotConversationPage: ...
    def typing(self, account_id: str, conversation_id: str, owner: str | None = ...) -> None:
        """Shows in a conversation, for a few seconds, that the bot is typing. Errors: InvalidInput; NotFound (the account, the conversation); NotConnected; AppNotInstalled;
        BotBlocked; ConversationGone. Source: Bot Framework, activity of the type typing."""
    @overload
    def app_package(self, package: AppPackage) -> bytes:
        """A Teams app with a bot as the zip that is uploaded: manifest 1.25, both icons, and a file for each further language. Everything is checked by the rules of
        Microsoft's schema before anything is made; the same package gives the same bytes, on every machine. Stores nothing and touches no network.
        Errors: InvalidInput, which names the field. Source: Microsoft Teams, app manifest schema 1.25."""
    @overload
    def app_package(self, *, app_id: str, version: str, developer: AppDeveloper, texts: AppTexts, color_icon: bytes, outline_icon: bytes, scopes: Sequence[_AppScope], accent_color: str = ..., bot_id: str | None = ..., client_id: str | None = ..., resource: str | None = ..., is_notification_only: bool = ..., supports_files: bool = ..., valid_domains: Sequence[str] = ..., language: str = ..., localizations: Sequence[_AppLocalization] = ...) -> bytes: ...
    @overload
    def install_app(self, request: InstallRequest) -> AppInstall:
        """Installs an app of the organisation's catalogue, or of the store, for a team or a person; that it is installed already is success, whatever its version.
        The account needs `AppCatalog.Read.All`, and `TeamsAppInstallation.ReadWriteSelfForTeam` or `TeamsAppInstallation.ReadWriteSelfForUser` (an organisation's
        account those that end in `.All`), or a larger one: the Self permissions install the app that names the account's application as its `client_id`. A
        person named by address is looked up, which needs `User.ReadBasic.All`. Runs to its end when the caller stops waiting; the same call
        again does no harm. Errors: InvalidInput; NotFound (the account, the app, the team or the person); NotConnected, NeedsReconnect; ConsentMissing, which
        names the permission; Forbidden (a policy of the organisation, or an account of another kind); Throttled, Network; Upstream (accepted, but not to be seen yet).
        Source: Graph, team: add app, userTeamwork: install app."""
    @overload
    def install_app(self, *, account_id: str, external_id: str, team_id: str | None = ..., user: str | None = ..., owner: str | None = ..., endpoint: SubscriberLink | None = ...) -> AppInstall: ...
    @overload
    def installed_app(self, request: InstallRequest) -> AppInstall | None:
        """The app as it is installed there; None: it is not. Permissions and errors: as `install_app`."""
    @overload
    def installed_app(self, *, account_id: str, external_id: str, team_id: str | None = ..., user: str | None = ..., owner: str | None = ..., endpoint: SubscriberLink | None = ...) -> AppInstall | None: ...
    @overload
    def upgrade_app(self, request: InstallRequest) -> AppInstall:
        """Brings the app that is installed there to the catalogue's newest version, and tells that one. Permissions and errors: as `install_app`; NotFound also
        where it is not installed. Source: Graph, teamsAppInstallation: upgrade."""
    @overload
    def upgrade_app(self, *, account_id: str, external_id: str, team_id: str | None = ..., user: str | None = ..., owner: str | None = ..., endpoint: SubscriberLink | None = ...) -> AppInstall: ...
    @overload
    def uninstall_app(self, request: InstallRequest) -> None:
        """Removes the app there; that it is not installed is success. The bot can write there no longer. Permissions and errors: as `install_app`.
        Source: Graph, team: remove app, userTeamwork: uninstall app."""
    @overload
    def uninstall_app(self, *, account_id: str, external_id: str, team_id: str | None = ..., user: str | None = ..., owner: str | None = ..., endpoint: SubscriberLink | None = ...) -> None: ...
    @overload
    def add_endpoint(self, request: EndpointRequest) -> Endpoint:
        """Adds a place where a subscriber is told something. The same target for the same subscriber and context is the same endpoint: it is made active if it was retired, and
        answered. Touches no network but to renew a sign-in; whether the place is there turns out with the first message. Durable when it returns. Errors: InvalidInput; NotFound (the account or workflow, of
        this owner); NotConnected, NeedsReconnect, ConsentMissing; Forbidden (an account of a kind that cannot write there); LimitExceeded (100 of one subscriber);
        Conflict (the subscriber is an owner who was deleted)."""
    @overload
    def add_endpoint(self, *, subscriber: str, target: _EndpointTarget, account_id: str = ..., context: str | None = ..., owner: str | None = ...) -> Endpoint: ...
    @overload
    def endpoints(self, query: EndpointQuery) -> EndpointPage:
        """Endpoints in the order in which they were made, retired ones too. Touches no network. Errors: InvalidInput (also when neither owner, account nor subscriber is named,
        or the cursor is another query's), NotFound."""
    @overload
    def endpoints(self, *, owner: str | None = ..., account_id: str | None = ..., subscriber: str | None = ..., context: str | None = ..., state: _EndpointState | None = ..., limit: int = ..., cursor: str | None = ...) -> EndpointPage: ...
    def change_endpoint(self, endpoint_id: str, change: EndpointChange, owner: str | None = ...) -> Endpoint:
        """Changes an endpoint; it keeps its id. A new target makes it active. What is under way to the old one is not called back, and can retire it no more. Durable when it returns. With
        `owner`, an endpoint whose subscriber, account or workflow is not theirs is NotFound. Errors: as `add_endpoint`; NotFound; Conflict (there is one like it)."""
    def remove_endpoint(self, endpoint_id: str, owner: str | None = ...) -> None:
        """Removes an endpoint. What is under way to it goes on, and receipts stay. With `owner`, as `change_endpoint`. Errors: NotFound."""
    def find_person(self, account_id: str, address: str, owner: str | None = ...) -> Person | None:
        """The person of the organisation who has this mail address; none when there is nobody. The account of an organisation needs `User.ReadBasic.All` as a
        permission of the application. Errors: InvalidInput; NotFound (the account); NotConnected, NeedsReconnect; ConsentMissing without the feature people or
        chat, or the permission; Conflict when more than one person has it. Source: Graph, user: list."""
    @overload
    def people(self, query: PeopleQuery) -> list[Person]:
        """People of the organisation whose name or address begins with a text, by name. Errors: as `find_person`. Source: Graph, $search on users."""
    @overload
    def people(self, *, account_id: str, text: str, limit: int = ..., owner: str | None = ...) -> list[Person]: ...
    def teams(self, account_id: str, owner: str | None = ...) -> list[Team]:
        """The teams the person belongs to; with the account of an organisation all its teams, for which the application needs `Team.ReadBasic.All` as its own. Errors:
        NotFound (the account); NotConnected, NeedsReconnect; ConsentMissing without the feature channels, or the permission. Source: Graph, user: list joinedTeams, teams: list."""
    def channels(self, account_id: str, team_id: str, owner: str | None = ...) -> list[TeamChannel]:
        """The channels of a team that the person sees. Errors: as `teams`; InvalidInput; NotFound and Forbidden for a team that is not the person's.
        Source: Graph, channel: list."""
    def all_channels(self, account_id: str, owner: str | None = ...) -> list[TeamChannels]:
        """All teams of the person with their channels, asked for twenty teams at a time. What is wrong with one team is told of that one. Errors: as `teams`."""
    def chats(self, account_id: str, limit: int = ..., owner: str | None = ...) -> list[TeamsChat]:
        """Chats the person is in, the one with the newest message first; `limit` 1 to 1000. It needs a permission that is not asked for sending: connect with
        `Chat.ReadBasic` or `Chat.Read` among the extra scopes. Errors: InvalidInput; NotFound (the account); NotConnected, NeedsReconnect; ConsentMissing.
        Source: Graph, chat: list."""
    def chat_messages(self, account_id: str, chat_id: str, limit: int = ..., owner: str | None = ...) -> list[ChatMessage]:
        """What was said in a chat, the newest first; `limit` 1 to 1000. It needs `Chat.Read` among the extra scopes the account was connected with. Microsoft's
        terms allow no chat to be polled more than once a day. Errors: as `chats`; NotFound for a chat the person is not in. Source: Graph, chat: list messages."""
    def start(self) -> None:
        """From now on, until shutdown, this process brings mailboxes up to date by itself: those of all accounts that are connected for `mail_sync`, `contacts`, `calendar` or chats that may be read, seconds after
        something happened in them and minutes apart when they are quiet; chats once a day. What came is in `changes`. Several processes on one store share the work. May be
        called twice. Errors: Closed, Forked."""
    def run_once(self, deadline_ms: int) -> RunReport:
        """Does what is due and ends: mailboxes are brought up to date, sends and changes of messages delivered, subscriptions renewed, and what is older than is kept erased. For programs that run now and then: a
        timer, a serverless function, a background window of a phone. At `deadline_ms` (from now; 1,000 to 86,400,000) syncs stop after a page, and what is left
        is due at the next call. Safe beside other processes on the same store. A cancelled call stops the same way and loses nothing.
        Errors: InvalidInput, Closed, StoreBusy; what fails in one mailbox is in the report."""
    def sync(self, account_id: str, owner: str | None = ...) -> SyncReport:
        """Brings the account's folders up to date, its contacts, its calendar and its chats (for `chat`, if `Chat.Read` was granted: Microsoft allows them to be asked for once a day). Each page is stored with its cursor in one transaction; a cancelled call stops after a page and loses nothing.
        While a back-fill of the account is not done, folders that it has not come to the end of bring what is new in them. Calls that come while a sync of the account runs
        share the one after it. What is wrong with one folder, one chat or one event, or with mail, contacts or the calendar as a whole, keeps none of the others out; the first of it is the error in the end.
        Source: Graph, message: delta. Errors: NotFound (of another owner), NotConnected, NeedsReconnect, ConsentMissing, Throttled, Network, Upstream, LinkRejected."""
    def sync_all(self, owner: str | None = ...) -> list[SyncOutcome]:
        """`sync` for all accounts of an owner, or of everybody when none is named, that are connected for `mail_sync`, `contacts`, `calendar` or chats that may be read: several at a time, in any order. Outcomes
        come in the order of `accounts`; the failure of one stops no other. A cancelled call stops each sync after a page. Errors: InvalidInput (the owner)."""
    def choose_folders(self, account_id: str, folders: Sequence[str], owner: str | None = ...) -> Account:
        """Chooses the folders that are synced from the next sync on, by well-known name, id or, once they are known, display name, or `["all"]` for every folder, those to come as well; an empty
        list: those of the configuration. Mail of a folder that is no longer chosen is kept as it is. Touches no network.
        Errors: InvalidInput, LimitExceeded (more than 1,000), NotFound."""
    def folders(self, account_id: str, owner: str | None = ...) -> list[Folder]:
        """Folders known from the last sync. Errors: NotFound."""
    def quarantined(self, account_id: str, owner: str | None = ...) -> list[QuarantinedItem]:
        """What of the mailbox is set aside because it could not be read or told, oldest first, 1,000 at the most. Each is asked for again by the syncs to come,
        with growing pauses, and leaves this list when it can be read or is gone. Touches no network. Errors: NotFound."""
    def estimate_backfill(self, account_id: str, range: _BackfillRange, owner: str | None = ...) -> BackfillEstimate:
        """How many messages a range holds in the folders of the account that are synced, before anything is fetched. Asks Microsoft for the folders and, for a range
        with a beginning, for a count of each. Errors: InvalidInput, NotFound, NotConnected, NeedsReconnect, ConsentMissing, those of the network.
        Source: Graph, list mailFolders; list messages, `$count`."""
    def backfill(self, account_id: str, range: _BackfillRange, owner: str | None = ...) -> Backfill:
        """Fetches the mail of a range in the background, the newest first, bodies included, and answers once that is stored, with an estimate. It goes on in this
        process, or in another one that opens the store, until it is `Done`: over restarts, expired links and new sign-ins. Each page is durable with how far it
        brings the back-fill. New mail does not wait for it: `sync`, `start` and push go on. From then on nothing is fetched that is older than the range and was not
        fetched before. Called again it changes the range: what is here stays, a larger range fetches what is missing. Progress is in `events`
        (`BackfillChanged`) and `backfill_status`. An account without a back-fill is fetched whole by its first sync. A cancelled call has begun it or not.
        Errors: as `estimate_backfill`; Conflict."""
    def pause_backfill(self, account_id: str, owner: str | None = ...) -> Backfill:
        """Has a back-fill wait; nothing more of it is stored once this answers. Durable. Changes nothing of one that is done, cancelled or paused already.
        Touches no network. Errors: NotFound."""
    def resume_backfill(self, account_id: str, owner: str | None = ...) -> Backfill:
        """Has a paused back-fill go on from where it is, also when its links have expired meanwhile. Durable. Changes nothing of one that is not paused.
        Touches no network. Errors: NotFound."""
    def cancel_backfill(self, account_id: str, owner: str | None = ...) -> Backfill:
        """Ends a back-fill for good: what is here stays, and nothing older is fetched. The folders are still walked for their delta links, so that syncs go on from
        there. `backfill` begins another one. Durable. Changes nothing of one that is done. Touches no network. Errors: NotFound."""
    def backfill_status(self, account_id: str, owner: str | None = ...) -> Backfill | None:
        """How far the account's last back-fill is; none if there was none. Touches no network. Errors: NotFound."""
    @overload
    def messages(self, query: MessageQuery) -> MessagePage:
        """Of all accounts of an owner, or of one account. The first list that asks for an `address`, or after an update for
        `has_attachments`, looks through all mail that is here, some seconds for 100,000. Errors: InvalidInput (also when neither is named, or the cursor is another query's),
        NotFound."""
    @overload
    def messages(self, *, owner: str | None = ..., account_id: str | None = ..., folder: str | None = ..., is_read: bool | None = ..., conversation_id: str | None = ..., limit: int = ..., cursor: str | None = ..., link: str | None = ..., has_attachments: bool | None = ..., received_after: datetime | None = ..., received_before: datetime | None = ..., address: str | None = ...) -> MessagePage: ...
    @overload
    def threads(self, query: ThreadQuery) -> ThreadPage:
        """Conversations of all accounts of an owner or of one account, each once, with its newest mail; two accounts in the same conversation are two threads. Pages hold
        still while mail arrives: what came since the first page was asked for shows at the top of the next walk, and moves nothing in this one. Errors: as `messages`."""
    @overload
    def threads(self, *, owner: str | None = ..., account_id: str | None = ..., folder: str | None = ..., unread_only: bool = ..., link: str | None = ..., limit: int = ..., cursor: str | None = ..., address: str | None = ...) -> ThreadPage: ...
    def message(self, message_id: str, owner: str | None = ...) -> Message:
        """Errors: NotFound."""
    def body(self, message_id: str, owner: str | None = ..., form: _BodyForm | None = ..., options: BodyOptions | None = ...) -> MessageBody:
        """The content as it came and both forms, or with `form` only that one made of it: making text or safe HTML of a long mail takes milliseconds. Touches no network, unless
        pictures are asked for as data. Errors: NotFound; for pictures as data those of `attachment`."""
    def attachment(self, message_id: str, attachment_id: str, owner: str | None = ...) -> BlockingAttachmentContent:
        """The content of an attachment, from the mailbox: one up to 1 MB is here when this answers, a longer one arrives as it is asked for. Of an item it is MIME, a
        vCard or iCalendar; a reference has none (see `AttachmentContent`). Works for attachments that are not listed yet as well. Needs `mail_sync`. With
        `attachment_cache_mb` of `Config`, one that was read to its end before is served from disk, as a body is: without a request, and recorded as read all the same. Errors: NotFound
        (also when the mail or the attachment is gone from the mailbox), InvalidInput, NotConnected, NeedsReconnect, ConsentMissing, Throttled, Network, Upstream.
        Source: Graph, Get attachment."""
    def mime(self, message_id: str, owner: str | None = ...) -> BlockingAttachmentContent:
        """A whole mail as MIME, with all that is attached, from the mailbox and in the form of `attachment`. Errors: as `attachment`.
        Source: Graph, Get MIME content of a message."""
    @overload
    def search(self, query: SearchQuery) -> list[Message]:
        """Of all accounts of an owner or of one account. In a store with clear content its own index is asked, and the best matches come first; it holds subjects, names,
        addresses and bodies. A store with sealed content has none: Microsoft searches the mailboxes, in subjects, senders and bodies, among the newest 1,000 that match,
        and the newest come first. Either way only mail that is here is shown, so what lies in folders that are not synced is left out. Of an owner's accounts, those that
        are disconnected or without `mail_sync` cannot be asked and are left out as well; any other failure fails the search. Words are words: quotes, operators and
        brackets mean nothing. Errors: InvalidInput (also when neither is named), NotFound; sealed: NotConnected, NeedsReconnect, ConsentMissing, Throttled, Network,
        Upstream, with the account.
        Source: Graph, use the $search query parameter."""
    @overload
    def search(self, *, text: str, owner: str | None = ..., account_id: str | None = ..., limit: int = ...) -> list[Message]: ...
    def thread(self, message_id: str, owner: str | None = ...) -> MailThread:
        """The conversation a message belongs to, in its account. Errors: NotFound."""
    def mark_read(self, message_id: str, is_read: bool, owner: str | None = ...) -> Message:
        """Sets the read state here and, in the background, in the mailbox: as `mark_all_read`, of one message, which is handed out as it is then. Errors:
        NotFound, NotConnected, NeedsReconnect, ConsentMissing, StoreBusy."""
    def mark_all_read(self, message_ids: Sequence[str], is_read: bool, owner: str | None = ...) -> None:
        """Sets the read state of 1 to 1,000 messages: of all of them, or of none. It is stored and shows at once, and goes to the mailbox in the background, many
        in a batch; `is_edit_waiting` of a message says that it is on its way. Offline it waits, without end and over restarts. Of each property the newest
        change counts, by Microsoft's clock and to the second: a newer one here replaces one that waits; where somebody else changed it in the mailbox after
        that, theirs stays. What Microsoft refuses for good is taken back here, which is a change in the feed and the event `EditRefused`; of a message that
        is gone nothing is left to change. A disconnect drops what waits. Source: Graph, message: update.
        Errors, before anything is stored: InvalidInput, NotFound (one of them is unknown or of another owner), NotConnected, NeedsReconnect, ConsentMissing
        (`Mail.ReadWrite`), StoreBusy."""
    def flag(self, message_ids: Sequence[str], status: _FlagStatus, due_at: datetime | None = ..., owner: str | None = ...) -> None:
        """Flags 1 to 1,000 messages for follow-up, marks them as done, or takes the flag away; otherwise as `mark_all_read`. `due_at` is for `Flagged` alone:
        Outlook shows its day. Without it the flag has none. Source: Graph, followupFlag. Errors: as `mark_all_read`."""
    def categorize(self, message_ids: Sequence[str], add: Sequence[str] = ..., remove: Sequence[str] = ..., owner: str | None = ...) -> None:
        """Adds and removes categories of 1 to 1,000 messages, by name; otherwise as `mark_all_read`. The list as it is here, changed by these, is what the mailbox
        gets, and the list is one property. 1 to 50 names of 1 to 255 characters. Errors: as `mark_all_read`."""
    def move_messages(self, message_ids: Sequence[str], folder: str, owner: str | None = ...) -> None:
        """Moves 1 to 1,000 messages to a folder, by its id, well-known name, display name or path, as of the last sync; otherwise as `mark_all_read`. They keep their ids. Not to
        Deleted Items or below: mail is never deleted from here. Source: Graph, message: move. Errors: as `mark_all_read`; NotFound, for a folder that is not
        known; InvalidInput, for one that takes no mail."""
    def link(self, message_ids: Sequence[str], key: str, owner: str | None = ...) -> None:
        """Gives 1 to 1,000 messages a key of the host's own, all of them or none: `links` shows it, of what came into their conversations since as well, and of
        what comes there later; `messages` finds them by it. Each is a change in the feed. Nothing of it leaves this store.
        Errors: InvalidInput, NotFound (one of them is unknown or of another owner), StoreBusy."""
    def unlink(self, message_ids: Sequence[str], key: str, owner: str | None = ...) -> None:
        """Takes a key from 1 to 1,000 messages, whoever gave it, and remembers that. Others of their conversations keep it; where no message of a conversation
        is left that was given it, what comes there gets it no more. Errors: as `link`."""
    @overload
    def set_link_rule(self, rule: LinkRule) -> None:
        """From now on messages of the owner's accounts get the rule's key by who wrote them and who is among `to` and `cc`: as they arrive, and those that are here in
        the background, in steps that survive a restart; as if by `link`, so that their conversations inherit it. An address may stand in many rules. A message the key was taken
        from by `unlink` does not get it back. A rule with the same key is replaced; what messages got by it stays. Addresses are stored sealed, and found by keyed hashes.
        Errors: InvalidInput, LimitExceeded (10,000 rules of the owner), Conflict (the owner was deleted), StoreBusy."""
    @overload
    def set_link_rule(self, *, owner: str, key: str, addresses: Sequence[str] = ..., domains: Sequence[str] = ...) -> None: ...
    def link_rules(self, owner: str) -> list[LinkRule]:
        """All rules of an owner, in the order in which they were made. Errors: InvalidInput."""
    def remove_link_rule(self, owner: str, key: str) -> None:
        """No more messages get a key by this rule; those that have it keep it. Errors: InvalidInput, NotFound."""
    def archive(self, message_ids: Sequence[str], owner: str | None = ...) -> None:
        """`move_messages` to the archive folder of their mailboxes. Errors: as `move_messages`; NotFound where a mailbox has no archive folder."""
    @overload
    def contacts(self, query: ContactQuery) -> ContactPage:
        """Contacts as of the last sync, of all accounts of an owner or of one account, all of them or those with a mail address. Accounts that are connected for
        `contacts` have theirs synced by `sync`, `start` and `run_once`. Touches no network.
        Errors: InvalidInput (also when neither is named, or the cursor is another query's), NotFound."""
    @overload
    def contacts(self, *, owner: str | None = ..., account_id: str | None = ..., address: str | None = ..., limit: int = ..., cursor: str | None = ...) -> ContactPage: ...
    @overload
    def events_between(self, query: CalendarQuery) -> CalendarPage:
        """Events between two times as of the last sync, in the order in which they begin, of all accounts of an owner or of one account; each occurrence of a series
        is one. Accounts that are connected for `calendar` have their default calendar synced by `sync`, `start` and `run_once`, from `calendar_days_before` to
        `calendar_days_after` of the configuration. One that lasts all day counts from midnight to midnight UTC. Touches no network.
        Errors: InvalidInput (also when neither is named, or the cursor is another query's), NotFound, ConsentMissing (the account was not connected for `calendar`)."""
    @overload
    def events_between(self, *, starting: datetime, ending: datetime, owner: str | None = ..., account_id: str | None = ..., limit: int = ..., cursor: str | None = ...) -> CalendarPage: ...
    @overload
    def chat_history(self, query: TeamsMessageQuery) -> TeamsMessagePage:
        """Messages of Teams chats as of the last sync, the newest first, of all accounts of an owner or of one account, of all chats or of one. Accounts that are
        connected for `chat` with `Chat.Read` among the extra scopes have theirs synced: by `sync` and `sync_all` when they are called, by `start` and `run_once`
        once a day, as Microsoft's terms allow; of a chat that is new here the last 30 days, and at the most the newest 1,000 messages at a time. A message that
        was changed or deleted is noticed at once if it is the last of its chat, else with the next one that is said there. Touches no network.
        Errors: InvalidInput (also when neither is named, or the cursor is another query's), NotFound, ConsentMissing (the account may not read chats)."""
    @overload
    def chat_history(self, *, owner: str | None = ..., account_id: str | None = ..., chat_id: str | None = ..., form: _BodyForm = ..., limit: int = ..., cursor: str | None = ...) -> TeamsMessagePage: ...
    def events(self, owner: str | None = ...) -> BlockingEventStream:
        """Live events from now on: of all accounts of an owner, or of everybody when none is named."""
    @overload
    def changes(self, query: ChangeQuery) -> BlockingChangeStream:
        """The change feed of all accounts of an owner, or of one account. What is wrong with the query is told by the stream: InvalidInput, NotFound,
        CursorExpired (it is older than what is kept: `keep_changes_days`)."""
    @overload
    def changes(self, *, owner: str | None = ..., account_id: str | None = ..., cursor: str | None = ...) -> BlockingChangeStream: ...
    @overload
    def receive(self, request: HttpRequest) -> HttpResponse:
        """Takes a request that came to `notification_url`, whatever it holds, and gives the answer to send back. Mount it as one route that takes POST; the body must
        be whole. Answered within three seconds, without a request to anybody: Microsoft's question whether the route is there by its token as plain text;
        notifications by 202 once they are durable, good and bad ones alike (a bad one is dropped, and counted by `metrics`); what is no list of notifications by
        400, more than 4 MB or 1,000 of them by 413, and 503 when the store cannot be written, upon which Microsoft comes again. The accounts that were told of are
        synced in the background, each once for all that was told of it meanwhile, and after a restart as well. What the Bot Connector posts to the bot comes the same way: an activity that is
        proven is durable before its 202 and told by `changes`; 401 and 403 refuse what is not proven, 400 what cannot be read, 501 what waits for an answer of the host (see `receive_invoke`). Errors: Closed, Forked.
        Source: Graph, receive change notifications through webhooks."""
    @overload
    def receive(self, *, method: str = ..., path: str = ..., query: str = ..., headers: Mapping[str, str] = ..., body: bytes | None = ...) -> HttpResponse: ...
    @overload
    def receive_invoke(self, request: HttpRequest) -> BotReceived:
        """`receive` for a host that answers what Teams asks the bot and waits for (activities of the type `invoke`). Such a one is proven like any other; 403 refuses one
        of an organisation that is not connected, or in a conversation of another organisation. It comes in `invoke`: make the answer with `invoke_response` within ten
        seconds, since Teams waits for about fifteen at the most. The button of a card that somebody pressed is durable by then and told by `changes` (BotCardAction),
        once for each activity; posted again, it comes again, as Teams wants an answer. Errors: Closed, Forked.
        Source: Adaptive Cards, Universal Action Model; Bot Framework, invoke activity."""
    @overload
    def receive_invoke(self, *, method: str = ..., path: str = ..., query: str = ..., headers: Mapping[str, str] = ..., body: bytes | None = ...) -> BotReceived: ...
    def watch(self, account_id: str, on: bool, owner: str | None = ...) -> None:
        """Whether Microsoft is to tell what changes in the account's mailbox. Every account with `mail_sync` is watched when `notification_url` is set; this takes
        one out, or in again. Stores the wish and answers at once; the subscription is made or deleted in the background, and `health` tells by which way news
        come. Errors: InvalidInput (`notification_url` is not set), NotFound; to watch it also NotConnected, NeedsReconnect, ConsentMissing, Forbidden (an account without
        a mailbox, or a shared mailbox that a person opens)."""
    def request(self, account_id: str, request: _RawRequest, owner: str | None = ...) -> BlockingRawResponse:
        """Any endpoint of Graph, v1.0 or beta, with the account's token, under its limits. A GET or HEAD is repeated after an outage or a lost answer; anything else only
        with `repeat`, and never by itself when it may have been done. 429 and 503 with a Retry-After are waited for as long as `max_wait_ms` allows. What Graph answers
        is handed out as it came, refusals (4xx) and redirects included: none is followed, since the token is for Graph alone; the address in `location` is yours to
        fetch, without one. A cancelled call is not sent; one that was under way may have been done.
        Errors: InvalidInput and LimitExceeded (before anything is sent), LinkRejected (an address that is not this cloud's Graph; nothing was sent), NotFound (of
        another owner), NotConnected, NeedsReconnect (a renewed token is refused as well), ConsentMissing, Forbidden (the registration, or `/me` of an organisation: nothing was sent), Throttled, Network (nothing was
        sent), OutcomeUnknown (it may have been done), Upstream (asked as often as sensible), StoreBusy.
        Source: Graph, use the API."""
    def batch(self, account_id: str, requests: _RawRequest | Sequence[_RawRequest], owner: str | None = ...) -> list[RawOutcome]:
        """Many requests, in `$batch`es of up to 20 or beside them, whichever fits; in any order, and none waits for another. Outcomes come in the order of the requests,
        each with its own answer or failure: what is throttled or fails is repeated by itself, as by `request`. Bodies are whole. 10,000 requests and 64 MB of bodies at
        the most. Errors: as `request` before anything is sent (what is wrong with a request says which); later failures are in the outcomes.
        Source: Graph, combine multiple HTTP requests using JSON batching."""
    def pages(self, account_id: str, request: _RawRequest, owner: str | None = ...) -> BlockingRawPages:
        """A list, page by page: `@odata.nextLink` is followed on this cloud's Graph alone. What is wrong with the request is told by the stream."""
    def metrics(self) -> Metrics:
        """Counts since the engine was opened."""
    @overload
    def rotate_keys(self, rotation: KeyRotation) -> RotationReport:
        """Replaces keys while everything goes on. Waits up to 30 s for another rotation to end. Errors: InvalidInput, NotFound, StoreBusy when another rotation
        still runs, VaultLocked when the store key or root key is to be replaced and the root key was replaced since this process opened the store.
        Corrupt when a value cannot be opened: it is left with its old key, and everything else was replaced."""
    @overload
    def rotate_keys(self, *, new_root_key: _RootKey | None = ..., store_key: bool = ..., data_keys: bool = ..., account_id: str | None = ...) -> RotationReport: ...
    def audit(self, limit: int, cursor: str | None = ..., owner: str | None = ...) -> AuditPage:
        """The audit log after `cursor`, up to `limit` records (1 to 1000), in the order in which they were written. With `owner`, only the chain of this
        owner. Errors: InvalidInput (also when the cursor is another list's)."""
    def verify_audit(self, expected: AuditHead | None = ..., owner: str | None = ...) -> AuditVerdict:
        """Checks the audit log record by record, and its end against `expected` if given. With `owner`, only the chain of this owner, without reading any
        other; that a chain is gone as a whole shows when all are checked, or against `expected`. Errors: InvalidInput."""
    @overload
    def trim_audit(self, exported: AuditHead) -> int:
        """Erases the records up to `exported`, the head of a log that the host has read with `audit` and keeps elsewhere: the rest can still be proven. The log
        is checked first, and the call recorded. The store's own chain is kept from the record on that says that the first owner's was begun. Answers how
        many records were erased. Durable in pieces: a call that was cut off is taken up by the next one. Errors: InvalidInput, Corrupt (the log is not as it
        was written, or does not hold `exported`: nothing is erased)."""
    @overload
    def trim_audit(self, *, number: int, hash: str, owner: str | None = ..., chains: Sequence[_AuditChainHead] = ...) -> int: ...
    @overload
    def purge(self, request: PurgeRequest) -> PurgeReport:
        """Destroys the content key at once, then erases every row, and the same of shared mailboxes that are opened through the account. What was begun is ended at the next open. Errors: InvalidInput, NotFound,
        StoreBusy (all is erased, but another process that reads the store keeps older bytes in its log; the purge ends by itself once it is done)."""
    @overload
    def purge(self, *, account_id: str | None = ..., owner: str | None = ...) -> PurgeReport: ...
    def delete_owner(self, owner: str) -> OwnerDeletion:
        """Disconnects all accounts of an owner and purges them in 30 days. Errors: InvalidInput, NotFound (the owner has no account)."""
    def restore_owner(self, owner: str) -> None:
        """Takes `delete_owner` back, as long as nothing is purged; the accounts stay disconnected. Errors: NotFound."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: type[BaseException] | BaseException | TracebackType | None) -> None: ...

_Engine: TypeAlias = Engine | BlockingEngine

@final
class _LogPump:
    def __new__(cls, level: _LogLevel) -> Self: ...
    def next(self) -> LogRecord | None: ...
    def stop(self) -> None: ...

def generate_root_key() -> bytes:
    """32 fresh random bytes for `RootKey.raw`. Keep them where you keep your other secrets: without them nothing in the store can be read."""

def invoke_response(name: str, answer: _BotAnswer) -> HttpResponse:
    """The HTTP answer to a `BotInvoke` of this name. Touches nothing. Errors: InvalidInput (the answer does not belong to that name, the card is no Adaptive Card that
    Teams shows, the text is empty, the JSON is none, the status is not 400 to 599), LimitExceeded (100 KB).
    Source: Adaptive Cards, Universal Action Model, response format."""

def load_or_create_key(path: str | os.PathLike[str]) -> RootKey:
    """The root key in the file at `path`, for a program on one machine. A file that is missing is made, with its folder, for the user of this process alone (mode 0600 and
    0700; on Windows with the rights that its folder hands down): one line of base64 for 32 random bytes. It is never written over, and of several processes that
    start at once all get the same key. Keep it outside of the folder of the store, and a copy of it apart from copies of the store: without it nothing in the store can be
    read, and with both everything. Where the machine has a key store, or your platform a KMS, prefer `RootKey.from_keyring` or `RootKey.unwrapped`. Errors: InvalidInput (the path
    names a folder, a link or no plain file), VaultLocked (others may read the file or it is theirs, it holds no key, it cannot be read or made), StoreFull."""

def logs(level: _LogLevel) -> LogStream:
    """What the engines of this process log from now on, at this level and above. Never holds secrets, addresses or subjects.
    Errors: Conflict when the process has a `tracing` subscriber of its own; the records are there then."""

def blocking_logs(level: _LogLevel) -> BlockingLogStream:
    """What the engines of this process log from now on, at this level and above. Never holds secrets, addresses or subjects.
    Errors: Conflict when the process has a `tracing` subscriber of its own; the records are there then."""

def version() -> str:
    """The engine's version, as in `0.1.0`."""

def wrapped_root_key(data_dir: str) -> bytes | None:
    """The wrapped key that `RootKey.unwrapped` left with the store in this folder; none if there is no store yet, or it has another kind of key.
    Needs no key. Errors: InvalidInput, Corrupt, StoreBusy."""
