"""The answer to ``/tb copies``: how every copy pipe runs, what is wrong with them, and what a better timetable gains.

Six calls to Tinybird, however many pipes there are: the workspace, its data sources, pipes and jobs, and the two logs.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ledger.values import Json
from runbooks.copies import doctor
from runbooks.facts import live
from runbooks.facts.copy_figures import CopyFigures
from runbooks.facts.copy_runs import CopyRun
from runbooks.facts.model import Facts, Pipe
from runbooks.schedules import runs_by_the_clock, runs_of
from runbooks.site import Site


def copies(site: Site, asked: Json) -> dict[str, Any]:
    """``copies``, a value each, by name; ``findings``, hazards, the gravest first; ``gain``, what the proposed
    timetable would change; ``quota`` and ``now``, which the picture of the day needs. Times are ISO. Raises
    ``SystemsError``."""
    facts = live.of_copies(site)
    better, open_of = doctor.better(facts), dict[str, int](asked.get("incidents", {}))
    return {
        "now": facts.now.isoformat(),
        "quota": facts.limits.copy_quota,
        "copies": [
            _copy(pipe, facts, open_of.get(name)) for name, pipe in sorted(facts.pipes.items()) if pipe.kind == "copy"
        ],
        "findings": [hazard.model_dump(mode="json") for hazard in doctor.findings(facts)],
        "gain": {
            "moves": len(better.moves),
            "clashes": [len(better.clashes_before), len(better.clashes)],
            "most": [better.most_before, better.most],
        },
    }


def _copy(pipe: Pipe, facts: Facts, incident: int | None) -> dict[str, Any]:
    runs = (facts.copy_figures or {}).get(pipe.name)
    scheduled = runs_by_the_clock(pipe.output.schedule)
    paused = scheduled and pipe.schedule_status == "shutdown"
    return {
        "pipe": pipe.name,
        "target": pipe.output.target,
        "mode": pipe.output.mode,
        "schedule": pipe.output.schedule if scheduled else None,
        "state": _state(scheduled, paused, runs, incident),
        "incident": incident,
        "next": _next(pipe.output.schedule or "", facts.now) if scheduled and not paused else None,
        **_ran(runs),
    }


def _state(scheduled: bool, paused: bool, runs: CopyFigures | None, incident: int | None) -> str:
    """What somebody must know of it first."""
    if runs and runs.last.live:
        return "waiting" if runs.last.status == "waiting" else "working"
    if paused:
        return "paused"
    if runs and runs.last.status == "error":
        return "failed"
    if incident is not None:
        return "in trouble"  # it ran, and is not well all the same: it wrote nothing, or its schedule is gone
    if not scheduled:
        return "no schedule"
    return "fine" if runs else "never ran"


def _ran(runs: CopyFigures | None) -> Mapping[str, Any]:
    if runs is None:
        return {"last": None, "day": []}
    last = runs.last
    took = round((last.ended - last.started).total_seconds()) if last.started and not last.live else None
    return {
        "last": {"state": last.status, "at": last.created.isoformat(), "took_s": took, "error": runs.error},
        "p50_s": runs.p50_s,
        "before_s": runs.before_s,
        "p95_s": runs.p95_s,
        "rows": runs.rows,
        "usual_rows": runs.usual_rows,
        "day": [_bar(run) for run in runs.day],
    }


def _bar(run: CopyRun) -> list[Any]:
    """State, and the epoch's seconds of being asked for, of its start and of its last change."""
    started = int(run.started.timestamp()) if run.started else None
    return [run.status, int(run.created.timestamp()), started, int(run.ended.timestamp())]


def _next(schedule: str, now: datetime) -> str:
    return next(runs_of(schedule, now)).isoformat()
