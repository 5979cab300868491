"""What the server refuses, and what it tells browsers."""

import json

from conftest import BASE, Person, control
from playwright.sync_api import Browser


def ask(person: Person, method: str, path: str, headers: dict[str, str], body: object = None) -> tuple[int, dict]:
    data = None if body is None else json.dumps(body)
    answer = person.page.request.fetch(f"{BASE}/api{path}", method=method, headers=headers | {"content-type": "application/json"}, data=data)
    return answer.status, answer.json()


def token(person: Person) -> dict[str, str]:
    return {"x-csrf-token": ask(person, "GET", "/session", {})[1]["csrf"]}


def test_headers_and_cookie(person: Person) -> None:
    answer = person.page.goto(BASE)
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    [cookie] = person.page.context.cookies()
    assert cookie["httpOnly"] and cookie["sameSite"] == "Lax"
    assert "<script>" not in answer.text() and "style=" not in answer.text() and "onclick" not in answer.text()


def test_what_changes_something_needs_our_page(person: Person) -> None:
    person.open()
    features = {"features": ["mail_sync"]}
    ours = token(person)
    assert ask(person, "POST", "/connect", {}, features)[0] == 403
    assert ask(person, "POST", "/connect", {"x-csrf-token": "0" * 64}, features)[0] == 403
    assert ask(person, "POST", "/connect", ours | {"origin": "https://evil.example"}, features)[0] == 403
    assert ask(person, "POST", "/connect", ours | {"origin": BASE}, features)[0] == 200
    assert ask(person, "POST", "/connect", ours, {"features": ["everything"]})[0] == 400


def test_a_cookie_that_was_changed_is_none(person: Person) -> None:
    person.open()
    [cookie] = person.page.context.cookies()
    text, signature = cookie["value"].split(".")
    for value in ("", text, f"{text}.", f"{text}.{'0' * 64}", f"{text[:-4]}AAAA.{signature}"):
        headers = {"cookie": f"settings_session={value}"}
        person.page.context.clear_cookies()
        assert ask(person, "GET", "/accounts", headers)[0] == 401


def test_nobody_reaches_what_is_somebody_elses(person: Person, browser: Browser) -> None:
    control("people", {"address": "olga@contoso.com", "name": "Olga Own"})
    control("mail", {"mailbox": "olga@contoso.com", "subject": "Private", "from": {"address": "alex@contoso.com"}})
    person.connect("Olga Own")
    id = ask(person, "GET", "/accounts", {})[1]["items"][0]["id"]
    ask(person, "POST", f"/accounts/{id}/backfill", token(person), {"action": "start", "range": "everything"})
    ask(person, "POST", f"/accounts/{id}/sync", token(person), {})
    [mail] = ask(person, "GET", "/candidates/candidate-7", {})[1]["threads"]
    context = browser.new_context()
    stranger = Person(context.new_page())
    stranger.open()
    ours = token(stranger)
    assert ask(stranger, "GET", "/accounts", {})[1] == {"badge": None, "items": []}
    assert ask(stranger, "GET", "/candidates/candidate-7", {})[1]["threads"] == []
    writes = ["reconnect", "approval", "sync", "disconnect", "shared", "verify", "features"]
    body = {"address": "jobs@contoso.com", "features": ["mail_sync"]}
    assert {path: ask(stranger, "POST", f"/accounts/{id}/{path}", ours, body)[0] for path in writes} == dict.fromkeys(writes, 404)
    message = mail["newest"]["id"]
    draft = {"account_id": id, "subject": "x", "body": "x", "key": "1"}
    assert [
        ask(stranger, "PUT", f"/accounts/{id}/signature", ours, {"text": "x"})[0],
        ask(stranger, "POST", f"/accounts/{id}/backfill", ours, {"action": "start", "range": "everything"})[0],
        ask(stranger, "GET", f"/accounts/{id}/estimate?range=everything", {})[0],
        ask(stranger, "GET", f"/permissions?account={id}", {})[0],
        ask(stranger, "GET", f"/messages/{message}/thread", {})[0],
        ask(stranger, "GET", f"/messages/{message}/body", {})[0],
        ask(stranger, "POST", "/candidates/candidate-7/send", ours, draft)[0],
        ask(stranger, "POST", "/candidates/candidate-7/fill", ours, {"template": "invitation", "account_id": id})[0],
        ask(stranger, "POST", f"/attachments?account={id}&name=a.txt", ours, {})[0],
    ] == [404] * 9
    context.close()


def test_a_callback_of_another_browser_connects_nothing(person: Person, browser: Browser) -> None:
    control("people", {"address": "mia@contoso.com", "name": "Mia Fox"})
    person.open()
    url = ask(person, "POST", "/connect", token(person), {"features": ["mail_sync"]})[1]["url"]
    location = control("signin", {"url": url, "as": "mia@contoso.com"})["location"]
    context = browser.new_context()
    stranger = Person(context.new_page())
    stranger.open()
    stranger.page.goto(location)
    stranger.page.locator(".toast.bad").wait_for()
    assert ask(stranger, "GET", "/accounts", {})[1]["items"] == []
    context.close()
