"""What the watch finds is offered to be run again where that is safe, from the failure to its end."""

from collections.abc import Callable

import pytest

from tests.support.copy_story import put
from tests.support.drive import Drive
from tests.support.incident_story import PIPE, Story
from tests.support.looking import fail, look
from tests.support.people import People
from tests.support.sandbox import Sandbox

__all__ = ["fail", "look"]  # fixtures


@pytest.fixture
def story(drive: Drive, people: People) -> Story:
    return Story(drive, people)


def run_of(sandbox: Sandbox) -> int:
    return int(sandbox.ledger("SELECT max(id) AS run FROM ledger.run")[0]["run"])


def test_what_the_watch_finds_can_be_run_again_and_is_over_then(
    sandbox: Sandbox, people: People, story: Story, fail: Callable[[], None], look: Callable[[], None]
) -> None:
    look()
    fail()
    look()
    story.talk()
    card = story.card()
    assert {"Run again", "Run this and what depends on it", "Pause schedule"} <= card.buttons.keys(), card.words
    people.ben.clicks("Run again", on=card)
    story.talk()
    run = run_of(sandbox)
    story.drive.until(run, "succeeded")
    look()
    story.talk()
    assert "Recovered" in story.card().words
    assert [f"Run {run} (copy {PIPE} run): Done in" in text for text in story.thread()] == [True, False], story.thread()


def test_the_card_says_why_a_copy_is_not_run_by_a_button(
    sandbox: Sandbox, story: Story, look: Callable[[], None]
) -> None:
    sql = "SELECT * FROM members_sorted WHERE throwIf(id != '', 'no luck') = 0"
    put(sandbox, PIPE, sql, "members_sorted", mode="replace")
    look()
    job = sandbox.tinybird.post(f"/v0/pipes/{PIPE}/copy").json()["job"]["job_id"]
    sandbox.until(lambda: sandbox.tinybird.get(f"/v0/jobs/{job}").json()["status"] == "error", what="the failure")
    look()
    story.talk()
    card = story.card()
    assert "Run again" not in card.buttons
    assert "Pause schedule" in card.buttons
    assert "No run by button" in card.words
    assert "It reads its own target members_sorted" in card.words


def test_of_a_replace_over_a_rolling_window_the_card_says_why_and_what_to_do_instead(
    sandbox: Sandbox, story: Story, fail: Callable[[], None], look: Callable[[], None]
) -> None:
    pipe = sandbox.tinybird.get(f"/v0/pipes/{PIPE}").json()
    node = pipe["nodes"][-1]
    rolling = f"SELECT * FROM ({node['sql']}) WHERE joinedAt > now() - INTERVAL 1 YEAR"
    answer = sandbox.tinybird.put(f"/v0/pipes/{pipe['id']}/nodes/{node['id']}", content=rolling)
    assert answer.status_code == 200, answer.text
    look()
    fail()
    look()
    story.talk()
    card = story.card()
    assert "Run again" not in card.buttons
    assert "Pause schedule" in card.buttons
    assert (
        "*No run by button* – It takes rows by the clock (joinedAt &gt; now() - INTERVAL '1' YEAR): a run now would "
        "leave other rows in members_sorted than its schedule would. Its schedule runs it again by itself; to have it "
        "sooner, run it in Tinybird if the rows that it takes now are those that you want."
    ) in card.words
