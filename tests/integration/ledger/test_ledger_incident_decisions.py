"""What people do about incidents: by the rules, once, under the row's lock, kept in its history and in the audit."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import get_args

import pytest

from config.settings import Rules
from ledger import audit, incident_decisions, incident_views, incidents, messages, silences, silencing
from ledger.audit import Sound
from ledger.connection import Conn, Pool, calendar
from ledger.incident_decisions import Deed
from tests.support.incident_story import opens
from tests.support.ledger_story import ANA, BEN, CHEN, OMAR, RULES

pytestmark = pytest.mark.integration


def opened(conn: Conn, kind: incidents.Kind = "failed", name: str = "members_copy", under: int | None = None) -> int:
    with conn.transaction():
        return opens(conn, "C1", kind, name, environment="staging", under=under).id


def at_once(pool: Pool, do: Callable[[Conn, int], bool]) -> int:
    """How often it was so, of two who do it at once."""
    together = Barrier(2)

    def one(number: int) -> bool:
        with pool.connection() as conn:
            together.wait()
            return do(conn, number)

    with ThreadPoolExecutor(2) as two:
        return sum(two.map(one, range(2)))


@pytest.mark.parametrize("deed", get_args(Deed))
@pytest.mark.parametrize("rules", [RULES, Rules()])
def test_somebody_without_rights_changes_nothing(conn: Conn, deed: Deed, rules: Rules) -> None:
    incident = opened(conn, "missing")
    before, lines = incident_views.view(conn, incident), len(audit.about(conn, incidents.incident_ref(incident)))
    until = calendar(conn) + timedelta(hours=1)
    verdict = incident_decisions.decide(conn, rules, OMAR, deed, incident, until=until, holder="")
    assert not verdict.accepted
    assert verdict.said.startswith("You may not answer for incidents here; those who may: ")
    after = incident_views.view(conn, incident)
    assert before
    assert after
    assert (after.incident, after.events, after.silence) == (before.incident, before.events, None)
    assert len(audit.about(conn, incidents.incident_ref(incident))) == lines


@pytest.mark.parametrize("actor", [ANA, BEN])
def test_who_may_ask_for_runs_or_approve_them_may_answer_for_incidents(
    conn: Conn, actor: incident_decisions.Actor
) -> None:
    assert incident_decisions.decide(conn, RULES, actor, "take", opened(conn)).accepted


def test_of_two_who_take_it_at_once_one_has_it(pool: Pool) -> None:
    who = (BEN, CHEN)
    for number in range(5):
        with pool.connection() as conn:
            incident = opened(conn, name=f"copy_{number}")

        def take(conn: Conn, one: int, incident: int = incident) -> bool:
            return incident_decisions.decide(conn, RULES, who[one], "take", incident, times=1, holder="").accepted

        assert at_once(pool, take) == 1
        with pool.connection() as conn:
            assert sum(e.what == "acked" for e in incidents.events(conn, incident)) == 1
    with pool.connection() as conn:
        assert isinstance(audit.verify(conn), Sound)


def test_what_is_done_to_one_that_is_listed_elsewhere_is_done_to_that_one(conn: Conn) -> None:
    head = opened(conn)
    below = opened(conn, name="next_copy", under=head)
    assert incident_decisions.decide(conn, RULES, BEN, "take", below).said == f"You have incident {head} now."
    one, other = incidents.get(conn, head), incidents.get(conn, below)
    assert one
    assert other
    assert (one.assigned, other.assigned) == (BEN.id, None)
    card = incident_decisions.card_of(conn, below)
    assert card
    assert card.ref == incidents.incident_ref(head)


def test_a_silence_is_of_the_subject_and_ends_by_itself_or_is_lifted(conn: Conn) -> None:
    incident = incidents.get(conn, opened(conn))
    assert incident
    it = ("staging", incident.subject, incident.name)
    assert not silencing.silence(conn, RULES, OMAR, *it).accepted, "who may do nothing may not do this either"
    assert silencing.silence(conn, RULES, BEN, *it).accepted
    assert not silencing.lift(conn, RULES, OMAR, *it).accepted
    assert not silencing.silence(conn, RULES, CHEN, *it).accepted
    (one,) = silences.standing(conn, "staging")
    assert (one.name, one.actor, one.until) == ("members_copy", BEN.id, None)
    assert silences.standing(conn, "production") == []
    assert silencing.lift(conn, RULES, CHEN, *it).accepted
    assert "is not silenced" in silencing.lift(conn, RULES, CHEN, *it).said

    soon = calendar(conn) - timedelta(seconds=1)
    assert silences.silence(conn, "staging", "t_9", name="x", actor=BEN.id, until=soon)
    assert silences.standing(conn) == []
    assert silences.silence(conn, "staging", "t_9", name="x", actor=CHEN.id), "one that is over is in nobody's way"


def test_only_what_can_be_meant_is_intended(conn: Conn) -> None:
    failed, missing = opened(conn), opened(conn, "missing")
    assert "nothing that is meant to be" in incident_decisions.decide(conn, RULES, BEN, "intend", failed).said
    assert incident_decisions.decide(conn, RULES, BEN, "intend", missing).accepted
    assert {kind for kind, _ in incidents.intended(conn, "staging")} == {"missing"}
    assert "is over since" in incident_decisions.decide(conn, RULES, BEN, "take", missing).said


def test_of_two_sweeps_one_says_it_again(pool: Pool) -> None:
    with pool.connection() as conn:
        opened(conn)
        opened(conn, name="taken_copy")
        conn.execute("UPDATE ledger.incident_event SET at = at - interval '1 hour'")
        incident_decisions.decide(conn, RULES, BEN, "take", 2)
    assert at_once(pool, lambda conn, _: bool(incident_views.remind(conn, "staging", every_s=3000))) == 1
    with pool.connection() as conn:
        assert [e.incident for i in (1, 2) for e in incidents.events(conn, i) if e.what == "reminded"] == [1]
        assert incident_views.remind(conn, "staging", every_s=3000) == []


def test_a_message_that_was_deleted_is_posted_anew_once(conn: Conn) -> None:
    incident = opened(conn)
    card = incident_views.card(conn, incident)
    assert card
    assert messages.claim(conn, card.id)
    messages.sent(conn, card.id, ts="1.1", rev=card.wanted_rev)
    messages.touch(conn, card.ref)
    assert messages.claim(conn, card.id)
    assert messages.gone(conn, card.id)
    again = messages.claim(conn, card.id)
    assert again
    assert again.ts is None
    assert not messages.gone(conn, card.id)
