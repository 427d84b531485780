"""A request with what the ledger has of earlier runs: what is to be finished, retired, reverted, offered, promoted."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from config.log import redact
from ledger import passed as ledger_passed
from ledger import rests, runs
from ledger.connection import Conn
from ledger.values import FINISHED, RunView, StepRow
from runbooks import finish
from runbooks.earlier import Kept, Made, Passed, Past, Rest
from runbooks.errors import Refused
from runbooks.request import (
    MADE_BY,
    CopyDeed,
    Finish,
    Promote,
    Propose,
    Pull,
    Push,
    Request,
    Retire,
    Revert,
    parse_stored,
)
from runbooks.steps import gap


def with_earlier_runs(conn: Conn, request: Request, elsewhere: Collection[str] = ()) -> Request:
    """The request as planning needs it: one that goes on with a run gets what that run's line left, one
    that retires a run's table which one that is, one that offers what a run made what that is, one that promotes what
    passed ``elsewhere``. Raises ``Refused``."""
    if isinstance(request.job, Promote):
        passed = tuple(Passed.model_validate(row) for row in ledger_passed.newest(conn, elsewhere))
        return request.model_copy(update={"job": request.job.model_copy(update={"passed": passed})})
    if isinstance(request.job, Retire | Revert):
        job = request.job.model_copy(update={"kept": _kept(conn, request.job)})
        return request.model_copy(update={"job": job})
    if isinstance(request.job, Propose):
        job = request.job.model_copy(update={"made": _made(conn, request.job.run)})
        return request.model_copy(update={"job": job})
    if not isinstance(request.job, Finish):
        return request
    first = runs.first_of(runs.get(conn, request.job.run).run)
    asked = parse_stored(dict(runs.get(conn, first).run.request))
    if isinstance(asked.job, Propose | CopyDeed):  # it leaves nothing behind: it is planned anew, by what is there now
        told = {"text": request.text, "note": request.note, "at": request.at}
        return with_earlier_runs(conn, asked.model_copy(update=told))
    if isinstance(asked.job, Pull | Push | Promote):  # found anew by comparison, whatever was left
        return with_earlier_runs(conn, request.model_copy(update={"job": asked.job}), elsewhere)
    rest = _rest(conn, first)
    return request.model_copy(update={"job": request.job.model_copy(update={"rest": rest})})


def _kept(conn: Conn, job: Retire | Revert) -> Kept:
    run = runs.get(conn, job.run).run
    if run.state not in FINISHED:
        raise Refused(f"Run {run.id} is not over; abort it, and it puts things back.")
    if kept := run.found.get("kept"):
        return Kept.model_validate(kept)
    if gone := run.found.get("retired"):
        raise Refused(f"`{gone['name']}`, which run {run.id} set aside, is gone already.")
    if isinstance(job, Retire):
        raise Refused(f"Run {run.id} keeps no table aside, so there is nothing to retire.")
    raise Refused(
        f"Run {run.id} set no table aside that would say what was before; ask for the opposite of “{run.command}”."
    )


def _made(conn: Conn, number: int) -> Made:
    view = runs.get(conn, number)
    run, plan = view.run, dict(view.run.plan or {})
    if run.state != "succeeded" or run.finished_at is None:
        over = f"is over without success ({run.state})" if run.state in FINISHED else "is not over"
        raise Refused(f"Run {run.id} {over}; only what has succeeded is offered.")
    first = runs.get(conn, runs.first_of(run)).run  # one that finished another has only the rest of it
    request = dict((first.plan or {}).get("request") or {})
    if request.get("kind") not in MADE_BY or not plan.get("datafiles"):
        raise Refused(f"Run {run.id} made no datafile, so there is nothing to offer.")
    return Made(
        command=redact(first.command),
        request=request,
        datafiles=dict(plan["datafiles"]),
        ended=run.finished_at,
        proven=tuple(redact(row.said) for row in view.steps if row.said and row.op.startswith("proof.")),
    )


def _rest(conn: Conn, first: int) -> Rest:
    begun = rests.begun(conn, first)
    whole = [n for n, view in enumerate(begun) if (view.run.plan or {}).get("strategy", {}).get("name") != finish.NAME]
    if not whole:
        return Rest(request=_asked(conn, runs.get(conn, first).run.request, touched=False))
    line = begun[whole[-1] :]  # from the last that did the whole of it: later ones only finished that
    base, plan = line[0], dict(line[0].run.plan or {})
    request = base.run.request if base.run.finishes is None else runs.get(conn, first).run.request
    touched = any(row.touches and row.acts for view in line for row in view.steps)
    return Rest(
        request=_asked(conn, request, touched=touched),
        steps=_steps(line),
        left=tuple(_past(row) for row in line[-1].restore if row.state == "left"),
        proven=tuple(sorted({name for view in line for name in view.run.found.get("proven", ())})),
        touched=touched,
        made_by=base.run.id,
        locks=tuple(plan.get("locks", ())),
        sql=tuple(plan.get("sql", ())),
        datafiles=dict(plan.get("datafiles", {})),
        gaps=_gaps(line),
    )


def _asked(conn: Conn, request: Mapping[str, Any], *, touched: bool) -> dict[str, Any]:
    """The run's request, with the table that it is about where it drops or brings back one. Where such a run has made
    a table already, it can be finished though the one of before is gone. Raises ``Refused``."""
    asked = parse_stored(dict(request))
    if not isinstance(asked.job, Retire | Revert):
        return dict(request)
    try:
        job = asked.job.model_copy(update={"kept": _kept(conn, asked.job)})
    except Refused:
        if touched:
            return dict(request)
        raise
    return asked.model_copy(update={"job": job}).model_dump(mode="json")


def _gaps(line: Sequence[RunView]) -> dict[str, str]:
    """When each was paused for the first time: what it misses, it misses since then."""
    found = [(gap.paused_pipe(key), str(value)) for view in reversed(line) for key, value in view.run.found.items()]
    return {pipe: paused for pipe, paused in found if pipe}


def _steps(line: Sequence[RunView]) -> tuple[Past, ...]:
    """The base's steps; one that a later run did is done."""
    done = [(row.op, row.params) for view in line for row in view.steps if row.state == "done"]
    return tuple(_past(row).model_copy(update={"done": (row.op, row.params) in done}) for row in line[0].steps)


def _past(row: StepRow) -> Past:
    return Past(op=row.op, params=dict(row.params))
