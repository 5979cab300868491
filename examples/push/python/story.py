"""What the routes of this folder are tried with: an engine whose mailbox is watched, and a mail that arrives."""

import os
import socket
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "python"))

from support import config, control, root_key, sign_in_as
from tidings import BlockingEngine, Config


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


PORT = free_port()


def settings() -> Config:
    plain = config()
    return Config(data_dir=plain.data_dir, client_id=plain.client_id, cloud=plain.cloud, notification_url=f"http://127.0.0.1:{PORT}/tidings")


KEY = root_key()


def wait_until(what):
    until = time.monotonic() + 60
    while not what():
        if time.monotonic() > until:
            raise TimeoutError("it did not come about within a minute")
        time.sleep(0.05)


def tell() -> None:
    """Signs in and waits for a mail, on an engine of its own beside the one that receives, as another process would."""
    with BlockingEngine.open(settings(), KEY) as engine:
        sign_in = engine.connect(owner="recruiter-42", features=["mail_sync"], redirect_uri="http://localhost/callback")
        account = engine.finish_connect(sign_in_as(sign_in.url, "adele@contoso.com"), sign_in.binding)
        wait_until(lambda: engine.health("recruiter-42").accounts[0].transport.value == "push")
        print("watched by push")
        wait_until(lambda: len(engine.messages(account_id=account.id).items) == 7)
        control("mail", {"mailbox": "adele@contoso.com", "subject": "It came by itself"})
        wait_until(lambda: any(message.subject == "It came by itself" for message in engine.messages(account_id=account.id).items))
        print("arrived: It came by itself")


def run(serve) -> None:
    """`serve` takes requests on PORT for as long as the process lives."""
    threading.Thread(target=serve, daemon=True).start()
    try:
        tell()
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
    sys.stdout.flush()
    os._exit(0)
