"""A request becomes a run in state planning, however it was made: typed, chosen in a form, or by a button."""

import difflib
from dataclasses import dataclass

from bot.context import Context
from bot.outcome import Outcome, Ring, Sender, rule, tell
from config.settings import Rules
from ledger import decisions, messages, runs
from ledger.connection import Conn, calendar
from ledger.errors import NoSuchRun
from ledger.values import InboxRow
from runbooks.request import CopyDeed, Promote, Propose, Request, Retire, Revert

UNCHANGED = "Nothing was changed."
SAME_S = 30  # the same words of the same person within it are one request (facts/slack.md §6.8)


@dataclass(frozen=True)
class Place:
    """Where a run's card and its replies go, other than into the environment's channel: a thread of that channel."""

    channel: str
    thread_ts: str


def request(
    ctx: Context, conn: Conn, row: InboxRow, sender: Sender, asked: Request, place: Place | None = None
) -> Outcome:
    """A run is created in state planning, in the environment's channel or in ``place``; or a sentence why not."""
    if isinstance(asked.job, Retire | Revert | Propose):
        try:
            asked = asked.model_copy(update={"environment": runs.get(conn, asked.job.run).run.environment})
        except NoSuchRun:
            return tell(f"There is no run {asked.job.run}. {UNCHANGED}", said="no such run")
    name = asked.environment or _meant(ctx, asked)
    if name not in ctx.settings.environments:
        return no_environment(ctx, name)
    environment = ctx.settings.environments[name]
    actor = ctx.directory.actor(sender.team, sender.user, groups(environment.rules))
    alone = isinstance(asked.job, CopyDeed) and decisions.may(environment.rules, actor, "operate").accepted
    ruled = decisions.may(environment.rules, actor, "request")
    if not ruled.accepted and not alone:
        return rule(f"{ruled.said} {UNCHANGED}")
    if asked.at is not None and asked.at <= calendar(conn):
        return tell(f"{asked.at:%Y-%m-%d %H:%M} UTC is over; give `--at` a time to come. {UNCHANGED}", said="too late")
    home = place.channel if place else environment.channels.migrations
    if twin := runs.twin(conn, sender.id, name, asked.text, SAME_S):
        return rule(f"You asked for that a moment ago: run {twin} in <#{home}>. No second run was made.", said="twin")
    run = runs.create(
        conn,
        environment=name,
        command=asked.text,
        request=asked.model_dump(mode="json"),
        requester=sender.id,
        inbox=row.id,
        channel=home,
        thread_ts=place.thread_ts if place else sender.thread_ts if sender.channel == home else None,
        note=asked.note,
        not_before=asked.at,
    )
    if alone:
        decisions.operate(conn, environment.rules, actor, run, row.id)
    root = messages.root(conn, run)
    rings: tuple[Ring, ...] = (("plan", run), *((("publish", root.id),) if root else ()))
    if sender.channel == home:
        return Outcome(f"run {run}", rings)
    return Outcome(f"run {run}", rings, {"kind": "rule", "text": f"Run {run} is planned in <#{home}>."})


def _meant(ctx: Context, asked: Request) -> str:
    """The environment of a line that names none. What passed is promoted to production, where there is one of it."""
    production = [name for name, given in ctx.settings.environments.items() if given.production]
    if isinstance(asked.job, Promote) and len(production) == 1:
        return production[0]
    return ctx.settings.default_environment


def no_environment(ctx: Context, name: str) -> Outcome:
    """Said to who named one that there is not."""
    known = list(ctx.settings.environments)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean `{near[0]}`?" if near else "there are " + ", ".join(f"`{k}`" for k in known) + "."
    return tell(f"No environment `{name}`; {hint} {UNCHANGED}", said="no such environment")


def groups(rules: Rules) -> frozenset[str]:
    """The user groups that any of the rules names."""
    return frozenset(entry for entry in (*rules.request, *rules.approve, *rules.operate) if entry.startswith("S"))
