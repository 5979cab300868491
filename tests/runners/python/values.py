"""Scenario values: `$name.path` filled in, `repeat` unrolled; records of tidings to and from JSON."""

import enum
import re
from datetime import datetime, timezone

import tidings

NAME = re.compile(r"\$([a-z][a-z0-9_]*(?:\.[A-Za-z0-9_]+)*)")


def fill(value, known: dict):
    """The value with every `$name` replaced. A text that is nothing but a name becomes the value itself, and the name must be known;
    inside a longer text an unknown name stays as it is (it may be a `$filter`)."""
    if isinstance(value, str):
        whole = NAME.fullmatch(value)
        if whole:
            return lookup(known, whole[1])
        return NAME.sub(lambda m: plain(lookup(known, m[1], m[0])), value)
    if isinstance(value, list):
        return [fill(item, known) for item in value]
    if isinstance(value, dict) and "repeat" in value and not value.keys().isdisjoint({"text", "of"}):
        if "text" in value:
            return value["text"] * value["repeat"]
        return [fill(value["of"], known | {"i": i}) for i in range(1, value["repeat"] + 1)]
    if isinstance(value, dict):
        return {key: fill(item, known) for key, item in value.items()}
    return value


def lookup(known: dict, path: str, *otherwise):
    value = known
    try:
        for part in path.split("."):
            value = value[int(part) if isinstance(value, list) else part]
        return value
    except (KeyError, IndexError, ValueError, TypeError):
        if otherwise:
            return otherwise[0]
        raise LookupError(f"${path} is not known") from None


def plain(value) -> str:
    return value if isinstance(value, str) else str(value)


def config(settings: dict) -> tidings.Config:
    given = {key: value for key, value in settings.items() if key not in ("root_key", "passphrase", "kms", "keyring", "key_file")}
    if "cloud" in given:
        given["cloud"] = cloud(given["cloud"])
    if "client_secret" in given:
        given["client_secret"] = tidings.Secret(given["client_secret"])
    if "apps" in given:
        given["apps"] = [certified(app) for app in given["apps"]]
    return tidings.Config(**certified(given))


def certified(given: dict) -> dict:
    if "certificate" not in given:
        return given
    return given | {"certificate": tidings.ClientCertificate.from_pem(**given["certificate"])}


def root_key(settings: dict, usual: bytes) -> tidings.RootKey:
    """The key that the settings name; without one, the scenario's own."""
    if "passphrase" in settings:
        return tidings.RootKey.passphrase(settings["passphrase"])
    if "kms" in settings:
        return tidings.RootKey.unwrapped(*(settings["kms"][part].encode() for part in ("key", "wrapped")))
    if "keyring" in settings:
        return tidings.RootKey.from_keyring(**settings["keyring"])
    if "key_file" in settings:
        return tidings.load_or_create_key(settings["key_file"])
    return tidings.RootKey.raw(settings["root_key"].encode() if "root_key" in settings else usual)


def secrets(settings: dict) -> list[bytes]:
    """Texts of the settings that may stand nowhere: not on disk, not in a record."""
    apps = [settings, *settings.get("apps", [])]
    found = [settings.get("root_key"), settings.get("passphrase"), settings.get("kms", {}).get("key")]
    found += [app.get("client_secret") for app in apps] + [app.get("certificate", {}).get("private_key") for app in apps]
    return [text.encode() for text in found if text]


def cloud(value) -> tidings.Cloud:
    if isinstance(value, dict):
        return tidings.Cloud.Custom(**value["custom"])
    return getattr(tidings.Cloud, "".join(word.title() for word in value.split("_")))()


DRAFTS = {"chat": tidings.Chat, "mail": tidings.Mail, "reply": tidings.Reply, "forward": tidings.Forward, "channel_post": tidings.ChannelPost, "workflow": tidings.WorkflowPost, "bot": tidings.BotMessage, "to_endpoint": tidings.ToEndpoint}


def time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None


def draft(given: dict):
    kind, make = next((kind, make) for kind, make in DRAFTS.items() if kind in given)
    draft = dict(given[kind])
    for name in ("deadline", "send_at"):
        if name in draft:
            draft[name] = time(draft[name])
    if "mentions" in draft:
        draft["mentions"] = [tidings.Mention(**one | {"target": mentioned(one["target"])}) for one in draft["mentions"]]
    if "files" in draft:
        draft["files"] = [tidings.FileLink(**file) for file in draft["files"]]
    if "attachments" in draft:  # a scenario writes the content of a file as text
        draft["attachments"] = [tidings.FileAttachment(**file | {"content": file["content"].encode() if isinstance(file.get("content"), str) else b""}) for file in draft["attachments"]]
    if kind in ("chat", "channel_post", "workflow", "bot", "to_endpoint"):
        return make(**draft)
    mail = draft
    for part in ("to", "cc", "bcc", "reply_to"):
        if part in mail:
            mail[part] = [tidings.Address(**address) for address in mail[part]]
    if "from_address" in mail:
        mail["from_address"] = tidings.Address(**mail["from_address"])
    if "headers" in mail:
        mail["headers"] = [tidings.MailHeader(**header) for header in mail["headers"]]
    return make(**mail)


def attachments(files: list) -> list:
    """A scenario writes the content of a file as text."""
    return [tidings.FileAttachment(**file | {"content": file["content"].encode() if isinstance(file.get("content"), str) else b""}) for file in files]


def signature(given: dict | None):
    return given and tidings.Signature(**given | {"images": attachments(given.get("images", []))})


def mentioned(value):
    """A target as scenarios write it: `"team"`, or `{variant: {fields}}`."""
    if isinstance(value, str):
        return value
    [(variant, fields)] = value.items()
    return getattr(tidings.MentionTarget, variant.title())(**({"channel_id": None} if variant == "channel" else {}) | fields)


def endpoint_target(value: dict):
    """As scenarios write it: `{variant: {fields}}`."""
    [(variant, fields)] = value.items()
    if variant == "mail":
        fields = {"address": tidings.Address(**fields["address"])}
    if variant == "chat":
        fields = {"to": None, "chat_id": None} | fields
    return getattr(tidings.EndpointTarget, "".join(word.title() for word in variant.split("_")))(**fields)


def canonical(value):
    """As JSON: snake_case names, enums as text, times as RFC 3339, data enums as `{variant: {fields}}`."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime):
        text = value.astimezone(timezone.utc).isoformat().removesuffix("+00:00")
        return (text.rstrip("0") if "." in text else text) + "Z"
    if isinstance(value, (list, tuple)):
        return [canonical(item) for item in value]
    if isinstance(value, bytes):
        return list(value)
    if isinstance(value, dict):
        return value
    if hasattr(value, "__match_args__"):
        fields = {name: canonical(getattr(value, name)) for name in value.__match_args__}
        outer, _, inner = type(value).__qualname__.rpartition(".")
        return {snake(inner): fields} if outer else fields
    return value


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def error(e: tidings.TidingsError) -> dict:
    return {name: canonical(getattr(e, name)) for name in ("kind", "reason", "account_id", "request_id", "retry_after_ms", "remedy")}
