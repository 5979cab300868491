"""What the stories share: where the engine's settings come from, and the simulator's control endpoints."""

import json
import os
import urllib.error
import urllib.request

from tidings import Cloud, Config, RootKey, load_or_create_key


def config() -> Config:
    """A store, set up by TIDINGS_DATA, TIDINGS_CLIENT_ID, TIDINGS_LOGIN and TIDINGS_GRAPH."""
    env = os.environ
    return Config(
        data_dir=env["TIDINGS_DATA"],
        client_id=env["TIDINGS_CLIENT_ID"],
        cloud=Cloud.Custom(login=env["TIDINGS_LOGIN"], graph=env["TIDINGS_GRAPH"]),
    )


def root_key() -> RootKey:
    """The key that opens the store: the same at each start, in a file beside it."""
    return load_or_create_key(os.environ["TIDINGS_DATA"] + ".key")


def words(values) -> str:
    """Names of enum values, or `none`."""
    return ", ".join(value.value for value in values) or "none"


def control(path: str, body: dict) -> dict:
    """POST /`path` on the simulator."""
    url = f"{os.environ['TIDINGS_CONTROL']}/{path}"
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    # Without the proxy of the environment: the simulator is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"The simulator refused /{path}: {error.code} {error.read().decode()}") from None


def sign_in_as(url: str, address: str) -> str:
    """Signs a person in on the page at `url` and gives the address the browser is sent back to."""
    return control("signin", {"url": url, "as": address})["location"]
