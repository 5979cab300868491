"""The settings of a person's mailboxes: each function is one call of the JSON API. Nothing here knows of a web framework."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from plain import account, backfill, fields
from sessions import Session, Sessions
from tidings import Account, AccountState, BackfillRange, ConsentMissingError, Engine, Feature, NotFoundError, Signature, TidingsError

FEATURES = ("mail_sync", "mail_send", "shared_mailboxes", "contacts", "calendar", "chat")
# From the best to the worst.
BADGES = ("healthy", "incomplete", "never_synced", "stale", "error")

RANGES = ("nothing", "thirty_days", "ninety_days", "twelve_months", "everything")


class Refused(Exception):
    """What this server refuses by itself."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def known(features: Any) -> list[Feature]:
    if not isinstance(features, list) or not features or not all(one in FEATURES for one in features):
        raise Refused(400, "Choose what the account is connected for.")
    return [Feature(one) for one in features]


def known_range(range: str) -> BackfillRange:
    if range not in RANGES:
        raise Refused(400, "Choose how far back mail is fetched.")
    return BackfillRange(range)


class Integration:
    def __init__(self, engine: Engine, sessions: Sessions, base_url: str, candidates: list[dict[str, str]]) -> None:
        self.engine = engine
        self.sessions = sessions
        self.redirect_uri = f"{base_url}/callback"
        self.candidates = candidates

    # Connecting

    async def permissions(self, session: Session, features: list[str], account_id: str | None) -> dict[str, Any]:
        list_ = await self.engine.permissions(features=known(features) if features else [], account_id=account_id, owner=session.owner)
        items = [fields(one, "name", "title", "reason", "needs_admin", "granted") for one in list_.items]
        return {"items": items, "not_accessed": list_.not_accessed}

    async def connect(self, session: Session, features: Any) -> dict[str, Any]:
        return self._begun(session, await self.engine.connect(owner=session.owner, features=known(features), redirect_uri=self.redirect_uri))

    async def reconnect(self, session: Session, id: str) -> dict[str, Any]:
        return self._begun(session, await self.engine.reconnect(id, self.redirect_uri, session.owner))

    async def add_features(self, session: Session, id: str, features: Any) -> dict[str, Any]:
        return self._begun(session, await self.engine.add_features(id, known(features), self.redirect_uri, session.owner))

    async def approval(self, session: Session, id: str) -> dict[str, Any]:
        """What the administrator needs. An administrator may also open the address in this very browser, and comes back to the callback."""
        approval = await self.engine.approval(id, self.redirect_uri, session.owner)
        return self._begun(session, approval) | fields(approval, "justification", "sheet")

    def _begun(self, session: Session, started: Any) -> dict[str, Any]:
        """The binding stays on this side; the browser gets the address alone."""
        state = parse_qs(urlsplit(started.url).query).get("state", [""])[0]
        self.sessions.keep_binding(session, state, started.binding)
        return {"url": started.url}

    async def finish(self, session: Session, url: str) -> None:
        """The browser is back from Microsoft. What came of it is shown by the page."""
        state = parse_qs(urlsplit(url).query).get("state", [""])[0]
        try:
            connected = await self.engine.finish_connect(url, self.sessions.binding(session, state))
        except ConsentMissingError as error:
            text = "Your administrator has to approve this first. Below is what they need." if error.account_id else error.reason
            self.sessions.leave_notice(session, "waiting", text)
        except TidingsError as error:
            self.sessions.leave_notice(session, "problem", error.reason)
        else:
            await self._only_new(session, connected)
            for one in self.candidates:  # Mail with them is found by the candidate from now on.
                await self.engine.set_link_rule(owner=session.owner, key=one["id"], addresses=[one["address"]])
            text = f"{connected.address} is connected." if connected.state is AccountState.CONNECTED else (connected.problem or "It is not connected yet.")
            self.sessions.leave_notice(session, "done", text)

    async def _only_new(self, session: Session, account: Account) -> None:
        """Until the person has chosen how far back mail is fetched: without it the first sync brings all of it."""
        if Feature.MAIL_SYNC not in account.features or await self.engine.backfill_status(account.id, session.owner):
            return
        try:
            await self.engine.backfill(account.id, BackfillRange.NOTHING, session.owner)
        except TidingsError:
            pass  # The mailbox is out of reach now; its page says so.

    # Accounts

    async def accounts(self, session: Session) -> dict[str, Any]:
        page = await self.engine.accounts(owner=session.owner, limit=1000)
        try:
            health = {one.account_id: one for one in (await self.engine.health(session.owner)).accounts}
        except NotFoundError:
            health = {}
        items = []
        for one in page.items:
            item = account(one, health.get(one.id))
            item["backfill"] = backfill(await self.engine.backfill_status(one.id, session.owner))
            signature = await self.engine.signature(one.id, session.owner)
            item["signature"] = signature.text if signature else ""
            items.append(item)
        # What a person has disconnected does not colour the dot, and an account that waits for an administrator is no error.
        badges = ["stale" if item["state"] == "awaiting_admin" else item["badge"] for item in items if item["state"] != "disconnected" and "badge" in item]
        return {"badge": max(badges, key=BADGES.index) if badges else None, "items": items}

    async def add_shared(self, session: Session, id: str, address: str) -> dict[str, Any]:
        added = await self.engine.add_shared_mailbox(id, address.strip(), session.owner)
        await self._only_new(session, added)
        return account(added, None)

    async def verify(self, session: Session, id: str, test_message: bool) -> dict[str, Any]:
        found = await self.engine.verify(id, test_message, session.owner)
        sent = fields(found.test_message, "state", "reason") if found.test_message else None
        return fields(found, "mailbox", "problems") | {"address": found.account.address, "test_message": sent}

    async def sync(self, session: Session, id: str) -> dict[str, Any]:
        return fields(await self.engine.sync(id, session.owner), "added", "changed", "moved", "removed", "quarantined", "duration_ms")

    async def disconnect(self, session: Session, id: str) -> dict[str, Any]:
        return account(await self.engine.disconnect(id, session.owner), None)

    async def set_signature(self, session: Session, id: str, text: str) -> dict[str, Any]:
        await self.engine.set_signature(id, Signature(text) if text.strip() else None, session.owner)
        return {}

    # Mail of before

    async def estimate(self, session: Session, id: str, range: str) -> dict[str, Any]:
        return fields(await self.engine.estimate_backfill(id, known_range(range), session.owner), "messages", "folders", "since")

    async def backfill(self, session: Session, id: str, action: str, range: str) -> dict[str, Any] | None:
        match action:
            case "start":
                return backfill(await self.engine.backfill(id, known_range(range), session.owner))
            case "pause":
                return backfill(await self.engine.pause_backfill(id, session.owner))
            case "resume":
                return backfill(await self.engine.resume_backfill(id, session.owner))
            case "cancel":
                return backfill(await self.engine.cancel_backfill(id, session.owner))
        raise Refused(400, "A back-fill is started, paused, resumed or cancelled.")
