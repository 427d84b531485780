"""Copies break, a channel says so, once each and causes first; somebody presses Run again on a phone, and it is over.

The short story is a pipe's; the long one the estate's, with a schedule that goes, a full quota, and a copy that writes
nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.clicking import PHONE, incident_card, on_the_phone
from tests.support.people import People
from tests.support.processes import Crew
from tests.support.sandbox import BETWEEN_TICKS_S, Json, Sandbox

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.xdist_group("browser")]

SORTED, ROLES = "members_sorted_copy_pipe", "maintainers_roles_copy"
ISSUES, PROJECTS = "issues_analyzed_copy", "insights_projects_populated_copy"
OVER_MS = 120_000


def test_a_pipe_that_breaks_is_run_again_from_a_phone(browser: Browser, whole: Sandbox) -> None:
    watched(whole)
    move_to(whole, minute=BETWEEN_TICKS_S // 60)  # a run by its schedule might be well before somebody presses
    looks_again(whole)
    before = told_of(whole, SORTED)
    page = on_the_phone(browser, whole, "ben")
    sql = rewrites(whole, SORTED, "members.displayName,", "members.nobodyKnowsThis,")
    assert whole.tinybird.post(f"/v0/pipes/{SORTED}/copy").is_success
    card = incident_card(page, f"Copy failed: {SORTED}")
    expect(card).to_contain_text("its SQL does not fit the columns that there are", timeout=OVER_MS)
    expect(card).to_contain_text("Nobody has it yet")
    fits(page, card)
    rewritten(whole, SORTED, sql)
    card.get_by_role("button", name="Run again", exact=True).click(timeout=OVER_MS)
    over = incident_card(page, f"Recovered: {SORTED}")
    expect(over).to_contain_text("ran well at", timeout=OVER_MS)
    expect(over.get_by_role("button", name="Run again", exact=True)).to_have_count(0)
    over.get_by_test_id("open-thread").click()
    expect(page.get_by_test_id("replies")).to_contain_text(f"{SORTED} copied 4,966 rows into members_sorted")
    expect(page.get_by_test_id("replies")).to_contain_text("Recovered after")
    assert told_of(whole, SORTED) == before + 1
    page.close()


@pytest.mark.long
@pytest.mark.timeout(400)
def test_the_estate_says_each_trouble_once_and_causes_first(browser: Browser, tmp_path: Path) -> None:
    with estate(tmp_path) as sandbox:
        page, people = on_the_phone(browser, sandbox, "ben"), People(sandbox)
        roles = rewrites(sandbox, ROLES, "memberId,", "memberId, nobodyKnowsThis,")
        unscheduled(sandbox, ISSUES)
        move_to(sandbox, minute=2)
        said(sandbox, f"The copy {ROLES} failed", f"The schedule of the copy {ISSUES} is gone")
        rows = rewrites(sandbox, SORTED, "WHERE isNull", "WHERE 0 AND isNull")
        move_to(sandbox, minute=9)
        said(sandbox, f"The copy {SORTED} emptied its target")
        sandbox.knobs(tinybird__quota_scheduled="error", tinybird__copy_quota=0)
        move_to(sandbox, minute=48)
        said(sandbox, f"The copy {PROJECTS} failed", "no copy slot was free")
        sandbox.knobs(tinybird__quota_scheduled="wait", tinybird__copy_quota=12)
        assert [subject(each) for each in told(sandbox)[2:]] == [SORTED, PROJECTS]
        assert {subject(each) for each in told(sandbox)[:2]} == {ROLES, ISSUES}

        rewritten(sandbox, ROLES, roles)
        rewritten(sandbox, SORTED, rows)
        below = "Run this and what depends on it"
        incident_card(page, f"Copy wrote too little: {SORTED}").get_by_role("button", name=below).click()
        incident_card(page, f"Copy failed: {ROLES}").get_by_role("button", name="Run again", exact=True).click()
        issues = next(each for each in people.chen.sees("alerts") if subject(each.text) == ISSUES)
        people.chen.clicks("This is intended", on=issues)
        for title in (f"Recovered: {ROLES}", f"Recovered: {SORTED}", f"Meant to be so: {ISSUES}"):
            card = incident_card(page, title)
            expect(card).to_be_visible(timeout=OVER_MS)
            fits(page, card)
        sandbox.until(lambda: all("is over" in each for each in told(sandbox)), patience_s=60, what="the end of it all")
        assert sorted(subject(each) for each in told(sandbox)) == sorted([ROLES, ISSUES, SORTED, PROJECTS])


@contextmanager
def estate(folder: Path) -> Iterator[Sandbox]:
    """The estate with the rows that one copy always writes, and then a bot and workers who see that."""
    sandbox = Sandbox(seed="estate")
    try:
        now = datetime.fromisoformat(sandbox.control.post("/sandbox/clock", json={}).json()["now"])
        runs = [{"created_at": f"{now - timedelta(hours=h):%Y-%m-%dT%H:08:00}", "seconds": 30, "rows": 4966}
                for h in range(12, 1, -1)]  # fmt: skip
        history = {"pipe": SORTED, "runs": runs}
        assert sandbox.control.post("/sandbox/tinybird/history", json=history).is_success
        crew = Crew(sandbox, folder)
        try:
            watched(sandbox)
            yield sandbox
        finally:
            crew.stop()
    finally:
        sandbox.stop()


def watched(sandbox: Sandbox) -> None:
    """The first look was: what is wrong from now on is news."""
    query = "SELECT 1 FROM ledger.watch WHERE looked_at IS NOT NULL"
    sandbox.until(lambda: sandbox.ledger(query), patience_s=60, what="the first look of the watch")


def looks_again(sandbox: Sandbox) -> None:
    """Until a look that began after this has ended: one may be under way."""
    query = "SELECT 1 FROM ledger.watch WHERE looked_at > %s"
    for _ in range(2):
        (row,) = sandbox.ledger("SELECT looked_at FROM ledger.watch")
        sandbox.until(lambda at=row["looked_at"]: sandbox.ledger(query, [at]), what="the next look of the watch")


def rewrites(sandbox: Sandbox, pipe: str, old: str, new: str) -> str:
    """Put other words into the SQL that a copy pipe copies; how it was."""
    node = copied(sandbox, pipe)
    assert old in node["sql"], node["sql"]
    rewritten(sandbox, pipe, node["sql"].replace(old, new))
    return node["sql"]


def rewritten(sandbox: Sandbox, pipe: str, sql: str) -> None:
    put = sandbox.tinybird.put(f"/v0/pipes/{pipe}/nodes/{copied(sandbox, pipe)['id']}", content=sql)
    assert put.is_success, put.text


def unscheduled(sandbox: Sandbox, pipe: str) -> None:
    node = copied(sandbox, pipe)["id"]
    assert sandbox.tinybird.put(f"/v0/pipes/{pipe}/nodes/{node}/copy", data={"schedule_cron": "None"}).is_success


def copied(sandbox: Sandbox, pipe: str) -> Json:
    found = sandbox.tinybird.get(f"/v0/pipes/{pipe}").json()
    return next(node for node in found["nodes"] if node["id"] == found["copy_node"])


def move_to(sandbox: Sandbox, *, minute: int) -> None:
    """Move the platform's clock on to the next time that it is so many minutes past."""
    now = datetime.fromisoformat(sandbox.control.post("/sandbox/clock", json={}).json()["now"])
    ahead = ((minute - now.minute) % 60 or 60) * 60 - now.second
    assert sandbox.control.post("/sandbox/clock", json={"advance_s": ahead, "settle_s": 60}).is_success


def said(sandbox: Sandbox, *words: str) -> None:
    """Wait until the channel says all of it."""
    sandbox.until(lambda: all(w in " ".join(told(sandbox)) for w in words), patience_s=60, what=f"{words} in alerts")


def told(sandbox: Sandbox) -> list[str]:
    """What the channel says in messages of their own, in order."""
    return [each.text for each in People(sandbox).ben.sees("alerts") if each.shown["thread_ts"] in (None, each.ts)]


def told_of(sandbox: Sandbox, pipe: str) -> int:
    return sum(subject(each) == pipe for each in told(sandbox))


def subject(text: str) -> str:
    """Which of the four it is about; of what was said about none, the text."""
    return next((pipe for pipe in (SORTED, ROLES, ISSUES, PROJECTS) if pipe in text), text)


def fits(page: Page, card: Locator) -> None:
    """Nothing of it is beside the phone's screen."""
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    box = card.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= PHONE["width"]
