"""A recruiter's day: an invitation with a PDF, found again by the candidate's key with its answer, a reply in its thread, a group chat with the
interviewers, a card in the team's channel, and a campaign of forty mails from one template, of which one is taken back."""

import asyncio
import json
from datetime import datetime, timedelta, timezone

from support import config, control, root_key, sign_in_as
from tidings import Address, ChannelPost, Chat, Engine, FileAttachment, Mail, Reply, Signature

OWNER = "recruiter-42"


async def main() -> None:
    control("teams", {"name": "Hiring", "members": ["adele@contoso.com", "alex@contoso.com"], "channels": [{"name": "Candidates"}]})
    async with Engine.open(config(), root_key()) as engine:
        sign_in = await engine.connect(
            owner=OWNER, features=["chat", "channels", "mail_send", "mail_sync"], redirect_uri="http://localhost/callback"
        )
        account = await engine.finish_connect(sign_in_as(sign_in.url, "adele@contoso.com"), sign_in.binding)

        await engine.set_signature(account.id, Signature("Adele Vance, Contoso", "<b>Adele Vance</b>, Contoso"))

        invitation = Mail(
            account.id,
            to=Address("megan@contoso.com", "Megan Bowen"),
            subject="Interview on Thursday",
            body="Dear Megan, **Thursday at 3** it is. The way is attached.",
            body_type="markdown",
            attachments=[FileAttachment("way.pdf", b"%PDF-1.7", "application/pdf")],
            key="candidate-7/invitation",
            add_signature=True,
            link="candidate-7",
        )
        sent = await engine.send(invitation)
        print(f"invitation with a PDF: {sent.state.value}")

        control(
            "mail",
            {
                "mailbox": "adele@contoso.com",
                "conversation_of": sent.graph_id,
                "subject": "Re: Interview on Thursday",
                "text": "Gladly. Is there a place to park?",
                "from": {"name": "Megan Bowen", "address": "megan@contoso.com"},
                "to": [{"name": "Adele Vance", "address": "adele@contoso.com"}],
            },
        )
        await engine.sync(account.id)
        question = (await engine.messages(account_id=account.id, folder="inbox", limit=1)).items[0]
        print(f"Megan wrote: {question.subject}")
        reply = Reply(account.id, message_id=question.id, body="In the yard, place 7.")
        print(f"reply in the thread: {(await engine.send(reply)).state.value}")
        linked = await engine.messages(owner=OWNER, link="candidate-7")
        print(f"linked to candidate-7: {', '.join(sorted(one.subject for one in linked.items))}")

        panel = Chat(
            account.id,
            members=["alex@contoso.com", "nestor@contoso.com"],
            topic="Panel for Megan Bowen",
            body="Thursday at 3. Who asks about the last project?",
        )
        print(f"group chat with the interviewers: {(await engine.send(panel)).state.value}")

        hiring = next(one for one in await engine.all_channels(account.id) if one.team.name == "Hiring")
        channel = next(channel for channel in hiring.channels if channel.name == "Candidates")
        card = {
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": [
                {"type": "TextBlock", "text": "Megan Bowen", "weight": "Bolder"},
                {"type": "FactSet", "facts": [{"title": "When", "value": "Thursday at 3"}]},
            ],
        }
        post = ChannelPost(account.id, channel.team_id, channel.id, cards=[json.dumps(card)])
        print(f"card in the channel: {(await engine.send(post)).state.value}")

        await campaign(engine, account.id)


async def campaign(engine: Engine, account_id: str) -> None:
    """Forty mails of one template in one step; the last one waits until tomorrow, and is not wanted by then."""
    tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
    mails = [
        Mail(
            account_id,
            to=f"candidate{number}@fabrikam.com",
            subject="We are hiring again",
            body="Dear {{ candidate.name }}, would you like to hear more?",
            merge_fields={"candidate.name": f"Candidate {number}"},
            add_signature=True,
            key=f"campaign-3/{number}",
            send_at=tomorrow if number == 40 else None,
        )
        for number in range(1, 41)
    ]
    receipts = await engine.enqueue_all(mails)
    await engine.cancel(receipts[-1].id)
    ids = {receipt.id for receipt in receipts}

    async def count(state: str) -> int:
        return sum(receipt.id in ids for receipt in await engine.outbox(account_id=account_id, state=state, limit=1000))

    # The feed tells of every change, so that nobody has to ask again and again.
    feed = engine.changes(owner=OWNER)
    while await count("sent") < 39:
        await feed.next(100)
    print(f"campaign: {await count('sent')} sent, {await count('cancelled')} cancelled")


asyncio.run(main())
