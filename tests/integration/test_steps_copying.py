"""A table copied beside itself in proven ranges: what goes wrong on the way is found, and only that is made again."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from runbooks.facts import live
from runbooks.facts.model import Column, Datasource
from runbooks.guards import digest_of_schema
from runbooks.proof.chunks import Copied, copied
from runbooks.proof.mirror import Mirrored
from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Todo, Wait
from runbooks.steps.beside import CreateBeside, CreateCopyPipe, RemoveRunsCopyPipe
from runbooks.steps.catch_up import CatchUp
from runbooks.steps.chunks import CopyChunks, ProveCopy
from runbooks.steps.mirror import CreateMirror, FeedMirror
from runbooks.steps.mirror_copy import CopyMirror, CreateMirrorPipe, ProveMirror
from runbooks.steps.standing import Standing
from systems.errors import SystemsError
from tests.support.sandbox import Sandbox
from tests.support.steps_story import Story, story, to_its_end

BESIDE = "activities__run_7"
RUN = "POST /v0/pipes/activities__copy_run_7/copy"
ROWS = 1_000_000
SCORE = Column("score2", "Float32", "$.score2", "score / 2")


@pytest.fixture
def run(sandbox: Sandbox) -> Iterator[Story]:
    """A run whose table beside stands and whose copy pipe is made."""
    with story(sandbox) as told:
        before, after = tables(told)
        standing = Standing(name="activities", id=before.id, planned=digest_of_schema(after))
        for step in (CreateBeside.of(standing, after), CreateCopyPipe(of=copying(told))):
            to_its_end(told, step)
        yield told


def tables(run: Story) -> tuple[Datasource, Datasource]:
    found = run.at().tinybird.datasource("activities")
    assert found is not None
    before = live.datasource(found)
    return before, replace(before, columns=(*before.columns, SCORE))


def copying(run: Story) -> Copied:
    return copied(*tables(run), {"score2": "score / 2"})


def equal(run: Story) -> bool:
    """Every activity is in the copy, each with its half score, and nothing else."""
    columns = "id, score, updatedAt, body"
    here = run.sandbox.tb(f"SELECT {columns}, CAST(score / 2 AS Float32) AS score2 FROM activities FINAL ORDER BY id")
    return here == run.sandbox.tb(f"SELECT {columns}, score2 FROM {BESIDE} FINAL ORDER BY id")


def write(sandbox: Sandbox, n: int, title: str, *, known: bool = False, into: str = "activities") -> None:
    """Somebody writes activities: new ones, or newer versions of known ones, by the platform's clock."""
    now = datetime.fromtimestamp(sandbox.clock.time(), UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    columns = "id, type, toString(timestamp) AS timestamp, platform, sourceId, toString(createdAt) AS createdAt"
    rows = sandbox.tb(f"SELECT {columns}, attributes, isContribution FROM activities FINAL ORDER BY id LIMIT {n}")
    for number, row in enumerate(rows):
        row |= {"updatedAt": now, "title": title, "score": 7}
        row["id"] = row["id"] if known else f"new-{title}-{number}"
    body = "\n".join(json.dumps(row) for row in rows)
    answer = sandbox.tinybird.post("/v0/events", params={"name": into, "wait": "true"}, content=body)
    assert answer.json() == {"successful_rows": n, "quarantined_rows": 0}


def delete(sandbox: Sandbox, table: str, condition: str) -> None:
    form = {"delete_condition": condition}
    job = sandbox.tinybird.post(f"/v0/datasources/{table}/delete", data=form).json()["job_id"]
    sandbox.until(lambda: sandbox.tinybird.get(f"/v0/jobs/{job}").json()["status"] == "done", what="the delete")


def once(act: Callable[[], None], when: Callable[[Seen], bool]) -> Callable[[Seen], None]:
    """``act`` after the first look that ``when`` holds for."""
    left = [act]

    def meanwhile(seen: Seen) -> None:
        if left and when(seen):
            left.pop()()

    return meanwhile


def begun(seen: Seen) -> bool:
    return isinstance(seen, Todo)


def test_a_copy_in_ranges_is_equal_and_a_second_one_copies_nothing(sandbox: Sandbox, run: Story) -> None:
    done = to_its_end(run, CopyChunks(of=copying(run), rows=1_000))
    assert isinstance(done, Done)
    assert done.said == "3,000 rows of activities are copied in 3 ranges."
    assert equal(run)
    after = sandbox.log.last()
    assert isinstance(to_its_end(run, CopyChunks(of=copying(run), rows=1_000)), Done)
    assert sandbox.log.count("tinybird", RUN, after=after) == 0


@pytest.mark.parametrize("kind", [CopyChunks, pytest.param(ProveCopy, marks=pytest.mark.long)])
def test_a_range_that_takes_too_long_to_compare_is_made_smaller(
    sandbox: Sandbox, run: Story, kind: type[CopyChunks] | type[ProveCopy]
) -> None:
    """A query may last 10 s: what cannot be compared in that time is compared in parts, whenever it is found out."""
    if kind is ProveCopy:
        to_its_end(run, CopyChunks(of=copying(run), rows=ROWS))
    slow = iter([True, False, True, False])

    def too_slow(_: Seen) -> None:
        if next(slow, False):
            sandbox.faults.add("tinybird", "GET /v0/sql", "status:408")

    done = to_its_end(run, kind(of=copying(run), rows=2_000), too_slow)
    assert isinstance(done, Done)
    assert "3,000 rows" in done.said
    assert equal(run)


def test_a_mirror_is_proven_in_smaller_ranges_where_one_takes_too_long(sandbox: Sandbox, run: Story) -> None:
    before, _ = tables(run)
    standing = Standing(name="activities", id=before.id, planned=digest_of_schema(before))
    of = copied(before, before, {})
    for step in (CreateMirror.of(standing, before), FeedMirror(source="activities", columns=("id",))):
        step.act(run.at())
    for step in (CreateMirrorPipe(of=of), CopyMirror(of=of, rows=ROWS)):
        to_its_end(run, step)
    slow = iter([True])

    def too_slow(_: Seen) -> None:
        if next(slow, False):
            sandbox.faults.add("tinybird", "GET /v0/sql", "status:408")

    proof = ProveMirror(of=Mirrored(of, before.sorting_key), rows=2_000)
    opened = proof.look(run.at())
    assert isinstance(opened, Wait)
    assert opened.memo is not None
    sandbox.faults.add("tinybird", "GET /v0/sql", "status:408")
    halved = proof.look(run.at(dict(opened.memo)))
    assert isinstance(halved, Wait)
    assert (halved.why, (halved.memo or {})["size"]) == ("that took too long: half as much at once", 1_000)
    done = to_its_end(run, proof, too_slow)
    assert isinstance(done, Done)
    assert done.said == "The mirror of activities is proven by value: 3,000 rows equal."


def test_a_range_that_lost_rows_is_found_and_only_it_is_copied_again(sandbox: Sandbox, run: Story) -> None:
    to_its_end(run, CopyChunks(of=copying(run), rows=700))
    middle = sandbox.tb("SELECT id FROM activities FINAL ORDER BY id LIMIT 1 OFFSET 1500")[0]["id"]
    delete(sandbox, BESIDE, f"id = '{middle}'")
    after = sandbox.log.last()
    done = to_its_end(run, ProveCopy(of=copying(run), rows=700))
    assert isinstance(done, Done)
    assert "1 range copied again" in done.said
    assert sandbox.log.count("tinybird", RUN, after=after) == 1
    assert equal(run)


def test_a_copy_that_ends_done_with_fewer_rows_is_made_again(sandbox: Sandbox, run: Story) -> None:
    lost = once(lambda: lose(sandbox), lambda seen: "done" in copies(sandbox))
    done = to_its_end(run, CopyChunks(of=copying(run), rows=ROWS), lost)
    assert isinstance(done, Done)
    assert "1 range copied again" in done.said
    assert equal(run)


def test_a_range_found_bad_while_later_ones_are_copied_is_gone_back_to(sandbox: Sandbox, run: Story) -> None:
    """What is compared meanwhile is the range before; those behind it are compared again, and not copied."""
    sandbox.knobs(tinybird__copy_rows_per_s=300.0)  # some seconds each
    lost = once(lambda: lose(sandbox), lambda seen: len(copies(sandbox)) == 2)  # of the first, its copy being done
    done = to_its_end(run, CopyChunks(of=copying(run), rows=700), lost)
    assert isinstance(done, Done)
    assert done.said == "3,000 rows of activities are copied in 5 ranges. 1 range copied again."
    assert len(copies(sandbox)) == 6
    assert equal(run)


def copies(sandbox: Sandbox) -> list[str]:
    jobs = sandbox.tinybird.get("/v0/jobs", params={"kind": "copy"}).json()["jobs"]
    return [job["status"] for job in jobs if job["pipe_name"] == "activities__copy_run_7"]


def lose(sandbox: Sandbox) -> None:
    delete(sandbox, BESIDE, "id < '1'")


@pytest.mark.parametrize("deduplicates", [False, True], ids=["plain", "insert deduplication"])
def test_keys_that_are_not_in_the_source_are_deleted_and_their_range_is_copied_in_other_parts(
    sandbox: Sandbox, run: Story, deduplicates: bool
) -> None:
    sandbox.knobs(tinybird__insert_deduplication=deduplicates)
    to_its_end(run, RemoveRunsCopyPipe(source="activities"))
    run.put_back()
    before, after = tables(run)
    standing = Standing(name="activities", id=before.id, planned=digest_of_schema(after))
    sandbox.tinybird.delete(f"/v0/datasources/{BESIDE}", params={"force": "true"})
    to_its_end(run, CreateBeside.of(standing, after))
    to_its_end(run, CreateCopyPipe(of=copying(run)))
    to_its_end(run, CopyChunks(of=copying(run), rows=ROWS))
    write(sandbox, 5, "alien", into=BESIDE)
    assert not equal(run)
    done = to_its_end(run, ProveCopy(of=copying(run), rows=ROWS))
    assert isinstance(done, Done), done
    assert equal(run)
    assert sandbox.log.count("tinybird", f"POST /v0/datasources/{BESIDE}/delete") == 1


def test_what_is_deleted_from_the_source_meanwhile_is_no_more_in_the_copy(sandbox: Sandbox, run: Story) -> None:
    to_its_end(run, CopyChunks(of=copying(run), rows=ROWS))
    delete(sandbox, "activities", "id < '2'")
    assert isinstance(to_its_end(run, ProveCopy(of=copying(run), rows=ROWS)), Done)
    assert equal(run)


def test_what_is_written_meanwhile_is_caught_up_with(sandbox: Sandbox, run: Story) -> None:
    def people_write() -> None:
        write(sandbox, 20, "new")
        write(sandbox, 20, "newer", known=True)

    done = to_its_end(run, CopyChunks(of=copying(run), rows=ROWS), once(people_write, begun))
    assert isinstance(done, Done)
    assert "Written to meanwhile, so compared once more later: 1 range." in done.said
    run.found |= done.found
    assert isinstance(to_its_end(run, CatchUp(of=copying(run))), Done)
    after = sandbox.log.last()
    assert isinstance(to_its_end(run, ProveCopy(of=copying(run), rows=ROWS)), Done)
    assert sandbox.log.count("tinybird", RUN, after=after) == 0
    assert equal(run)


def test_a_copy_that_takes_too_long_is_made_in_smaller_parts(sandbox: Sandbox, run: Story) -> None:
    sandbox.knobs(tinybird__copy_rows_per_s=100.0, tinybird__copy_timeout_s=20.0)
    done = to_its_end(run, CopyChunks(of=copying(run), rows=ROWS))
    assert isinstance(done, Done), done
    assert set(copies(sandbox)) == {"done", "error"}
    assert equal(run)


def test_a_copy_that_never_ends_is_cancelled_and_made_in_smaller_parts(sandbox: Sandbox, run: Story) -> None:
    run.base = replace(run.base, limits=replace(run.base.limits, copy_timeout_s=60))
    sandbox.knobs(tinybird__copy_rows_per_s=0.01, tinybird__copy_timeout_s=1e9)

    def let_go() -> None:
        sandbox.knobs(tinybird__copy_rows_per_s=50_000.0)

    walked = once(let_go, lambda _: "cancelled" in copies(sandbox))
    done = to_its_end(run, CopyChunks(of=copying(run), rows=ROWS), walked)
    assert isinstance(done, Done), done
    assert copies(sandbox)[-1] == "cancelled"
    assert equal(run)


def test_a_copy_that_cannot_be_cancelled_is_told_to_people(sandbox: Sandbox, run: Story) -> None:
    run.base = replace(run.base, limits=replace(run.base.limits, copy_timeout_s=60))
    sandbox.knobs(tinybird__copy_rows_per_s=0.01, tinybird__copy_timeout_s=1e9, tinybird__copy_cancel_working=False)
    stuck = to_its_end(run, CopyChunks(of=copying(run), rows=ROWS))
    assert isinstance(stuck, Astray)
    assert "cannot be cancelled" in stuck.reason


def test_a_slot_is_waited_for_and_a_quota_found_full_is_tried_again(sandbox: Sandbox, run: Story) -> None:
    sandbox.knobs(tinybird__copy_rows_per_s=100.0)
    assert sandbox.tinybird.post("/v0/pipes/members_sorted_copy_pipe/copy").is_success
    run.base = replace(run.base, limits=replace(run.base.limits, copy_quota=3))
    waited: list[str] = []
    done = to_its_end(run, CopyChunks(of=copying(run), rows=ROWS), lambda seen: waited.append(seen.why))  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(done, Done)
    assert waited[0] == "1 copies are under way, 2 slots are left to others"
    sandbox.knobs(tinybird__copy_quota=0)
    with pytest.raises(SystemsError) as refused:
        to_its_end(run, CatchUp(of=copying(run)))
    assert refused.value.retryable


def test_a_pipe_of_that_name_that_copies_something_else_is_left_alone(sandbox: Sandbox, run: Story) -> None:
    other = replace(copying(run), version="")
    seen: Site = run.at()
    assert isinstance(CreateCopyPipe(of=other).look(seen), Astray)
