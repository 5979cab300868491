"""Microsoft's Teams SDK: it writes to people and channels through the Connector, and takes what the Connector posts and nothing else."""

import asyncio
import socket
from contextlib import asynccontextmanager

import httpx
import msal
import pytest
import uvicorn
from conftest import LOGIN, PASSWORD, PLACE, SECRET, control
from fastapi import FastAPI
from microsoft_teams.api import Account, CreateConversationParams, MessageActivity, MessageActivityInput
from microsoft_teams.api.auth.cloud_environment import PUBLIC, with_overrides
from microsoft_teams.apps import ActivityContext, App, FastAPIAdapter

ADELE = "adele@contoso.com"


def token(scope, _tenant):
    # Its own way, a client secret, asks login.microsoftonline.com whether the cloud's login is one that it knows.
    client = msal.ConfidentialClientApplication(SECRET, PASSWORD, authority=f"{LOGIN}/botframework.com", instance_discovery=False)
    return client.acquire_token_for_client([scope])["access_token"]


def bot(**options):
    cloud = with_overrides(PUBLIC, login_endpoint=LOGIN, openid_metadata_url=PLACE["bot"] + "/v1/.well-known/openidconfiguration")
    return App(client_id=SECRET, token=token, cloud=cloud, service_url=PLACE["bot"] + "/teams", **options)


def said(**where):
    return [(m["text"], m["is_reply"]) for m in control("/bot/messages", where)["items"]]


def test_a_conversation_with_a_person():
    user = control("/bot/user", {"person": ADELE})
    tenant = control("/tenants", {"domain": "contoso.com"})["id"]

    async def play():
        app = bot()
        await app.initialize()
        asked = CreateConversationParams(members=[Account(id=user["id"])], tenant_id=tenant, channel_data={"tenant": {"id": tenant}})
        with pytest.raises(httpx.HTTPStatusError) as refused:
            await app.api.conversations.create(asked)
        assert refused.value.response.json()["error"]["code"] == "BotNotInConversationRoster"
        control("/bot/install", {"person": ADELE})
        made = await app.api.conversations.create(asked)
        assert made.id == user["conversation"]
        first = await app.send(made.id, "Hello")
        await app.api.conversations.update_activity(made.id, first.id, MessageActivityInput(text="Hello!"))
        await app.send(made.id, "More")
        await app.api.conversations.delete_activity(made.id, first.id)
        members = await app.api.conversations.get_paged_members(made.id)
        assert [m.id for m in members.members] == [user["id"]]

    asyncio.run(play())
    items = control("/bot/messages", {"person": ADELE})["items"]
    assert [(m["text"], m["is_edited"], m["is_deleted"]) for m in items] == [("Hello!", True, True), ("More", False, False)]


def test_a_team_and_a_thread():
    team = control("/teams", {"name": "Sales", "members": [ADELE], "channels": [{"name": "Deals"}]})
    control("/bot/install", {"team": "Sales"})
    general, deals = (channel["id"] for channel in team["channels"])

    async def play():
        app = bot()
        await app.initialize()
        assert (await app.api.teams.get_by_id(general)).aad_group_id == team["id"]
        assert [channel.id for channel in await app.api.teams.get_conversations(general)] == [general, deals]
        head = await app.send(deals, "News")
        await app.reply(deals, head.id, "More of it")

    asyncio.run(play())
    assert said(team="Sales") == [("News", False), ("More of it", True)]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@asynccontextmanager
async def serving(heard):
    """A bot that the Connector reaches, and that answers what it is told; `heard` holds what that was."""
    port, web = free_port(), FastAPI()
    server = uvicorn.Server(uvicorn.Config(web, port=port, log_level="critical"))
    app = bot(http_server_adapter=FastAPIAdapter(web, lambda _: server))

    @app.on_message
    async def answer(context: ActivityContext[MessageActivity]):
        heard.append(context.activity.text)
        await context.send(f"You said: {context.activity.text}")

    running = asyncio.create_task(app.start(port))
    await asyncio.to_thread(control, "/bot/endpoint", {"url": f"http://127.0.0.1:{port}/api/messages"})
    while not server.started:
        await asyncio.sleep(0.01)
    yield
    await app.stop()
    await running


async def status():
    """What the bot answered to the last post."""
    while (last := (await asyncio.to_thread(control, "/bot/posts"))["items"][-1])["status"] is None:
        await asyncio.sleep(0.01)
    return last["status"]


FORGED = [
    {"claims": {"aud": "4f2b6f0a-0000-4000-8000-0000000000ff"}},
    {"claims": {"iss": "https://evil.example"}},
    {"claims": {"exp": 1}},
    {"claims": {"serviceurl": "https://evil.example/"}},
    {"body": {"serviceUrl": "https://evil.example/"}},
    {"key": "other"},
    {"key": "none"},
    {"key": "hs256"},
    {"key": "absent"},
]


def test_what_the_connector_posts_is_proven_and_nothing_else():
    heard = []

    async def play():
        async with serving(heard):
            control("/bot/install", {"person": ADELE})
            control("/bot/say", {"person": ADELE, "text": "Is Ann there?"})
            assert await status() == 200
            for forged in FORGED:
                await asyncio.to_thread(control, "/bot/forge", forged)
                assert await status() == 401, forged

    asyncio.run(play())
    assert heard == ["Is Ann there?"]
    assert said(person=ADELE) == [("You said: Is Ann there?", False)]
