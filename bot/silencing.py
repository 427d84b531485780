"""Silences by their words: ``silence <pipe>``, ``unsilence <pipe>``. The button is on the incident's card."""

from collections.abc import Mapping
from datetime import timedelta

from bot import grammar as g
from bot.asking import UNCHANGED, groups, no_environment
from bot.context import Context
from bot.grammar.refusal import meant
from bot.incident_clicks import outcome_of
from bot.outcome import Outcome, Ring, Sender, tell
from ledger import silences, silencing, watches
from ledger.connection import Conn, calendar
from ledger.deciding import Verdict


def silence(ctx: Context, conn: Conn, sender: Sender, asked: g.Silence) -> Outcome:
    """Of any pipe that the watch knows by this name, whether something is wrong with it or not."""
    name = asked.environment or ctx.settings.default_environment
    if name not in ctx.settings.environments:
        return no_environment(ctx, name)
    known = watches.names(conn, name)
    if asked.pipe not in known:
        return _unknown(f"The watch knows no copy pipe `{asked.pipe}` in {name}", asked.pipe, known)
    rules, subject = ctx.settings.environments[name].rules, known[asked.pipe]
    actor = ctx.directory.actor(sender.team, sender.user, groups(rules))
    until = calendar(conn) + timedelta(seconds=asked.for_s) if asked.for_s is not None else None
    verdict = silencing.silence(conn, rules, actor, name, subject, asked.pipe, until=until, why=asked.why)
    return _told(conn, verdict, "silence", name, subject, asked.pipe)


def unsilence(ctx: Context, conn: Conn, sender: Sender, asked: g.Unsilence) -> Outcome:
    """By the name that it had when it was silenced, or has now."""
    name = asked.environment or ctx.settings.default_environment
    if name not in ctx.settings.environments:
        return no_environment(ctx, name)
    silent = {s.subject: s.name for s in silences.standing(conn, name)}
    named = {called: subject for called, subject in watches.names(conn, name).items() if subject in silent}
    named |= {called: subject for subject, called in silent.items() if called not in named}
    if asked.pipe not in named:
        return _unknown(f"`{asked.pipe}` is not silenced in {name}", asked.pipe, named)
    rules, subject = ctx.settings.environments[name].rules, named[asked.pipe]
    actor = ctx.directory.actor(sender.team, sender.user, groups(rules))
    verdict = silencing.lift(conn, rules, actor, name, subject, asked.pipe)
    return _told(conn, verdict, "lift", name, subject, asked.pipe)


def _told(conn: Conn, verdict: Verdict, deed: str, environment: str, subject: str, pipe: str) -> Outcome:
    rings: tuple[Ring, ...] = tuple(("publish", m) for m in silencing.behind(conn, environment, subject))
    return outcome_of(verdict, f"{deed} of {pipe}", rings, told=True)


def _unknown(said: str, typed: str, known: Mapping[str, str]) -> Outcome:
    near = meant(typed, known)
    return tell(f"{said}{near or '.'} {UNCHANGED}", said="no such pipe")
