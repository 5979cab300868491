"""A person connects an account, and disconnects it again."""

import asyncio

from support import config, root_key, sign_in_as, words
from tidings import ConflictError, Engine, NotConnectedError


async def main() -> None:
    async with Engine.open(config(), root_key()) as engine:
        # `owner` is your own key of the person. Send the browser to `url`, keep `binding` in that person's session.
        sign_in = await engine.connect(
            owner="recruiter-42",
            features=["chat", "mail_send", "mail_sync"],
            redirect_uri="http://localhost/callback",
        )

        # Here the person signs in at Microsoft. The browser comes back to your redirect address with an answer in its query.
        callback = sign_in_as(sign_in.url, "adele@contoso.com")
        account = await engine.finish_connect(callback, sign_in.binding)
        print(f"{account.owner} connected {account.display_name} <{account.address}>")
        print(f"features: {words(account.features)}")
        print(f"missing: {words(account.missing)}")

        # An answer works once.
        try:
            await engine.finish_connect(callback, sign_in.binding)
        except ConflictError as error:
            print(f"the same answer again: {error.kind.value}")

        for account in (await engine.accounts(owner="recruiter-42")).items:
            print(f"account of recruiter-42: {account.address}, {account.state.value}")

        # The tokens are destroyed at once; mail that was synced stays readable.
        account = await engine.disconnect(account.id)
        print(f"disconnect: {account.state.value}")
        try:
            await engine.sync(account.id)
        except NotConnectedError as error:
            print(f"sync after that: {error.kind.value}")


asyncio.run(main())
