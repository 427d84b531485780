"""A worker is killed at every boundary of a run; another takes over, and each effect is had as often as planned.

A boundary lies after every answer of a system, before every effect and around every commit of the ledger
(tests/support/seams.py). The process's memory is thrown away with it: pool, clients, lease.
"""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from tests.support.drive import Drive
from tests.support.ending import Ending
from tests.support.mortal import LOOKS, Mortal, once
from tests.support.seams import Boundary
from tests.support.seeds import new_seed

pytestmark = pytest.mark.faults

SEED = new_seed()


@pytest.fixture(params=["alter", "recreate"])
def strategy(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def mortal(drive: Drive, ending: Ending, strategy: str, migrate: Callable[[str], int]) -> Callable[..., Mortal]:
    """A run whose workers die at each boundary that is ``wanted``, once; it succeeds all the same."""

    def run_through(wanted: Callable[[Boundary], bool]) -> Mortal:
        run = migrate(strategy)
        after = drive.sandbox.log.last()
        mortal = Mortal(drive, run, once(wanted))
        drive.until(run, "succeeded")
        print(f"{len(mortal.deaths)} deaths in {len({death.place for death in mortal.deaths})} places")
        ending.it_succeeded(run)
        assert ending.had(after=after) == planned(strategy)
        return mortal

    return run_through


def planned(strategy: str) -> Counter[str]:
    """How often each call that changes something is had in a run of this strategy."""
    columns = ["tinybird POST /v0/datasources/members_sorted/alter"]
    if strategy == "alter":
        return Counter([*columns, "tinybird POST /v0/datasources/members/alter"])
    return Counter(
        [
            *columns,
            "tinybird POST /v0/pipes/members_sorted_copy_pipe/copy/pause",
            *2 * ["sequin PATCH /api/sinks/members_sink"],  # paused, resumed
            "connect PUT /connectors/tinybird-sink/pause",
            "tinybird PUT /v0/datasources/members__before_run_1",  # set aside: by its id
            "tinybird POST /v0/datasources",
            "tinybird PUT /v0/tokens/connect",  # its scope went with the kept table
            "connect PUT /connectors/tinybird-sink/resume",
            "sequin POST /api/sinks/members_sink/backfills",
            "tinybird POST /v0/pipes/members_sorted_copy_pipe/copy",
            "tinybird POST /v0/pipes/members_sorted_copy_pipe/copy/resume",
            "tinybird PUT /v0/tags/members",  # they stayed on the kept table
            "tinybird PUT /v0/tags/raw",
        ]
    )


def test_without_a_death_each_effect_is_had_as_planned(mortal: Callable[..., Mortal]) -> None:
    assert mortal(lambda _: False).deaths == []


def test_killed_from_intent_to_commit_a_run_has_each_effect_once(mortal: Callable[..., Mortal]) -> None:
    """At each boundary between the intent of an effect and the commit of its outcome, and after some mere looks."""
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    died = mortal(lambda at: at.matters or chance.random() < LOOKS)
    assert any(death.effect for death in died.deaths)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_killed_at_every_boundary_a_run_has_each_effect_once(mortal: Callable[..., Mortal]) -> None:
    """Each tick dies one boundary further than the one before, until none is left."""
    assert mortal(lambda _: True).deaths
