"""What a stored command does. It was parsed before it was acknowledged; it is parsed again from its words, purely."""

import difflib
from collections.abc import Callable
from dataclasses import replace

from bot import forms
from bot import grammar as g
from bot.clicks import decide, groups
from bot.context import Context
from bot.outcome import Outcome, Ring, Sender, rule, tell
from ledger import decisions, freeze, messages, questions, runs
from ledger.connection import Conn, calendar
from ledger.errors import NoSuchRun
from ledger.values import InboxRow
from runbooks.request import Migrate, Promote, Pull, Push, Rename, Replicate, Request, Retire, Revert, Unreplicate

UNCHANGED = "Nothing was changed."
SAME_S = 30  # the same words of the same person within it are one request (facts/slack.md §6.8)


def handle(ctx: Context, conn: Conn, row: InboxRow, sender: Sender) -> Outcome:
    meant = g.parse(str(row.payload.get("text") or ""))
    match meant:
        case g.Refusal():
            return tell(f"{meant.sentence} {UNCHANGED}", said="refused by the grammar")
        case Request():
            return request(ctx, conn, row, sender, meant)
        case g.Decide():
            return decide(
                ctx, conn, row, sender, meant.deed, meant.run, step=meant.step, up_to=meant.up_to, reason=meant.note
            )
        case g.Help():
            return Outcome("help", answer={"kind": "help", "command": meant.command})
        case g.Runs():
            listed = Outcome("runs", answer={"kind": "runs", "environment": meant.environment})
            return _in_environment(ctx, meant.environment, lambda _: listed)
        case g.Show():
            return Outcome("show", answer={"kind": "show", "run": meant.run})
        case g.Freeze():
            return _freeze(ctx, conn, sender, meant)
        case g.Unfreeze():
            return _unfreeze(ctx, conn, sender, meant)
        case g.Lineage():
            return _question(ctx, conn, row, sender, "lineage", meant.environment, resource=meant.resource)
        case g.Copies():
            return _question(ctx, conn, row, sender, "copies", meant.environment)
        case g.Doctor(probe=False):
            return _question(ctx, conn, row, sender, "doctor", meant.environment)
        case g.Doctor(probe=True):
            return _probe(ctx, conn, row, sender, meant.environment)
        case _:
            return _not_yet(meant)


def chosen(ctx: Context, conn: Conn, row: InboxRow, sender: Sender) -> Outcome:
    """A type was chosen for a refused request: it is asked for anew, by whoever chose."""
    form = forms.sent(conn, row)
    meant = g.parse(form.text) if form else None
    if form is None or not isinstance(meant, Request):
        return tell(f"That form is no longer asked for. {UNCHANGED}", said="not a form of ours")
    return request(ctx, conn, row, replace(sender, channel=form.channel), meant)


def _question(
    ctx: Context, conn: Conn, row: InboxRow, sender: Sender, kind: str, environment: str | None, **asked: str
) -> Outcome:
    """A work worker asks the systems; the message waits for what it finds."""
    name = environment or ctx.settings.default_environment
    if name not in ctx.settings.environments:
        return _no_environment(ctx, name)
    number = questions.ask(conn, kind=kind, asked={"environment": name, **asked}, asker=sender.id, inbox=row.id)
    messages.want(
        conn, "answer", questions.question_ref(number), sender.channel or sender.user,
        thread_ts=sender.thread_ts, recipient=sender.user, body={"response_url": sender.response_url},
    )  # fmt: skip
    return Outcome(f"question {number}", (("question", number),))


def _probe(ctx: Context, conn: Conn, row: InboxRow, sender: Sender, environment: str | None) -> Outcome:
    """It makes things, if only throwaway ones: for those who may ask for runs."""
    name = environment or ctx.settings.default_environment
    if name not in ctx.settings.environments:
        return _no_environment(ctx, name)
    rules = ctx.settings.environments[name].rules
    ruled = decisions.may(rules, ctx.directory.actor(sender.team, sender.user, groups(rules)), "request")
    if not ruled.accepted:
        return rule(f"{ruled.said} {UNCHANGED}")
    return _question(ctx, conn, row, sender, "probe", environment)


def _not_yet(meant: g.Command) -> Outcome:
    if isinstance(meant, g.PlanOnly):
        return tell(
            "`plan` is understood, but this version posts plans only with their buttons. "
            f"Type the command without `plan`: nothing is changed before somebody approves it. {UNCHANGED}"
        )
    sentence = f"`{_word(meant)}` is understood, but this version cannot carry it out yet."
    return tell(f"{sentence} {UNCHANGED}", said="not carried out yet")


def _word(meant: g.Command) -> str:
    match meant:
        case Request():
            return meant.job.kind
        case g.Incident():
            return meant.deed
        case _:
            return type(meant).__name__.lower()


def request(ctx: Context, conn: Conn, row: InboxRow, sender: Sender, asked: Request) -> Outcome:
    """A run is created in state planning, in the environment's channel; or a sentence why not."""
    if isinstance(asked.job, Retire | Revert):
        try:
            asked = asked.model_copy(update={"environment": runs.get(conn, asked.job.run).run.environment})
        except NoSuchRun:
            return tell(f"There is no run {asked.job.run}. {UNCHANGED}", said="no such run")
    elif not isinstance(asked.job, Migrate | Replicate | Unreplicate | Rename | Pull | Push | Promote):
        return _not_yet(asked)
    name = asked.environment or _meant(ctx, asked)
    if name not in ctx.settings.environments:
        return _no_environment(ctx, name)
    environment = ctx.settings.environments[name]
    actor = ctx.directory.actor(sender.team, sender.user, groups(environment.rules))
    ruled = decisions.may(environment.rules, actor, "request")
    if not ruled.accepted:
        return rule(f"{ruled.said} {UNCHANGED}")
    if asked.at is not None and asked.at <= calendar(conn):
        return tell(f"{asked.at:%Y-%m-%d %H:%M} UTC is over; give `--at` a time to come. {UNCHANGED}", said="too late")
    home = environment.channels.migrations
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
        thread_ts=sender.thread_ts if sender.channel == home else None,
        note=asked.note,
        not_before=asked.at,
    )
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


def _no_environment(ctx: Context, name: str) -> Outcome:
    known = list(ctx.settings.environments)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean `{near[0]}`?" if near else "there are " + ", ".join(f"`{k}`" for k in known) + "."
    return tell(f"No environment `{name}`; {hint} {UNCHANGED}", said="no such environment")


def _in_environment(ctx: Context, name: str | None, go: Callable[[str | None], Outcome]) -> Outcome:
    return go(name) if name is None or name in ctx.settings.environments else _no_environment(ctx, name)


def _freeze(ctx: Context, conn: Conn, sender: Sender, meant: g.Freeze) -> Outcome:
    name = meant.environment or ctx.settings.default_environment
    return _in_environment(ctx, name, lambda _: _frozen(ctx, conn, sender, name, meant.reason))


def _frozen(ctx: Context, conn: Conn, sender: Sender, name: str, reason: str) -> Outcome:
    rules = ctx.settings.environments[name].rules
    actor = ctx.directory.actor(sender.team, sender.user, groups(rules))
    ruled = decisions.may(rules, actor, "freeze")
    if not ruled.accepted:
        return rule(f"{ruled.said} {UNCHANGED}")
    if freeze.freeze(conn, name, actor=sender.id, reason=reason):
        until = f"no run begins anything there until `/tb unfreeze --env {name}`"
        return tell(f"{name} is frozen: {until}.", said=f"froze {name}")
    return tell(f"{name} was frozen already; that freeze stays as it is.")


def _unfreeze(ctx: Context, conn: Conn, sender: Sender, meant: g.Unfreeze) -> Outcome:
    name = meant.environment or ctx.settings.default_environment
    return _in_environment(ctx, name, lambda _: _thawed(ctx, conn, sender, name))


def _thawed(ctx: Context, conn: Conn, sender: Sender, name: str) -> Outcome:
    rules = ctx.settings.environments[name].rules
    actor = ctx.directory.actor(sender.team, sender.user, groups(rules))
    ruled = decisions.may(rules, actor, "unfreeze")
    if not ruled.accepted:
        return rule(f"{ruled.said} {UNCHANGED}")
    if freeze.unfreeze(conn, name, actor=sender.id):
        return tell(f"{name} is no longer frozen: its runs go on.", said=f"thawed {name}")
    return tell(f"{name} is not frozen. {UNCHANGED}")
