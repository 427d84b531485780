"""From a message's row and what is stored to what is sent."""

from typing import Any

from bot import picture
from bot.cards import answers, copies, day, home, incident, incident_list, incident_replies, notices, progress, run
from bot.cards.blocks import Card, Files, Upload
from bot.cards.words import mentioned
from bot.context import Context
from bot.homes import OPEN
from bot.incident_offers import offered
from bot.incident_owner import owner_of
from bot.incident_thread import incident_of
from bot.projections import run_of, step_of
from config.log import logger
from ledger import approvals, freeze, incident_views, incidents, questions, runs, silences
from ledger.connection import Conn, calendar
from ledger.errors import NoSuchIncident, NoSuchRun
from ledger.incident_views import IncidentView
from ledger.values import Message, RunView

FILES = frozenset({"file", "files"})  # kinds of bodies: messages that are files

_log = logger("bot")


class NotThere(Exception):
    """What the message should show is not known yet."""


def render(ctx: Context, conn: Conn, message: Message) -> Card | Files:
    """The message as it should be now. ``NoSuchRun`` for a ref to nothing, ``NotThere`` before an answer."""
    body: dict[str, Any] = dict(message.body or {})
    match message.purpose:
        case "root":
            view = runs.get(conn, run_of(message.ref))
            return _root(ctx, view)
        case "progress":
            view = runs.get(conn, run_of(message.ref))
            return progress.progress(view, step_of(message.ref))
        case "incident":
            return notices.instead(_incident_card(ctx, conn, message), body)
        case "reply" if message.ref.startswith("incident/"):
            return _incident_reply(ctx, conn, message, body)
        case "reply":
            return _reply(ctx, conn, message, body)
        case "alert":
            return notices.instead(notices.alert(body, ctx.directory.names(mentioned(str(body.get("text"))))), body)
        case "announcement":
            view = runs.get(conn, run_of(message.ref))
            return notices.announcement(view, body, ctx.directory.names([view.run.requester]))
        case "answer":
            return _files(conn, message) if body.get("kind") in FILES else _found(conn, message)
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


def _reply(ctx: Context, conn: Conn, message: Message, body: dict[str, Any]) -> Card | Files:
    view = runs.get(conn, run_of(message.ref))
    if body.get("kind") == "file":
        return Files((answers.plan_file(view),))
    if body.get("kind") == "whole":
        return run.whole(view)
    if body.get("kind") == "gate":
        return notices.gate(view, int(body["block"]), _lacking(ctx, view))
    if body.get("kind") == "call":
        return notices.call(view, str(body["state"]))
    return notices.event(view, str(body.get("state", view.run.state)), _names(ctx, view))


def _incident(conn: Conn, message: Message) -> IncidentView:
    number = incident_of(message.ref)
    view = incident_views.view(conn, number)
    if view is None:
        raise NoSuchIncident(number)
    return view


def _incident_card(ctx: Context, conn: Conn, message: Message) -> Card:
    view = _incident(conn, message)
    return incident.card(view, ctx.directory.names(incident.people(view)), offered(view.incident, view.spoken_of))


def _incident_reply(ctx: Context, conn: Conn, message: Message, body: dict[str, Any]) -> Card:
    view = _incident(conn, message)
    names = ctx.directory.names(incident.people(view))
    if "deeds" in body:
        return incident_replies.deeds(view, [e for e in view.events if e.id in body["deeds"]], names)
    event = next(e for e in view.events if e.id == body["event"])
    return incident_replies.event(view, event, names)


def _answer(ctx: Context, conn: Conn, body: dict[str, Any]) -> Card:
    match body.get("kind"):
        case "rule":
            text = str(body["text"])
            return notices.ruling(text, ctx.directory.names(mentioned(text)))
        case "runs":
            found = runs.listing(conn, environment=body.get("environment"), states=OPEN)
            frozen = freeze.all_standing(conn, body.get("environment"))
            wrong = incident_views.listing(conn, body.get("environment"))
            people = [*(r.requester for r in found), *(f.actor for f in frozen), *incident_views.holders(wrong)]
            return home.listing(found, ctx.directory.names(people), calendar(conn), frozen, wrong)
        case "incidents":
            return _incidents(ctx, conn, body)
        case "incident-error" | "incident-owner":
            return _about_incident(ctx, conn, body)
        case "show":
            return _show(ctx, conn, int(body["run"]))
        case "help":
            return notices.help_page(body.get("command"))
        case _:
            return notices.whisper(str(body.get("text", "")))


def _incidents(ctx: Context, conn: Conn, body: dict[str, Any]) -> Card:
    listed = incident_views.listing(conn, body.get("environment"))
    silent = silences.standing(conn, body.get("environment"))
    names = ctx.directory.names([*incident_views.holders(listed), *(s.actor for s in silent)])
    return incident_list.listing(listed, silent, names, calendar(conn), body.get("links") or {})


def _about_incident(ctx: Context, conn: Conn, body: dict[str, Any]) -> Card:
    found = incidents.get(conn, int(body["incident"]))
    if found is None:
        raise NoSuchIncident(int(body["incident"]))
    if body["kind"] == "incident-error":
        return incident_list.error(found)
    return incident_list.owner(found, owner_of(ctx.settings, found), calendar(conn))


def _found(conn: Conn, message: Message) -> Card:
    question = questions.get(conn, run_of(message.ref))
    if question is None or question.answer is None:
        raise NotThere
    return answers.found(question.kind, question.answer, question.id, question.asked.get("checks") or ())


def _files(conn: Conn, message: Message) -> Files:
    """The picture of the day, the whole list, and what is wrong where the card has no room for it."""
    question = questions.get(conn, run_of(message.ref))
    if question is None or question.answer is None:
        raise NotThere
    where, answer = str(question.answer["environment"]), question.answer
    found = [copies.listing(where, answer), copies.findings_file(where, answer)]
    try:
        drawn = picture.drawn(day.day(where, answer))
        found = [Upload(f"copies-{where}.png", f"Copies of {where}", drawn, day.described(where, answer)), *found]
    except picture.NoPicture as exc:
        _log.error("the picture of the day could not be drawn; the lists are sent without it", error=str(exc))
    return Files(tuple(file for file in found if file), copies.sentence(where, answer["copies"]))


def _show(ctx: Context, conn: Conn, number: int) -> Card:
    try:
        view = runs.get(conn, number)
    except NoSuchRun:
        return notices.whisper(f"There is no run {number}; `runs` lists the open ones.")
    return _root(ctx, view)
