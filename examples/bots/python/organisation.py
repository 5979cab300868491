"""What both bots share: their settings, and the organisation they work in."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "python"))

from support import sign_in_as
from tidings import Account, AccountState, Cloud, Config, Engine

OWNER = "recruiting"
REDIRECT = os.environ.get("TIDINGS_REDIRECT", "http://localhost/callback")


def settings() -> Config:
    """From the environment, as README.md of this folder explains it."""
    env = os.environ
    return Config(
        data_dir=env["TIDINGS_DATA"],
        client_id=env["TIDINGS_CLIENT_ID"],
        client_secret=env["TIDINGS_CLIENT_SECRET"],
        cloud=Cloud.Custom(login=env["TIDINGS_LOGIN"], graph=env["TIDINGS_GRAPH"]) if "TIDINGS_LOGIN" in env else Cloud.Public(),
        bot_app="default",
        bot_tenant=env.get("TIDINGS_BOT_TENANT"),
        bot_service_url=env.get("TIDINGS_BOT_SERVICE"),
        bot_external_id=app_id(),
    )


def app_id() -> str:
    """Of the manifest of the bot's app."""
    return os.environ.get("TIDINGS_APP_ID") or os.environ["TIDINGS_CLIENT_ID"]


def root_key() -> bytes:
    """It opens the store, so it is the same at each start: 64 hexadecimal digits."""
    return bytes.fromhex(os.environ["TIDINGS_KEY"])


async def organisation(engine: Engine) -> Account:
    """The organisation that is connected already, or that its administrator connects now: who that is, then the approval."""
    connected = await engine.accounts(owner=OWNER, state=AccountState.CONNECTED)
    if connected.items:
        return connected.items[0]
    started = await engine.connect_tenant(owner=OWNER, redirect_uri=REDIRECT, tenant=os.environ.get("TIDINGS_TENANT"))
    account = await engine.finish_connect(visit(started.url), started.binding)
    if account.state is AccountState.CONNECTED:
        return account
    approval = await engine.approval(account.id, REDIRECT)
    return await engine.finish_connect(visit(approval.url), approval.binding)


def visit(url: str) -> str:
    """Where the administrator's browser ends. A web application gets that at its callback; see `connect_tenant`."""
    if "TIDINGS_CONTROL" in os.environ:
        return sign_in_as(url, "nestor@contoso.com")
    print("Open", url)
    return input("and paste the address at which the browser ends: ")
