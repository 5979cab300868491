"""A bot that answers, in FastAPI: what people say to it arrives at /tidings, is durable there, and is answered from the change feed."""

import asyncio
import os
from pathlib import Path

import uvicorn
from brain import brain
from fastapi import FastAPI
from organisation import OWNER, organisation, root_key, settings
from tidings import AsgiRoute, BotActivity, BotActivityKind, BotMessage, ChangeKind, ConflictError, Engine, TidingsError

PORT = int(os.environ.get("PORT", "3978"))
# Up to where the feed was dealt with. A program of your own keeps it in its database.
CURSOR = Path(os.environ["TIDINGS_DATA"] + ".cursor")


async def history(engine: Engine, activity: BotActivity) -> list[str]:
    """What people said in this conversation before, the oldest first."""
    page = await engine.bot_activities(account_id=activity.account_id, conversation_id=activity.conversation_id, limit=50)
    return [one.text for one in reversed(page.items) if one.kind is BotActivityKind.MESSAGE and one.at < activity.at]


async def answer(engine: Engine, activity: BotActivity) -> None:
    try:
        await engine.typing(activity.account_id, activity.conversation_id)
    except TidingsError:
        pass  # The answer is sent without it.
    text = brain(activity.text, await history(engine, activity))
    try:
        # The key says what is answered: whatever is told twice, and wherever this process dies, it is answered once.
        await engine.send(BotMessage(activity.account_id, conversation_id=activity.conversation_id, body=text, key=f"answer/{activity.id}"))
    except ConflictError:
        pass  # It was answered before, in other words.


async def follow(engine: Engine) -> None:
    """Deals with one change after the other, and begins where the last process ended."""
    cursor = CURSOR.read_text() if CURSOR.exists() else None
    async for change in engine.changes(owner=OWNER, cursor=cursor):
        if change.kind is ChangeKind.BOT_MESSAGE:
            await answer(engine, await engine.bot_activity(change.subject_id, OWNER))
        keep(change.cursor)


def keep(cursor: str) -> None:
    """As a whole or not at all."""
    new = CURSOR.with_suffix(".new")
    new.write_text(cursor)
    new.replace(CURSOR)


async def main() -> None:
    async with Engine.open(settings(), root_key()) as engine:
        await organisation(engine)
        app = FastAPI()
        app.add_route("/tidings", AsgiRoute(engine), methods=["POST"])
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=PORT, log_level="error"))
        async with asyncio.TaskGroup() as tasks:  # Neither goes on without the other.
            following = tasks.create_task(follow(engine))
            await server.serve()
            following.cancel()


asyncio.run(main())
