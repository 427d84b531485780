"""From a stored request to what the ledger stores of its plan."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from ledger import capability, runs
from ledger.runs import Proposal
from ledger.ticks import Taken
from ledger.values import NewStep
from runbooks.errors import Refused
from runbooks.plan import Plan
from runbooks.request import parse_stored
from runbooks.site import Site
from workers.context import Context


def plan_for(context: Context, request: Mapping[str, Any], site: Site) -> Proposal:
    """Read the facts and make the plan. Raises ``Refused`` and ``SystemsError``; changes nothing."""
    with context.pool.connection() as conn:
        learnt = capability.known(conn, site.environment)
    plan = context.make_plan(parse_stored(dict(request)), replace(site, capabilities=learnt))
    life = timedelta(seconds=context.settings.environment(site.environment).rules.plan_life_s)
    return proposal(plan, site.now + life)


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
