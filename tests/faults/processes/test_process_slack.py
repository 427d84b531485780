"""Slack refuses, breaks or is away while a run goes on: no change of state is lost, and nobody is flooded."""

import pytest

from tests.support.people import People
from tests.support.processes import ALTERED, BEHIND, Crew, Job, effects
from tests.support.sandbox import Faults, Json, Sandbox

pytestmark = [pytest.mark.faults, pytest.mark.process]

LATEST_S = 120.0  # an edit that Slack does not take is tried again after 1, 2, 4 … 60 s
UPDATE = "POST /api/chat.update"


def shows_success(sandbox: Sandbox, job: Job) -> None:
    """The card says what is stored, and the ledger knows that it does."""
    assert job.ends() == "succeeded"
    job.card.until(lambda m: "Done and proven" in m.text, patience_s=LATEST_S)
    sandbox.until(lambda: not sandbox.ledger(BEHIND), what="every message up to date")
    assert effects(sandbox) == ALTERED


def edits_of(sandbox: Sandbox, job: Job) -> list[Json]:
    """The edits that Slack was asked for since the approval, in their order."""
    return [entry for entry in sandbox.log.find("slack", UPDATE) if entry["n"] > job.approved_after]


@pytest.mark.long
def test_a_busy_slack_is_left_alone_for_as_long_as_it_says(
    sandbox: Sandbox, crew: Crew, people: People, faults: Faults
) -> None:
    job = Job.unapproved(sandbox, people, "alter")
    faults.add("slack", UPDATE, "status:429:3")
    job.approve()
    shows_success(sandbox, job)
    busy, *after = edits_of(sandbox, job)
    assert busy["status"] == 429
    assert after[0]["at"] - busy["at"] >= 3.0, "no edit before Retry-After"
    assert len(after) <= 4 + after[-1]["at"] - after[0]["at"], "what came meanwhile is one edit, and then one a second"


def test_an_edit_that_slack_breaks_at_comes_again(sandbox: Sandbox, crew: Crew, people: People, faults: Faults) -> None:
    job = Job.unapproved(sandbox, people, "alter")
    faults.add("slack", UPDATE, "status:500", times=2)
    job.approve()
    shows_success(sandbox, job)


def test_slack_away_for_a_run_gets_one_message_when_it_is_back(
    sandbox: Sandbox, crew: Crew, people: People, faults: Faults
) -> None:
    job = Job.unapproved(sandbox, people, "alter")
    away = faults.add("slack", UPDATE, "drop_before", times=1_000)
    job.approve()
    assert job.ends() == "succeeded"
    sandbox.until(lambda: edits_of(sandbox, job), what="an edit that is lost")
    faults.take_back(away)
    shows_success(sandbox, job)
    back = [entry for entry in edits_of(sandbox, job) if entry["status"] == 200]
    assert len(back) <= 2, "not a burst: the newest state, and at most what came while it was sent"
