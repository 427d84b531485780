"""An incident is one card, edited in place; what people must see of it is in its thread, and they answer by buttons."""

from dataclasses import replace

import pytest

import bot.context
from bot import incident_sweep
from config.watch import WatchedPipe, WatchSettings
from ledger import audit, incidents, watches
from ledger.connection import Conn, calendar
from ledger.incidents import Found, incident_ref
from tests.support.drive import Drive
from tests.support.incident_story import ERROR, PIPE, SAID, Story, opens
from tests.support.people import People, Person
from tests.support.sandbox import Sandbox
from workers.watch.telling import tell

HOUR_S = 3600.0


@pytest.fixture
def story(drive: Drive, people: People) -> Story:
    return Story(drive, people)


def swept(story: Story) -> None:
    """What the bot's own sweep does, and then a talk worker."""
    with story.pool.connection() as conn:
        incident_sweep.once(conn, story.drive.product.settings)
    story.talk()


def later(story: Story, seconds: float) -> None:
    """Calendar time passes; nothing on the platform does."""
    story.drive.sandbox.clock.advance(seconds)
    swept(story)


def deeds(conn: Conn, incident: int) -> list[str]:
    return [line.detail["deed"] for line in audit.about(conn, incident_ref(incident)) if line.action == "incident"]


def test_a_card_says_what_failed_and_is_edited_when_it_is_over(story: Story) -> None:
    incident = story.opens()
    card = story.card()
    assert card.text == f"Incident {incident}: {SAID}"
    for said in ("Copy failed", "Nobody has it yet", "memory", "members_list", "next_copy", "5,000 before"):
        assert said in card.words

    story.closes(incident)

    over = story.card()
    assert over.ts == card.ts
    assert over.text.startswith(f"Incident {incident} is over after 2 min: It ran again")
    assert "Recovered" in over.words
    assert over.buttons == {}
    assert story.thread() == ["Recovered after 2 min: It ran again and wrote 5,000 rows."]


def test_of_two_who_take_it_one_has_it_and_the_other_is_told(story: Story, people: People) -> None:
    incident = story.opens()
    card = story.card()
    people.ben.clicks("Take it", on=card)
    story.talk()
    taken = story.card()
    assert "*ben* has it" in taken.words
    assert taken.text.endswith("ben has it.")
    assert "Take it" not in taken.buttons

    late = people.chen.clicks("Take it", on=card)  # by the card as it was
    story.talk()
    assert late.ephemeral().text.startswith(f"Incident {incident} is with ben already since ")
    assert late.ephemeral().text.endswith("Nothing was changed.")

    people.chen.clicks("Take it over", on=taken)
    story.talk()
    assert "*chen* has it" in story.card().words
    (said,) = story.card().replies()  # what people did is one reply that grows
    assert "ben took it" in said.words
    assert "chen took it over" in said.words
    with story.pool.connection() as conn:
        assert deeds(conn, incident) == ["take", "take"]


def test_who_may_not_is_told_who_may_and_nothing_is_changed(story: Story, people: People) -> None:
    incident = story.opens()
    card = story.card()
    clicked = people.omar.clicks("Take it", on=card)
    story.talk()
    assert clicked.ephemeral().text.startswith("You may not answer for incidents here; those who may:")
    chosen = people.omar.chooses("For 1 hour", on=card)
    story.talk()
    assert "You may not" in chosen.ephemeral().text
    typed = people.omar.types(f"/tb ack {incident}", channel="alerts")
    story.talk()
    assert any("You may not" in m.text for m in people.omar.sees("alerts") if m.ts not in typed.before)
    row = story.get(incident)
    assert (row.acked_by, row.assigned, row.snoozed_until) == (None, None, None)
    with story.pool.connection() as conn:
        assert deeds(conn, incident) == []


def test_put_off_it_is_quiet_and_then_said_once_again(story: Story, people: People) -> None:
    incident = story.opens()
    people.ben.chooses("For 1 hour", on=story.card())
    story.talk()
    assert "Put off until" in story.card().words
    assert "by ben" in story.card().words
    assert "💤" in story.card().words

    later(story, HOUR_S - 60)
    assert len(story.thread()) == 1
    later(story, 61)
    later(story, 61)
    assert story.thread()[1:] == [f"⏰ {PIPE}: The time it was put off for is over, and it is still so."]
    assert "💤" not in story.card().words
    assert story.get(incident).snoozed_until is None


def test_put_off_until_the_next_morning_it_is_quiet_until_nine(story: Story, people: People) -> None:
    incident = story.opens()
    people.ben.chooses("Until tomorrow, 09:00 UTC", on=story.card())
    story.talk()
    until, opened = story.get(incident).snoozed_until, story.get(incident).opened_at
    assert until
    assert (until.hour, until.minute, (until.date() - opened.date()).days) == (9, 0, 1)
    assert f"Put off until {until:%Y-%m-%d} 09:00 UTC by ben" in story.card().words


def test_what_nobody_takes_is_said_again_ever_more_seldom(story: Story, people: People, sandbox: Sandbox) -> None:
    incident = story.opens()
    every_s = story.drive.product.settings.environments[story.environment].remind_s
    later(story, every_s - 60)
    assert story.thread() == []
    later(story, 120)
    (said,) = story.thread()
    assert said.startswith(f"Incident {incident} in {story.environment} is still open: Copy failed, {PIPE}.")
    assert story.card().replies()[0].shown["broadcast"]  # a failed copy that nobody has is for the channel too
    later(story, every_s)
    assert len(story.thread()) == 1
    later(story, every_s)
    assert len(story.thread()) == 2

    people.ben.clicks("Take it", on=story.card())
    story.talk()
    later(story, every_s * 8)
    assert len(story.thread()) == 3  # and the third is that ben took it


def test_commands_answer_whoever_types_them(story: Story, people: People) -> None:
    incident = story.opens(name="members_copy")
    acked = people.ben.types(f"/tb ack {incident}")
    story.talk()
    assert acked.ack.startswith("Got it")
    again = people.ben.types(f"/tb ack {incident}")
    other = people.chen.types(f"/tb ack {incident}")
    snoozed = people.chen.types(f"/tb snooze {incident} 2h")
    none = people.chen.types("/tb snooze 77")
    listed = people.omar.types("/tb incidents")
    story.talk()
    texts = [m.text for m in people.ben.sees() if m.shown["ephemeral"] and m.ts not in again.before]
    assert texts[-1] == f"You have incident {incident} already. Nothing was changed."
    seen = [m for m in people.chen.sees() if m.shown["ephemeral"]]
    words = "\n".join(m.text for m in seen)
    assert f"Incident {incident} is with ben already" in words
    assert f"Incident {incident} is put off until" in words
    assert "There is no incident 77" in words
    assert other.person == snoozed.person == none.person
    (answer,) = [
        m for m in people.omar.sees() if m.shown["ephemeral"] and "incident" in m.text and m.ts not in listed.before
    ][-1:]
    assert answer.text == "One incident is open."
    assert "members_copy" in answer.words
    assert "ben has it" in answer.words
    assert "/archives/" in answer.words
    wrong = people.ben.types(f"/tb snooze {incident} 2 weeks")
    assert "write `30m`, `4h` or `2d`" in wrong.ack


def test_a_silenced_pipe_is_quiet_until_somebody_lifts_it(story: Story, people: People) -> None:
    incident = story.opens()
    people.ben.chooses("Silence this pipe", on=story.card())
    story.talk()
    assert "🔕 Silenced by ben until it is lifted" in story.card().words
    later(story, story.drive.product.settings.environments[story.environment].remind_s + 60)
    assert len(story.thread()) == 1  # that ben silenced it
    story.closes(incident)
    assert len(story.thread()) == 1
    assert "Lift the silence" in story.card().buttons
    people.chen.clicks("Lift the silence", on=story.card())
    story.talk()
    assert "🔕" not in story.card().words
    assert story.card().buttons == {}

    story.again(incident)
    story.closes(incident)
    assert "Recovered" in story.thread()[-1]
    story.again(incident)
    people.ben.chooses("Silence this pipe", on=story.card())
    story.talk()
    people.ben.types(f"/tb unsilence {PIPE}")
    story.talk()
    assert "🔕" not in story.card().words


def test_what_is_intended_is_closed_and_remembered(story: Story, people: People) -> None:
    incident = story.opens("missing", said=f"The copy {PIPE} is paused in sandbox.", cause=None, raw="")
    people.ben.clicks("This is intended", on=story.card())
    story.talk()
    assert story.card().text.endswith(f"ben says that {PIPE} is meant to be so.")
    assert "Meant to be so" in story.card().words
    assert story.thread() == [f"Over after 2 min: ben says that {PIPE} is meant to be so."]
    with story.pool.connection() as conn:
        row = story.get(incident)
        assert incidents.intended(conn, story.environment) == {("missing", row.subject)}
        assert incidents.unintended(conn, story.environment, "missing", row.subject)
        assert incidents.intended(conn, story.environment) == frozenset()


def test_of_many_on_one_card_all_are_intended_or_none_is(story: Story, people: People) -> None:
    head = story.opens("missing", said="Many copies are in trouble at once.", cause=None, raw="", storm=True)
    with story.pool.connection() as conn, conn.transaction():
        other = opens(conn, story.channel, "missing", "b_copy", environment=story.environment, under=head).id
    story.talk()
    people.ben.clicks("This is intended", on=story.card())
    story.talk()
    assert [story.get(number).state for number in (head, other)] == ["closed", "closed"]
    assert story.card().text.endswith(f"ben says that {PIPE} and 1 more are meant to be so.")
    with story.pool.connection() as conn:
        assert len(incidents.intended(conn, story.environment)) == 2

    story.again(head)
    with story.pool.connection() as conn, conn.transaction():
        opens(conn, story.channel, "late", "c_copy", environment=story.environment, under=head)
    story.talk()
    assert "This is intended" not in story.card().buttons


def test_the_error_and_the_owner_are_for_whoever_asks(story: Story, people: People) -> None:
    story.opens(raw=f"{ERROR} token=p.eyJ1IjogIjEyMyJ9.secret")
    error = people.omar.clicks("Show error", on=story.card())
    owner = people.omar.chooses("Who owns this", on=story.card())
    story.talk()
    shown = [m for m in people.omar.sees("alerts") if m.shown["ephemeral"]]
    assert "Memory limit" in shown[0].words
    assert "secret" not in shown[0].words
    assert "No owner" in shown[1].words
    assert "members_count" in shown[1].words
    assert error.person == owner.person
    assert not [m for m in people.ben.sees("alerts") if m.shown["ephemeral"]]


def test_the_owner_is_who_the_settings_name(story: Story, people: People) -> None:
    settings, name = story.drive.product.settings, story.environment
    watched = WatchSettings(pipes=(WatchedPipe(pattern="members_*", owner="the data team"),))
    environment = settings.environments[name].model_copy(update={"watch": watched})
    changed = settings.model_copy(update={"environments": {**settings.environments, name: environment}})
    bot.context.configure(replace(story.drive.product.talk, settings=changed))
    story.opens()
    asked = people.omar.chooses("Who owns this", on=story.card())
    story.talk()
    assert asked.ephemeral().text == f"{PIPE} is looked after by the data team."


def test_a_button_from_before_it_came_back_does_nothing(story: Story, people: People) -> None:
    incident = story.opens()
    old = story.card()
    story.closes(incident)
    story.again(incident)
    clicked = people.ben.clicks("Take it", on=old)
    story.talk()
    assert "has come back since" in clicked.ephemeral().text
    assert story.get(incident).assigned is None
    back = story.card()
    story.closes(incident)
    late = people.ben.clicks("Take it", on=back)
    story.talk()
    assert f"Incident {incident} is over since" in late.ephemeral().text


def test_what_comes_and_goes_is_counted_and_told_when_it_is_calm(story: Story) -> None:
    incident = story.opens()
    for _ in range(4):
        story.closes(incident)
        story.again(incident)
    story.closes(incident)
    thread = story.thread()
    assert len(thread) == 3, thread  # over, back, over; then it is only counted
    assert sum(text.startswith("🔴 It is back") for text in thread) == 1
    assert "It came and went 5 times within a day" in story.card().words
    later(story, 2 * HOUR_S + 1)
    assert story.thread()[3:] == [f"✅ {PIPE} is calm. It has not come back since."]
    later(story, HOUR_S)
    assert len(story.thread()) == 4


def remembers(story: Story, *names: str) -> None:
    """The watch has looked, and seen these pipes."""
    with story.pool.connection() as conn, conn.transaction():
        watches.remember(conn, story.environment, {f"t_{name}": {"name": name} for name in names}, ())


def answers(story: Story, person: Person, line: str) -> str:
    """What only that person reads of it."""
    person.types(line)
    story.talk()
    return [m.text for m in person.sees() if m.shown["ephemeral"]][-1]


def test_a_pipe_is_silenced_by_its_name_whether_anything_is_wrong_with_it_or_not(story: Story, people: People) -> None:
    remembers(story, PIPE, "another_copy")
    assert "You may not answer for incidents here" in answers(story, people.omar, f"/tb silence {PIPE}")
    wrong = answers(story, people.ben, "/tb silence members_sort_copy_pipe for 2d")
    assert wrong == (
        "The watch knows no copy pipe `members_sort_copy_pipe` in sandbox; did you mean `members_sorted_copy_pipe`? "
        "Nothing was changed."
    )

    said = answers(story, people.ben, f'/tb silence {PIPE} for 2h "it is <!channel> rebuilt"')
    assert said.startswith(f"{PIPE} is silenced in sandbox: nobody hears of it until ")
    assert said.endswith(f", or until somebody presses *Lift the silence* or types `/tb unsilence {PIPE}`.")
    again = answers(story, people.chen, f"/tb silence {PIPE}")
    assert again.startswith(f"{PIPE} is silenced already in sandbox")
    people.omar.types("/tb incidents")
    story.talk()
    listed = people.omar.sees()[-1].words
    assert f"{PIPE} is silenced in sandbox by ben until" in listed
    assert "(“it is &lt;!channel&gt; rebuilt”)" in listed

    assert "did you mean `members_sorted_copy_pipe`?" in answers(story, people.ben, "/tb unsilence members_sort_copy")
    assert answers(story, people.chen, f"/tb unsilence {PIPE}") == f"{PIPE} is heard of again."
    assert answers(story, people.chen, f"/tb unsilence {PIPE}").startswith(f"`{PIPE}` is not silenced in sandbox.")
    with story.pool.connection() as conn:
        lines = audit.about(conn, "environment/sandbox")
    assert [line.detail["deed"] for line in lines if line.action == "incident"] == ["silence", "lift"]


def test_a_silence_by_name_is_told_on_the_card_and_over_when_its_time_is(story: Story, people: People) -> None:
    incident = story.opens()
    remembers(story, PIPE)
    answers(story, people.ben, f'/tb silence {PIPE} for 2h "rebuilt"')
    assert "🔕 Silenced by ben until" in story.card().words
    assert "(“rebuilt”)" in story.card().words
    story.closes(incident)
    story.again(incident)
    assert len(story.thread()) == 1  # that ben silenced it

    later(story, 2 * HOUR_S + 60)
    assert "🔕" not in story.card().words
    silenced, lifted = (reply.words for reply in story.card().replies())
    assert "ben silenced the pipe until" in silenced
    assert "(“rebuilt”)" in silenced
    assert "The watch lifted the silence" in lifted
    story.closes(incident)
    assert "Recovered" in story.thread()[-1]


def test_a_thread_tells_nothing_of_the_time_when_it_was_listed_on_another_card(story: Story) -> None:
    head = story.opens(name="head_copy")
    with story.pool.connection() as conn, conn.transaction():
        listed = opens(conn, story.channel, environment=story.environment, under=head)
        incidents.close(conn, listed.id, ended=calendar(conn), said="It ran.")
        incidents.reopen(conn, listed.id, Found("failed", listed.subject, PIPE, calendar(conn), listed.told))
        tell(conn, story.environment, story.channel, ())
    story.talk()
    assert [reply.text for reply in story.cards()[-1].replies()] == []
    story.closes(listed.id)
    story.again(listed.id)
    thread = [reply.text for reply in story.cards()[-1].replies()]
    assert [text.split(":")[0].split(" after")[0] for text in thread] == ["Recovered", "🔴 It is back"]


def test_a_card_that_is_over_says_so_of_all_that_it_lists(story: Story) -> None:
    head = story.opens()
    with story.pool.connection() as conn, conn.transaction():
        for name in ("b_copy", "c_copy"):
            listed = opens(conn, story.channel, name=name, environment=story.environment, under=head)
            incidents.close(conn, listed.id, ended=calendar(conn), said="It ran.")
    story.closes(head)
    said = "It ran again and wrote 5,000 rows. The 2 that were listed with it are over too."
    assert story.thread() == [f"Recovered after 2 min: {said}"]
    assert story.card().text.endswith(said)
