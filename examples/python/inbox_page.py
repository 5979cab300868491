"""What the inbox page of an app does: one list of the conversations of all of a recruiter's mailboxes, a conversation with its attachment, an answer, and
a link to the candidate."""

import asyncio

from support import config, control, root_key, sign_in_as
from tidings import Engine, Reply

OWNER = "recruiter-42"


async def connect(engine: Engine, address: str) -> None:
    sign_in = await engine.connect(owner=OWNER, features=["mail_send", "mail_sync"], redirect_uri="http://localhost/callback")
    await engine.finish_connect(sign_in_as(sign_in.url, address), sign_in.binding)


async def show(engine: Engine, **query) -> None:
    for thread in (await engine.threads(owner=OWNER, **query)).items:
        links = f" [{', '.join(thread.links)}]" if thread.links else ""
        print(f"- {thread.subject} ({thread.messages} mails, {thread.unread} unread){links}")


async def main() -> None:
    fred = {"name": "Fred Fabrikam", "address": "fred@fabrikam.com"}
    papers = [{"name": "cv.txt", "content_type": "text/plain", "text": "Ten years of design."}]
    text = "Dear Adele,\nmy papers are attached.\nFred"
    control("mail", {"mailbox": "adele@contoso.com", "subject": "Application: designer", "text": text, "from": fred, "attachments": papers})
    alex = {"name": "Alex", "address": "alex@contoso.com"}
    control("mail", {"mailbox": "megan@contoso.com", "subject": "Figures of May", "from": alex, "received": "2025-05-31T10:00:00Z"})
    async with Engine.open(config(), root_key()) as engine:
        await connect(engine, "adele@contoso.com")
        await connect(engine, "megan@contoso.com")
        await engine.sync_all(OWNER)

        print("inbox of both mailboxes:")
        await show(engine, folder="inbox")

        newest = (await engine.threads(owner=OWNER, folder="inbox")).items[0].newest
        body = await engine.body(newest.id, form="text")
        print(f"{newest.from_address.name}: {body.text.splitlines()[1]}")
        for file in newest.attachments:
            content = await engine.attachment(newest.id, file.id)
            print(f'attached: {file.name}, "{(await content.body()).decode()}"')

        await engine.mark_read(newest.id, True)
        await engine.link([newest.id], "candidate-7")
        answer = await engine.send(Reply(newest.account_id, message_id=newest.id, body="Thank you. Is Thursday at 3 good?"))
        print(f"answer: {answer.state.value}")
        await engine.sync(newest.account_id)

        print("what there is of candidate-7:")
        await show(engine, link="candidate-7")


asyncio.run(main())
