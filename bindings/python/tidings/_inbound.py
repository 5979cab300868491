"""The route that takes Microsoft's notifications and what people say to the bot, for web frameworks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _native
from ._answering import answered, answered_in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping
    from typing import Any, Literal

    _Answer = _native.BotAnswer | Literal["done"] | None

# `receive` refuses what is longer; it needs no more than this to see that.
_LARGEST = (4 << 20) + 1


class AsgiRoute:
    """An ASGI application that hands each request to `receive` of an engine. In FastAPI and Starlette: `app.add_route("/tidings", AsgiRoute(engine))`.

    `on_invoke` answers what Teams asks the bot and waits for: an `async` function, or one that blocks and is run in a thread. It gives a `BotAnswer`, or None when
    it is done and there is nothing to show. Without it, such requests are answered with 501. When it takes longer than `timeout` seconds (Teams waits for about 15
    at the most), raises, or gives what cannot be sent, the person is told so in words, and `on_error` is called with what was asked and the exception; without
    `on_error`, `logging` is told under `tidings.bots`. A function that takes longer is cancelled; in a thread it goes on, and nobody hears its answer."""

    def __init__(
        self,
        engine: _native.Engine,
        *,
        on_invoke: Callable[[_native.BotInvoke], Awaitable[_Answer] | _Answer] | None = None,
        timeout: float = 10.0,
        on_error: Callable[[_native.BotInvoke, BaseException], object] | None = None,
    ) -> None:
        self._engine = engine
        self._on_invoke = on_invoke
        self._timeout = timeout
        self._on_error = on_error

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
        given: dict[str, str] = {}
        for name, value in scope.get("headers", ()):
            _add(given, name.decode("latin-1").lower(), value.decode("latin-1"))
        query = scope.get("query_string", b"").decode("latin-1")
        answer = await self._answer(_native.HttpRequest(method=scope["method"], path=scope["path"], query=query, headers=given, body=bytes(body)))
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
        headers.append((b"content-length", str(len(answer.body)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, request: _native.HttpRequest) -> _native.HttpResponse:
        if self._on_invoke is None:
            return await self._engine.receive(request)
        received = await self._engine.receive_invoke(request)
        if received.invoke is None:
            return received.response
        return await answered(received.invoke, self._on_invoke, self._timeout, self._on_error)


class WsgiRoute:
    """A WSGI application that hands each request to `receive` of a `BlockingEngine`. For Flask and Django see `examples/push`. `on_invoke`, `timeout` and `on_error`
    are those of `AsgiRoute`; `on_invoke` blocks, and runs in a thread of its own."""

    def __init__(
        self,
        engine: _native.BlockingEngine,
        *,
        on_invoke: Callable[[_native.BotInvoke], _Answer] | None = None,
        timeout: float = 10.0,
        on_error: Callable[[_native.BotInvoke, BaseException], object] | None = None,
    ) -> None:
        self._engine = engine
        self._on_invoke = on_invoke
        self._timeout = timeout
        self._on_error = on_error

    def __call__(self, environ: MutableMapping[str, Any], start_response: Callable[[str, list[tuple[str, str]]], Any]) -> Iterable[bytes]:
        from http import HTTPStatus

        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(min(max(length, 0), _LARGEST))
        # Two of them stand without the prefix.
        named = {name.removeprefix("HTTP_"): value for name, value in environ.items() if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")}
        given = {name.replace("_", "-").lower(): value for name, value in named.items()}
        request = _native.HttpRequest(method=environ["REQUEST_METHOD"], path=environ.get("PATH_INFO", "/"), query=environ.get("QUERY_STRING", ""), headers=given, body=body)
        answer = self._answer(request)
        headers = [*answer.headers.items(), ("content-length", str(len(answer.body)))]
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
        return [answer.body]

    def _answer(self, request: _native.HttpRequest) -> _native.HttpResponse:
        if self._on_invoke is None:
            return self._engine.receive(request)
        received = self._engine.receive_invoke(request)
        if received.invoke is None:
            return received.response
        return answered_in_thread(received.invoke, self._on_invoke, self._timeout, self._on_error)


def _add(headers: dict[str, str], name: str, value: str) -> None:
    """Two of one name are one with a comma, as HTTP says: two tokens are none."""
    headers[name] = f"{headers[name]}, {value}" if name in headers else value
