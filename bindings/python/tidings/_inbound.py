"""The route that takes Microsoft's notifications, for web frameworks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _native

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping
    from typing import Any

# `receive` refuses what is longer; it needs no more than this to see that.
_LARGEST = (4 << 20) + 1


class AsgiRoute:
    """An ASGI application that hands each request to `receive` of an engine. In FastAPI and Starlette: `app.add_route("/tidings", AsgiRoute(engine))`."""

    def __init__(self, engine: _native.Engine) -> None:
        self._engine = engine

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        if scope["type"] != "http":
            raise RuntimeError("AsgiRoute takes HTTP requests alone.")
        body, more = bytearray(), True
        while more and len(body) < _LARGEST:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        request = _native.HttpRequest(method=scope["method"], path=scope["path"], query=scope.get("query_string", b"").decode("latin-1"), body=bytes(body))
        answer = await self._engine.receive(request)
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
        headers.append((b"content-length", str(len(answer.body)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})


class WsgiRoute:
    """A WSGI application that hands each request to `receive` of a `BlockingEngine`. For Flask and Django see `examples/push`."""

    def __init__(self, engine: _native.BlockingEngine) -> None:
        self._engine = engine

    def __call__(self, environ: MutableMapping[str, Any], start_response: Callable[[str, list[tuple[str, str]]], Any]) -> Iterable[bytes]:
        from http import HTTPStatus

        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(min(max(length, 0), _LARGEST))
        request = _native.HttpRequest(method=environ["REQUEST_METHOD"], path=environ.get("PATH_INFO", "/"), query=environ.get("QUERY_STRING", ""), body=body)
        answer = self._engine.receive(request)
        headers = [*answer.headers.items(), ("content-length", str(len(answer.body)))]
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
        return [answer.body]
