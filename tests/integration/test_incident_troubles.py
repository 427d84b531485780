"""What stands in the way of an incident being heard: a storm, a closed channel, a deleted card, a stopped watch."""

import pytest

import bot.jobs
import workers.context
import workers.jobs
from bot import incident_sweep
from ledger import messages
from ledger.connection import Conn
from tests.support.drive import Drive
from tests.support.incident_story import PIPE, SAID, Story, opens
from tests.support.people import Message, People
from tests.support.sandbox import Json, Sandbox

STORM = 116
SLACK = "POST /api/*"


@pytest.fixture
def story(drive: Drive, people: People) -> Story:
    return Story(drive, people)


def said_in(people: People, channel: str) -> list[Message]:
    """What stands in the channel itself, not in threads."""
    seen = people.ben.sees(channel)
    return [m for m in seen if not m.shown["ephemeral"] and m.shown["thread_ts"] in (None, m.ts)]


def does(sandbox: Sandbox, what: str, **body: str) -> Json:
    answer = sandbox.control.post(f"/sandbox/slack/{what}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def swept(story: Story) -> None:
    with story.pool.connection() as conn:
        incident_sweep.once(conn, story.drive.product.settings)
    story.talk()


class HalfSeconds:
    """What talk workers do in half a second, with the spacing that they keep for Slack's sake, and no other limit. It
    is half a second however long the machine takes for it: the rest is taken off the spacing, or added to it."""

    def __init__(self, story: Story) -> None:
        self._story = story
        with story.pool.connection() as conn:
            self._at = self._clock(conn)

    def __call__(self) -> None:
        self._story.forget_limits()
        with self._story.pool.connection() as conn:
            took, self._at = self._clock(conn) - self._at, self._clock(conn)
            conn.execute("UPDATE ledger.message SET not_before = not_before - make_interval(secs => %s)", [0.5 - took])
            behind = messages.behind(conn, 100)
        for number in behind:
            bot.jobs.publish(number)

    def _clock(self, conn: Conn) -> float:
        row = conn.execute("SELECT extract(epoch FROM clock_timestamp())::float8 AS at").fetchone()
        assert row is not None
        return row["at"]


def test_a_storm_of_a_minute_is_one_card_and_few_calls(story: Story, sandbox: Sandbox) -> None:
    """Found one by one, half a second apart: each could be an edit."""
    before = sandbox.log.last()
    head = story.opens(said=f"{STORM} copies failed in sandbox at once.")
    half_a_second_later = HalfSeconds(story)
    for number in range(STORM - 1):
        with story.pool.connection() as conn, conn.transaction():
            opens(conn, story.channel, name=f"pipe_{number}_copy", environment=story.environment, under=head)
        half_a_second_later()
    assert sandbox.log.count("slack", SLACK, after=before) <= 20, sandbox.log.find("slack", SLACK, after=before)

    story.talk()
    assert f"*Listed with it* – {STORM - 1}" in story.card().words
    assert story.card().replies() == []


def test_where_the_channel_is_archived_another_one_hears_of_it(
    story: Story, people: People, sandbox: Sandbox, drive: Drive
) -> None:
    does(sandbox, "archive", channel="alerts")
    incident = story.opens()
    (card,) = said_in(people, "migrations")
    assert card.text.startswith(f"Incident {incident}: {SAID}")
    assert "This belongs in <#C0ALERTS1>, but that channel is archived; `/tb doctor` says what to do." in card.words

    people.ben.clicks("Take it", on=card)
    story.talk()
    assert "*ben* has it" in card.again().words
    story.closes(incident)
    assert "Recovered" in card.again().words
    assert [r.text for r in card.replies()][-1].startswith("Recovered after")

    people.ana.types("/tb doctor")
    drive()
    doctor = people.ana.sees()[-1].words
    assert "#alerts (alerts): that channel is archived." in doctor
    assert "the bot can post in #migrations" in doctor

    does(sandbox, "unarchive", channel="alerts")
    does(sandbox, "invite", channel="alerts")
    story.opens(name="another_copy")
    assert [m.text for m in said_in(people, "alerts")] == [f"Incident {incident + 1}: {SAID}"]
    people.ana.types("/tb doctor")
    drive()
    assert "the bot can post in #migrations and #alerts" in people.ana.sees()[-1].words


def test_a_card_whose_channel_is_archived_meanwhile_goes_on_elsewhere(
    story: Story, people: People, sandbox: Sandbox
) -> None:
    incident = story.opens()
    does(sandbox, "archive", channel="alerts")
    story.closes(incident)
    (card,) = said_in(people, "migrations")
    assert card.text.startswith(f"Incident {incident} is over")
    assert "that channel is archived" in card.words


def test_a_card_that_somebody_deleted_is_posted_once_more_while_it_is_open(
    story: Story, people: People, sandbox: Sandbox
) -> None:
    incident = story.opens()
    first = story.card()
    does(sandbox, "delete", user="ana", channel="alerts", message_ts=first.ts)
    people.ben.types(f"/tb ack {incident}")
    story.talk()
    second = story.card()
    assert second.ts != first.ts
    assert "*ben* has it" in second.words

    does(sandbox, "delete", user="ana", channel="alerts", message_ts=second.ts)
    story.closes(incident)
    assert [m for m in story.cards() if m.shown["blocks"]] == []


def test_that_nobody_watches_is_an_incident_and_over_when_somebody_does(
    story: Story, people: People, sandbox: Sandbox
) -> None:
    with story.pool.connection() as conn:
        conn.execute(
            "INSERT INTO ledger.watch (environment, rung_at, looked_at, failing_since, trouble) VALUES (%s,"
            " clock_timestamp(), clock_timestamp() - interval '6 min', clock_timestamp() - interval '5 min', %s)",
            [story.environment, "tinybird answered 503"],
        )
    swept(story)
    swept(story)
    card = story.card()
    assert f"Nothing is known of the copies in {story.environment} since" in card.text
    assert "(tinybird answered 503)" in card.text
    assert "Nobody watches" in card.words
    assert list(card.buttons) == ["Take it"]

    workers.context.configure(story.drive.worker)
    workers.jobs.watch(0)
    story.talk()
    assert "Nobody watches" in story.card().words, "a look ends what it found itself, and nothing else"
    swept(story)
    swept(story)
    assert "The watch is back" in story.card().words
    (said,) = story.thread()
    assert said.startswith("Over after 6 min: The watch of ")
    assert said.endswith("has caught up with what happened.")


def test_a_watch_that_looks_or_was_never_begun_is_no_news(story: Story) -> None:
    swept(story)
    assert story.cards() == []
    with story.pool.connection() as conn:
        conn.execute(
            "INSERT INTO ledger.watch (environment, rung_at, looked_at) VALUES (%s, clock_timestamp(),"
            " clock_timestamp() - interval '4 min')",
            [story.environment],
        )
    swept(story)
    assert story.cards() == []


def test_the_home_tab_and_the_list_of_runs_say_what_is_wrong(story: Story, people: People, sandbox: Sandbox) -> None:
    incident = story.opens()
    people.omar.types("/tb runs")
    does(sandbox, "home", user="omar")
    story.talk()
    listed = [m for m in people.omar.sees() if m.shown["ephemeral"]][-1]
    home = str(sandbox.control.get("/sandbox/slack/views", params={"user": "omar"}).json()["home"])
    for said in (listed.words, home):
        assert f"*Incident {incident}* · Copy failed: {PIPE}" in said
        assert "nobody has it" in said
