"""Values computed in a live table by copying it into itself, on a real ClickHouse behind the Tinybird API."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runbooks.facts import live
from runbooks.facts.model import Column
from runbooks.proof.chunks import copied
from runbooks.proof.filling import Fill, later_by, value
from runbooks.site import Site
from runbooks.step import Astray, Done, Failed, Seen, Todo
from runbooks.steps.chunks import TRIES
from runbooks.steps.fill import FillInPlace, RemoveFillPipe
from systems.tinybird import Tinybird
from systems.tinybird_model import NewDatasource
from tests.support.tinybird_server import Tinybird as Served
from tests.support.tinybird_server import tinybird_served

SCHEMA = (
    "`id` String `json:$.id`, `score` Nullable(Float64) `json:$.score`, `title` String `json:$.title` DEFAULT '', "
    "`at` DateTime64(3) `json:$.at`, `half` Float64 `json:$.half` DEFAULT 0, "
    "`word` Nullable(String) `json:$.word`"
)
HALF = Fill("half", "Float64", "0", "ifNull(score, 0) / if(title = 'nothing', 0, 2)")
WORD = Fill("word", "Nullable(String)", None, "nullIf(title, '')")
ODD = "Ü'`\\\\\n\t名前 {{ }}"
PIPE = "points__fill_run_7"


def allowed(system: str, call: str) -> None:
    """Everything may be changed here."""


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    with tinybird_served() as one:
        yield one


@pytest.fixture
def served(running: Served) -> Served:
    running.reset()
    tinybird(running).create_datasource(
        NewDatasource(name="points", schema=SCHEMA, engine="ReplacingMergeTree", sorting_key="id", version="at")
    )
    return running


def tinybird(served: Served) -> Tinybird:
    return Tinybird(served.url, served.stand_in.admin_token, allowed)


def send(served: Served, *rows: dict[str, Any]) -> None:
    answer = served.events("points", *(json.dumps(row) for row in rows), wait="true").json()
    assert answer == {"successful_rows": len(rows), "quarantined_rows": 0}


def point(number: int, **values: Any) -> dict[str, Any]:
    at = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    return {"id": f"p{number:04d}", "score": float(number), "at": at.isoformat(timespec="milliseconds")[:-6]} | values


def step_of(served: Served, *fills: Fill, rows: int = 1_000) -> FillInPlace:
    found = tinybird(served).datasource("points")
    assert found is not None
    after = live.datasource(found)
    version = after.column("at")
    assert isinstance(version, Column)
    values = {fill.name: value(fill) for fill in fills} | {"at": f"`at` + {later_by(version.type)}"}
    return FillInPlace(of=copied(after, after, values), fills=fills, rows=rows)


def site(served: Served) -> Site:
    nothing: Any = None
    return Site("staging", 7, datetime.now(UTC), tinybird(served), nothing, nothing, nothing, nothing)


def walk(step: FillInPlace, served: Served, meanwhile: Callable[[Seen], None] = lambda _: None) -> Done | Astray:
    """The step to its end; ``meanwhile`` is called after each look that was none, before the job of it ends."""
    at = site(served)
    for _ in range(200):
        seen = step.look(at)
        assert not isinstance(seen, Failed), seen.reason
        if isinstance(seen, Done | Astray):
            return seen
        memo = at.memo if seen.memo is None else json.loads(json.dumps(seen.memo))
        at = replace(at, memo=memo, now=at.now + timedelta(seconds=1))
        if isinstance(seen, Todo):
            step.act(at)
        meanwhile(seen)
        for job in at.tinybird.jobs():
            if job.live:
                served.finished(job.id)
    raise AssertionError(f"not decided: {at.memo}")


def points(served: Served) -> dict[str, dict[str, Any]]:
    named = "id, score, title, half, isNaN(half) AS nan, word, toUnixTimestamp64Milli(at) AS v"
    return {row["id"]: row for row in served.rows(f"SELECT {named} FROM points FINAL")}


def copies(served: Served) -> int:
    return len(tinybird(served).jobs(kind="copy", pipe_name=PIPE))


def once(act: Callable[[], None], when: Callable[[Seen], bool]) -> Callable[[Seen], None]:
    left = [act]

    def meanwhile(seen: Seen) -> None:
        if left and when(seen):
            left.pop()()

    return meanwhile


def begun(seen: Seen) -> bool:
    """A copy job was just asked for."""
    return isinstance(seen, Todo) and "written again" in seen.why


def test_several_fields_are_computed_and_all_else_is_as_it_was(served: Served) -> None:
    send(served, *(point(n, title=ODD if n % 3 else "") for n in range(300)))
    send(served, point(300, score=None), point(301, title="nothing", score=0.0))  # NULL, and no number
    before = points(served)
    done = walk(step_of(served, HALF, WORD), served)
    assert isinstance(done, Done), done
    assert "given by who writes" not in done.said
    after = points(served)
    assert after.keys() == before.keys()
    for each, row in after.items():
        was, no_number = before[each], each == "p0301"
        assert (row["score"], row["title"]) == (was["score"], was["title"])
        assert bool(row["nan"]) == no_number
        assert no_number or row["half"] == (was["score"] or 0) / 2
        assert row["word"] == (was["title"] or None)
        computed = no_number or bool(was["title"]) or bool(was["score"])
        assert int(row["v"]) - int(was["v"]) == computed, each
    assert copies(served) == 1


def test_doing_it_twice_is_doing_it_once(served: Served) -> None:
    send(served, *(point(n) for n in range(50)))
    assert isinstance(walk(step_of(served, HALF), served), Done)
    first = points(served)
    done = walk(step_of(served, HALF), served)
    assert isinstance(done, Done)
    assert "nothing was written" in done.said
    assert (points(served), copies(served)) == (first, 1)


def test_ranges_are_filled_one_after_the_other_and_each_only_where_it_must(served: Served) -> None:
    send(served, *(point(n, half=n / 2 if 1_000 <= n < 2_000 else 0.0) for n in range(3_000)))
    assert isinstance(walk(step_of(served, HALF), served), Done)
    assert copies(served) == 2
    assert served.value("SELECT count() FROM points FINAL WHERE half != score / 2") == 0


def test_a_live_write_wins_over_the_copy_that_read_the_row_before(served: Served) -> None:
    send(served, *(point(n) for n in range(20)))
    now = datetime.now(UTC) + timedelta(days=1)
    mine = point(5, score=1_000.0, half=7.0, at=now.isoformat(timespec="milliseconds")[:-6])
    done = walk(step_of(served, HALF), served, once(lambda: send(served, mine), begun))
    assert isinstance(done, Done)
    assert (points(served)["p0005"]["half"], points(served)["p0005"]["score"]) == (7.0, 1_000.0)
    assert points(served)["p0006"]["half"] == 3.0


def test_a_row_that_is_newer_than_the_beginning_is_left_as_it_was_written(served: Served) -> None:
    """It may come from a writer that carries the field, and means what it says."""
    send(served, point(1), point(2, at="2199-01-01 00:00:00.000"))
    assert isinstance(walk(step_of(served, HALF), served), Done)
    assert [points(served)[each]["half"] for each in ("p0001", "p0002")] == [0.5, 0.0]


def test_a_row_that_comes_late_is_computed_by_the_next_walk(served: Served) -> None:
    """It is older than the beginning, and comes into a range that is done."""
    send(served, *(point(n) for n in range(2_500)))
    late = once(lambda: send(served, point(3, id="p0003b")), lambda seen: "from p1" in getattr(seen, "why", ""))
    done = walk(step_of(served, HALF), served, late)
    assert isinstance(done, Done), done
    assert points(served)["p0003b"]["half"] == 1.5
    assert served.value("SELECT count() FROM points FINAL WHERE half != score / 2") == 0


def test_another_value_is_theirs_who_wrote_it_and_is_told(served: Served) -> None:
    send(served, point(1), point(2, half=99.0))
    done = walk(step_of(served, HALF), served)
    assert isinstance(done, Done)
    assert "given by who writes: 1 row" in done.said
    assert points(served)["p0002"]["half"] == 99.0


def test_rows_that_are_deleted_while_they_are_copied_are_told_of(served: Served) -> None:
    send(served, *(point(n) for n in range(20)))
    seen = walk(
        step_of(served, HALF), served, once(lambda: tinybird(served).delete_rows("points", "id = 'p0004'"), begun)
    )
    assert isinstance(seen, Astray)
    assert "rows were deleted from points" in seen.reason


def test_nothing_is_copied_while_rows_are_being_deleted(served: Served) -> None:
    send(served, *(point(n) for n in range(20)))
    step, at = step_of(served, HALF), site(served)
    step.act(at)
    served.knob("copy_rows_per_s", 0.01)  # a delete that lasts
    tinybird(served).delete_rows("points", "id = 'p0004'")
    assert "rows are being deleted from points" in getattr(step.look(at), "why", "")
    for job in at.tinybird.jobs(kind="delete_data"):
        served.finished(job.id)
    assert isinstance(walk(step, served), Done)
    assert "p0004" not in points(served)


def test_copies_that_fill_nothing_are_not_tried_for_ever(served: Served) -> None:
    send(served, *(point(n) for n in range(20)))

    def somebody_writes_it_as_it_was(seen: Seen) -> None:
        if "written again: done" in getattr(seen, "why", "") or begun(seen):
            for job in tinybird(served).jobs(kind="copy", pipe_name=PIPE):
                served.finished(job.id)
            send(served, point(4, at="2025-06-01 00:00:00.000"), point(5, at=f"2025-0{copies(served)}-02 00:00:00.000"))

    seen = walk(step_of(served, HALF), served, somebody_writes_it_as_it_was)
    assert isinstance(seen, Astray)
    assert f"after {TRIES} copies that ended well" in seen.reason
    assert copies(served) == TRIES


def test_a_pipe_of_that_name_that_is_not_its_own_is_left_alone(served: Served) -> None:
    send(served, point(1))
    step_of(served, WORD).act(site(served))
    seen = step_of(served, HALF).look(site(served))
    assert isinstance(seen, Astray)
    assert "not this run's" in seen.reason


def test_its_pipe_is_removed_at_the_end_and_on_every_way_out(served: Served) -> None:
    send(served, point(1))
    step, at = step_of(served, HALF), site(served)
    back = step.remember(at)
    assert back is not None
    for out in (back, RemoveFillPipe(source="points")):
        step.act(at)
        assert isinstance(out.look(at), Todo)
        out.act(at)
        assert isinstance(out.look(at), Done)
    assert tinybird(served).pipe(PIPE) is None
