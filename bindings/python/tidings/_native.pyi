# Written from udl/src/tidings.udl by `cargo run -p tidings-generator -- stubs`. Do not edit.
import enum
from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import ClassVar, Literal, TypeAlias, final, overload

from typing_extensions import Self, disjoint_base

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
    CANCELLED = "cancelled"
    CLOSED = "closed"
    FORKED = "forked"
    INTERNAL = "internal"
    def __new__(cls, value: object) -> Self: ...

_ErrorKind: TypeAlias = ErrorKind | Literal["invalid_input", "limit_exceeded", "not_connected", "needs_reconnect", "consent_missing", "forbidden", "not_found", "conflict", "throttled", "upstream", "network", "outcome_unknown", "link_rejected", "token_rejected", "vault_locked", "wrong_key", "corrupt", "store_busy", "store_full", "cancelled", "closed", "forked", "internal"]

class Remedy(str, enum.Enum):
    """Who can mend it."""
    USER = "user"
    ADMIN = "admin"
    DEVELOPER = "developer"
    WAIT = "wait"
    NOBODY = "nobody"
    def __new__(cls, value: object) -> Self: ...

_Remedy: TypeAlias = Remedy | Literal["user", "admin", "developer", "wait", "nobody"]

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
    MISCONFIGURED = "misconfigured"
    DISCONNECTED = "disconnected"
    def __new__(cls, value: object) -> Self: ...

_AccountState: TypeAlias = AccountState | Literal["connected", "needs_reconnect", "awaiting_admin", "misconfigured", "disconnected"]

class BodyType(str, enum.Enum):
    TEXT = "text"
    HTML = "html"
    def __new__(cls, value: object) -> Self: ...

_BodyType: TypeAlias = BodyType | Literal["text", "html"]

class Importance(str, enum.Enum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    def __new__(cls, value: object) -> Self: ...

_Importance: TypeAlias = Importance | Literal["low", "normal", "high"]

class Route(str, enum.Enum):
    MAIL = "mail"
    CHAT = "chat"
    def __new__(cls, value: object) -> Self: ...

_Route: TypeAlias = Route | Literal["mail", "chat"]

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

class ChangeKind(str, enum.Enum):
    MESSAGE_ADDED = "message_added"
    MESSAGE_CHANGED = "message_changed"
    MESSAGE_MOVED = "message_moved"
    MESSAGE_REMOVED = "message_removed"
    ACCOUNT_CHANGED = "account_changed"
    SEND_CHANGED = "send_changed"
    def __new__(cls, value: object) -> Self: ...

_ChangeKind: TypeAlias = ChangeKind | Literal["message_added", "message_changed", "message_moved", "message_removed", "account_changed", "send_changed"]

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

class CancelledError(TidingsError):
    """The caller stopped it."""

class ClosedError(TidingsError):
    """The engine is shut down."""

class ForkedError(TidingsError):
    """The process was forked after `open`; open an engine of its own in the child."""

class InternalError(TidingsError):
    """A defect of Tidings."""

@final
class Config:
    """How an engine is set up."""
    __match_args__ = ("data_dir", "client_id", "cloud", "client_secret", "tenant", "send_timeout_ms", "sign_in_seconds", "page_size", "folders", "allow_tls12", "proxy")
    def __new__(cls, data_dir: str, client_id: str, cloud: _Cloud, client_secret: _Secret | None = ..., tenant: str = ..., send_timeout_ms: int = ..., sign_in_seconds: int = ..., page_size: int = ..., folders: Sequence[str] = ..., allow_tls12: bool = ..., proxy: str | None = ...) -> Self: ...
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
    def tenant(self) -> str:
        """Whose sign-in page: `common`, `organizations`, `consumers`, a tenant id or a verified domain."""
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
        """Folders to sync, by well-known name or id; empty: `inbox` and `sentitems`."""
    @property
    def allow_tls12(self) -> bool:
        """Accept TLS 1.2 beside 1.3, for networks whose proxy needs it."""
    @property
    def proxy(self) -> str | None:
        """Proxy as `http://host:port`; without it the environment decides."""

@final
class ConnectRequest:
    """A sign-in to start."""
    __match_args__ = ("owner", "features", "redirect_uri", "login_hint", "extra_scopes")
    def __new__(cls, owner: str, features: Sequence[_Feature], redirect_uri: str = ..., login_hint: str | None = ..., extra_scopes: Sequence[str] = ...) -> Self: ...
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
class Account:
    """A connected Microsoft 365 account."""
    __match_args__ = ("id", "owner", "state", "address", "display_name", "tenant_id", "user_id", "features", "scopes", "missing", "connected_at", "problem")
    def __new__(cls, id: str, owner: str, state: _AccountState, address: str, display_name: str, tenant_id: str, user_id: str, features: Sequence[_Feature], scopes: Sequence[str], missing: Sequence[_Feature], connected_at: datetime, problem: str | None) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def state(self) -> AccountState: ...
    @property
    def address(self) -> str:
        """Address and name as Microsoft gives them; for display, never a key."""
    @property
    def display_name(self) -> str: ...
    @property
    def tenant_id(self) -> str:
        """Entra tenant id and object id: who it is."""
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
    def problem(self) -> str | None:
        """Why it is not connected, and what to do."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class AccountFilter:
    __match_args__ = ("owner", "state")
    def __new__(cls, owner: str | None = ..., state: _AccountState | None = ...) -> Self: ...
    @property
    def owner(self) -> str | None: ...
    @property
    def state(self) -> AccountState | None: ...
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

# A text stands for the address alone.
_Address: TypeAlias = Address | str

@final
class FileAttachment:
    """A file to send with a mail, below 3 MB."""
    __match_args__ = ("name", "content", "content_type")
    def __new__(cls, name: str, content: bytes, content_type: str = ...) -> Self: ...
    @property
    def name(self) -> str: ...
    @property
    def content(self) -> bytes: ...
    @property
    def content_type(self) -> str: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class MailDraft:
    """A new mail. To, cc and bcc together 1 to 500 recipients."""
    __match_args__ = ("account_id", "to", "subject", "body", "body_type", "cc", "bcc", "reply_to", "importance", "attachments", "key")
    def __new__(cls, account_id: str, to: _Address | Sequence[_Address], subject: str, body: str, body_type: _BodyType = ..., cc: _Address | Sequence[_Address] = ..., bcc: _Address | Sequence[_Address] = ..., reply_to: _Address | Sequence[_Address] = ..., importance: _Importance = ..., attachments: Sequence[FileAttachment] = ..., key: str | None = ...) -> Self: ...
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
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class ChatDraft:
    """A Teams message to one person, found by mail address; the one-to-one chat is made or reused."""
    __match_args__ = ("account_id", "to", "body", "body_type", "key")
    def __new__(cls, account_id: str, to: str, body: str, body_type: _BodyType = ..., key: str | None = ...) -> Self: ...
    @property
    def account_id(self) -> str: ...
    @property
    def to(self) -> str: ...
    @property
    def body(self) -> str: ...
    @property
    def body_type(self) -> BodyType: ...
    @property
    def key(self) -> str | None:
        """Idempotency key, as in `MailDraft`."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Receipt:
    """What became of a draft."""
    __match_args__ = ("id", "account_id", "route", "state", "key", "attempts", "reason", "internet_message_id", "graph_id", "chat_id", "created_at", "sent_at", "next_attempt_at")
    def __new__(cls, id: str, account_id: str, route: _Route, state: _SendState, key: str | None, attempts: int, reason: str | None, internet_message_id: str | None, graph_id: str | None, chat_id: str | None, created_at: datetime, sent_at: datetime | None, next_attempt_at: datetime | None) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def account_id(self) -> str: ...
    @property
    def route(self) -> Route: ...
    @property
    def state(self) -> SendState: ...
    @property
    def key(self) -> str | None: ...
    @property
    def attempts(self) -> int:
        """Times it was tried."""
    @property
    def reason(self) -> str | None:
        """Why it is not sent, and what to do."""
    @property
    def internet_message_id(self) -> str | None:
        """Message-ID header of a mail (RFC 5322)."""
    @property
    def graph_id(self) -> str | None:
        """Microsoft's id of the sent copy or chat message, and of the chat."""
    @property
    def chat_id(self) -> str | None: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def sent_at(self) -> datetime | None: ...
    @property
    def next_attempt_at(self) -> datetime | None:
        """When it will be tried again."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class OutboxFilter:
    __match_args__ = ("account_id", "state", "limit")
    def __new__(cls, account_id: str | None = ..., state: _SendState | None = ..., limit: int = ...) -> Self: ...
    @property
    def account_id(self) -> str | None: ...
    @property
    def state(self) -> SendState | None: ...
    @property
    def limit(self) -> int:
        """Newest first, at most this many, 1 to 1000."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Folder:
    """A mail folder."""
    __match_args__ = ("id", "account_id", "display_name", "well_known_name", "stored", "total", "unread")
    def __new__(cls, id: str, account_id: str, display_name: str, well_known_name: str | None, stored: int, total: int, unread: int) -> Self: ...
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
    def stored(self) -> int:
        """Messages held here, and Microsoft's own count at the last sync."""
    @property
    def total(self) -> int: ...
    @property
    def unread(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class AttachmentInfo:
    __match_args__ = ("id", "name", "content_type", "size", "is_inline")
    def __new__(cls, id: str, name: str, content_type: str, size: int, is_inline: bool) -> Self: ...
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
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Message:
    """A mail as it was at the last sync; its body comes from `body`."""
    __match_args__ = ("id", "account_id", "graph_id", "folder_id", "conversation_id", "internet_message_id", "subject", "preview", "from_address", "sender_address", "to", "cc", "bcc", "reply_to", "received_at", "sent_at", "is_read", "is_draft", "is_flagged", "importance", "categories", "has_attachments", "attachments", "web_link")
    def __new__(cls, id: str, account_id: str, graph_id: str, folder_id: str, conversation_id: str, internet_message_id: str | None, subject: str, preview: str, from_address: _Address | None, sender_address: _Address | None, to: _Address | Sequence[_Address], cc: _Address | Sequence[_Address], bcc: _Address | Sequence[_Address], reply_to: _Address | Sequence[_Address], received_at: datetime | None, sent_at: datetime | None, is_read: bool, is_draft: bool, is_flagged: bool, importance: _Importance, categories: Sequence[str], has_attachments: bool, attachments: Sequence[AttachmentInfo], web_link: str | None) -> Self: ...
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
        """Inline ones as well, where there are others or the HTML shows them."""
    @property
    def web_link(self) -> str | None: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class MessageBody:
    """Body of a mail, as stored and in both forms."""
    __match_args__ = ("body_type", "content", "text", "html")
    def __new__(cls, body_type: _BodyType, content: str, text: str, html: str) -> Self: ...
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
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class MessageQuery:
    __match_args__ = ("account_id", "folder", "is_read", "conversation_id", "limit", "cursor")
    def __new__(cls, account_id: str | None = ..., folder: str | None = ..., is_read: bool | None = ..., conversation_id: str | None = ..., limit: int = ..., cursor: str | None = ...) -> Self: ...
    @property
    def account_id(self) -> str | None: ...
    @property
    def folder(self) -> str | None:
        """Folder by id or well-known name; without an account, that folder of all accounts."""
    @property
    def is_read(self) -> bool | None: ...
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
class SyncReport:
    """What a sync did."""
    __match_args__ = ("account_id", "folders", "pages", "added", "changed", "moved", "removed", "resynced", "quarantined", "duration_ms")
    def __new__(cls, account_id: str, folders: int, pages: int, added: int, changed: int, moved: int, removed: int, resynced: int, quarantined: int, duration_ms: int) -> Self: ...
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
        """Items that could not be read and were set aside."""
    @property
    def duration_ms(self) -> int: ...
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
        """Id of the message or receipt."""
    @property
    def at(self) -> datetime: ...
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
    class Chat(Draft):
        __match_args__ = ("chat",)
        def __new__(cls, chat: ChatDraft) -> Self: ...
        @property
        def chat(self) -> ChatDraft: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

_Draft: TypeAlias = Draft | MailDraft | ChatDraft

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
    class Missed(Event):
        """The reader was too slow; this many events were dropped, the oldest first."""
        __match_args__ = ("count",)
        def __new__(cls, count: int) -> Self: ...
        @property
        def count(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

_Event: TypeAlias = Event | Receipt | SyncReport

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

_RootKey: TypeAlias = RootKey | bytes

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
class LoopbackSignIn:
    """A sign-in whose callback this process receives itself, on a loopback address (RFC 8252)."""
    def url(self) -> str:
        """Open this in a browser."""
    async def wait(self) -> Account:
        """Waits for the browser to come back and finishes the sign-in. Errors: those of `finish_connect`; Cancelled when the sign-in expired."""

@final
class BlockingLoopbackSignIn:
    """A sign-in whose callback this process receives itself, on a loopback address (RFC 8252)."""
    def url(self) -> str:
        """Open this in a browser."""
    def wait(self) -> Account:
        """Waits for the browser to come back and finishes the sign-in. Errors: those of `finish_connect`; Cancelled when the sign-in expired."""

_LoopbackSignIn: TypeAlias = LoopbackSignIn | BlockingLoopbackSignIn

@final
class EventStream:
    """Live events from the moment it was made."""
    async def next(self) -> Event | None:
        """Waits for the next event; none after shutdown. A cancelled wait loses nothing."""
    def __aiter__(self) -> Self: ...
    async def __anext__(self) -> Event: ...

@final
class BlockingEventStream:
    """Live events from the moment it was made."""
    def next(self) -> Event | None:
        """Waits for the next event; none after shutdown. A cancelled wait loses nothing."""
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
class Engine:
    """The front door. One engine per process and store is enough; all methods may be called at the same time from any thread.
    Durable steps run to their end even when the caller stops waiting."""
    @staticmethod
    def open(config: Config, root_key: _RootKey) -> Engine:
        """Opens or makes the store, and takes up sends left by an earlier process. Touches no network. Errors: InvalidInput, WrongKey, Corrupt, StoreBusy."""
    @staticmethod
    def open_with_clock(config: Config, root_key: _RootKey, clock: _TestClock) -> Engine:
        """`open` on a clock that tests move. Errors: as `open`; InvalidInput unless the cloud is `Custom` on loopback."""
    async def close(self) -> None:
        """Stops new work, lets durable steps end, and closes the store. May be called twice. Streams end."""
    @overload
    async def connect(self, request: ConnectRequest) -> SignIn:
        """Starts a sign-in (authorization code with PKCE). Stores the attempt, touches no network. Errors: InvalidInput.
        Source: Microsoft identity platform, OAuth 2.0 authorization code flow; RFC 7636."""
    @overload
    async def connect(self, *, owner: str, features: Sequence[_Feature], redirect_uri: str = ..., login_hint: str | None = ..., extra_scopes: Sequence[str] = ...) -> SignIn: ...
    async def finish_connect(self, callback_url: str, binding: str) -> Account:
        """Ends a sign-in with the URL the browser came back to. Works once per attempt, also after a restart; runs to its end when the caller stops waiting.
        Errors: InvalidInput, Conflict (already used), Cancelled (declined or expired), ConsentMissing, TokenRejected, Network."""
    @overload
    async def connect_here(self, request: ConnectRequest) -> LoopbackSignIn:
        """Starts a sign-in whose callback is received on a loopback port of this machine."""
    @overload
    async def connect_here(self, *, owner: str, features: Sequence[_Feature], redirect_uri: str = ..., login_hint: str | None = ..., extra_scopes: Sequence[str] = ...) -> LoopbackSignIn: ...
    @overload
    async def accounts(self, filter: AccountFilter) -> list[Account]:
        ...
    @overload
    async def accounts(self, *, owner: str | None = ..., state: _AccountState | None = ...) -> list[Account]: ...
    async def account(self, account_id: str) -> Account:
        """Errors: NotFound."""
    async def disconnect(self, account_id: str) -> Account:
        """Cancels queued sends, stops syncs and destroys the account's tokens at once; works offline. Synced mail is kept."""
    async def send(self, draft: _Draft) -> Receipt:
        """Stores the draft, delivers it and answers with the outcome; `queued` when `send_timeout_ms` passed first.
        Errors before anything is stored: InvalidInput, LimitExceeded, NotConnected, ConsentMissing, Conflict. After that the receipt tells."""
    async def enqueue(self, draft: _Draft) -> Receipt:
        """Stores the draft and answers at once; delivery goes on in the background. Errors: as `send` before storing."""
    async def receipt(self, receipt_id: str) -> Receipt:
        """Errors: NotFound."""
    @overload
    async def outbox(self, filter: OutboxFilter) -> list[Receipt]:
        ...
    @overload
    async def outbox(self, *, account_id: str | None = ..., state: _SendState | None = ..., limit: int = ...) -> list[Receipt]: ...
    async def sync(self, account_id: str) -> SyncReport:
        """Brings the account's folders up to date. Each page is stored with its cursor in one transaction; a cancelled call stops after a page and loses nothing.
        Source: Graph, message: delta. Errors: NotConnected, NeedsReconnect, ConsentMissing, Throttled, Network, Upstream, LinkRejected."""
    async def folders(self, account_id: str) -> list[Folder]:
        """Folders known from the last sync."""
    @overload
    async def messages(self, query: MessageQuery) -> MessagePage:
        ...
    @overload
    async def messages(self, *, account_id: str | None = ..., folder: str | None = ..., is_read: bool | None = ..., conversation_id: str | None = ..., limit: int = ..., cursor: str | None = ...) -> MessagePage: ...
    async def message(self, message_id: str) -> Message:
        """Errors: NotFound."""
    async def body(self, message_id: str) -> MessageBody:
        """Errors: NotFound."""
    async def thread(self, message_id: str) -> MailThread:
        """The conversation a message belongs to. Errors: NotFound."""
    async def mark_read(self, message_id: str, is_read: bool) -> Message:
        """Sets the read state in the mailbox, then here. Errors: NotFound, NotConnected, ConsentMissing, Network."""
    def events(self) -> EventStream:
        """Live events from now on."""
    def changes(self, cursor: str | None = ...) -> ChangeStream:
        """The change feed after `cursor`; from the beginning when none is given."""
    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *_exc: type[BaseException] | BaseException | TracebackType | None) -> None: ...

@final
class BlockingEngine:
    """The front door. One engine per process and store is enough; all methods may be called at the same time from any thread.
    Durable steps run to their end even when the caller stops waiting."""
    @staticmethod
    def open(config: Config, root_key: _RootKey) -> BlockingEngine:
        """Opens or makes the store, and takes up sends left by an earlier process. Touches no network. Errors: InvalidInput, WrongKey, Corrupt, StoreBusy."""
    @staticmethod
    def open_with_clock(config: Config, root_key: _RootKey, clock: _TestClock) -> BlockingEngine:
        """`open` on a clock that tests move. Errors: as `open`; InvalidInput unless the cloud is `Custom` on loopback."""
    def close(self) -> None:
        """Stops new work, lets durable steps end, and closes the store. May be called twice. Streams end."""
    @overload
    def connect(self, request: ConnectRequest) -> SignIn:
        """Starts a sign-in (authorization code with PKCE). Stores the attempt, touches no network. Errors: InvalidInput.
        Source: Microsoft identity platform, OAuth 2.0 authorization code flow; RFC 7636."""
    @overload
    def connect(self, *, owner: str, features: Sequence[_Feature], redirect_uri: str = ..., login_hint: str | None = ..., extra_scopes: Sequence[str] = ...) -> SignIn: ...
    def finish_connect(self, callback_url: str, binding: str) -> Account:
        """Ends a sign-in with the URL the browser came back to. Works once per attempt, also after a restart; runs to its end when the caller stops waiting.
        Errors: InvalidInput, Conflict (already used), Cancelled (declined or expired), ConsentMissing, TokenRejected, Network."""
    @overload
    def connect_here(self, request: ConnectRequest) -> BlockingLoopbackSignIn:
        """Starts a sign-in whose callback is received on a loopback port of this machine."""
    @overload
    def connect_here(self, *, owner: str, features: Sequence[_Feature], redirect_uri: str = ..., login_hint: str | None = ..., extra_scopes: Sequence[str] = ...) -> BlockingLoopbackSignIn: ...
    @overload
    def accounts(self, filter: AccountFilter) -> list[Account]:
        ...
    @overload
    def accounts(self, *, owner: str | None = ..., state: _AccountState | None = ...) -> list[Account]: ...
    def account(self, account_id: str) -> Account:
        """Errors: NotFound."""
    def disconnect(self, account_id: str) -> Account:
        """Cancels queued sends, stops syncs and destroys the account's tokens at once; works offline. Synced mail is kept."""
    def send(self, draft: _Draft) -> Receipt:
        """Stores the draft, delivers it and answers with the outcome; `queued` when `send_timeout_ms` passed first.
        Errors before anything is stored: InvalidInput, LimitExceeded, NotConnected, ConsentMissing, Conflict. After that the receipt tells."""
    def enqueue(self, draft: _Draft) -> Receipt:
        """Stores the draft and answers at once; delivery goes on in the background. Errors: as `send` before storing."""
    def receipt(self, receipt_id: str) -> Receipt:
        """Errors: NotFound."""
    @overload
    def outbox(self, filter: OutboxFilter) -> list[Receipt]:
        ...
    @overload
    def outbox(self, *, account_id: str | None = ..., state: _SendState | None = ..., limit: int = ...) -> list[Receipt]: ...
    def sync(self, account_id: str) -> SyncReport:
        """Brings the account's folders up to date. Each page is stored with its cursor in one transaction; a cancelled call stops after a page and loses nothing.
        Source: Graph, message: delta. Errors: NotConnected, NeedsReconnect, ConsentMissing, Throttled, Network, Upstream, LinkRejected."""
    def folders(self, account_id: str) -> list[Folder]:
        """Folders known from the last sync."""
    @overload
    def messages(self, query: MessageQuery) -> MessagePage:
        ...
    @overload
    def messages(self, *, account_id: str | None = ..., folder: str | None = ..., is_read: bool | None = ..., conversation_id: str | None = ..., limit: int = ..., cursor: str | None = ...) -> MessagePage: ...
    def message(self, message_id: str) -> Message:
        """Errors: NotFound."""
    def body(self, message_id: str) -> MessageBody:
        """Errors: NotFound."""
    def thread(self, message_id: str) -> MailThread:
        """The conversation a message belongs to. Errors: NotFound."""
    def mark_read(self, message_id: str, is_read: bool) -> Message:
        """Sets the read state in the mailbox, then here. Errors: NotFound, NotConnected, ConsentMissing, Network."""
    def events(self) -> BlockingEventStream:
        """Live events from now on."""
    def changes(self, cursor: str | None = ...) -> BlockingChangeStream:
        """The change feed after `cursor`; from the beginning when none is given."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: type[BaseException] | BaseException | TracebackType | None) -> None: ...

_Engine: TypeAlias = Engine | BlockingEngine

def generate_root_key() -> bytes:
    """32 fresh random bytes for `RootKey.raw`. Keep them where you keep your other secrets: without them nothing in the store can be read."""

def version() -> str:
    """The engine's version, as in `0.1.0`."""
