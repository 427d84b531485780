"""A migration by clicking alone; the README's pictures of one and of an incident: ``python -m tests.browser.clicking``
paints them."""

import os
import re
import time
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from tests.support.sandbox import Sandbox

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PICTURE = Path(__file__).parents[2] / "docs" / "thread.png"
INCIDENT = PICTURE.with_name("incident.png")
DONE = "Done and proven in"
SHOWN_MS = 60_000.0  # the longest that something may take to be seen
PRESSES = 4
PHONE = {"width": 390, "height": 844}
APPROVE = re.compile("^Approve")  # the last of them, where there are two, is "Approve up to step 20"


def opened(browser: Browser, sandbox: Sandbox, user: str, height: int = 900) -> Page:
    page = browser.new_page(viewport={"width": 1100, "height": height})
    page.set_default_timeout(SHOWN_MS)
    page.goto(f"{sandbox.ready['slack']['url']}/?user={user}")
    page.wait_for_selector("body[data-ready]")
    return page


def on_the_phone(browser: Browser, sandbox: Sandbox, user: str) -> Page:
    """The channel that hears of copies, as it is read on a phone."""
    page = browser.new_page(viewport={"width": PHONE["width"], "height": PHONE["height"]})
    page.set_default_timeout(SHOWN_MS)
    page.goto(f"{sandbox.ready['slack']['url']}/?user={user}#alerts")
    page.wait_for_selector("body[data-ready]")
    return page


def incident_card(page: Page, title: str) -> Locator:
    """The card whose heading ends so, or goes on with what is listed with it."""
    heading = page.get_by_role("heading", name=re.compile(f"{re.escape(title)}( and |$)"))
    return page.get_by_test_id("messages").get_by_test_id("message").filter(has=heading)


def types(page: Page, line: str) -> None:
    page.get_by_test_id("composer").fill(line)
    page.get_by_test_id("composer").press("Enter")


def card_of(page: Page, run: int) -> Locator:
    heading = page.get_by_role("heading", name=re.compile(f"^Run {run} "))
    return page.get_by_test_id("messages").get_by_test_id("message").filter(has=heading)


def approved_by_turns(ben: Page, chen: Page, run: int, until: float) -> None:
    """Ben approves all there is, Chen where a second one must, until it is done (``until``: ``time.monotonic``)."""
    card = card_of(ben, run)
    expect(card).to_be_visible()
    while DONE not in (card.text_content() or ""):
        assert time.monotonic() < until, f"not done in time: {card.text_content()}"
        labels = card.get_by_role("button", name=APPROVE).all_text_contents()
        if labels:
            presses(chen if "more needed" in labels[0] else ben, run, labels[-1])
        ben.wait_for_timeout(100)


def presses(page: Page, run: int, label: str) -> None:
    """Until the button is gone: a press is lost that meets the card while it is drawn anew, a person's too."""
    button = card_of(page, run).get_by_role("button", name=label, exact=True)
    expect(button).to_be_visible()
    for _ in range(PRESSES):
        with suppress(PlaywrightError):  # it went away by itself
            button.click(timeout=SHOWN_MS / PRESSES)
        asked = page.get_by_test_id("confirm")
        if asked.count():
            asked.get_by_role("button", name="Approve", exact=True).click()
        with suppress(AssertionError):
            expect(button).to_have_count(0, timeout=SHOWN_MS / PRESSES)
            return
    raise AssertionError(f"pressed “{label}” on: {card_of(page, run).text_content()}")


def paint() -> None:
    """The README's picture: a rebuilt table's thread, finished."""
    sandbox = Sandbox(speed=30, bot=True)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
            ana, ben, chen = (opened(browser, sandbox, user, 760) for user in ("ana", "ben", "chen"))
            types(ana, "/tb migrate members add field nickname text --strategy recreate")
            approved_by_turns(ben, chen, 1, time.monotonic() + 120)
            page = opened(browser, sandbox, "chen", 760)
            card_of(page, 1).get_by_test_id("open-thread").click()
            # as it is drawn with a font for emoji, and without one
            moving = page.get_by_test_id("replies").get_by_test_id("message").filter(has_text=re.compile("⏳|◔"))
            expect(moving).to_have_count(0)  # a progress reply is edited at its own, slower pace
            page.get_by_test_id("thread").get_by_text(DONE).last.evaluate(
                "line => line.scrollIntoView({block: 'center'})"
            )
            page.screenshot(path=PICTURE, clip={"x": 217, "y": 43, "width": 883, "height": 640})
            browser.close()
    finally:
        sandbox.stop()


def paint_incident() -> None:
    """A copy that failed, as it is read on a phone."""
    sandbox = Sandbox(bot=True)
    try:
        looked = "SELECT 1 FROM ledger.watch WHERE looked_at IS NOT NULL"
        sandbox.until(lambda: sandbox.ledger(looked), patience_s=60, what="the first look of the watch")
        failing = {"pipe": "members_sorted_copy_pipe", "error": "memory"}
        sandbox.control.post("/sandbox/tinybird/fail", json=failing).raise_for_status()
        sandbox.tinybird.post("/v0/pipes/members_sorted_copy_pipe/copy").raise_for_status()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
            page = on_the_phone(browser, sandbox, "ben")
            card = incident_card(page, "Copy failed: members_sorted_copy_pipe")
            expect(card.get_by_role("button", name="Run again", exact=True)).to_be_visible()
            page.set_viewport_size({"width": PHONE["width"], "height": 1000})  # all of it
            card.screenshot(path=INCIDENT)
            browser.close()
    finally:
        sandbox.stop()


if __name__ == "__main__":
    paint()
    paint_incident()
