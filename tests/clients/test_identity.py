"""azure-identity: the credentials that a service or a device would use."""

from urllib.parse import urlencode

import azure.identity as identity
import pytest
from azure.core.exceptions import ClientAuthenticationError
from conftest import AUTHORITY, CA, DEFAULT, LOGIN, PASSWORD, PUBLIC, REDIRECT, SECRET, agree, certificate, control, me, visit

HERE = {"authority": LOGIN, "disable_instance_discovery": True, "connection_verify": CA}
TENANT = "contoso.com"


def test_secret():
    credential = identity.ClientSecretCredential(TENANT, SECRET, PASSWORD, **HERE)
    with pytest.raises(ClientAuthenticationError, match="700016"):
        credential.get_token(*DEFAULT)
    agree()
    # The old one remembers its refusal for a minute.
    assert identity.ClientSecretCredential(TENANT, SECRET, PASSWORD, **HERE).get_token(*DEFAULT).token


def test_certificate():
    agree()
    made = certificate()
    pem = (made["certificate"] + made["private_key"]).encode()
    credential = identity.CertificateCredential(TENANT, SECRET, certificate_data=pem, **HERE)
    assert credential.get_token(*DEFAULT).token


def test_device_code():
    def shown(_uri, code, _expires):
        control("/device", {"user_code": code, "as": "adele@contoso.com"})

    credential = identity.DeviceCodeCredential(PUBLIC, tenant_id=TENANT, prompt_callback=shown, **HERE)
    assert me(credential.get_token("User.Read").token) == "adele@contoso.com"


def code(client, scope):
    query = {"client_id": client, "response_type": "code", "redirect_uri": REDIRECT, "scope": scope}
    return visit(f"{AUTHORITY}/oauth2/v2.0/authorize?{urlencode(query)}")["code"]


def test_authorization_code():
    given = code(SECRET, "User.Read offline_access")
    credential = identity.AuthorizationCodeCredential(TENANT, SECRET, given, REDIRECT, client_secret=PASSWORD, **HERE)
    assert me(credential.get_token("User.Read").token) == "adele@contoso.com"


def test_on_behalf_of():
    agree()
    scope = f"api://{SECRET}/access_as_user"
    mid = identity.AuthorizationCodeCredential(TENANT, PUBLIC, code(PUBLIC, scope), REDIRECT, **HERE).get_token(scope).token
    credential = identity.OnBehalfOfCredential(TENANT, SECRET, client_secret=PASSWORD, user_assertion=mid, **HERE)
    assert me(credential.get_token(*DEFAULT).token) == "adele@contoso.com"
