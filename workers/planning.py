"""From a stored request to what the ledger stores of its plan."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from config.log import logger, redact
from ledger import capability, decisions, locks, messages, pauses, runs, states
from ledger.connection import Conn, calendar
from ledger.runs import Proposal
from ledger.ticks import Taken
from ledger.values import NewStep
from runbooks.earlier import Stopped
from runbooks.errors import Refused
from runbooks.plan import Plan
from runbooks.request import CopyDeed, Request, parse_stored
from runbooks.site import Site
from systems.errors import SystemsError
from systems.permit import read_only
from workers.context import Context
from workers.earlier import with_earlier_runs

SHOWN = "Ask for it again without `plan` to have it carried out."
_PATIENCE = timedelta(minutes=2)  # by the calendar: how long planning waits for a system that does not answer

_log = logger("workers")


def plan_for(context: Context, request: Mapping[str, Any], site: Site) -> Proposal:
    """Read the facts and make the plan. Raises ``Refused`` and ``SystemsError``; changes nothing."""
    with context.pool.connection() as conn:
        learnt = capability.known(conn, site.environment)
        asked = with_earlier_runs(conn, parse_stored(dict(request)), _elsewhere(context, site.environment))
        asked = _of_a_copy(conn, asked, site) if isinstance(asked.job, CopyDeed) else asked
    plan = context.make_plan(asked, replace(site, capabilities=learnt))
    life = timedelta(seconds=context.settings.environment(site.environment).rules.plan_life_s)
    return proposal(plan, site.now + life)


def _of_a_copy(conn: Conn, asked: Request, site: Site) -> Request:
    """The request with who had it stopped. A copy that an open run has stopped, or runs itself, is that run's
    until its end: raises ``Refused``."""
    job = asked.job
    assert isinstance(job, CopyDeed)
    held = locks.holder(conn, f"{site.environment}/copy/{job.pipe}", but=site.run)
    if held is not None:
        until = f", until about {held.until:%H:%M} UTC" if held.until else ""
        what = {"run": "run", "pause": "paused", "resume": "resumed"}[job.deed]
        then = f"it can be {what} when that run is over"
        raise Refused(f"Run {held.run} has the copy pipe `{job.pipe}` in its hands{until}; {then}.")
    known = pauses.stopped(conn, site.environment).get(job.pipe)
    stopped = Stopped(run=known.run, at=known.at, note=redact(known.note)) if known else None
    return asked.model_copy(update={"job": job.model_copy(update={"stopped": stopped})})


def _elsewhere(context: Context, environment: str) -> list[str]:
    """The environments where a change may have passed before it comes to this one."""
    others = context.settings.environments.items()
    return [name for name, given in others if name != environment and not given.production]


def plan_again(context: Context, taken: Taken, site: Site) -> Proposal | str:
    """The plan of a run as it would be made now, or the sentence that says why there is none.
    Raises ``SystemsError``."""
    with context.pool.connection() as conn:
        request = runs.get(conn, taken.run).run.request
    try:
        return plan_for(context, request, replace(site, now=taken.row.now))
    except Refused as refused:
        return refused.sentence


def proposal(plan: Plan, expires_at: datetime) -> Proposal:
    return Proposal(
        plan=plan.to_json(),
        steps=[
            NewStep(
                op=step.op,
                params=step.params,
                title=step.title,
                gate=step.gate,
                block=step.block,
                long=step.long,
                hold=step.hold,
                reads=step.reads,
                writes=step.writes,
                touches=step.touches,
            )
            for step in plan.steps
        ],
        hash=plan.hash,
        change_hash=plan.change_hash,
        world=plan.guards,
        strategy=plan.strategy.name,
        expires_at=expires_at,
    )


def plan(context: Context, run: int) -> None:
    """Plan the run and propose it, or refuse it with a plain sentence. A system that does not answer is asked again."""
    with context.pool.connection() as conn:
        row = runs.get(conn, run).run
        now = calendar(conn)
    if row.state != "planning":
        return
    site = replace(context.site(row.environment, run, read_only), now=now)
    try:
        made = plan_for(context, row.request, site)
    except Refused as refused:
        _refuse(context, run, refused.sentence, refused.untyped)
    except SystemsError as error:
        if error.retryable and now - row.created_at < _PATIENCE:
            _log.warning("a system did not answer while planning; the sweep comes again", run=run, error=str(error))
            return
        _refuse(context, run, f"{error}. Ask again when it answers.")
    except Exception as error:
        _refuse(context, run, f"tbops itself failed while planning ({type(error).__name__}).")
        raise
    else:
        rules = context.settings.environment(row.environment).rules
        with context.pool.connection() as conn, conn.transaction():
            runs.propose(conn, run, **made)
            if row.request.get("only"):
                states.move_run(conn, run, "reject", reason=SHOWN)
                begun = None
            else:
                begun = decisions.operated(conn, rules, run)
        _publish(context, run)
        if begun and begun.accepted:
            context.bell.ring("tick", run)


def _refuse(context: Context, run: int, reason: str, untyped: str | None = None) -> None:
    with context.pool.connection() as conn, conn.transaction():
        runs.refuse(conn, run, redact(reason), untyped=untyped)
    _publish(context, run)


def _publish(context: Context, run: int) -> None:
    with context.pool.connection() as conn:
        behind = messages.behind_of(conn, run)
    for message in behind:
        context.bell.ring("publish", message)
