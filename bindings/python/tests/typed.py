"""Read by mypy, not run: what must type-check, and what must not."""

import datetime
import pathlib
from typing import assert_type

import tidings
from tidings import Account, AccountPage, Change, Cloud, Event, Receipt


async def uses(engine: tidings.Engine, account: Account, url: str) -> None:
    config = tidings.Config("data", "id", Cloud.Public(), client_secret="secret", tenant="organizations")
    assert_type(tidings.Engine.open(config, tidings.generate_root_key()), tidings.Engine)
    sign_in = await engine.connect(owner="recruiter-42", features=["chat", "mail_send", tidings.Feature.MAIL_SYNC], redirect_uri=url)
    assert_type(await engine.finish_connect(url, sign_in.binding), Account)
    receipt = await engine.send(tidings.Chat(account.id, to="a@contoso.com", body="Hi", key="cand-7/1"))
    assert_type(receipt, Receipt)
    await engine.send(tidings.Mail(account.id, ["a@contoso.com", tidings.Address("b@contoso.com")], "Hi", "Text", importance="low"))
    assert_type(await engine.accounts(), AccountPage)
    async for event in engine.events():
        assert_type(event, Event)
        match event:
            case Event.SyncFinished(report):
                assert_type(report, tidings.SyncReport)
            case Event.SyncFailed(account_id=id, reason=reason):
                print(id, reason)
            case Event.EditRefused(message_id=message, kind=kind):
                print(message, kind)
    async for change in engine.changes(owner="me", cursor="cursor"):
        assert_type(change, Change)
    response = await engine.request(account.id, tidings.RawRequest("/me", query={"$top": "5"}))
    assert_type(response.headers(), dict[str, str])
    async for piece in response:
        assert_type(piece, bytes)
    async for raw_page in engine.pages(account.id, "/me/events"):
        assert_type(raw_page.delta_link, str | None)
    assert_type((await engine.batch(account.id, ["/me", tidings.RawRequest("/me", version="beta")]))[0].status, int | None)
    async with engine as same:
        assert_type(same, tidings.Engine)
    assert_type(tidings.Engine.open("tidings.toml", tidings.RootKey.passphrase("correct horse battery")), tidings.Engine)
    assert_type(tidings.Engine.open(pathlib.Path("tidings.toml"), tidings.generate_root_key()), tidings.Engine)
    certificate = tidings.ClientCertificate.from_pem("PEM", "PEM")
    tidings.Config("data", "id", Cloud.Public(), certificate=certificate, content="clear", apps=[{"name": "bot", "client_id": "id", "client_secret": "secret"}, tidings.App("other", "id")])
    await engine.send(tidings.Mail(account.id, {"address": "a@contoso.com"}, "Hi", "Text"))
    assert_type((await engine.approval(account.id, url)).sheet, str)
    assert_type(await (await engine.connect_device(owner="script", features=["mail_send"])).wait(), Account)
    assert_type((await engine.verify(account.id, True)).mailbox, tidings.MailboxState)
    assert_type((await engine.purge(owner="recruiter-42")).account_ids, list[str])
    assert_type((await engine.rotate_keys(new_root_key=tidings.generate_root_key())).values, int)
    page = await engine.audit(100)
    assert_type((await engine.audit(100, page.next)).items, list[tidings.AuditRecord])
    assert_type(await engine.verify_audit((await engine.verify_audit()).head), tidings.AuditVerdict)
    assert_type((await engine.permissions(features=["chat"])).not_accessed, list[str])
    assert_type(await engine.search(text="invoice"), list[tidings.Message])
    assert_type((await engine.threads(owner="recruiter-42", folder="inbox")).items, list[tidings.ThreadSummary])
    content = await engine.attachment("message", "attachment")
    async for bit in content:
        assert_type(bit, bytes)
    assert_type((await engine.body("message", options=tidings.BodyOptions(split=True))).quoted_text, str)
    assert_type((await engine.health("recruiter-42")).badge, tidings.Badge)
    assert_type(engine.metrics().requests, int)
    await engine.mark_all_read(["msg_1"], True)
    await engine.flag(["msg_1"], "flagged", due_at=datetime.datetime.now(datetime.timezone.utc))
    await engine.categorize(["msg_1"], add=["Red"])
    await engine.move_messages(["msg_1"], "inbox", owner="me")
    await engine.archive(["msg_1"])
    await engine.link(["msg_1"], "candidate-7")
    await engine.unlink(["msg_1"], "candidate-7")
    await engine.set_link_rule(owner="me", key="client-9", domains=["fabrikam.com"])
    assert_type((await engine.link_rules("me"))[0].addresses, list[str])
    await engine.remove_link_rule("me", "client-9")
    assert_type((await engine.message("msg_1")).flag_status, tidings.FlagStatus)
    assert_type(tidings.wrapped_root_key("data"), bytes | None)
    tidings.Engine.open(config, tidings.load_or_create_key(pathlib.Path("tidings.key")))
    assert_type(tidings.load_or_create_key("tidings.key"), tidings.RootKey)
    async for record in tidings.logs("debug"):
        assert_type(record, tidings.LogRecord)
    stop = tidings.log_to_logging(level="warn")
    assert_type(stop(), None)
    tidings.log_to_logging(level="loud")  # type: ignore[arg-type]
    tidings.Config("data", "id", Cloud.Public(), apps=[{"name": "bot"}])  # type: ignore[list-item]
    await engine.send("text")  # type: ignore[arg-type]
    await engine.connect(owner="x", features=["fax"])  # type: ignore[list-item]
    receipt.state = "sent"  # type: ignore[misc, assignment]


async def answers(engine: tidings.Engine, blocking: tidings.BlockingEngine, invoke: tidings.BotInvoke) -> None:
    async def on_invoke(invoke: tidings.BotInvoke) -> tidings.BotAnswer:
        assert_type(invoke.verb, str | None)
        return tidings.BotAnswer.Message("Hi")

    def shows_nothing(invoke: tidings.BotInvoke) -> None: ...

    tidings.AsgiRoute(engine, on_invoke=on_invoke, timeout=5, on_error=lambda invoke, error: print(invoke.name, error))
    tidings.AsgiRoute(engine, on_invoke=shows_nothing)
    tidings.WsgiRoute(blocking, on_invoke=lambda invoke: tidings.BotAnswer.Failure(404, "No"))
    tidings.AsgiRoute(engine, on_invoke=lambda: None)  # type: ignore[arg-type, misc]
    assert_type((await engine.receive_invoke(method="POST")).invoke, tidings.BotInvoke | None)
    assert_type(tidings.invoke_response(invoke.name, "done"), tidings.HttpResponse)


def blocks(engine: tidings.BlockingEngine) -> None:
    with engine:
        assert_type(engine.send(tidings.Chat("id", "a@contoso.com", "Hi")), Receipt)
        for change in engine.changes(owner="me"):
            assert_type(change, Change)
        assert_type(engine.connect_device(owner="script", features=["chat"]), tidings.BlockingDeviceSignIn)
    for record in tidings.blocking_logs("info"):
        assert_type(record, tidings.LogRecord)
    try:
        engine.sync("id")
    except tidings.ThrottledError as e:
        assert_type(e.retry_after_ms, int | None)
