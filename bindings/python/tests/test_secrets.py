"""Settings, requests and answers that hold secrets: no text form, log record or error shows them. The fields come from the classes, so that new ones are tried."""

import inspect
import logging
import pprint

import pytest

import tidings

HUSH = "hush-hush-hush"
# An address with a password, as somebody may write it into any text.
ADDRESS = f"https://user:{HUSH}@host.example:8080/path?token={HUSH}#{HUSH}"
SETTINGS = [tidings.Config, tidings.App, tidings.ConnectRequest, tidings.TenantRequest, tidings.LinkRequest, tidings.PermissionQuery]
# What is hidden whatever it is.
HIDDEN = {"ca_certificates", "context", "client_secret", "proxy"}
OTHER = {
    "cloud": tidings.Cloud.Custom(ADDRESS, f"user:{HUSH}@host.example"),
    "apps": [tidings.App(ADDRESS, ADDRESS, client_secret=HUSH, tenant=ADDRESS)],
    "features": ["chat"],
    "certificate": None,
}


def made(kind: type) -> object:
    """With an address in every field that takes a text."""
    fields = {}
    for name in kind.__match_args__:
        for value in (OTHER.get(name, HUSH if name in HIDDEN else ADDRESS), [ADDRESS]):
            required = {n: OTHER.get(n, ADDRESS) for n, p in inspect.signature(kind).parameters.items() if p.default is inspect.Parameter.empty}
            try:
                kind(**{**required, name: value})
            except (TypeError, tidings.InvalidInputError):
                continue
            fields[name] = value
            break
    return kind(**fields)


def forms(it: object) -> list[str]:
    record = logging.LogRecord("host", logging.INFO, "", 0, "%s %r", (it, it), None)
    return [repr(it), str(it), f"{it}", f"{it!r:>9}", format(it), "%s" % (it,), repr([it]), repr({"it": it}), pprint.pformat(it), pprint.pformat([it], width=1), ascii(it), record.getMessage()]


@pytest.mark.parametrize("kind", SETTINGS, ids=lambda kind: kind.__name__)
def test_settings_and_requests_show_no_secret(kind):
    it = made(kind)
    for shown in [*forms(it), *(form for name in kind.__match_args__ if name not in {"ca_certificates", "context"} and not isinstance(getattr(it, name), (str, list)) for form in forms(getattr(it, name)))]:
        assert HUSH not in shown, shown
    with pytest.raises(TypeError):
        vars(it)


def test_what_holds_a_secret_shows_its_class_alone():
    key = tidings.generate_root_key()
    for it in (tidings.Secret(HUSH), tidings.RootKey.raw(key), tidings.RootKey.passphrase(HUSH), tidings.RootKey.unwrapped(key, b"wrapped by a kms"), tidings.KeyRotation(key)):
        for shown in forms(it):
            assert HUSH not in shown and repr(key) not in shown and key.hex() not in shown and "wrapped by" not in shown


def test_sign_ins_show_neither_link_nor_binding(blocking):
    with blocking as engine:
        for it in (
            engine.connect(owner="me", features=["chat"], redirect_uri="http://localhost/callback"),
            engine.link_person(owner="me", redirect_uri="http://localhost/callback"),
            engine.connect_here(owner="me", features=["chat"]),
        ):
            url = it.url() if callable(it.url) else it.url
            for shown in forms(it):
                assert url not in shown and getattr(it, "binding", url) not in shown


@pytest.mark.parametrize("field", [name for name in tidings.Config.__match_args__ if name != "data_dir"])
def test_refusals_repeat_nothing(field, tmp_path):
    fields = {"data_dir": str(tmp_path / "store"), "client_id": "00000000-0000-0000-0000-000000000000", "cloud": "public"}
    for value in (OTHER.get(field, ADDRESS), f"ftp://user:{HUSH}@host", HUSH, f"-----BEGIN PRIVATE KEY-----\n{HUSH}", [ADDRESS]):
        try:
            tidings.BlockingEngine.open(tidings.Config(**{**fields, field: value}), tidings.generate_root_key()).close()
        except (TypeError, ValueError, OverflowError, tidings.TidingsError) as error:
            assert HUSH not in f"{error} {error!r} {error.__dict__} {error.__cause__} {error.__context__}"


def test_requests_with_a_login_in_their_address_are_refused(blocking):
    with blocking as engine:
        for call in (
            lambda uri: engine.connect(owner="me", features=["chat"], redirect_uri=uri),
            lambda uri: engine.connect_tenant(owner="me", redirect_uri=uri),
            lambda uri: engine.link_person(owner="me", redirect_uri=uri),
        ):
            with pytest.raises(tidings.InvalidInputError) as caught:
                call(f"https://user:{HUSH}@app.example/callback")
            assert HUSH not in str(caught.value)


def test_a_settings_file_is_not_quoted_and_a_readable_one_is_warned_of(tmp_path):
    file = tmp_path / "tidings.toml"
    start = 'data_dir = "store"\nclient_id = "00000000-0000-0000-0000-000000000000"\n'
    for bad in (f"client_secret = {HUSH}", f'client_secret = "{HUSH}', f'"{HUSH}!" = 1', f'proxy = "ftp://user:{HUSH}@host"', f'cloud = "{HUSH}"', f'[cloud]\nlogin = "https://user:{HUSH}@host"\ngraph = "https://host"'):
        file.write_text(start + bad)
        with pytest.raises(tidings.InvalidInputError) as caught:
            tidings.BlockingEngine.open(file, tidings.generate_root_key())
        assert HUSH not in str(caught.value)
    file.write_text(start + f'client_secret = "{HUSH}"')
    key, records = tidings.generate_root_key(), tidings.blocking_logs("warn")
    file.chmod(0o644)
    tidings.BlockingEngine.open(file, key).close()
    record = records.next()
    assert record.target == "tidings::config" and HUSH not in repr(record)
    assert [field.value for field in record.fields if field.name == "file"] == [str(file)]
