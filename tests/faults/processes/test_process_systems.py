"""Sequin, Connect and Tinybird break in the middle of a run: it ends well, and each effect was had once."""

import pytest

from tests.support.people import People
from tests.support.processes import ALTERED, RECREATED, Crew, Job, effects, everything_arrived
from tests.support.sandbox import Faults, Sandbox

pytestmark = [pytest.mark.faults, pytest.mark.process]

ALTER = ("tinybird", "POST /v0/datasources/members/alter")
READ = ("tinybird", "GET /v0/datasources/members")
REFRESH = ("sequin", "POST /api/postgres_databases/*/refresh_tables")

BREAKS = [
    (*ALTER, "drop_after"),
    (*READ, "html"),
    pytest.param(*READ, "garble", marks=pytest.mark.long),
    (*READ, "stall:2"),
    (*REFRESH, "status:503"),
    pytest.param(*REFRESH, "drop_after", marks=pytest.mark.long),
]


@pytest.mark.parametrize(("system", "match", "fault"), BREAKS, ids=lambda part: part.replace("/", "-"))
def test_an_alter_survives(
    sandbox: Sandbox, crew: Crew, people: People, faults: Faults, system: str, match: str, fault: str
) -> None:
    job = Job.unapproved(sandbox, people, "alter")
    faults.add(system, match, fault)
    job.approve()
    assert job.ends() == "succeeded"
    assert [entry for entry in sandbox.log.entries() if entry["fault"] == fault], "the fault was served"
    assert effects(sandbox) == ALTERED if "refresh" not in match else once_but_for_the_refresh(sandbox)
    everything_arrived(sandbox)


def once_but_for_the_refresh(sandbox: Sandbox) -> bool:
    """Reading the tables again changes no row: after a lost answer it may be asked for twice."""
    done = effects(sandbox)
    refreshed = done.pop(("sequin", "POST", "/api/postgres_databases/cm-local/refresh_tables"))
    return refreshed in (1, 2) and all(ALTERED[effect] == times for effect, times in done.items())


LOST_ANSWERS = [
    ("sequin", "PATCH /api/sinks/members_sink"),
    ("connect", "PUT /connectors/tinybird-sink/pause"),
    ("tinybird", "PUT /v0/datasources/t_*"),
    ("tinybird", "POST /v0/datasources"),
    ("connect", "PUT /connectors/tinybird-sink/resume"),
    ("sequin", "POST /api/sinks/members_sink/backfills"),
    ("tinybird", "POST /v0/pipes/members_sorted_copy_pipe/copy"),
]


@pytest.mark.long
def test_a_recreation_survives_the_loss_of_every_answer(
    sandbox: Sandbox, crew: Crew, people: People, faults: Faults
) -> None:
    job = Job.unapproved(sandbox, people, "recreate")
    for system, match in LOST_ANSWERS:
        faults.add(system, match, "drop_after")
    job.approve()
    assert job.ends() == "succeeded"
    assert sum(entry["fault"] == "drop_after" for entry in sandbox.log.entries()) == len(LOST_ANSWERS)
    assert effects(sandbox) == RECREATED
    everything_arrived(sandbox)


@pytest.mark.long
def test_a_recreation_survives_systems_that_are_away_for_a_moment(
    sandbox: Sandbox, crew: Crew, people: People, faults: Faults
) -> None:
    job = Job.unapproved(sandbox, people, "recreate")
    faults.add(*LOST_ANSWERS[0], "status:503")  # costs the settle time of a call that may yet be done
    for system in ("sequin", "connect", "tinybird"):
        faults.add(system, "GET *", "status:502", times=3)
    job.approve()
    assert job.ends() == "succeeded"
    assert effects(sandbox) == RECREATED
    everything_arrived(sandbox)
