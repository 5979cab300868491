"""The simulator that run.sh started, and what its tests do behind Microsoft's back."""

import json
import os
import urllib.request
from urllib.parse import parse_qsl, urlsplit

import pytest

PLACE = json.loads(os.environ["CLIENTS_SIM"])
LOGIN, GRAPH = PLACE["tls"]["login"], PLACE["tls"]["graph"]
CA = os.environ["CLIENTS_CA"]
PUBLIC, SECRET = PLACE["client_id"], "4f2b6f0a-0000-4000-8000-000000000002"
PASSWORD = "simulator-secret"
REDIRECT = "http://localhost:4711/back"
AUTHORITY = f"{LOGIN}/contoso.com"
DEFAULT = ["https://graph.microsoft.com/.default"]


def control(path, ask=None):
    request = urllib.request.Request(PLACE["control"] + path, json.dumps(ask or {}).encode(), method="POST")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def visit(url, who="adele@contoso.com"):
    """What the app is sent back with, after this person signed in and agreed."""
    back = control("/signin", {"url": url, "as": who})
    assert back["location"], back
    return dict(parse_qsl(urlsplit(back["location"]).query))


def agree():
    """An administrator agrees to what the second app registers."""
    control("/approve", {"domain": "contoso.com", "client_id": SECRET})


def certificate():
    return control("/apps", {"client_id": SECRET, "certificate": True})


def me(token):
    """Who Graph says this token is of."""
    import ssl

    request = urllib.request.Request(GRAPH + "/me", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=CA)) as answer:
        return json.load(answer)["userPrincipalName"]


@pytest.fixture(autouse=True)
def fresh():
    control("/reset")
    yield
