"""What the browser gets of the engine's records: the fields that are named, and no others."""

from datetime import datetime, timezone
from enum import Enum
from typing import Any

from tidings import Account, AccountHealth, Address, Backfill, Message, Receipt, ThreadSummary


def plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, Address):
        return {"address": value.address, "name": value.name}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


def fields(record: Any, *names: str) -> dict[str, Any]:
    return {name: plain(getattr(record, name)) for name in names}


def backfill(record: Backfill | None) -> dict[str, Any] | None:
    if record is None:
        return None
    return fields(record, "account_id", "range", "state", "done", "total", "rate", "remaining_ms", "problem")


def account(record: Account, health: AccountHealth | None) -> dict[str, Any]:
    known = fields(
        record, "id", "kind", "state", "address", "display_name", "features", "missing", "connected_at", "problem", "warnings", "access_ends_at", "delegate"
    )
    names = ("badge", "transport", "last_success_at", "last_error_at", "last_error", "next_step", "quarantined")
    return known | (fields(health, *names) if health else {})


def receipt(record: Receipt) -> dict[str, Any]:
    return fields(record, "id", "account_id", "route", "state", "reason", "created_at", "sent_at", "next_attempt_at", "link")


def thread(record: ThreadSummary) -> dict[str, Any]:
    newest = fields(record.newest, "id", "preview", "received_at", "sent_at", "is_read")
    return fields(record, "account_id", "conversation_id", "subject", "messages", "unread", "participants", "has_attachments") | {"newest": newest}


def message(record: Message) -> dict[str, Any]:
    files = [fields(one, "id", "name", "size", "kind") for one in record.attachments if not one.is_inline]
    names = ("id", "account_id", "subject", "preview", "from_address", "to", "cc", "received_at", "sent_at", "is_read", "is_draft", "kind")
    return fields(record, *names) | {"attachments": files}
