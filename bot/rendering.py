"""From a message's row and what is stored to what is sent."""

from typing import Any

from bot.cards import answers, home, notices, progress, run
from bot.cards.blocks import Card, Upload
from bot.cards.words import mentioned
from bot.context import Context
from bot.homes import OPEN
from bot.projections import run_of, step_of
from ledger import approvals, freeze, questions, runs
from ledger.connection import Conn, calendar
from ledger.errors import NoSuchRun
from ledger.values import Message, RunView


class NotThere(Exception):
    """What the message should show is not known yet."""


def render(ctx: Context, conn: Conn, message: Message) -> Card | Upload:
    """The message as it should be now. ``NoSuchRun`` for a ref to nothing, ``NotThere`` before an answer."""
    body: dict[str, Any] = dict(message.body or {})
    match message.purpose:
        case "root":
            view = runs.get(conn, run_of(message.ref))
            return _root(ctx, view)
        case "progress":
            view = runs.get(conn, run_of(message.ref))
            return progress.progress(view, step_of(message.ref))
        case "reply":
            return _reply(ctx, conn, message, body)
        case "alert":
            return notices.alert(body, ctx.directory.names(mentioned(str(body.get("text")))))
        case "answer":
            return _found(conn, message)
        case _:
            return _answer(ctx, conn, body)


def _root(ctx: Context, view: RunView) -> Card:
    github = ctx.settings.environment(view.run.environment).github
    return run.root(view, _names(ctx, view), _lacking(ctx, view), github.project.repository if github else "")


def _names(ctx: Context, view: RunView) -> dict[str, str]:
    actors = [view.run.requester, *(d.actor for d in view.decisions), *mentioned(view.run.reason)]
    return ctx.directory.names(actors)


def _lacking(ctx: Context, view: RunView) -> dict[int, int]:
    """How many people each block still lacks, by the rules as they are now."""
    rules = ctx.settings.environment(view.run.environment).rules
    blocks = approvals.blocks_of(view.run, view.steps, view.decisions, rules, view.now)
    return {b.number: max(1, b.needed - len(b.approvals)) for b in blocks if not b.approved}


def _reply(ctx: Context, conn: Conn, message: Message, body: dict[str, Any]) -> Card | Upload:
    view = runs.get(conn, run_of(message.ref))
    if body.get("kind") == "file":
        return answers.plan_file(view)
    if body.get("kind") == "whole":
        return run.whole(view)
    if body.get("kind") == "gate":
        return notices.gate(view, int(body["block"]), _lacking(ctx, view))
    return notices.event(view, str(body.get("state", view.run.state)), _names(ctx, view))


def _answer(ctx: Context, conn: Conn, body: dict[str, Any]) -> Card:
    match body.get("kind"):
        case "rule":
            text = str(body["text"])
            return notices.ruling(text, ctx.directory.names(mentioned(text)))
        case "runs":
            found = runs.listing(conn, environment=body.get("environment"), states=OPEN)
            frozen = freeze.all_standing(conn, body.get("environment"))
            names = ctx.directory.names([*(r.requester for r in found), *(f.actor for f in frozen)])
            return home.listing(found, names, calendar(conn), frozen)
        case "show":
            return _show(ctx, conn, int(body["run"]))
        case "help":
            return notices.help_page(body.get("command"))
        case _:
            return notices.whisper(str(body.get("text", "")))


def _found(conn: Conn, message: Message) -> Card:
    question = questions.get(conn, run_of(message.ref))
    if question is None or question.answer is None:
        raise NotThere
    return answers.found(question.kind, question.answer)


def _show(ctx: Context, conn: Conn, number: int) -> Card:
    try:
        view = runs.get(conn, number)
    except NoSuchRun:
        return notices.whisper(f"There is no run {number}; `runs` lists the open ones.")
    return _root(ctx, view)
