"""What browsers are told with each answer, and how a mail is framed. The back ends of other languages say the same."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

# Nothing but our own files, and no script or style inside of a page.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# For a mail, which is foreign text even when it was cleaned: no script, nothing loaded, an origin of its own. Links open in a new tab.
MAIL_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
_ALWAYS = {
    b"content-security-policy": PAGE_POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cache-control": b"no-store",
}

_STATUS = {
    "invalid_input": 400, "limit_exceeded": 413, "forbidden": 403, "consent_missing": 403, "not_found": 404, "conflict": 409,
    "not_connected": 409, "needs_reconnect": 409, "cancelled": 409, "throttled": 429, "upstream": 502, "network": 502,
}


def status_of(kind: str) -> int:
    return _STATUS.get(kind, 500)


def framed(html: str) -> str:
    """A page of its own around the HTML of a mail."""
    return (
        '<!doctype html><html><head><meta charset="utf-8"><meta name="referrer" content="no-referrer"><base target="_blank"><title>Mail</title>'
        "<style>body{font:15px/1.5 system-ui,sans-serif;margin:12px;color:#1b1f24;background:#fff;overflow-wrap:anywhere}img{max-width:100%;height:auto}</style>"
        f'</head><body>{html}</body></html>'
    )


class Headers:
    """Puts them on every answer that does not say otherwise itself."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Callable[[MutableMapping[str, Any]], Awaitable[None]]) -> None:
        async def sent(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *((name, value) for name, value in _ALWAYS.items() if name not in given)]
            await send(message)

        await self._app(scope, receive, sent)
