"""An incident's card: what people read of it, what they can press, and that no storm breaks Slack's limits."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.cards import incident, incident_list, incident_replies
from bot.cards.check import characters, troubles
from bot.cards.incident_buttons import Pressed, read_value
from bot.incident_offers import offered
from ledger.incident_views import IncidentView, Listed
from ledger.incidents import Event, Incident, Kind
from ledger.silences import Silence
from systems.tinybird_causes import Cause
from tests.support.incident_story import PIPE, SAID, detail

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 22, 10, 5, tzinfo=UTC)
ANA, BEN = "slack:T1:U0ANA0001", "slack:T1:U0BEN0001"
PEOPLE = {ANA: "ana", BEN: "ben"}
OFFERS = ("run", "run-in-order", "clear-and-run", "pause")
PHONE = 44  # characters of a line at 390 points; what is longer is wrapped, a word longer than it is broken


def row(number: int = 7, **given: Any) -> Incident:
    told = given.pop("told", detail())
    columns: dict[str, Any] = dict.fromkeys(Incident.__dataclass_fields__)
    columns |= {
        "id": number, "environment": "staging", "kind": "failed", "subject": "t_1", "name": PIPE, "state": "open",
        "since": NOW - timedelta(minutes=5), "opened_at": NOW - timedelta(minutes=4), "times": 1,
        "detail": told.model_dump(mode="json"), **given,
    }  # fmt: skip
    return Incident(**columns)


def event(number: int, what: Any, *, minutes: float = 0, actor: str | None = None, said: str = "") -> Event:
    return Event(number, 7, NOW - timedelta(minutes=minutes), what, actor, said)


def view(
    *events: Event, folded: tuple[Incident, ...] = (), silence: Silence | None = None, **given: Any
) -> IncidentView:
    return IncidentView(row(**given), folded, events or (event(1, "opened", minutes=4),), silence, NOW)


def shown(card: Any) -> str:
    return f"{card.text}\n{card.blocks}"


def lines(card: Any) -> list[str]:
    texts = [b["text"]["text"] for b in card.blocks if b["type"] in ("header", "section")]
    return [line for text in texts for line in text.split("\n")]


def labels(card: Any) -> list[str]:
    return [e["text"]["text"] for b in card.blocks if b["type"] == "actions" for e in b["elements"] if "text" in e]


def options(card: Any) -> list[str]:
    rows = [b["elements"] for b in card.blocks if b["type"] == "actions"]
    return [o["text"]["text"] for elements in rows for e in elements for o in e.get("options", ())]


def storm(many: int) -> tuple[Incident, ...]:
    return tuple(
        row(100 + n, name=f"insights_{'x' * 80}_{n}_copy_pipe", subject=f"t_{n}", under=7) for n in range(many)
    )


def test_an_open_card_says_the_verdict_first_and_what_depends_on_it() -> None:
    card = incident.card(view(), PEOPLE)
    assert card.text == f"Incident 7: {SAID}"
    assert lines(card)[:3] == [f"🔴 Copy failed: {PIPE}", SAID, "*Nobody has it yet* · open since 10:00 UTC"]
    for said in (
        "*Cause* – memory",
        "*Writes to* – `members_sorted` (replace)",
        "*Schedule* – `0 * * * *`",
        "*Rows* – 5,000 before, 5,000 now",
        "*Endpoints that read it* – 2: `members_list`, `members_count`",
        "*Copies that read it* – 1: `next_copy`",
    ):
        assert said in lines(card)
    assert labels(card) == ["Take it", "Show error"]
    assert options(card) == [
        "For 1 hour", "For 4 hours", "Until tomorrow, 09:00 UTC", "Who owns this", "Silence this pipe",
    ]  # fmt: skip


def test_of_rows_only_what_is_known_is_said() -> None:
    card = incident.card(view(told=detail(rows_before=None, rows_now=4966)), PEOPLE)
    assert "*Rows* – 4,966 now" in lines(card)
    unknown = incident.card(view(told=detail(rows_before=None, rows_now=None)), PEOPLE)
    assert "Rows" not in shown(unknown)


def test_only_the_first_readers_are_named_and_the_rest_counted() -> None:
    many = tuple(f"endpoint_{letter}" for letter in "abcdefghij")
    card = incident.card(view(told=detail(endpoints=many)), PEOPLE)
    assert any(line.endswith("`endpoint_d` and 6 more") for line in lines(card))


def test_what_can_be_done_is_offered_and_what_cannot_is_said() -> None:
    card = incident.card(view(told=detail(why_not="it appends to a Summing table")), PEOPLE, OFFERS)
    assert labels(card)[2:] == [
        "Run again", "Run this and what depends on it", "Clear the last run's rows, then run", "Pause schedule",
    ]  # fmt: skip
    assert "*No run by button* – it appends to a Summing table" in lines(card)
    assert labels(incident.card(view(kind="missing", told=detail(raw="")), PEOPLE)) == ["Take it", "This is intended"]
    assert labels(incident.card(view(kind="watch", told=detail(raw="")), PEOPLE)) == ["Take it"]


def test_who_has_it_and_until_when_it_is_quiet() -> None:
    taken = view(
        event(1, "opened", minutes=4), event(2, "acked", actor=BEN), event(3, "snoozed", actor=ANA),
        acked_by=BEN, acked_at=NOW, assigned=BEN, snoozed_until=NOW + timedelta(hours=4),
        silence=Silence("staging", "t_1", PIPE, ANA, "", None, NOW),
    )  # fmt: skip
    card = incident.card(taken, PEOPLE)
    assert card.text.endswith("ben has it.")
    for said in ("*ben* has it", "💤 Put off until 14:05 UTC by ana", "🔕 Silenced by ana until it is lifted"):
        assert said in shown(card)
    assert labels(card) == ["Take it over", "Lift the silence", "Show error"]
    assert "Silence this pipe" not in options(card)


def test_what_is_over_says_how_it_ended_and_how_long_it_lasted() -> None:
    over = view(
        event(1, "opened", minutes=43), event(2, "closed", said="It ran again."), state="closed",
        since=NOW - timedelta(minutes=43), ended=NOW, closed_at=NOW,
    )  # fmt: skip
    card = incident.card(over, PEOPLE)
    assert card.text == "Incident 7 is over after 43 min: It ran again."
    assert lines(card)[0] == f"✅ Recovered: {PIPE}"
    assert f"*It was* – {SAID}" in lines(card)
    assert labels(card) == []
    said = incident_replies.event(over, over.events[1], PEOPLE)
    assert said.text == "Recovered after 43 min: It ran again."


def test_what_comes_and_goes_is_counted() -> None:
    events = [event(n, "reopened" if n > 1 else "opened", minutes=60 * (5 - n)) for n in (1, 2, 3, 4)]
    assert "🔁 It came and went 4 times within a day" in shown(incident.card(view(*events, times=4), PEOPLE))
    apart = [event(n, "reopened", minutes=60 * 30 * (5 - n)) for n in (1, 2, 3, 4)]
    assert "🔁 It has been there 4 times" in shown(incident.card(view(*apart, times=4), PEOPLE))


def test_what_is_listed_elsewhere_says_where_and_has_no_buttons() -> None:
    card = incident.card(view(under=3), PEOPLE)
    assert "It is shown on the card of incident 3 now." in card.text
    assert labels(card) == []


@pytest.mark.parametrize("many", [1, 15, 16, 115, 600])
def test_a_storm_is_one_card_within_slacks_limits(many: int) -> None:
    folded = storm(many)
    closed = (replace(folded[0], state="closed"), *folded[1:])
    card = incident.card(view(folded=closed, told=detail(raw="x" * 600)), PEOPLE, OFFERS)
    assert troubles(card) == []
    assert sum(characters(b) for b in card.blocks) < 12_000
    assert sum(line.startswith(("🔴 `", "✅ `")) for line in lines(card)) == min(many, incident.MOST_FOLDED)
    assert (f"_and {many - incident.MOST_FOLDED:,} more_" in lines(card)) == (many > incident.MOST_FOLDED)
    assert card.text.endswith("One more is listed with it." if many == 1 else f"{many} more are listed with it.")


def test_a_list_of_long_names_and_reasons_stays_within_slacks_limits() -> None:
    """Over them its first line alone would be sent: how many there are, and not which."""
    name = f"insights_{'x' * 191}"
    listed = [Listed(row(n, name=name), 3, row(n, name=name)) for n in range(50)]
    quiet = [Silence("staging", f"t_{n}", name, ANA, "why so " * 60, None, NOW) for n in range(50)]
    links = {str(n): f"https://example.slack.com/archives/C0123456789/p{n:016}" for n in range(50)}
    card = incident_list.listing(listed, quiet, PEOPLE, NOW, links)
    assert troubles(card) == []
    assert sum(name in line for line in lines(card)) == 2 * incident_list.MOST


def test_the_card_of_a_storm_is_about_all_of_it() -> None:
    told = detail("116 copies are in trouble at once in staging.", storm=True)
    card = incident.card(view(folded=storm(115), told=told), PEOPLE)
    assert lines(card)[0] == "🔴 116 copies are in trouble"
    assert "Writes to" not in shown(card), "that is of one of many"
    assert "Silence this pipe" not in options(card)
    many = row(told=detail(storm=True, offers=OFFERS))
    assert offered(many, many) == ()
    assert offered(one := row(told=detail(offers=OFFERS)), one) == OFFERS
    over = incident.card(view(folded=storm(115), told=told, state="closed", ended=NOW, closed_at=NOW), PEOPLE)
    assert lines(over)[0] == "✅ Over: 116 copies were in trouble"


def test_a_card_whose_cause_is_over_speaks_of_what_still_fails() -> None:
    cured = detail(healed="The copy a_copy ran well at 10:04 UTC.")
    told = detail(
        "The copy b_copy failed in staging at 10:02 UTC: no luck.", cause="unknown", raw="no luck", target="b"
    )
    still = row(8, name="b_copy", subject="t_2", under=7, told=told)
    past = row(9, name="c_copy", subject="t_3", under=7, told=told, state="closed")
    seen = view(told=cured, name="a_copy", folded=(past, still))
    card = incident.card(seen, PEOPLE, offered(seen.incident, seen.spoken_of))
    assert card.text == (
        "Incident 7: The copy a_copy ran well at 10:04 UTC. What followed from it is still so: "
        "The copy b_copy failed in staging at 10:02 UTC: no luck."
    )
    assert lines(card)[0] == "🔴 Copy failed: b_copy"
    assert "*Cause* – unknown" in lines(card)
    assert "*Writes to* – `b` (replace)" in lines(card)
    assert {"✅ `a_copy`", "✅ `c_copy`", "🔴 `b_copy`"} <= set(lines(card))
    pressed = [
        read_value(e["value"]) for b in card.blocks if b["type"] == "actions" for e in b["elements"] if "value" in e
    ]
    assert [(p.incident, p.deed) for p in pressed if p] == [(7, "take"), (8, "error")]

    listed = incident_list.line(Listed(seen.incident, 0, seen.spoken_of), PEOPLE, NOW)
    assert "Copy failed: b_copy in staging" in listed


def test_the_card_of_a_storm_counts_what_still_fails() -> None:
    over = tuple(replace(each, state="closed") for each in storm(6)[:4])
    seen = view(told=detail(storm=True, healed="It ran."), folded=(*over, *storm(6)[4:]))
    assert lines(incident.card(seen, PEOPLE))[0] == "🔴 2 of 7 copies are still in trouble"


def test_what_ended_nobody_knows_how_is_over_and_not_recovered() -> None:
    events = (event(1, "opened", minutes=9), event(2, "closed", said="The copy is deleted."))
    gone = view(*events, state="closed", closed_at=NOW)
    assert lines(incident.card(gone, PEOPLE))[0] == f"✅ Over: {PIPE}"
    assert incident_replies.event(gone, events[1], PEOPLE).text == "Over after 5 min: The copy is deleted."


def test_a_card_is_read_on_a_phone() -> None:
    """Names are what they are; of our own words none makes a line of more than two at that width."""
    card = incident.card(view(told=detail(last_good=NOW - timedelta(hours=1))), PEOPLE)
    for line in lines(card)[2:]:
        assert len(line.replace("`", "").replace("*", "")) <= 2 * PHONE, line
    assert all(len(label) <= 36 for label in labels(card))
    assert card.text.count(". ") <= 1


@given(
    st.text(max_size=2000), st.text(max_size=300), st.sampled_from(get_args(Kind)),
    st.sampled_from([None, *get_args(Cause)]), st.integers(0, 200), st.sampled_from(["open", "closed"]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_no_text_of_the_platform_breaks_a_card(
    said: str, name: str, kind: Kind, cause: Cause | None, many: int, state: Any
) -> None:
    told = detail(
        said=said or "x", raw=said, cause=cause, target=name, why_not=said, endpoints=(name,) * many, copies=(name,)
    )
    hostile = view(folded=storm(many), told=told, name=name, kind=kind, state=state)
    for card in (
        incident.card(hostile, PEOPLE, OFFERS),
        incident_list.error(hostile.incident),
        incident_list.owner(hostile.incident, name, NOW),
        incident_list.listing(
            [Listed(hostile.incident, many, hostile.incident)] * 40, (), PEOPLE, NOW, {"7": "https://x.example/1"}
        ),
    ):
        assert troubles(card) == []


def test_what_a_platform_says_pings_nobody_and_closes_no_quotes() -> None:
    hostile = "<!channel> <@U0OMAR001> ``` `x` <https://evil.example|click> *bold*"
    told = detail(said=hostile, raw=hostile, target=hostile, why_not=hostile, endpoints=(hostile,))
    made = view(told=told, name=hostile, folded=(row(8, name=hostile, under=7),))
    error = incident_list.error(made.incident)
    for card in (incident.card(made, PEOPLE), error, incident_list.owner(made.incident, hostile, NOW)):
        assert "<!channel>" not in shown(card)
        assert "<@U0OMAR001>" not in shown(card)
        assert "<https://evil" not in shown(card)
    assert error.blocks[-1]["text"]["text"].count("```") == 2


def test_the_words_of_a_platform_mark_nothing_up() -> None:
    said = "The copy a_copy failed in staging at 10:00 UTC: ```it *is* ~all~ `so."
    for seen in (view(told=detail(said)), view(event(2, "closed", said=said), told=detail(said), state="closed")):
        card = incident.card(seen, PEOPLE)
        told = [line for line in (card.text, *lines(card)) if "a_copy failed" in line]
        assert len(told) >= 2
        assert not [line for line in told if set("`~") & set(line) or "*is*" in line]


def test_a_value_is_read_back_as_it_was_made_or_not_at_all() -> None:
    card = incident.card(view(times=3, acked_by=BEN, assigned=BEN), PEOPLE, OFFERS)
    elements = [e for b in card.blocks if b["type"] == "actions" for e in b["elements"]]
    values = [v for e in elements for v in (e.get("value"), *(o["value"] for o in e.get("options", ()))) if v]
    assert read_value(values[0]) == Pressed(7, 3, "take", "U0BEN0001")
    assert all(read_value(value) for value in values)
    for forged in ("", "v1|7|0|ab", "i1|7|3|take", "i1|x|3|take|", "i1|7|3|drop|", "i1|7|3|take|a b", "i1|7|-1|take|"):
        assert read_value(forged) is None
