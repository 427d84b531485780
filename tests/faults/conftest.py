"""What the tests of faults share: a fast way to plan, copies that are watched, and what must be so at the end."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from runbooks import planner
from runbooks.plan import Plan
from runbooks.request import Request
from runbooks.site import Site
from tests.support.drive import Drive, Product, driving
from tests.support.ending import COPIES_OF_MEMBERS, Ending
from tests.support.paces import PACES
from tests.support.people import People
from tests.support.sandbox import Sandbox


def plan_at_once(request: Request, site: Site) -> Plan:
    """Nobody writes while these plans are made, so there is no rate to wait for."""
    return planner.make_plan(request, planner.live_facts(request, site, window_s=0.0))


@pytest.fixture
def drive(sandbox: Sandbox, people: People, running_product: Product) -> Iterator[Drive]:
    sandbox.knobs(**PACES)
    with driving(sandbox, people, replace(running_product, make_plan=plan_at_once)) as drive:
        yield drive


@pytest.fixture
def ending(sandbox: Sandbox, drive: Drive) -> Ending:
    return Ending(sandbox, drive)


@pytest.fixture
def migrate(drive: Drive) -> Callable[[str], int]:
    """A run that adds a field to members by this strategy, approved and not begun."""
    return lambda strategy: drive.run(f"/tb migrate members add field nickname text --strategy {strategy}")


@pytest.fixture
def watched(drive: Drive, sandbox: Sandbox) -> Drive:
    """After each move of the run every copy target is looked at: it never has fewer people than before."""

    def people_in(table: str) -> int:
        return int(sandbox.tb(f"SELECT toString(uniqExact(id)) AS n FROM {table}")[0]["n"])

    before = {table: people_in(table) for table in COPIES_OF_MEMBERS.values()}

    def nobody_is_missing() -> None:
        assert {table: people_in(table) for table in before} == before

    drive.watches.append(nobody_is_missing)
    return drive
