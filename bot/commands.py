"""What a stored command does. It was parsed before it was acknowledged; it is parsed again from its words, purely."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bot import channels, forms, silencing, watched
from bot import grammar as g
from bot.asking import UNCHANGED, groups, no_environment, request
from bot.clicks import decide
from bot.context import Context
from bot.incident_clicks import typed
from bot.incident_list import listed_incidents
from bot.outcome import Outcome, Sender, rule, tell
from ledger import decisions, freeze, messages, questions
from ledger.connection import Conn
from ledger.values import InboxRow
from runbooks.request import Request


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
        case g.Incidents():
            return _in_environment(ctx, meant.environment, lambda _: listed_incidents(ctx, conn, meant.environment))
        case g.Incident(deed="ack"):
            return typed(ctx, conn, sender, "take", meant.incident)
        case g.Incident():
            return typed(ctx, conn, sender, "snooze", meant.incident, until=meant.until)
        case g.Silence():
            return silencing.silence(ctx, conn, sender, meant)
        case g.Unsilence():
            return silencing.unsilence(ctx, conn, sender, meant)
        case g.Lineage():
            return _question(ctx, conn, row, sender, "lineage", meant.environment, resource=meant.resource)
        case g.Copies():
            return _question(ctx, conn, row, sender, "copies", meant.environment)
        case g.Doctor(probe=True):
            return _probe(ctx, conn, row, sender, meant.environment)
        case g.Doctor():
            return _in_environment(ctx, meant.environment, lambda name: _doctor(ctx, conn, row, sender, name))


def chosen(ctx: Context, conn: Conn, row: InboxRow, sender: Sender) -> Outcome:
    """A type was chosen for a refused request: it is asked for anew, by whoever chose."""
    form = forms.sent(conn, row)
    meant = g.parse(form.text) if form else None
    if form is None or not isinstance(meant, Request):
        return tell(f"That form is no longer asked for. {UNCHANGED}", said="not a form of ours")
    return request(ctx, conn, row, replace(sender, channel=form.channel), meant)


def _question(
    ctx: Context, conn: Conn, row: InboxRow, sender: Sender, kind: str, environment: str | None, **asked: Any
) -> Outcome:
    """A work worker asks the systems; the message waits for what it finds."""
    name = environment or ctx.settings.default_environment
    if name not in ctx.settings.environments:
        return no_environment(ctx, name)
    number = questions.ask(conn, kind=kind, asked={"environment": name, **asked}, asker=sender.id, inbox=row.id)
    messages.want(
        conn, "answer", questions.question_ref(number), sender.channel or sender.user,
        thread_ts=sender.thread_ts, recipient=sender.user, body={"response_url": sender.response_url},
    )  # fmt: skip
    return Outcome(f"question {number}", (("question", number),))


def _doctor(ctx: Context, conn: Conn, row: InboxRow, sender: Sender, environment: str | None) -> Outcome:
    """A worker asks the systems; where the bot may speak it asks itself, and what the watch sees the ledger."""
    name = environment or ctx.settings.default_environment
    of_channels = channels.check(ctx.slack, conn, ctx.settings.environments[name].channels)
    return _question(ctx, conn, row, sender, "doctor", environment, checks=[of_channels, watched.check(conn, name)])


def _probe(ctx: Context, conn: Conn, row: InboxRow, sender: Sender, environment: str | None) -> Outcome:
    """It makes things, if only throwaway ones: for those who may ask for runs."""
    name = environment or ctx.settings.default_environment
    if name not in ctx.settings.environments:
        return no_environment(ctx, name)
    rules = ctx.settings.environments[name].rules
    ruled = decisions.may(rules, ctx.directory.actor(sender.team, sender.user, groups(rules)), "request")
    if not ruled.accepted:
        return rule(f"{ruled.said} {UNCHANGED}")
    return _question(ctx, conn, row, sender, "probe", environment)


def _in_environment(ctx: Context, name: str | None, go: Callable[[str | None], Outcome]) -> Outcome:
    return go(name) if name is None or name in ctx.settings.environments else no_environment(ctx, name)


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
