"""Records, enums and exceptions behave like Python's own."""

import asyncio
import datetime
import pathlib
import subprocess
import sys
import types

import pytest

import tidings
from tidings import Address, Cloud, ErrorKind, Event, Feature, Importance, Remedy

CLIENT = "00000000-0000-0000-0000-000000000000"


def test_a_root_key_has_32_bytes():
    key = tidings.generate_root_key()
    assert isinstance(key, bytes) and len(key) == 32
    tidings.RootKey.raw(key)
    with pytest.raises(tidings.InvalidInputError) as caught:
        tidings.RootKey.raw(key[:31])
    assert caught.value.kind is ErrorKind.INVALID_INPUT
    assert caught.value.remedy is Remedy.DEVELOPER
    assert caught.value.reason == str(caught.value)
    assert (caught.value.account_id, caught.value.request_id, caught.value.retry_after_ms) == (None, None, None)


@pytest.mark.parametrize("engine", [tidings.Engine, tidings.BlockingEngine])
@pytest.mark.parametrize(
    "config",
    [
        tidings.Config("", CLIENT, Cloud.Public()),
        tidings.Config("data", "", Cloud.Public()),
        tidings.Config("data", CLIENT, Cloud.Custom("http://example.com", "http://example.com")),
        tidings.Config("data", CLIENT, Cloud.Public(), page_size=0),
    ],
)
def test_what_cannot_work_is_refused_at_open(engine, config):
    with pytest.raises(tidings.InvalidInputError):
        engine.open(config, tidings.generate_root_key())


def test_every_kind_has_its_exception():
    for kind in ErrorKind:
        name = "".join(part.capitalize() for part in kind.value.split("_")) + "Error"
        error = getattr(tidings, name)
        assert issubclass(error, tidings.TidingsError) and error.kind is kind
        assert error("why", retry_after_ms=5).retry_after_ms == 5


def test_records_are_values():
    draft = tidings.Mail("account", to="a@contoso.com", subject="Hi", body="Text", importance="high")
    assert draft == tidings.MailDraft(account_id="account", to=[Address("a@contoso.com")], subject="Hi", body="Text", importance=Importance.HIGH)
    assert draft != tidings.Mail("account", to="b@contoso.com", subject="Hi", body="Text", importance="high")
    assert draft.body_type is tidings.BodyType.TEXT and draft.cc == [] and draft.key is None
    with pytest.raises(AttributeError):
        draft.subject = "other"
    assert tidings.Chat("account", to="a@contoso.com", body="Hi").body == "Hi"


def test_addresses_may_be_texts():
    both = tidings.Mail("account", ["a@contoso.com", Address("b@contoso.com", "B")], "Hi", "Text")
    assert both.to == [Address("a@contoso.com"), Address("b@contoso.com", name="B")]
    match both.to[1]:
        case Address(address, name):
            assert (address, name) == ("b@contoso.com", "B")


def test_records_may_be_dicts():
    config = tidings.Config("data", CLIENT, Cloud.Public(), apps=[{"name": "bot", "client_id": CLIENT, "client_secret": "hidden"}])
    assert isinstance(config.apps[0], tidings.App) and config.apps[0].tenant == "common"
    assert tidings.Mail("account", {"address": "a@contoso.com"}, "Hi", "Text").to == [Address("a@contoso.com")]
    with pytest.raises(TypeError, match="colour"):
        tidings.Config("data", CLIENT, Cloud.Public(), apps=[{"name": "bot", "client_id": CLIENT, "colour": "red"}])


@pytest.mark.parametrize("engine", [tidings.Engine, tidings.BlockingEngine])
@pytest.mark.parametrize("kind", [str, pathlib.Path])
def test_an_engine_opens_with_a_file(engine, kind, tmp_path):
    file = tmp_path / "tidings.toml"
    with pytest.raises(tidings.InvalidInputError):
        engine.open(kind(file), tidings.generate_root_key())
    file.write_text("page_sise = 50")
    with pytest.raises(tidings.InvalidInputError, match="page_sise"):
        engine.open(kind(file), tidings.generate_root_key())
    with pytest.raises(TypeError):
        engine.open(7, tidings.generate_root_key())


def test_enums_are_texts():
    request = tidings.ConnectRequest(owner="recruiter-42", features=["chat", Feature.MAIL_SEND])
    assert request.features == [Feature.CHAT, Feature.MAIL_SEND] == ["chat", "mail_send"]
    with pytest.raises(tidings.InvalidInputError, match="mail_sync"):
        tidings.ConnectRequest(owner="recruiter-42", features=["fax"])
    with pytest.raises(TypeError):
        tidings.ConnectRequest(owner="recruiter-42", features="chat")
    assert f"{Feature.MAIL_SEND}" == "mail_send"


def test_enums_with_data_match():
    report = tidings.SyncReport("account", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13)
    match Event.SyncFinished(report=report):
        case Event.SyncFinished(found):
            assert found == report
        case other:
            pytest.fail(repr(other))
    assert Cloud.Custom("l", "g") == Cloud.Custom(login="l", graph="g") != Cloud.Public()
    assert isinstance(Cloud.Public(), Cloud)


def test_times_are_aware():
    at = datetime.datetime(2030, 1, 2, 3, 4, 5, 678900, tzinfo=datetime.timezone.utc)
    assert tidings.SignIn("u", "b", at).expires_at == at
    assert tidings.SignIn("u", "b", at).expires_at.tzinfo is not None
    with pytest.raises(TypeError):
        tidings.SignIn("u", "b", at.replace(tzinfo=None))


def test_secrets_are_not_shown():
    at = datetime.datetime.now(datetime.timezone.utc)
    config = tidings.Config("data", CLIENT, Cloud.Public(), client_secret="hidden")
    approval = tidings.Approval("account", "https://x/?state=hidden", "hidden", at, "why", "sheet")
    app = tidings.App("bot", CLIENT, client_secret="hidden")
    for shown in (tidings.SignIn("https://x/?state=hidden", "hidden", at), approval, app, config, config.client_secret, tidings.FileAttachment("a", b"hidden")):
        assert "hidden" not in repr(shown)


@pytest.mark.parametrize("limit", [-1, 2**32])
def test_numbers_out_of_range_are_refused(limit):
    with pytest.raises(tidings.InvalidInputError):
        tidings.MessageQuery(limit=limit)


def test_half_characters_are_refused():
    with pytest.raises(tidings.InvalidInputError):
        Address("\ud800")


def test_import_is_quick():
    code = "import sys, time; t = time.process_time(); import tidings; t = time.process_time() - t; assert 'asyncio' not in sys.modules; print(t)"
    run = lambda: float(subprocess.run([sys.executable, "-c", code], cwd=tidings.__path__[0] + "/..", check=True, capture_output=True, text=True).stdout)
    assert min(run() for _ in range(5)) < 0.05


def test_a_raw_request_is_a_path_a_mapping_or_a_record(engine):
    given = types.MappingProxyType({"Prefer": "hush"})
    record = tidings.RawRequest("/me", "POST", headers=given, body=b"x", version="beta")
    assert record.headers == {"Prefer": "hush"} and record.query == {} and record.version is tidings.GraphVersion.BETA
    assert "hush" not in repr(record) and "/me" in repr(record)
    for bad in ({"$top": 5}, {5: "x"}, "$top=5", ["$top"]):
        with pytest.raises(TypeError):
            tidings.RawRequest("/me", query=bad)

    async def main():
        async with engine:
            for request in ("/me", {"path": "/me", "query": {"$top": "5"}}, record):
                with pytest.raises(tidings.NotConnectedError):
                    await engine.request("none", request)
                with pytest.raises(tidings.NotConnectedError):
                    await engine.batch("none", [request, request])
            with pytest.raises(tidings.LinkRejectedError):
                await engine.request("none", "https://example.com/")
            with pytest.raises(tidings.NotConnectedError):
                async for _ in engine.pages("none", "/me/events"):
                    pass
            with pytest.raises(tidings.NotFoundError):
                await engine.pages("none", "/me", "somebody").next()

    asyncio.run(main())


def test_raw_requests_without_asyncio(blocking):
    with blocking:
        with pytest.raises(tidings.NotConnectedError):
            blocking.request("none", "/me")
        with pytest.raises(tidings.NotConnectedError):
            next(iter(blocking.pages("none", "/me/events")))


def test_a_content_is_read_as_a_file():
    class Content:
        def __init__(self, *pieces):
            self.pieces = list(pieces)

        def next(self):
            return self.pieces.pop(0) if self.pieces else None

    with tidings.content_file(Content(b"one\n", b"two\nthree")) as file:
        assert file.readable() and not file.seekable()
        assert (file.read(2), file.readline(), file.read(), file.read()) == (b"on", b"e\n", b"two\nthree", b"")
