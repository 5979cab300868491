"""What Teams asks, answered by functions of the host: in time, and in words whatever happens."""

import asyncio
import io
import json
import logging
import threading
import types

import pytest

import tidings

INVOKE = dict(
    account_id="acc", conversation_id="a:1", activity_id="f:1", sender_id="29:ann", sender_object_id=None, sender_name="Ann", name="adaptiveCard/action", value="{}", verb="accept",
    data=None, is_automatic=False, sign_in_state=None, reply_to="9", locale=None,
)
CARD = '{"type":"AdaptiveCard","version":"1.4","body":[{"type":"TextBlock","text":"Accepted"}]}'


class Asked:
    """In place of an engine: every request is a question of Teams."""

    def __init__(self):
        self.requests = []

    def received(self, request):
        self.requests.append(request)
        return types.SimpleNamespace(invoke=tidings.BotInvoke(**INVOKE), response=None)


class AsyncAsked(Asked):
    async def receive_invoke(self, request):
        return self.received(request)


class BlockingAsked(Asked):
    def receive_invoke(self, request):
        return self.received(request)


def asgi(handler, **options):
    engine, sent = AsyncAsked(), []
    route = tidings.AsgiRoute(engine, on_invoke=handler, **options)
    scope = {"type": "http", "method": "POST", "path": "/tidings", "query_string": b"", "headers": [(b"Authorization", b"Bearer x"), (b"authorization", b"Bearer y")]}

    async def receive():
        return {"type": "http.request", "body": b"{}"}

    async def send(message):
        sent.append(message)

    asyncio.run(route(scope, receive, send))
    assert engine.requests[0].headers == {"authorization": "Bearer x, Bearer y"}
    return sent[0]["status"], json.loads(sent[1]["body"])


def wsgi(handler, **options):
    started = []
    route = tidings.WsgiRoute(BlockingAsked(), on_invoke=handler, **options)
    environ = {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": "2", "wsgi.input": io.BytesIO(b"{}"), "HTTP_AUTHORIZATION": "Bearer x"}
    [body] = route(environ, lambda status, headers: started.append(status))
    assert route._engine.requests[0].headers["authorization"] == "Bearer x"
    return int(started[0].split()[0]), json.loads(body)


@pytest.mark.parametrize("serve", [asgi, wsgi])
def test_what_the_host_gives_is_sent(serve):
    assert serve(lambda invoke: tidings.BotAnswer.Card(CARD)) == (200, {"statusCode": 200, "type": "application/vnd.microsoft.card.adaptive", "value": json.loads(CARD)})
    assert serve(lambda invoke: tidings.BotAnswer.Message(invoke.verb))[1]["value"] == "accept"
    assert serve(lambda invoke: None) == serve(lambda invoke: "done") == (200, {"statusCode": 200})
    status, body = serve(lambda invoke: tidings.BotAnswer.Failure(404, "No such candidate."))
    assert (status, body["statusCode"], body["value"]["message"]) == (200, 404, "No such candidate.")


def test_coroutines_answer_too():
    async def handler(invoke):
        await asyncio.sleep(0)
        return tidings.BotAnswer.Message("Hi")

    class Callable:
        async def __call__(self, invoke):
            return tidings.BotAnswer.Message("Hi")

    for one in (handler, Callable(), lambda invoke: handler(invoke)):
        assert asgi(one)[1]["value"] == "Hi"


@pytest.mark.parametrize("serve", [asgi, wsgi])
def test_a_function_that_fails_is_told_to_both(serve, caplog):
    def fails(invoke):
        raise ValueError("private words")

    heard = []
    status, body = serve(fails, on_error=lambda invoke, error: heard.append((invoke.verb, str(error))))
    assert (status, body["statusCode"], heard) == (200, 500, [("accept", "private words")])
    assert "private" not in json.dumps(body)
    with caplog.at_level(logging.ERROR):
        assert serve(fails)[1]["statusCode"] == 500
        assert serve(lambda invoke: tidings.BotAnswer.Card("{}"))[1]["statusCode"] == 500
        assert serve(lambda invoke: 7)[1]["statusCode"] == 500
        assert serve(fails, on_error=fails)[1]["statusCode"] == 500
    assert [record.name for record in caplog.records] == ["tidings.bots"] * 4


@pytest.mark.parametrize("serve", [asgi, wsgi])
def test_a_function_that_blocks_too_long_is_not_waited_for(serve):
    free, heard = threading.Event(), []
    try:
        status, body = serve(lambda invoke: free.wait(60), timeout=0.05, on_error=lambda _, error: (heard.append(type(error)), free.set()))
    finally:
        free.set()
    assert (status, body["statusCode"], heard) == (200, 500, [TimeoutError])
    assert "too long" in body["value"]["message"]


def test_a_coroutine_that_takes_too_long_is_cancelled():
    seen = []

    async def handler(invoke):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    assert asgi(handler, timeout=0.05, on_error=lambda *_: None)[1]["statusCode"] == 500
    assert seen == ["cancelled"]
