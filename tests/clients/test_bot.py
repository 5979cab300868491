"""Bot Framework: its tokens, that they are no tokens of Graph's, the Connector, and the proof of what it posts."""

import asyncio
import base64
import json

import msal
import pytest
from botbuilder.schema import Activity, ChannelAccount, ConversationParameters, ErrorResponseException
from botframework.connector import ConnectorClient
from botframework.connector.auth import ChannelValidation, JwtTokenValidation, MicrosoftAppCredentials, SimpleCredentialProvider
from botframework.connector.teams import TeamsConnectorClient
from conftest import LOGIN, PASSWORD, PLACE, SECRET, control, me

ADELE = "adele@contoso.com"
SERVICE = PLACE["bot"] + "/teams"


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


def tenant():
    return control("/tenants", {"domain": "contoso.com"})["id"]


def text(words):
    return Activity(type="message", text=words)


def test_a_conversation_with_a_person():
    connector = ConnectorClient(credentials(), base_url=SERVICE).conversations
    user = control("/bot/user", {"person": ADELE})
    asked = ConversationParameters(
        bot=ChannelAccount(id=f"28:{SECRET}"), members=[ChannelAccount(id=user["id"])], tenant_id=tenant(), channel_data={"tenant": {"id": tenant()}}
    )
    with pytest.raises(ErrorResponseException) as refused:
        connector.create_conversation(asked)
    assert refused.value.error.error.code == "BotNotInConversationRoster"
    control("/bot/install", {"person": ADELE})
    made = connector.create_conversation(asked)
    assert made.id == user["conversation"]
    first = connector.send_to_conversation(made.id, text("Hello"))
    connector.reply_to_activity(made.id, first.id, text("A reply"))
    connector.update_activity(made.id, first.id, text("Hello!"))
    connector.delete_activity(made.id, first.id)
    assert [m.id for m in connector.get_conversation_members(made.id)] == [user["id"]]
    assert connector.get_conversation_member(made.id, user["id"]).name == "Adele Vance"
    said = control("/bot/messages", {"person": ADELE})["items"]
    assert [(m["text"], m["is_deleted"]) for m in said] == [("Hello!", True), ("A reply", False)]


def test_a_team_and_a_thread():
    team = control("/teams", {"name": "Sales", "members": [ADELE], "channels": [{"name": "Deals"}]})
    control("/bot/install", {"team": "Sales"})
    control("/bot/roster", {"team": "Sales", "members": 70})
    general, deals = (channel["id"] for channel in team["channels"])
    teams = TeamsConnectorClient(credentials(), base_url=SERVICE).teams
    assert (teams.get_team_details(general).aad_group_id, teams.get_team_details(general).name) == (team["id"], "Sales")
    assert [(c.id, c.name) for c in teams.get_teams_channels(general).conversations] == [(general, None), (deals, "Deals")]
    connector = ConnectorClient(credentials(), base_url=SERVICE).conversations
    made = connector.create_conversation(ConversationParameters(is_group=True, channel_data={"channel": {"id": deals}}, activity=text("News")))
    assert made.id == f"{deals};messageid={made.activity_id}"
    connector.send_to_conversation(made.id, text("More of it"))
    page = connector.get_teams_conversation_paged_members(general, page_size=50)
    last = connector.get_teams_conversation_paged_members(general, page_size=50, continuation_token=page.continuation_token)
    assert (len(page.members), len(last.members), last.continuation_token) == (50, 20, None)
    assert last.members[-1].email == ADELE


def posts():
    taken = control("/notifications/take", {"wait": False})["posts"]
    for post in taken:
        control("/notifications/answer", {"id": post["id"], "status": 200})
    return taken


def accepted(post):
    """What the framework's own check says of a post."""
    ChannelValidation.open_id_metadata_endpoint = PLACE["bot"] + "/v1/.well-known/openidconfiguration"
    activity = Activity.deserialize(json.loads(post["body"]))
    check = JwtTokenValidation.authenticate_request(activity, post["headers"].get("authorization", ""), SimpleCredentialProvider(SECRET, PASSWORD))
    return asyncio.run(check).is_authenticated


@pytest.mark.parametrize(
    "forged",
    [
        {"claims": {"aud": "4f2b6f0a-0000-4000-8000-0000000000ff"}},
        {"claims": {"iss": "https://evil.example"}},
        {"claims": {"exp": 1}},
        {"claims": {"serviceurl": "https://evil.example/"}},
        {"body": {"serviceUrl": "https://evil.example/"}},
        {"key": "other"},
        {"key": "none"},
        {"key": "absent"},
    ],
    ids=str,
)
def test_what_the_connector_posts_is_proven(forged):
    control("/bot/endpoint", {"url": "https://bot.example.com/api/messages"})
    control("/bot/install", {"person": ADELE})
    assert [accepted(post) for post in posts()] == [True, True]
    control("/bot/forge", forged)
    with pytest.raises(Exception):
        accepted(posts()[0])
