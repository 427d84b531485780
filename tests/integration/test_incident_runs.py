"""What may safely be done to a pipe is pressed on its incident's card, and followed to its end in its thread."""

from threading import Thread

import pytest

import bot.context
import bot.jobs
from bot import clicks
from bot.handling import sender_of
from ledger import inbox, incidents
from tests.support.drive import Drive
from tests.support.incident_story import PIPE, Story
from tests.support.people import People
from tests.support.sandbox import Sandbox

_LOCKED = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@pytest.fixture
def story(drive: Drive, people: People) -> Story:
    return Story(drive, people)


def test_run_again_is_a_run_in_the_incidents_thread(
    story: Story, people: People, drive: Drive, sandbox: Sandbox
) -> None:
    incident = story.opens(offers=("run", "pause"))
    card = story.card()
    assert list(card.buttons)[-2:] == ["Run again", "Pause schedule"]
    people.ben.clicks("Run again", on=card)
    story.talk()
    second = people.chen.clicks("Run again", on=card)
    story.talk()
    assert second.ephemeral().text.startswith("Run 1 is about this already")
    assert "Run 1 below" in story.card().words

    drive()
    assert drive.state(1) == "succeeded"
    (ended,) = [reply for reply in story.card().replies() if "Done in" in reply.text]
    assert f"Run 1 (copy {PIPE} run)" in ended.text
    assert [m for m in people.ana.sees("migrations") if not m.shown["ephemeral"]] == []
    assert sandbox.log.count("tinybird", f"POST /v0/pipes/{PIPE}/copy") == 1

    story.closes(incident)
    late = people.ben.clicks("Run again", on=card)
    story.talk()
    assert "no longer offers that" in late.ephemeral().text


def test_of_two_who_press_at_once_the_second_hears_of_the_firsts_run(
    story: Story, people: People, sandbox: Sandbox
) -> None:
    """Two workers have a click each: the second looks for a run while that of the first is not committed."""
    story.opens(offers=("run",))
    card = story.card()
    people.ben.clicks("Run again", on=card)
    sandbox.until(lambda: len(_waiting(story)) == 1, what="the first click")
    late = people.chen.clicks("Run again", on=card)
    sandbox.until(lambda: len(_waiting(story)) == 2, what="the second click")
    first, second = sorted(_waiting(story))
    other = Thread(target=bot.jobs.inbox, args=(second,))
    with story.pool.connection() as conn, inbox.handling(conn, first) as row:
        assert row is not None
        outcome = clicks.handle(bot.context.context(), conn, row, sender_of(row))
        inbox.finish(conn, first, outcome.said)
        other.start()
        sandbox.until(lambda: sandbox.ledger(_LOCKED), what="the second worker at the incident")
    other.join(30)
    story.talk()
    assert len(sandbox.ledger("SELECT id FROM ledger.run")) == 1
    assert late.ephemeral().text.startswith("Run 1 is about this already")


def _waiting(story: Story) -> list[int]:
    with story.pool.connection() as conn:
        return inbox.unhandled(conn, 0)


def test_who_may_not_run_copies_is_told_so_and_the_incident_stays_as_it_is(story: Story, people: People) -> None:
    incident = story.opens(offers=("run",))
    clicked = people.omar.clicks("Run again", on=story.card())
    story.talk()
    assert "You may not" in clicked.ephemeral().text
    with story.pool.connection() as conn:
        assert [e.what for e in incidents.events(conn, incident)] == ["opened"]


def test_of_a_run_that_fails_its_card_says_why_and_who_asked_is_called_to_it(
    story: Story, people: People, drive: Drive, sandbox: Sandbox
) -> None:
    story.opens(offers=("run",))
    answer = sandbox.control.post("/sandbox/tinybird/fail", json={"pipe": PIPE, "error": "no luck", "times": 1})
    assert answer.is_success, answer.text
    people.ben.clicks("Run again", on=story.card())
    story.talk()
    drive.until(1, "failed")
    story.talk()
    card, called = story.card().replies()
    assert "no luck" in card.text
    assert called.text.endswith(f"Run 1 (copy {PIPE} run) has failed; its card here says why.")
    assert called.text.startswith("<@")
