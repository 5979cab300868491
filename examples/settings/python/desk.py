"""The page of a candidate: the mail with them, and a mail to them. Candidates and templates stand for those of your own database."""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

from integration import Refused
from plain import fields, message, receipt, thread
from sessions import Session
from tidings import Account, AccountState, AttachmentContent, BodyOptions, Engine, Feature, FileAttachment, Mail, Reply, TidingsError, attachment_from

_DATA = json.loads((Path(__file__).parents[1] / "desk.json").read_text())
CANDIDATES: list[dict[str, str]] = _DATA["candidates"]
TEMPLATES: list[dict[str, str]] = _DATA["templates"]


def _one(of: list[dict[str, str]], id: str, what: str) -> dict[str, str]:
    for one in of:
        if one["id"] == id:
            return one
    raise Refused(404, f"There is no such {what}.")


def _text(of: Any, name: str) -> str:
    if not isinstance(of, dict) or not isinstance(of.get(name), str):
        raise Refused(400, f"The text '{name}' is missing.")
    return str(of[name])


def _time(of: dict[str, Any], name: str) -> datetime | None:
    if not of.get(name):
        return None
    try:
        time = datetime.fromisoformat(_text(of, name).replace("Z", "+00:00"))
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise Refused(400, "The time to send at is not one.")
    return time


class Desk:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    # Reading

    async def candidate(self, session: Session, id: str) -> dict[str, Any]:
        """Everything that the page shows at first. `last` is the account this person wrote from last to this candidate."""
        one = _one(CANDIDATES, id, "candidate")
        page = await self.engine.threads(owner=session.owner, link=id, limit=50)
        last = await self.engine.last_sender(session.owner, id)
        sends = await self.engine.outbox(owner=session.owner, limit=200)
        return {
            "candidate": one,
            "threads": [thread(item) for item in page.items],
            "senders": [fields(sender, "id", "address", "display_name", "kind") for sender in await self._senders(session)],
            "last": last.account_id if last else None,
            "templates": [{"id": item["id"], "name": item["name"]} for item in TEMPLATES],
            "outbox": [receipt(item) for item in sends if item.link == id and item.state not in ("sent", "cancelled")],
        }

    async def _senders(self, session: Session) -> list[Account]:
        page = await self.engine.accounts(owner=session.owner, state=AccountState.CONNECTED, limit=1000)
        return [one for one in page.items if Feature.MAIL_SEND in one.features and Feature.MAIL_SEND not in one.missing]

    async def thread(self, session: Session, message_id: str) -> dict[str, Any]:
        found = await self.engine.thread(message_id, session.owner)
        return fields(found, "account_id", "subject") | {"messages": [message(one) for one in found.messages]}

    async def body(self, session: Session, message_id: str) -> str:
        """HTML as the engine cleans it; it is shown in a frame in which nothing runs. Pictures of the mail itself are in it, others are never loaded."""
        try:
            return (await self.engine.body(message_id, session.owner, "html", BodyOptions(inline_images="data"))).html
        except TidingsError:  # They come from the mailbox, which may be out of reach.
            return (await self.engine.body(message_id, session.owner, "html", BodyOptions(inline_images="leave_out"))).html

    async def attachment(self, session: Session, message_id: str, attachment_id: str) -> AttachmentContent:
        return await self.engine.attachment(message_id, attachment_id, session.owner)

    # Writing

    async def _own(self, session: Session, account_id: str) -> Account:
        """Drafts name an account and no owner, so whose it is is asked here."""
        return await self.engine.account(account_id, session.owner)

    async def fill(self, session: Session, id: str, template_id: str, account_id: str) -> dict[str, Any]:
        """A template with what is known of the candidate in it, to be read and changed before it is sent."""
        one, template = _one(CANDIDATES, id, "candidate"), _one(TEMPLATES, template_id, "template")
        sender = await self._own(session, account_id)
        values = {"candidate.first_name": one["first_name"], "candidate.name": one["name"], "job.title": one["job"], "sender.name": sender.display_name or sender.address}
        draft = Mail(sender.id, one["address"], template["subject"], template["body"], merge_fields=values)
        return fields(await self.engine.preview(draft), "subject", "body")

    async def stage(self, session: Session, account_id: str, name: str, content_type: str, content: AsyncIterator[bytes]) -> dict[str, Any]:
        account = await self._own(session, account_id)
        staged = await attachment_from(self.engine, account.id, content, name=name, content_type=content_type)
        return fields(staged, "name", "content_type", "staged")

    async def send(self, session: Session, id: str, said: dict[str, Any]) -> dict[str, Any]:
        one = _one(CANDIDATES, id, "candidate")
        account = await self._own(session, _text(said, "account_id"))
        files = [FileAttachment(_text(file, "name"), b"", _text(file, "content_type"), staged=_text(file, "staged")) for file in said.get("attachments") or []]
        shared: dict[str, Any] = {
            "attachments": files,
            "send_at": _time(said, "send_at"),
            # A second press of the button, or a second try after a lost answer, sends nothing twice.
            "key": f"{id}/{_text(said, 'key')}",
            # The next mail to this candidate offers the same sender.
            "context": id,
            "link": id,
            "add_signature": bool(said.get("add_signature")),
        }
        if said.get("reply_to"):
            draft: Mail | Reply = Reply(account.id, _text(said, "reply_to"), _text(said, "body"), **shared)
        else:
            draft = Mail(account.id, one["address"], _text(said, "subject"), _text(said, "body"), **shared)
        return receipt(await self.engine.send(draft))

    async def cancel(self, session: Session, receipt_id: str) -> dict[str, Any]:
        return receipt(await self.engine.cancel(receipt_id, session.owner))
