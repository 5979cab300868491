"""Invites to an interview: a Teams message to a colleague, a mail to the candidate, each sent once however often it is asked for."""

import asyncio

from support import config, control, root_key, sign_in_as
from tidings import Address, Chat, ConflictError, Engine, Mail


async def main() -> None:
    async with Engine.open(config(), root_key()) as engine:
        sign_in = await engine.connect(owner="recruiter-42", features=["chat", "mail_send"], redirect_uri="http://localhost/callback")
        account = await engine.finish_connect(sign_in_as(sign_in.url, "adele@contoso.com"), sign_in.binding)

        receipt = await engine.send(
            Chat(account.id, to="alex@contoso.com", body="Interview with Megan on Thursday at 3. Can you join?", key="candidate-7/panel")
        )
        print(f"Teams message to Alex: {receipt.state.value}")

        # The key says which invitation this is. Use one that your program finds again after a crash.
        def invitation(body: str) -> Mail:
            return Mail(
                account.id,
                to=Address("megan@contoso.com", "Megan Bowen"),
                subject="Interview on Thursday",
                body=body,
                key="candidate-7/invitation",
            )

        mail = invitation("Dear Megan, we look forward to meeting you on Thursday at 3.")
        first = await engine.send(mail)
        print(f"mail to Megan: {first.state.value}")
        second = await engine.send(mail)
        print(f"the same mail again: {second.state.value}, {'same receipt' if second.id == first.id else 'another receipt'}")

        try:
            await engine.send(invitation("Dear Megan, we have to cancel."))
        except ConflictError as error:
            print(f"another mail under the same key: {error.kind.value}")

        inbox = control("mail/list", {"mailbox": "megan@contoso.com", "folder": "inbox"})
        print(f"mails in Megan's inbox: {inbox['total']}")


asyncio.run(main())
