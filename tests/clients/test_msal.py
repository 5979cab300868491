"""MSAL for Python: every way to sign in."""

import msal
import pytest
from conftest import AUTHORITY, DEFAULT, PASSWORD, PUBLIC, REDIRECT, SECRET, agree, certificate, control, me, visit
from cryptography import x509
from cryptography.hazmat.primitives import hashes

SCOPES = ["User.Read", "Mail.ReadWrite"]


def public():
    return msal.PublicClientApplication(PUBLIC, authority=AUTHORITY, instance_discovery=False)


def confidential(credential=PASSWORD):
    return msal.ConfidentialClientApplication(SECRET, credential, authority=AUTHORITY, instance_discovery=False)


def sign_in(app, scopes=SCOPES):
    flow = app.initiate_auth_code_flow(scopes, redirect_uri=REDIRECT)
    return app.acquire_token_by_auth_code_flow(flow, visit(flow["auth_uri"]))


def good(result):
    assert "access_token" in result, result
    return result["access_token"]


def test_authorization_code_with_pkce_then_cache_then_refresh():
    app = public()
    first = good(sign_in(app))
    assert me(first) == "adele@contoso.com"
    account = app.get_accounts()[0]
    assert account["username"] == "adele@contoso.com"
    assert good(app.acquire_token_silent(SCOPES, account)) == first
    second = good(app.acquire_token_silent(SCOPES, account, force_refresh=True))
    assert second != first and me(second) == "adele@contoso.com"
    assert control("/ledger")["accusations"] == []


def test_default_grants_what_is_registered():
    app = public()
    assert me(good(sign_in(app, DEFAULT))) == "adele@contoso.com"
    assert good(app.acquire_token_silent(DEFAULT, app.get_accounts()[0]))


def test_device_code():
    app = public()
    flow = app.initiate_device_flow(SCOPES)
    control("/device", {"user_code": flow["user_code"], "as": "alex@contoso.com"})
    assert me(good(app.acquire_token_by_device_flow(flow))) == "alex@contoso.com"


def test_revoked_refresh_token():
    app = public()
    good(sign_in(app))
    control("/tokens/revoke", {"as": "adele@contoso.com", "reason": "admin_revoked"})
    result = app.acquire_token_silent_with_error(SCOPES, app.get_accounts()[0], force_refresh=True)
    assert result["error"] == "invalid_grant" and 50173 in result["error_codes"]


def test_secret():
    early = confidential().acquire_token_for_client(DEFAULT)
    assert 700016 in early["error_codes"]
    agree()
    assert good(confidential().acquire_token_for_client(DEFAULT))
    wrong = confidential("wrong").acquire_token_for_client(DEFAULT)
    assert wrong["error"] == "invalid_client" and 7000215 in wrong["error_codes"]


@pytest.mark.parametrize("kind", ["sha1", "sha256"])
def test_certificate(kind):
    agree()
    made = certificate()
    parsed = x509.load_pem_x509_certificate(made["certificate"].encode())
    credential = {"private_key": made["private_key"]}
    if kind == "sha1":
        credential["thumbprint"] = parsed.fingerprint(hashes.SHA1()).hex()
    else:
        credential["public_certificate"] = made["certificate"]
    app = confidential(credential)
    assert good(app.acquire_token_for_client(DEFAULT))
    # The same assertion serves the next request of this app.
    assert good(app.acquire_token_for_client(["https://outlook.office.com/.default"]))


def test_on_behalf_of():
    agree()
    called = good(sign_in(public(), [f"api://{SECRET}/access_as_user"]))
    with pytest.raises(Exception, match="401"):
        me(called)
    assert me(good(confidential().acquire_token_on_behalf_of(called, DEFAULT))) == "adele@contoso.com"


def test_unknown_resource():
    agree()
    refused = confidential().acquire_token_for_client(["https://nowhere.example/.default"])
    assert refused["error"] == "invalid_resource" and 500011 in refused["error_codes"]


def test_confidential_authorization_code():
    app = confidential()
    assert me(good(sign_in(app))) == "adele@contoso.com"


def test_what_is_not_simulated():
    import requests

    answer = requests.get(f"{AUTHORITY}/saml2", timeout=10)
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "SimulatorLacks")
