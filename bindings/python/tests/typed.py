"""Read by mypy, not run: what must type-check, and what must not."""

from typing import assert_type

import tidings
from tidings import Account, Change, Cloud, Event, Receipt


async def uses(engine: tidings.Engine, account: Account, url: str) -> None:
    config = tidings.Config("data", "id", Cloud.Public(), client_secret="secret", tenant="organizations")
    assert_type(tidings.Engine.open(config, tidings.generate_root_key()), tidings.Engine)
    sign_in = await engine.connect(owner="recruiter-42", features=["chat", "mail_send", tidings.Feature.MAIL_SYNC], redirect_uri=url)
    assert_type(await engine.finish_connect(url, sign_in.binding), Account)
    receipt = await engine.send(tidings.Chat(account.id, to="a@contoso.com", body="Hi", key="cand-7/1"))
    assert_type(receipt, Receipt)
    await engine.send(tidings.Mail(account.id, ["a@contoso.com", tidings.Address("b@contoso.com")], "Hi", "Text", importance="low"))
    assert_type(await engine.accounts(), list[Account])
    async for event in engine.events():
        assert_type(event, Event)
        match event:
            case Event.SyncFinished(report):
                assert_type(report, tidings.SyncReport)
            case Event.SyncFailed(account_id=id, reason=reason):
                print(id, reason)
    async for change in engine.changes("cursor"):
        assert_type(change, Change)
    async with engine as same:
        assert_type(same, tidings.Engine)
    await engine.send("text")  # type: ignore[arg-type]
    await engine.connect(owner="x", features=["fax"])  # type: ignore[list-item]
    receipt.state = "sent"  # type: ignore[misc, assignment]


def blocks(engine: tidings.BlockingEngine) -> None:
    with engine:
        assert_type(engine.send(tidings.Chat("id", "a@contoso.com", "Hi")), Receipt)
        for change in engine.changes():
            assert_type(change, Change)
    try:
        engine.sync("id")
    except tidings.ThrottledError as e:
        assert_type(e.retry_after_ms, int | None)
