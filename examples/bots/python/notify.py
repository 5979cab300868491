"""A bot that notifies: a card to a person, news into a channel, and a correction of it."""

import asyncio
import os
from pathlib import Path

from organisation import app_id, organisation, root_key, settings
from tidings import BodyType, BotMessage, Engine

PERSON = os.environ.get("TIDINGS_TO", "alex@contoso.com")
TEAM = os.environ.get("TIDINGS_TEAM", "Recruiting")
CHANNEL = os.environ.get("TIDINGS_CHANNEL", "Interviews")
CARD = (Path(__file__).parents[1] / "card.json").read_text()


async def main() -> None:
    async with Engine.open(settings(), root_key()) as engine:
        account = await organisation(engine)
        print(f"organisation: {account.state.value}")

        # Whoever has not got the app yet gets it with the first message. The key says which notification this is.
        card = BotMessage(account.id, to=PERSON, summary="Interview with Ann Lee: Thursday at 3", cards=[CARD], notify=True, key="candidate-7/card")
        told = await engine.send(card)
        print(f"card: {told.state.value} by {told.route.value}")
        again = await engine.send(card)
        print(f"the same again: {again.state.value}, {'same receipt' if again.id == told.id else 'another receipt'}")

        # A team has to have it before. To install it where it is does no harm.
        team = next(team for team in await engine.teams(account.id) if team.name == TEAM)
        channel = next(channel for channel in await engine.channels(account.id, team.id) if channel.name == CHANNEL)
        installed = await engine.install_app(account_id=account.id, external_id=app_id(), team_id=team.id)
        print(f"app in the team: {'was there' if installed.was_there else 'installed'}")

        def news(when: str) -> BotMessage:
            return BotMessage(account.id, channel_id=channel.id, body=f"Ann Lee comes on **{when}**.", body_type=BodyType.MARKDOWN, key="candidate-7/news")

        posted = await engine.send(news("Thursday at 3"))
        print(f"news: {posted.state.value} by {posted.route.value}, {'has' if posted.graph_id else 'lacks'} an id")
        edited = await engine.edit_sent(posted.id, news("Friday at 10"))
        print(f"corrected: {edited.state.value}, {'same receipt' if edited.id == posted.id else 'another receipt'}")


asyncio.run(main())
