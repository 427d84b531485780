"""The permit that a lease gives: only for an intent, only while the lease lives by this machine's own clock."""

import pytest

from systems.errors import NotPermitted
from workers.lease import Desk, Lease

pytestmark = pytest.mark.unit


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_without_an_intent_nothing_is_sent() -> None:
    lease = Lease(7, 10, Clock())
    with pytest.raises(NotPermitted, match="there is no intent"):
        lease.permit("sequin", "PATCH /api/sinks/x")
    with lease.effect("7/plan/1"):
        lease.permit("sequin", "PATCH /api/sinks/x")
    with pytest.raises(NotPermitted):
        lease.permit("sequin", "PATCH /api/sinks/x")


def test_a_worker_that_was_stopped_for_longer_than_its_lease_sends_nothing() -> None:
    clock = Clock()
    lease = Lease(7, 10, clock)
    with lease.effect("7/plan/1"):
        clock.now += 9.9
        lease.permit("sequin", "x")
        clock.now += 0.2
        with pytest.raises(NotPermitted, match="the lease on run 7 has ended"):
            lease.permit("sequin", "x")


def test_a_renewal_counts_from_before_it_was_asked_for() -> None:
    clock = Clock()
    lease = Lease(7, 10, clock)
    asked = lease.asked()
    clock.now += 4  # the ledger was slow to answer
    lease.renewed(asked)
    clock.now += 5.9
    assert lease.alive
    clock.now += 0.2
    assert not lease.alive


def test_a_lost_lease_does_not_come_back() -> None:
    lease = Lease(7, 10, Clock())
    lease.lost()
    assert not lease.alive


def test_the_desk_shows_what_is_worked_on_now() -> None:
    desk, lease = Desk(), Lease(7, 10)
    assert desk.now() is None
    with desk.working(lease):
        assert desk.now() is lease
    assert desk.now() is None
