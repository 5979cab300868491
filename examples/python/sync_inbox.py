"""Syncs a mailbox, reads it, marks a mail as read, and picks up what is new. Without asyncio: `BlockingEngine` has the same methods."""

from support import config, control, root_key, sign_in_as
from tidings import BlockingEngine


def main() -> None:
    with BlockingEngine.open(config(), root_key()) as engine:
        sign_in = engine.connect(owner="recruiter-42", features=["mail_sync"], redirect_uri="http://localhost/callback")
        account = engine.finish_connect(sign_in_as(sign_in.url, "adele@contoso.com"), sign_in.binding)

        report = engine.sync(account.id)
        print(f"first sync: {report.added} added")

        # From here on nothing waits for the network but `sync`; `mark_read` tells the mailbox in the background.
        newest = engine.messages(account_id=account.id, folder="inbox", limit=5).items
        for message in newest:
            print(f"- {message.subject} ({message.from_address.name if message.from_address else 'nobody'})")
        message = newest[0]
        thread = engine.thread(message.id)
        print(f"conversation: {thread.subject}, {len(thread.messages)} mails")
        body = engine.body(message.id, form="text")
        print(f"text: {body.text.strip()}")

        # Where the owner's change feed stands now; what comes after it is news.
        cursor = engine.changes(owner="recruiter-42").ready(1000)[-1].cursor
        message = engine.mark_read(message.id, True)
        print(f"marked as {'read' if message.is_read else 'unread'}")

        control(
            "mail",
            {
                "mailbox": "adele@contoso.com",
                "subject": "One more question",
                "text": "Is parking available?",
                "from": {"name": "Fred Fabrikam", "address": "fred@fabrikam.com"},
                "to": [{"name": "Adele Vance", "address": "adele@contoso.com"}],
            },
        )
        report = engine.sync(account.id)
        print(f"second sync: {report.added} added, {report.changed} changed")
        for change in engine.changes(owner="recruiter-42", cursor=cursor).ready(1000):
            print(f"news: {change.kind.value}")


main()
