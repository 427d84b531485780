"""Copies that a run left paused are started by the one that goes on with it: those behind the table's own too, and
those that look back with what they missed copied first (facts/procedures.md §2.3, §2.4, §2.7)."""

from dataclasses import replace

import pytest

from runbooks import steps
from runbooks.earlier import Past, Rest
from runbooks.facts.model import Column, Facts
from runbooks.plan import Plan
from runbooks.planner import make_plan
from runbooks.request import AddFields, Change, Finish, Migrate, NewField, Request, SortBy
from runbooks.steps.appending import PauseAppending, RestoreAppending
from runbooks.steps.copies import PauseCopy, RestoreCopy
from tests.support.estate import FILES, PEOPLE_SORTED, live

PAUSED, LEFT = "2026-11-22T09:00:00+00:00", "2026-11-22T10:00:00+00:00"
APPENDED = "TYPE COPY\nTARGET_DATASOURCE {}\nCOPY_MODE append\nCOPY_SCHEDULE */5 * * * *\n"
MORE = {
    "kept.datasource": PEOPLE_SORTED.replace("ENGINE MergeTree", "ENGINE ReplacingMergeTree\nENGINE_VER updatedAt"),
    "kept_copy.pipe": "NODE newest\nSQL >\n    SELECT *, 1 AS n FROM people FINAL\n"
    "    WHERE updatedAt > now() - INTERVAL 3 HOUR\n\n" + APPENDED.format("kept"),
    "behind.datasource": PEOPLE_SORTED,
    "behind_copy.pipe": "NODE all_of_them\nSQL >\n    SELECT * FROM people_sorted\n\n" + APPENDED.format("behind"),
}
COPIES = ("people_copy", "kept_copy", "behind_copy")
CAUGHT_UP = ["gap-create/1 kept_copy", "gap-run/1 kept_copy", "gap-remove/1 kept_copy"]


def facts(status: str = "running", people: str = "old") -> Facts:
    """``people`` is the old table, the new one with the field, or the one that it was switched to."""
    found = live(FILES | MORE)
    pipes = {n: replace(p, schedule_status=status) if n in COPIES else p for n, p in found.pipes.items()}
    table = replace(found.datasources["people"], id=f"t_{people}")
    if people == "new":
        table = replace(table, columns=(*table.columns, Column("nick", "String", "$.record.nick", "''")))
    limits = replace(found.limits, slot_restart_s=600)  # a hold of 20 minutes: behind_copy would tick within
    return replace(found, pipes=pipes, datasources={**found.datasources, "people": table}, limits=limits)


def asked(change: Change, strategy: str) -> Request:
    return Request(text="migrate …", job=Migrate(datasources=("people",), change=change), strategy=strategy)


RECREATE = asked(AddFields(fields=(NewField(name="nick", type="text"),)), "recreate")
SWAP = asked(SortBy(columns=("name", "id")), "swap")


def rest(first: Request, *, left: tuple[str, ...], done: int = 0, **known: object) -> Rest:
    """The run's plan, ``done`` steps of which are; the restore of these copies was left."""
    plan = make_plan(first, facts())
    past = [Past(op=s.op, params=s.params, done=n < done) for n, s in enumerate(plan.steps)]
    entries = [back(pause) for pause in map(load, past) if isinstance(pause, PauseCopy) and pause.pipe in left]
    return Rest.model_validate(
        {
            "request": first.model_dump(mode="json"),
            "steps": past,
            "left": [Past(op=entry.op, params=entry.params()) for entry in entries],
            "made_by": 7,
            "gaps": {"kept_copy": PAUSED},
            **known,
        }
    )


def load(past: Past) -> object:
    return steps.load(past.op, past.params)


def back(pause: PauseCopy) -> RestoreCopy:
    if isinstance(pause, PauseAppending):
        return RestoreAppending(pipe=pause.pipe, table=pause.table, gap=pause.gap, paused=LEFT)
    return RestoreCopy(pipe=pause.pipe, table=pause.table)


def retried(found: Rest, now: Facts) -> Plan:
    return make_plan(Request(text="retry 7", job=Finish(run=7, of="migrate …", rest=found)), now)


def copied(plan: Plan) -> list[str]:
    """What is done with copies, in order."""
    found = [s for s in plan.steps if s.op.startswith("tinybird.copy.")]
    named = [s.params["gap"]["pipe"] if "gap" in s.params else s.params["pipe"] for s in found]
    return [f"{s.op.removeprefix('tinybird.copy.')} {name}" for s, name in zip(found, named, strict=True)]


def test_a_table_that_is_proven_now_is_read_again_with_what_was_missed() -> None:
    plan = retried(rest(RECREATE, left=COPIES, touched=True), facts("shutdown", people="new"))
    resumed = [f"resume/1 {copy}" for copy in ("kept_copy", "people_copy", "behind_copy")]
    assert copied(plan) == ["run/1 people_copy", *CAUGHT_UP, *resumed]
    ops = [s.op for s in plan.steps]
    assert ops.index("proof.values/1") < ops.index("tinybird.copy.run/1")
    assert next(s for s in plan.steps if s.op == "tinybird.copy.gap-run/1").params["paused"] == PAUSED


@pytest.mark.parametrize("people", ["old", "new"], ids=["never touched", "proven"])
def test_where_only_copies_are_left_they_start_once_all_that_was_held_back_has_come(people: str) -> None:
    known = {"touched": True, "proven": ("people",)} if people == "new" else {}
    plan = retried(rest(RECREATE, left=("kept_copy", "behind_copy"), **known), facts("shutdown", people=people))
    ops = [step.op for step in plan.steps]
    assert ops.index("stream.await-held/1") < next(at for at, op in enumerate(ops) if op.startswith("tinybird.copy."))
    assert copied(plan) == [*CAUGHT_UP, "resume/1 kept_copy", "resume/1 behind_copy"]


def test_a_copy_that_misses_nothing_waits_for_nothing() -> None:
    plan = retried(rest(RECREATE, left=("behind_copy",)), facts("shutdown"))
    assert [s.op for s in plan.steps] == ["tinybird.copy.resume/1"]


def test_a_copy_that_somebody_resumed_is_paused_again_as_one_that_misses_rows() -> None:
    """Before the new table is proven nothing may read it."""
    plan = retried(rest(RECREATE, left=COPIES, touched=True), facts(people="new"))
    assert copied(plan)[:3] == ["pause-appending/1 kept_copy", "pause/1 people_copy", "pause/1 behind_copy"]
    assert copied(plan)[4:7] == CAUGHT_UP


def test_since_when_rows_are_missed_is_told_by_what_was_left_where_the_record_does_not() -> None:
    plan = retried(rest(RECREATE, left=COPIES, touched=True, gaps={}), facts("shutdown", people="new"))
    assert next(s for s in plan.steps if s.op == "tinybird.copy.gap-run/1").params["paused"] == LEFT


def test_a_swap_that_ended_while_it_copied_what_was_missed_makes_its_pipe_anew() -> None:
    """The first run's pipe went with it."""
    ops = [s.op for s in make_plan(SWAP, facts()).steps]
    done = ops.index("tinybird.copy.gap-run/1")
    plan = retried(rest(SWAP, left=(), done=done, touched=True), facts(people="switched"))
    assert copied(plan) == [*CAUGHT_UP, "resume/1 kept_copy", "resume/1 people_copy"]


def test_a_swap_that_was_put_back_but_for_a_copy_starts_that() -> None:
    plan = retried(rest(SWAP, left=("kept_copy",), done=5), facts("shutdown"))
    ops = [step.op for step in plan.steps]
    assert ops.index("stream.await-held/1") < next(at for at, op in enumerate(ops) if op.startswith("tinybird.copy."))
    assert copied(plan) == [*CAUGHT_UP, "resume/1 kept_copy"]
