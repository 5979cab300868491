"""Bot Framework: its tokens, and that they are no tokens of Graph's."""

import base64
import json

import msal
import pytest
from botframework.connector.auth import MicrosoftAppCredentials
from conftest import LOGIN, PASSWORD, SECRET, control, me


def credentials():
    made = MicrosoftAppCredentials(SECRET, PASSWORD)
    # It offers no other way to another cloud's login than its client.
    made.app = msal.ConfidentialClientApplication(SECRET, PASSWORD, authority=f"{LOGIN}/botframework.com", instance_discovery=False)
    return made


def test_a_token_of_the_framework():
    token = credentials().get_access_token()
    claims = token.split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["aud"] == "https://api.botframework.com"
    with pytest.raises(Exception, match="401"):
        me(token)


def test_who_is_no_bot():
    control("/apps", {"client_id": SECRET, "bot": False})
    with pytest.raises(PermissionError, match="700016"):
        credentials().get_access_token()
