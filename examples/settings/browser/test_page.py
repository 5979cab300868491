"""What a person does on the page, in the order in which they would. Each test is another person, with another mailbox."""

import re
from datetime import datetime, timedelta

import pytest
from conftest import BASE, Person, clear_faults, control
from playwright.sync_api import Browser, expect
from seeing import hard_to_read, nameless, wider_than_the_screen

expect.set_options(timeout=30_000)
PUBLIC_APP = "4f2b6f0a-0000-4000-8000-000000000001"


def card(person: Person, address: str):
    return person.page.get_by_role("region", name=address)


def toast(person: Person, text: str | re.Pattern[str]):
    return person.page.locator(".toast", has_text=text).last


def newcomer(address: str, name: str) -> None:
    control("people", {"address": address, "name": name})


def test_connecting_is_explained_and_done_at_microsoft(person: Person) -> None:
    newcomer("ines@contoso.com", "Ines Alvarez")
    page = person.page
    person.open()
    expect(page.get_by_role("img", name="Nothing connected")).to_be_visible()
    expect(page.get_by_text("Mail.Send", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="What we do not access")).to_be_visible()
    assert page.get_by_text("Calendars.Read", exact=True).count() == 0
    page.get_by_label("Read the calendar").check()
    expect(page.get_by_text("Calendars.Read", exact=True)).to_be_visible()
    person.shot("connect")
    page.get_by_label("Read the calendar").uncheck()
    # By the keyboard alone: from the last choice to the button.
    page.get_by_label("Write in Teams").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Continue to Microsoft")).to_be_focused()
    page.keyboard.press("Enter")
    person.sign_in("Ines Alvarez")
    expect(toast(person, "ines@contoso.com is connected.")).to_be_visible()
    mine = card(person, "ines@contoso.com")
    expect(mine.get_by_text("Healthy")).to_be_visible()
    expect(page.get_by_role("img", name="All is well")).to_be_visible()
    mine.get_by_text("Permissions and what we do not access").click()
    expect(mine.get_by_text("Mail.Send", exact=True)).to_be_visible()
    # What is searched for secrets at the end is there.
    assert any("not_accessed" in text for text in person.said) and any("ines@contoso.com" in text for text in person.said)


def test_declining_at_microsoft_is_said(person: Person) -> None:
    newcomer("dora@contoso.com", "Dora Berg")
    person.open()
    person.page.get_by_role("button", name="Continue to Microsoft").click()
    person.page.get_by_role("button", name="Dora Berg").click()
    person.page.get_by_role("button", name="Cancel").click()
    person.page.wait_for_url(f"{BASE}/**")
    expect(person.page.locator(".toast.bad")).to_be_visible()
    expect(person.page.get_by_role("button", name="Continue to Microsoft")).to_be_visible()


def test_history_with_estimate_progress_pause_and_resume(person: Person) -> None:
    newcomer("hugo@contoso.com", "Hugo Brandt")
    control("mail/many", {"mailbox": "hugo@contoso.com", "count": 600, "subject": "Mail", "every_seconds": 3600})
    person.connect("Hugo Brandt")
    mine = card(person, "hugo@contoso.com")
    mine.get_by_label("All mail").check()
    expect(mine.get_by_text(re.compile(r"About 600 messages in \d folders?"))).to_be_visible()
    person.shot("history")
    control("faults", {"name": "slow", "match": {"path": "/messages.*\\$orderby", "item": False}, "skip": 2, "times": 0, "do": {"hold": "before"}})
    mine.get_by_role("button", name="Start").click()
    control("faults/reached", {"name": "slow"})
    expect(mine.get_by_role("progressbar", name="Mail fetched")).to_be_visible()
    expect(mine.get_by_text(re.compile(r"[1-9]\d* of 600 messages"))).to_be_visible()
    mine.get_by_role("button", name="Pause").click()
    expect(mine.get_by_text("Fetching is paused")).to_be_visible()
    person.shot("paused")
    clear_faults()
    mine.get_by_role("button", name="Resume").click()
    expect(mine.get_by_text(re.compile("All mail: all here, 6.. messages"))).to_be_visible(timeout=60_000)
    mine.get_by_role("button", name="Change").click()
    expect(mine.get_by_label("Last 30 days")).to_be_visible()
    mine.get_by_role("button", name="Not now").click()
    control("mail", {"mailbox": "hugo@contoso.com", "subject": "Just arrived"})
    mine.get_by_role("button", name="Sync now").click()
    expect(toast(person, re.compile("^Synced: "))).to_be_visible()


def test_history_is_cancelled(person: Person) -> None:
    newcomer("cleo@contoso.com", "Cleo Marsh")
    control("mail/many", {"mailbox": "cleo@contoso.com", "count": 500, "subject": "Mail", "every_seconds": 3600})
    person.connect("Cleo Marsh")
    mine = card(person, "cleo@contoso.com")
    control("faults", {"name": "held", "match": {"path": "/messages.*\\$orderby", "item": False}, "skip": 1, "times": 0, "do": {"hold": "before"}})
    mine.get_by_label("All mail").check()
    mine.get_by_role("button", name="Start").click()
    control("faults/reached", {"name": "held"})
    mine.get_by_role("button", name="Cancel").click()
    person.page.get_by_role("dialog").get_by_role("button", name="Stop fetching").click()
    expect(mine.get_by_text(re.compile(r"Stopped: \d+ of 500 messages are here\."))).to_be_visible()
    clear_faults()


def test_a_test_message_and_a_second_account(person: Person) -> None:
    newcomer("tom@contoso.com", "Tom Field")
    newcomer("una@contoso.com", "Una Hart")
    person.connect("Tom Field")
    card(person, "tom@contoso.com").get_by_role("button", name="Send a test message").click()
    expect(toast(person, "A test message is on its way to tom@contoso.com.")).to_be_visible()
    assert control("mail/list", {"mailbox": "tom@contoso.com", "folder": "inbox"})["total"] == 1
    person.page.get_by_role("button", name="Connect another account").click()
    person.page.get_by_role("button", name="Continue to Microsoft").click()
    person.sign_in("Una Hart")
    expect(card(person, "tom@contoso.com")).to_be_visible()
    expect(card(person, "una@contoso.com")).to_be_visible()


def test_an_administrator_has_to_approve(person: Person) -> None:
    control("tenants", {"domain": "strict.example", "consent": "admin"})
    newcomer("ada@strict.example", "Ada Strong")
    page = person.page
    person.open()
    page.get_by_role("button", name="Continue to Microsoft").click()
    page.get_by_role("button", name="Ada Strong").click()
    page.get_by_role("button", name="Return to the application").click()
    page.wait_for_url(f"{BASE}/**")
    expect(page.locator(".badge", has_text="Waiting for approval")).to_be_visible()
    expect(page.get_by_role("img", name="Something needs attention")).to_be_visible()
    expect(page.get_by_label("Text for the request", exact=True)).not_to_have_value("")
    assert "Mail.Send" in page.get_by_label("Sheet for IT", exact=True).input_value()
    expect(page.get_by_role("link", name="I am the administrator")).to_be_visible()
    person.shot("approval")
    control("approve", {"domain": "strict.example", "client_id": PUBLIC_APP})
    # What an administrator approved is not asked of the person.
    page.get_by_role("button", name="Sign in again").click()
    page.get_by_role("button", name="Ada Strong").click()
    expect(card(person, "ada@strict.example").get_by_role("button", name="Sync now")).to_be_visible()


def test_access_that_was_lost_is_told_and_mended(person: Person) -> None:
    newcomer("rita@contoso.com", "Rita Long")
    person.connect("Rita Long")
    mine = card(person, "rita@contoso.com")
    expect(mine.get_by_text("Healthy")).to_be_visible()
    control("tokens/expire", {"as": "rita@contoso.com"})
    control("tokens/revoke", {"as": "rita@contoso.com", "reason": "password_changed"})
    mine.get_by_role("button", name="Sync now").click()
    expect(mine.locator(".badge", has_text="Sign-in needed")).to_be_visible()
    expect(mine.locator(".note.bad")).to_be_visible()
    expect(person.page.get_by_role("img", name="Something does not work")).to_be_visible()
    person.shot("sign-in-needed")
    # Microsoft is told who it is, and asks nothing that was granted before.
    mine.get_by_role("button", name="Sign in again").click()
    expect(card(person, "rita@contoso.com").get_by_role("button", name="Sync now")).to_be_visible()


def test_mail_with_a_candidate(person: Person, tmp_path) -> None:
    newcomer("wendy@contoso.com", "Wendy Clark")
    control("people", {"address": "jobs@contoso.com", "name": "Jobs at Contoso", "shared": True})
    control("senders", {"mailbox": "jobs@contoso.com", "person": "wendy@contoso.com", "full_access": True, "send_as": True})
    evil = '<p>Thursday suits me.</p><script>document.title="broken"</script><img src="https://evil.example/pixel.png" onerror="parent.document.title=1"><a href="javascript:alert(1)">x</a>'
    cv = [{"name": "cv.txt", "content_type": "text/plain", "text": "Alex Wilber"}]
    control("mail", {"mailbox": "wendy@contoso.com", "subject": "About Thursday", "from": {"name": "Alex Wilber", "address": "alex@contoso.com"}, "html": evil, "attachments": cv})
    page = person.page
    person.connect("Wendy Clark", "Shared mailboxes")
    mine = card(person, "wendy@contoso.com")
    mine.get_by_label("Last 30 days").check()
    mine.get_by_role("button", name="Start").click()
    expect(mine.get_by_text(re.compile("Last 30 days: all here"))).to_be_visible()

    mine.get_by_text("Add a shared mailbox").click()
    mine.get_by_label("Address of the shared mailbox").fill("nobody@contoso.com")
    mine.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator(".toast.bad")).to_be_visible()
    mine.get_by_label("Address of the shared mailbox").fill("jobs@contoso.com")
    mine.get_by_role("button", name="Add", exact=True).click()
    shared = card(person, "jobs@contoso.com")
    expect(shared.get_by_text("Shared mailbox", exact=False).first).to_be_visible()
    shared.get_by_text("Signature", exact=True).click()
    shared.get_by_label("Below your mails").fill("Jobs at Contoso\nBuilding 7")
    shared.get_by_role("button", name="Save signature").click()
    expect(toast(person, "The signature is saved.")).to_be_visible()
    person.shot("accounts")

    page.get_by_role("link", name="Alex Wilber").click()
    page.get_by_role("button", name=re.compile("About Thursday")).click()
    mail = page.frame_locator("iframe")
    expect(mail.get_by_text("Thursday suits me.")).to_be_visible()
    assert mail.locator("script, img[onerror], img[src^=http]").count() == 0 and page.title() == "Candidate – Hiring desk"
    with page.expect_download() as download:
        page.get_by_role("link", name="cv.txt").click()
    assert download.value.path().read_text() == "Alex Wilber"

    page.get_by_role("button", name="Write a mail").click()
    sender = page.get_by_label("From")
    jobs = sender.locator("option", has_text="jobs@contoso.com (shared)").get_attribute("value")
    sender.select_option(value=jobs)
    page.get_by_label("Template").select_option(label="Invitation to an interview")
    expect(page.get_by_label("Subject")).to_have_value("Interview: Data Engineer")
    page.get_by_label("Add the signature").check()
    letter = tmp_path / "map.txt"
    letter.write_text("Building 7")
    page.get_by_label("Attach files").set_input_files(letter)
    expect(page.get_by_role("button", name="Remove map.txt")).to_be_visible()
    person.shot("composer")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".toast", has_text=re.compile("Sent|on its way"))).to_be_visible()
    sent = control("mail/list", {"mailbox": "alex@contoso.com", "folder": "inbox"})["items"][-1]
    assert (sent["subject"], sent["from"]["address"], sent["attachments"]) == ("Interview: Data Engineer", "jobs@contoso.com", ["map.txt"])
    assert "Dear Alex" in sent["body"] and "Building 7" in sent["body"]

    # The last choice is offered again; this one leaves tomorrow, and is taken back.
    page.get_by_role("button", name="Write a mail").click()
    expect(sender).to_have_value(str(jobs))
    page.get_by_label("Subject").fill("A reminder")
    page.get_by_label("Message", exact=True).fill("See you tomorrow.")
    page.get_by_label("Send at").fill((datetime.now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M"))
    page.get_by_role("button", name="Schedule").click()
    waiting = page.get_by_role("region", name="Not sent yet")
    expect(waiting.get_by_text(re.compile("Leaves "))).to_be_visible()
    person.shot("scheduled")
    waiting.get_by_role("button", name="Cancel").click()
    expect(waiting).to_have_count(0)

    page.get_by_role("button", name="Reply").first.click()
    page.get_by_label("Message", exact=True).fill("Then Thursday it is.")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("button", name="Write a mail")).to_be_visible()
    assert control("mail/list", {"mailbox": "alex@contoso.com", "folder": "inbox"})["items"][-1]["subject"] == "Re: About Thursday"


def test_disconnecting_says_what_happens(person: Person) -> None:
    newcomer("leo@contoso.com", "Leo Quinn")
    person.connect("Leo Quinn")
    mine = card(person, "leo@contoso.com")
    mine.get_by_role("button", name="Disconnect").click()
    dialog = person.page.get_by_role("dialog")
    expect(dialog.get_by_text("Our access ends at once")).to_be_visible()
    person.shot("disconnect")
    person.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    mine.get_by_role("button", name="Disconnect").click()
    person.page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()
    expect(mine.locator(".badge", has_text="Disconnected")).to_be_visible()
    expect(person.page.get_by_role("img", name="Nothing connected")).to_be_visible()
    expect(mine.get_by_role("button", name="Connect again")).to_be_visible()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 1200), ("light", 375), ("dark", 375)])
def test_it_can_be_read_everywhere(browser: Browser, person: Person, scheme: str, width: int) -> None:
    name = f"Vera {scheme.title()} {width}"
    newcomer(f"vera-{scheme}-{width}@contoso.com", name)
    page = person.page
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    person.connect(name, "Shared mailboxes")
    mine = card(person, f"vera-{scheme}-{width}@contoso.com")
    expect(mine.get_by_text(re.compile("About 0 messages"))).to_be_visible()
    for summary in mine.locator("summary").all():
        summary.click()
    expect(mine.get_by_text("Mail.Send", exact=True)).to_be_visible()
    for where in ("settings", "candidate", "composer"):
        if where == "candidate":
            page.get_by_role("link", name="Megan Bowen").click()
            expect(page.get_by_role("button", name="Write a mail")).to_be_visible()
        if where == "composer":
            page.get_by_role("button", name="Write a mail").click()
        person.shot(f"{where}-{scheme}-{width}")
        assert hard_to_read(page) == [] and nameless(page) == [] and not wider_than_the_screen(page)
