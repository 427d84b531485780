"""What forbids that a table gives way to the one beside it, looked at right before: by two renames or by one call."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from runbooks.facts import live
from runbooks.facts.model import Datasource
from runbooks.guards import digest_of_schema
from runbooks.proof.chunks import copied
from runbooks.site import Site
from runbooks.step import Astray, Seen, Todo, Wait
from runbooks.steps.beside import CreateBeside, CreateCopyPipe, DropMade
from runbooks.steps.exchange import Exchange, ExchangeWritten
from runbooks.steps.standing import Standing
from runbooks.steps.switch import Replacing, Switch, SwitchWritten
from tests.support.sandbox import Sandbox
from tests.support.steps_story import Story, story

COPY = "members_sorted_copy_pipe"
BESIDE = "members__run_7"


@pytest.fixture
def run(sandbox: Sandbox) -> Iterator[Story]:
    """A run whose table beside stands, with the connector paused."""
    with story(sandbox) as told:
        before, after = tables(told)
        CreateBeside.of(standing(before, after), after).act(told.at())
        sandbox.connector_is("PAUSED")
        yield told


def tables(run: Story) -> tuple[Datasource, Datasource]:
    found = run.at().tinybird.datasource("members")
    assert found is not None
    before = live.datasource(found)
    return before, replace(before, sorting_key=("joinedAt", "id"))


def standing(before: Datasource, after: Datasource) -> Standing:
    return Standing(name="members", id=before.id, planned=digest_of_schema(after))


def proven(run: Story) -> Site:
    return replace(run.at(), proven=frozenset({"members"}))


def reason(seen: Seen) -> str:
    assert isinstance(seen, Astray)
    return seen.reason


@pytest.mark.parametrize("way", ["switch", "exchange"])
def test_a_table_gives_way_only_to_a_proven_one_while_nothing_comes(run: Story, sandbox: Sandbox, way: str) -> None:
    before, after = tables(run)
    table, copies = standing(before, after), (COPY,)
    step: Replacing = Switch(table=table, copies=copies)
    if way == "exchange":
        step = Exchange(table=table, copies=copies, before=digest_of_schema(before))
    assert isinstance(step.look(proven(run)), Todo)
    assert reason(step.look(run.at())) == "the copy of members is not proven"
    sandbox.knobs(tinybird__copy_rows_per_s=1.0)
    job = sandbox.tinybird.post(f"/v0/pipes/{COPY}/copy").json()["job"]["id"]
    assert isinstance(step.look(proven(run)), Wait)
    assert sandbox.tinybird.post(f"/v0/jobs/{job}/cancel").is_success
    ended = f"/v0/jobs/{job}"
    sandbox.until(lambda: sandbox.tinybird.get(ended).json()["status"] == "cancelled", what="the end of that copy")
    pipe = CreateCopyPipe(of=copied(before, after, {}))
    pipe.act(run.at())
    assert "it would copy the table into itself" in reason(step.look(proven(run)))
    assert sandbox.tinybird.delete("/v0/pipes/members__copy_run_7").is_success
    sandbox.connector_is("RUNNING")
    assert "is not paused any more" in reason(step.look(proven(run)))
    sandbox.connector_is("PAUSED")
    assert isinstance(step.look(proven(run)), Todo)
    assert sandbox.tinybird.delete(f"/v0/datasources/{BESIDE}").is_success
    assert f"there is no {BESIDE} with the planned schema" in reason(step.look(proven(run)))


@pytest.mark.parametrize("way", ["switch", "exchange"])
def test_where_writers_were_stopped_nothing_may_have_come_since(run: Story, way: str) -> None:
    before, after = tables(run)
    table, at = standing(before, after), proven(run)
    step: Replacing = SwitchWritten(table=table, copies=(), topic="members")
    if way == "exchange":
        step = ExchangeWritten(table=table, copies=(), topic="members", before=digest_of_schema(before))
    ends = {str(partition): end for partition, end in at.kafka.end_offsets("members").items()}
    rows = int(at.tinybird.sql("SELECT toString(count()) AS n FROM members")[0]["n"])
    for counted, said in ((rows, ""), (rows - 1, "unknown-writer: 1 row came into members")):
        seen = step.look(replace(at, found={"still/members": {"rows": counted, "ends": ends}}))
        assert said in reason(seen) if said else isinstance(seen, Todo)


def test_only_the_table_that_the_plan_knew_is_exchanged(run: Story) -> None:
    before, after = tables(run)
    table = standing(before, after)
    another = Exchange(table=table.model_copy(update={"id": "t_other"}), copies=(), before=digest_of_schema(before))
    assert "as the plan knew it (id t_other) is gone" in reason(another.look(proven(run)))
    unlike = Exchange(table=table, copies=(), before="another schema")
    assert "neither the table that the plan knew nor the new one" in reason(unlike.look(proven(run)))


def test_what_a_run_made_is_deleted_and_nothing_else_under_its_name(run: Story) -> None:
    """After an exchange the old table may have it."""
    was, now = (digest_of_schema(table) for table in tables(run))
    mine = DropMade(beside=BESIDE, planned=now, before=was)
    as_if_exchanged = DropMade(beside=BESIDE, planned=was, before=now)
    as_if_unknown = DropMade(beside=BESIDE, planned=was, before="another schema")
    assert "is the old table now: it stays" in getattr(as_if_exchanged.look(run.at()), "said", "")
    assert "is not what this run made" in reason(as_if_unknown.look(run.at()))
    as_if_exchanged.act(run.at())
    assert run.at().tinybird.datasource(BESIDE) is not None
    assert isinstance(mine.look(run.at()), Todo)
    mine.act(run.at())
    assert run.at().tinybird.datasource(BESIDE) is None
