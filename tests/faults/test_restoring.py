"""Putting things back survives what going forward survives: lost answers and killed workers (DESIGN §5, Restore).

The worst place: the table is set aside, a new one with its name takes no row yet, the Sequin sink, the connector and
the copies are paused. The end is that of facts/procedures.md §2.3: the kept table is back and everything runs.
"""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from tests.support.aborting import A_WHILE_S, SINK_HELD, TOUCHED, arrived, change
from tests.support.drive import Drive
from tests.support.ending import Ending
from tests.support.mortal import LOOKS, Mortal, once
from tests.support.people import People
from tests.support.sandbox import Sandbox
from tests.support.seeds import new_seed

pytestmark = pytest.mark.faults

MADE = TOUCHED + 1  # after this step of a recreate a new table has the name

# Every call that puts something back, as the request log has it
PUT_BACK = [
    ("connect", "PUT /connectors/*/resume"),
    ("sequin", "PATCH /api/sinks/members_sink"),
    ("tinybird", "DELETE /v0/datasources/*"),  # the new table
    ("tinybird", "PUT /v0/datasources/*"),  # the kept one's name
    ("tinybird", "POST /v0/pipes/*/copy/resume"),
]


class Stopped:
    """A recreate that Ben has just aborted at its worst place, with changes waiting in Sequin."""

    def __init__(self, drive: Drive, people: People, ending: Ending, run: int, done: int) -> None:
        self._sandbox, self._drive, self._ending = drive.sandbox, drive, ending
        self.run = run
        self._old = self._table()
        drive.until_step(run, SINK_HELD + 1)
        change(drive.sandbox)
        drive.until_step(run, done + 1)
        self._new = self._table() if done >= MADE else None
        people.ben.types(f"/tb abort {run}")
        self._after = drive.sandbox.log.last()

    def _table(self) -> str:
        return self._sandbox.tinybird.get("/v0/datasources/members").json()["id"]

    def is_put_back(self) -> None:
        """All is as before, each effect was had once, and what waited has arrived."""
        self._drive.until(self.run, "aborted")
        assert self._table() == self._old
        self._ending.nothing_is_paused()
        self._ending.the_ledger_is_sound(self.run)
        assert self._ending.had(after=self._after) == self.effects
        assert "Nothing is left paused" in self._drive.card(self.run).text
        self._drive.let_pass(A_WHILE_S)
        assert arrived(self._sandbox)

    @property
    def effects(self) -> Counter[str]:
        """What changes something on the way back."""
        effects = Counter(
            [
                "connect PUT /connectors/tinybird-sink/resume",
                "sequin PATCH /api/sinks/members_sink",
                "tinybird PUT /v0/datasources/members",
                "tinybird POST /v0/pipes/members_sorted_copy_pipe/copy/resume",
            ]
        )
        return effects + Counter([f"tinybird DELETE /v0/datasources/{self._new}"] if self._new else [])


@pytest.fixture(params=[TOUCHED, MADE])
def stopped(
    watched: Drive, people: People, ending: Ending, migrate: Callable[[str], int], request: pytest.FixtureRequest
) -> Stopped:
    return Stopped(watched, people, ending, migrate("recreate"), request.param)


def test_an_effect_of_putting_back_whose_answer_is_lost_is_found_and_not_repeated(
    sandbox: Sandbox, stopped: Stopped
) -> None:
    for system, match in PUT_BACK:
        sandbox.faults.add(system, match, "drop_after")
    stopped.is_put_back()
    dropped = [entry for entry in sandbox.log.entries() if entry["fault"]]
    assert len(dropped) == sum(stopped.effects.values())


def test_killed_from_intent_to_commit_a_run_puts_each_thing_back_once(watched: Drive, stopped: Stopped) -> None:
    """At each boundary between the intent of an effect and the commit of its outcome, and after some mere looks."""
    seed = new_seed()
    print(f"seed {seed}")
    chance = random.Random(seed)
    mortal = Mortal(watched, stopped.run, once(lambda at: at.matters or chance.random() < LOOKS))
    stopped.is_put_back()
    assert len({death.effect for death in mortal.deaths if death.effect}) == len(stopped.effects)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_killed_at_every_boundary_a_run_puts_each_thing_back_once(watched: Drive, stopped: Stopped) -> None:
    mortal = Mortal(watched, stopped.run, once(lambda _: True))
    stopped.is_put_back()
    assert len({death.effect for death in mortal.deaths if death.effect}) == len(stopped.effects)
