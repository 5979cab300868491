"""Who is asking. Put your own log-in in the place of `new`; the rest shows what has to hold whoever logs people in."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass

COOKIE = "settings_session"
LIFETIME = 12 * 3600
# Sessions that have something kept for them here, and sign-ins under way in each. The oldest go first.
SESSIONS, SIGN_INS = 10_000, 10


@dataclass(frozen=True)
class Session:
    id: str
    # The owner of accounts. It comes from here alone, never from what a request says.
    owner: str


class Sessions:
    """The cookie holds the session and a signature over it. What is secret about a session stays here; a server of several processes keeps it in its database."""

    def __init__(self, key: bytes, secure: bool) -> None:
        self._key = key
        self._secure = secure
        self._bindings: OrderedDict[str, OrderedDict[str, str]] = OrderedDict()
        self._notices: OrderedDict[str, dict[str, str]] = OrderedDict()

    def new(self) -> Session:
        """Every browser is a person of its own here."""
        return Session(secrets.token_urlsafe(18), f"person-{secrets.token_hex(8)}")

    def cookie(self, session: Session) -> str:
        """For `Set-Cookie`. No script reads it. `Lax`: it comes along when Microsoft sends the browser back, and with no form or script of another site."""
        said = json.dumps({"id": session.id, "owner": session.owner, "until": int(time.time()) + LIFETIME}).encode()
        text = base64.urlsafe_b64encode(said).decode()
        value = f"{text}.{self._signed('session', text)}"
        return f"{COOKIE}={value}; Path=/; Max-Age={LIFETIME}; HttpOnly; SameSite=Lax{'; Secure' if self._secure else ''}"

    def read(self, value: str | None) -> Session | None:
        """The session of a cookie that was signed here and has not expired."""
        text, _, signature = (value or "").partition(".")
        if not hmac.compare_digest(signature.encode(), self._signed("session", text).encode()):
            return None
        said = json.loads(base64.urlsafe_b64decode(text))
        return Session(said["id"], said["owner"]) if said["until"] > time.time() else None

    def csrf(self, session: Session) -> str:
        """What a page of ours has to show with each call that changes something. Another site cannot read it."""
        return self._signed("csrf", session.id)

    def is_ours(self, session: Session, token: str | None) -> bool:
        return hmac.compare_digest((token or "").encode(), self.csrf(session).encode())

    def keep_binding(self, session: Session, state: str, binding: str) -> None:
        """The secret of a sign-in that was begun in this session. Several may be under way, in several tabs."""
        begun = self._bindings.setdefault(session.id, OrderedDict())
        self._bindings.move_to_end(session.id)
        begun[state] = binding
        while len(begun) > SIGN_INS:
            begun.popitem(last=False)
        while len(self._bindings) > SESSIONS:
            self._bindings.popitem(last=False)

    def binding(self, session: Session, state: str) -> str:
        """Empty where this session began no such sign-in; the engine then refuses."""
        return self._bindings.get(session.id, {}).get(state, "")

    def leave_notice(self, session: Session, kind: str, text: str) -> None:
        """What the page shows once, when the browser is back."""
        self._notices[session.id] = {"kind": kind, "text": text}
        while len(self._notices) > SESSIONS:
            self._notices.popitem(last=False)

    def take_notice(self, session: Session) -> dict[str, str] | None:
        return self._notices.pop(session.id, None)

    def _signed(self, what: str, text: str) -> str:
        return hmac.new(self._key, f"{what}:{text}".encode(), hashlib.sha256).hexdigest()
