"""The root card of a run: a pure function of what is stored. Short while it works, whole while people decide."""

from collections.abc import Callable
from typing import Any

from bot.cards import plan as parts
from bot.cards.blocks import Block, Card, context, divider, header, section, sections
from bot.cards.buttons import buttons
from bot.cards.check import MOST_CHARACTERS, characters
from bot.cards.outcome import outcome
from bot.cards.shape import plan_of
from bot.cards.status import headline, status
from bot.cards.steps import step_lines
from bot.cards.words import Names, clock, code, cut, person, prose
from ledger.values import RunView
from runbooks.plan import Plan


def root(view: RunView, names: Names) -> Card:
    """The message that a run's thread hangs on."""
    plan = plan_of(view)
    said = headline(view, names)
    head: list[Block] = [
        header(f"Run {view.run.id} · {title(view)}"),
        context(_asked(view, names)),
        section(status(view, names)),
    ]
    tail = [*_approvals(view, names), *buttons(view)]
    body = _body(view, plan)
    return Card(said, (*head, *_fitting(body, head + tail), *tail))


def title(view: RunView) -> str:
    """``add field nickname to members``"""
    return prose(_TITLES.get(_kind(view), lambda _job: view.run.command)(view.run.request.get("job", {})))


def _kind(view: RunView) -> str:
    job = view.run.request.get("job", {})
    return job.get("change", job).get("kind", "")


def _named(job: dict[str, Any]) -> str:
    return " and ".join(job["datasources"])


_TITLES: dict[str, Callable[[Any], str]] = {
    "add fields": lambda j: f"add {', '.join(f['name'] for f in j['change']['fields'])} to {_named(j)}",
    "change field": lambda j: f"change {j['change']['name']} of {_named(j)} to {j['change']['type']}",
    "set default": lambda j: f"set the default of {j['change']['name']} in {_named(j)}",
    "remove fields": lambda j: f"remove {', '.join(j['change']['names'])} from {_named(j)}",
    "sort by": lambda j: f"sort {_named(j)} by {', '.join(j['change']['columns'])}",
    "add index": lambda j: f"add index {j['change']['name']} to {_named(j)}",
}


def _asked(view: RunView, names: Names) -> str:
    run = view.run
    note = f" · “{cut(prose(run.note), 200)}”" if run.note else ""
    at = f" · not before {clock(run.not_before)}" if run.not_before else ""
    who = f"{person(run.requester, names)} · *{prose(run.environment)}* · {clock(run.created_at)}"
    return f"{who}{at}{note}\n{code(cut(run.command, 300))}"


def _body(view: RunView, plan: Plan | None) -> list[Block]:
    if plan is None:
        return []
    listed = sections(step_lines(view.steps, plan.holds))
    match view.run.state:
        case "proposed":
            weighed = [*parts.facts(plan), *parts.hazards(plan.hazards), *parts.readers(plan.readers), *parts.sql(plan)]
            return [*weighed, divider(), *listed]
        case "running" | "paused" | "held" | "restoring":
            return [*listed, *outcome(view)]
        case "succeeded" | "failed" | "aborted" | "expired":
            return [*outcome(view), *listed]
        case _:
            return []


def _fitting(body: list[Block], others: list[Block]) -> list[Block]:
    """Leaves out blocks from the end where Slack would refuse the whole message; says so."""
    room = MOST_CHARACTERS - sum(characters(b) for b in others) - 200
    kept: list[Block] = []
    for block in body:
        room -= characters(block)
        if room < 0 or len(kept) + len(others) >= 40:
            return [*kept, context("_The rest of the plan is in the file in this thread._")]
        kept.append(block)
    return kept


def _approvals(view: RunView, names: Names) -> list[Block]:
    """Who said yes to what, and when: the part that people come back to read."""
    said: list[str] = []
    first = {s.block: s.number for s in reversed(view.steps)}
    last = {s.block: s.number for s in view.steps}
    for d in view.decisions:
        who, when = person(d.actor, names), clock(d.at, view.now)
        why = f" (“{cut(prose(d.reason), 120)}”)" if d.reason else ""
        if d.action == "approve" and d.block in first:
            a, b = first[d.block], last[d.block]
            stale = "" if d.hash == view.run.hash else " – for an older plan"
            said.append(f"{f'step {a}' if a == b else f'steps {a}–{b}'} approved by {who} at {when}{stale}{why}")
        elif d.action != "approve":
            said.append(f"{_DEEDS.get(d.action, d.action)} by {who} at {when}{why}")
    if not said:
        return []
    return [context(cut("✔️ " + " · ".join(said[-8:]), 2000))]


_DEEDS = {
    "reject": "rejected", "pause": "paused", "resume": "resumed", "abort": "aborted", "revert": "reverted",
    "retry": "retried", "accept": "change accepted", "restore": "stopped",
}  # fmt: skip


def needs_file(view: RunView) -> bool:
    """Whether the card says less than the plan holds, so that the whole plan goes into the thread as a file."""
    plan = plan_of(view)
    if plan is None or view.run.state != "proposed":
        return False
    long_sql = sum(len(s) + 2 for s in plan.sql) > parts.LONGEST_SQL
    return (
        long_sql
        or len(view.steps) > 20
        or len(plan.hazards) > parts.MOST_HAZARDS
        or len(plan.readers) > parts.MOST_READERS
    )
