"""A proposed timetable as a plan that people approve: a step a copy, those that read before those they read, so that
the order of reading holds at every moment between."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from runbooks import guards
from runbooks.copies import timetable
from runbooks.copies.doctor import of_schedules
from runbooks.copies.feeds import Timed, feeds, timed
from runbooks.copies.timetable import Move, propose
from runbooks.datafile import write_pipe
from runbooks.errors import Refused
from runbooks.facts.model import Facts, Pipe
from runbooks.hazards import in_order
from runbooks.layout import in_one_block
from runbooks.lineage import Lineage
from runbooks.plan import Choice, Estimate, Hazard, MovedCopy, Plan
from runbooks.questions import FiguresOfCopies, Question
from runbooks.request import Request, Timetable
from runbooks.steps.copy_schedule import CheckSchedules, KeepSchedules, SetSchedule
from runbooks.words import counted

NAME = "reschedule"
_STEP_S = 3


def questions_of() -> tuple[Question, ...]:
    """How long each copy takes."""
    return (FiguresOfCopies(),)


def plan_of(request: Request, job: Timetable, facts: Facts) -> Plan:
    """Raises ``Refused`` where nothing is to be gained."""
    copies = timed(facts)
    meant = frozenset(name for name in copies if job.pattern is None or fnmatchcase(name, job.pattern))
    if not meant:
        raise Refused(f"No copy pipe{_of(job)} runs by the clock in {facts.environment}.", job.pattern or "")
    reading = feeds(copies, facts, Lineage.of(facts))
    made = propose(copies, reading, facts.limits.copy_quota, meant)
    if not made.moves:
        raise Refused(f"There is nothing to move{_of(job)}: {_stays(made)}.", job.pattern or "")
    steps = [_step(move, facts.pipes[move.pipe]) for move in reversed(made.moves)]
    after = {move.pipe: replace(copies[move.pipe], schedule=move.new) for move in made.moves}
    return Plan(
        command=request.text,
        environment=facts.environment,
        target="copy schedules",
        request={"kind": job.kind, "schedules": {move.pipe: move.new for move in made.moves}},
        strategy=Choice(name=NAME, reasons=tuple(_reasons(made, len(copies)))),
        hazards=in_order(_left(of_schedules({**copies, **after}, reading, facts.limits.copy_quota))),
        steps=in_one_block([*steps, CheckSchedules(schedules={m.pipe: m.new for m in made.moves}), KeepSchedules()]),
        took=Estimate(seconds=_STEP_S * len(steps), formula=f"{len(steps)} × {_STEP_S} s; an appending copy is not "
                      "changed between its old time and its new one"),
        datafiles={f"{move.pipe}.pipe": _datafile(facts.pipes[move.pipe], move.new) for move in made.moves},
        guards={key: guards.digest_of(facts, key) for step in steps for key in step.reads()},
        inferred=tuple(_taken(copies)),
        timetable=tuple(MovedCopy(pipe=m.pipe, old=m.old, new=m.new, minutes=m.minutes, why=m.why) for m in made.moves),
        locks=tuple(f"copy/{move.pipe}" for move in made.moves),
    )  # fmt: skip


def _step(move: Move, pipe: Pipe) -> SetSchedule:
    return SetSchedule(
        pipe=move.pipe, cron=move.new, was=move.old, mode=pipe.output.mode or "append", minutes=move.minutes
    )


def _reasons(made: timetable.Timetable, all_of_them: int) -> Iterator[str]:
    minutes = sum(move.minutes for move in made.moves)
    yield f"{len(made.moves)} of {all_of_them} copies start later, by {counted(minutes, 'minute')} in all"
    before, after = len(made.clashes_before), len(made.clashes)
    if before != after:
        yield f"{before} times a copy starts while what it reads is written; then {after or 'never'}"
    if made.most != made.most_before:
        yield f"{made.most_before} run at once in the fullest minute; then {made.most}"


def _left(found: Iterator[Hazard]) -> Iterator[Hazard]:
    """What no move of these copies can mend forbids nothing: it is so today."""
    for hazard in found:
        yield hazard.model_copy(update={"level": "note"})


def _taken(copies: dict[str, Timed]) -> Sequence[str]:
    unknown = sorted(name for name, copy in copies.items() if not copy.measured)
    if not unknown:
        return ()
    named = ", ".join(unknown[:3]) + (f" and {len(unknown) - 3} more" if len(unknown) > 3 else "")
    return (f"{named} did not run well in the last 14 days: a minute is taken",)


def _stays(made: timetable.Timetable) -> str:
    if not made.clashes and made.most == made.most_before:
        return f"no copy starts while what it reads is written, and {made.most} run at once at most"
    return f"no other time of theirs is better for the {counted(len(made.clashes), 'collision')} that there are"


def _of(job: Timetable) -> str:
    return "" if job.pattern is None else f" of `{job.pattern}`"


def _datafile(pipe: Pipe, schedule: str) -> str:
    nodes = tuple(replace(n, schedule=schedule) if n.kind == "copy" else n for n in pipe.nodes)
    return write_pipe(replace(pipe, nodes=nodes))
