"""Packages of Teams apps: what is in one, and what the catalogue says of it."""

import base64
import hashlib
import io
import json
import zipfile

import tidings


async def app_package(engine: tidings.Engine, given: dict):
    """`publish_as`: an account that puts it into the catalogue of its organisation."""
    fields = {name: value for name, value in given.items() if name != "publish_as"}
    for icon in ("color_icon", "outline_icon"):  # a scenario writes icons in base64
        fields[icon] = base64.b64decode(fields[icon])
    fields["developer"] = tidings.AppDeveloper(**fields["developer"])
    fields["texts"] = tidings.AppTexts(**fields["texts"])
    if "localizations" in fields:
        fields["localizations"] = [tidings.AppLocalization(one["language"], tidings.AppTexts(**one["texts"])) for one in fields["localizations"]]
    package = await engine.app_package(**fields)
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        names = archive.namelist()
        [manifest, *languages] = [json.loads(archive.read(name)) for name in names if name.endswith(".json")]
    shown = {"files": names, "manifest": manifest, "languages": languages, "sha256": hashlib.sha256(package).hexdigest()}
    if "publish_as" in given:
        request = tidings.RawRequest("/appCatalogs/teamsApps", "POST", headers={"Content-Type": "application/zip"}, body=package)
        response = await engine.request(given["publish_as"], request)
        shown["published"] = {"status": response.status(), "json": json.loads(await response.body())}
    return shown
