"""The routes for web frameworks hand a request on as it came: what is said to a bot proves itself by a header."""

import asyncio
import io

import tidings


class Recorder:
    """Takes the place of an engine."""

    def answer(self, request):
        self.request = request
        return tidings.HttpResponse(status=202, headers={"x-more": "1"}, body=b"ok")


class Waiting(Recorder):
    async def receive(self, request):
        return self.answer(request)


class Blocking(Recorder):
    def receive(self, request):
        return self.answer(request)


def holds(request):
    assert (request.method, request.path, request.query, request.body) == ("POST", "/tidings", "a=%20b", b"body")
    assert request.headers["authorization"] == "Bearer x.y.z" and request.headers["content-type"] == "application/json"


def test_asgi():
    engine, sent = Waiting(), []
    given = [(b"authorization", b"Bearer x.y.z"), (b"content-type", b"application/json")]
    pieces = [{"type": "http.request", "body": b"bo", "more_body": True}, {"type": "http.request", "body": b"dy"}]

    async def receive():
        return pieces.pop(0)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/tidings", "query_string": b"a=%20b", "headers": given}
    asyncio.run(tidings.AsgiRoute(engine)(scope, receive, send))
    holds(engine.request)
    assert sent[0]["status"] == 202 and (b"x-more", b"1") in sent[0]["headers"] and sent[1]["body"] == b"ok"


def test_wsgi():
    engine, said = Blocking(), []
    environ = {
        "REQUEST_METHOD": "POST", "PATH_INFO": "/tidings", "QUERY_STRING": "a=%20b", "CONTENT_LENGTH": "4", "wsgi.input": io.BytesIO(b"bodyAndMore"),
        "CONTENT_TYPE": "application/json", "HTTP_AUTHORIZATION": "Bearer x.y.z",
    }
    answer = tidings.WsgiRoute(engine)(environ, lambda status, headers: said.extend([status, headers]))
    holds(engine.request)
    assert said[0] == "202 Accepted" and ("x-more", "1") in said[1] and answer == [b"ok"]
