"""The root card of a run: a pure function of what is stored. What decides now is on it, all else in the thread."""

from collections.abc import Callable
from itertools import groupby
from typing import Any

from bot.cards import plan as parts
from bot.cards.blocks import Block, Card, context, divider, header, section, sections
from bot.cards.buttons import buttons
from bot.cards.check import MOST_CHARACTERS, characters
from bot.cards.outcome import outcome
from bot.cards.shape import NOBODY, Lacking, blocks_of, only, plan_of
from bot.cards.status import headline, status
from bot.cards.steps import every_step, overview
from bot.cards.words import Names, clock, code, count, cut, person, prose, steps_named
from ledger.values import RunView
from runbooks.plan import Plan

MOST_STEPS = 40  # more are in the thread's file


def root(view: RunView, names: Names, lacking: Lacking = NOBODY, repository: str = "") -> Card:
    """The message that a run's thread hangs on. ``repository``: where what it made can be offered."""
    plan = plan_of(view)
    said = headline(view, names, lacking)
    head: list[Block] = [
        header(f"Run {view.run.id} · {title(view)}"),
        context(_asked(view, names)),
        section(status(view, names, lacking)),
    ]
    tail = [*_decided(view, names), *buttons(view, lacking, repository)]
    body = _body(view, plan, repository)
    return Card(said, (*head, *_fitting(body, head + tail), *tail))


def whole(view: RunView) -> Card:
    """The reply that says all of a plan: why, how long and how that was found, every step."""
    plan = plan_of(view)
    if plan is None:
        return Card(f"Run {view.run.id} has no plan.")
    text = f"Run {view.run.id}, the whole plan: {count(len(view.steps), 'steps')} by {prose(plan.strategy.name)}."
    lines = [*parts.details(plan), "*Steps*", *every_step(view)]
    return Card(text, tuple(_fitting([section(f"*{text}*"), *sections(lines)], [])))


def title(view: RunView) -> str:
    """``add field nickname to members``"""
    what = _TITLES.get(_kind(view), lambda _job: view.run.command)(view.run.request.get("job", {}))
    return prose(f"the plan to {what}" if only(view) and what != view.run.command else what)


def _kind(view: RunView) -> str:
    job = view.run.request.get("job", {})
    return job.get("change", job).get("kind", "")


def _named(job: dict[str, Any]) -> str:
    return " and ".join(job["datasources"])


def _how(job: dict[str, Any]) -> str:
    """What else is done when a copy is run."""
    return " and those behind it" if job["onward"] else " after its last run's rows are deleted" if job["clear"] else ""


_TITLES: dict[str, Callable[[Any], str]] = {
    "add fields": lambda j: f"add {', '.join(f['name'] for f in j['change']['fields'])} to {_named(j)}",
    "change field": lambda j: f"change {j['change']['name']} of {_named(j)} to {j['change']['type']}",
    "set default": lambda j: f"set the default of {j['change']['name']} in {_named(j)}",
    "remove fields": lambda j: f"remove {', '.join(j['change']['names'])} from {_named(j)}",
    "sort by": lambda j: f"sort {_named(j)} by {', '.join(j['change']['columns'])}",
    "revert": lambda j: f"put back what run {j['run']} replaced",
    "retire": lambda j: f"drop the table that run {j['run']} set aside",
    "propose": lambda j: f"offer what run {j['run']} made to the repository",
    "finish": lambda j: f"go on with run {j['run']} ({j['of']})",
    "timetable": lambda j: f"reschedule copies{' ' + j['pattern'] if j.get('pattern') else ''}",
    "copy": lambda j: f"{j['deed']} the copy pipe {j['pipe']}{_how(j)}",
    "add index": lambda j: f"add index {j['change']['name']} to {_named(j)}",
}


def _asked(view: RunView, names: Names) -> str:
    run = view.run
    note = f" · “{cut(prose(run.note), 200)}”" if run.note else ""
    at = f" · not before {clock(run.not_before)}" if run.not_before else ""
    who = f"Asked by {person(run.requester, names)} in *{prose(run.environment)}* at {clock(run.created_at)}"
    return f"{who}{at}{note}\n{code(cut(run.command, 300))}"


def _body(view: RunView, plan: Plan | None, repository: str) -> list[Block]:
    if plan is None:
        return []
    match view.run.state:
        case "proposed" | "rejected" if view.run.state == "proposed" or only(view):
            weighed = [*parts.facts(plan), *parts.hazards(plan.hazards), *_read_by(plan)]
            return [
                *weighed,
                *parts.timetable(plan),
                *parts.drift(plan),
                *parts.sql(plan),
                *parts.diffs(plan),
                divider(),
                *sections(overview(view)),
            ]
        case "running" | "paused" | "held" | "restoring":
            return [*sections(overview(view)), *outcome(view)]
        case "succeeded":
            return [*outcome(view, repository), context(_all_done(len(view.steps)))]
        case "failed" | "aborted" | "expired" if view.run.started_at is not None:
            return [*outcome(view), *sections(overview(view))]
        case _:
            return []


def _read_by(plan: Plan) -> list[Block]:
    """Datafiles, migrations and schedules that are moved are no one thing that is read."""
    return [] if plan.request.get("kind") in _OF_MANY else parts.readers(plan.readers)


_OF_MANY = ("resources", "propose", "timetable")


def _all_done(steps: int) -> str:
    which = f"All {count(steps, 'steps')} are done" if steps > 1 else "Its one step is done"
    return f"{which}; the thread says more."


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


def _decided(view: RunView, names: Names) -> list[Block]:
    """Who said yes to what, and when: the part that people come back to read."""
    said = [*_approvals(view, names)]
    for d in view.decisions:
        if d.action not in ("approve", "operate"):
            why = f" (“{cut(prose(d.reason), 120)}”)" if d.reason else ""
            said.append(f"{_DEEDS.get(d.action, d.action)} by {person(d.actor, names)} at {clock(d.at, view.now)}{why}")
    if not said:
        return []
    return [context(cut("✔️ " + " · ".join(said[-8:]), 2000))]


def _approvals(view: RunView, names: Names) -> list[str]:
    """``steps 1–3 approved by ben at 10:03 UTC``: blocks in a row that the same people approved are said as one."""
    said: list[str] = []
    approved = [d for d in view.decisions if d.action == "approve"]
    given = [(b, [d for d in approved if d.block == b.number]) for b in blocks_of(view.steps)]
    for stale in (True, False):
        mine = [(b, [d for d in ds if (d.hash != view.run.hash) == stale]) for b, ds in given]
        for who, group in groupby(mine, key=lambda pair: tuple(dict.fromkeys(d.actor for d in pair[1]))):
            if not who:
                continue
            blocks = list(group)
            steps = [s.number for b, _ in blocks for s in b.steps]
            when = clock(max(d.at for _, ds in blocks for d in ds), view.now)
            people = " and ".join(person(actor, names) for actor in who)
            said.append(f"{steps_named(steps)} approved by {people} at {when}{' – for an older plan' if stale else ''}")
    return said


_DEEDS = {
    "reject": "rejected", "pause": "paused", "resume": "resumed", "abort": "aborted",
    "retry": "retried", "accept": "change accepted", "restore": "stopped",
}  # fmt: skip


def needs_file(view: RunView) -> bool:
    """Whether the card says less than the plan holds, so that the whole plan goes into the thread as a file."""
    plan = plan_of(view)
    if plan is None or view.run.state != "proposed":
        return False
    return (
        sum(len(s) + 2 for s in plan.sql) > parts.LONGEST_SQL
        or not parts.all_diffs_shown(plan)
        or len(view.steps) > MOST_STEPS
        or sum(h.level != "note" for h in plan.hazards) > parts.MOST_HAZARDS
        or len(plan.readers) > parts.MOST_READERS
    )
