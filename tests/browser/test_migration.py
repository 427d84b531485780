"""A whole migration done in the page: ana types it, ben and, where two must, chen approve it, all see it proven."""

import time

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.clicking import DONE, approved_by_turns, card_of, opened, types
from tests.support.sandbox import Sandbox

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.xdist_group("browser")]

LONGEST_S = 120.0


@pytest.mark.parametrize(
    ("line", "held", "who"),
    [
        pytest.param(
            "/tb migrate members add field nickname text", "Held: nothing", "approved by ben", marks=pytest.mark.long
        ),
        ("/tb migrate members add field motto text --strategy recreate", "Held: ingestion for", "by ben and chen"),
    ],
    ids=["alter", "recreate"],
)
def test_a_migration_is_asked_for_approved_and_proven_in_the_page(
    browser: Browser, whole: Sandbox, line: str, held: str, who: str
) -> None:
    run = whole.ledger("SELECT coalesce(max(id), 0) + 1 AS next FROM ledger.run")[0]["next"]
    ana, ben, chen = (opened(browser, whole, user) for user in ("ana", "ben", "chen"))
    begun = time.monotonic()
    types(ana, line)
    approved_by_turns(ben, chen, run, begun + LONGEST_S)
    for said in (DONE, "Proven: all 5,000 rows of", held, who):
        expect(card_of(ana, run)).to_contain_text(said)
    expect(card_of(ana, run).get_by_role("button", name="Approve")).to_have_count(0)
    field = line.split()[5]
    assert field in {c["name"] for c in whole.tinybird.get("/v0/datasources/members").json()["columns"]}
    for page in (ana, ben, chen):
        page.close()


@pytest.mark.long
def test_a_table_is_replicated_in_the_page_and_its_changes_reach_an_endpoint(browser: Browser, whole: Sandbox) -> None:
    run = whole.ledger("SELECT coalesce(max(id), 0) + 1 AS next FROM ledger.run")[0]["next"]
    ana, ben, chen = (opened(browser, whole, user) for user in ("ana", "ben", "chen"))
    types(ana, "/tb replicate repositories")
    approved_by_turns(ben, chen, run, time.monotonic() + 2 * LONGEST_S)
    node = {"name": "most", "sql": "SELECT toString(max(stars)) AS most FROM repositories FINAL"}
    assert whole.tinybird.post("/v0/pipes", json={"name": "most_stars", "nodes": [node]}).is_success
    assert whole.tinybird.post("/v0/pipes/most_stars/nodes/most/endpoint").is_success
    changed = whole.pg("SELECT min(id::text) AS id FROM repositories")[0]["id"]
    whole.pg('UPDATE repositories SET stars = 4711000, "updatedAt" = now() WHERE id = %s', [changed])

    def answered() -> bool:
        return whole.tinybird.get("/v0/pipes/most_stars.json").json()["data"] == [{"most": "4711000"}]

    whole.until(answered, patience_s=LONGEST_S, what="a change of Postgres in the endpoint's answer")
    for page in (ana, ben, chen):
        page.close()
