"""views.*: modals stacked three deep, opened with a trigger; and the App Home."""

import secrets

from sandbox.slack import people
from sandbox.slack.api.registry import Call, Json, method
from sandbox.slack.blocks.view import check_view
from sandbox.slack.errors import SlackRefusal
from sandbox.slack.payloads import view_body
from sandbox.slack.store import View, new_hash
from sandbox.slack.tiers import TIER_4
from sandbox.slack.wire import missing


def read_view(call: Call, kind: str) -> Json:
    try:
        view = call.arguments.json("view")
    except ValueError as exc:
        raise SlackRefusal("invalid_arguments", ["invalid JSON [json-pointer:/view]"]) from exc
    if view is None:
        raise missing("view")
    return check_view(view, kind)


def _trigger(call: Call) -> str:
    return call.arguments.text("trigger_id") or call.arguments.required("interactivity_pointer")


@method("views.open", TIER_4)
def open_view(call: Call) -> Json:
    body = read_view(call, "modal")
    trigger = _trigger(call)
    user, _ = call.slack.triggers.look(trigger)
    view = call.slack.modals.open(user, body)
    call.slack.triggers.exchange(trigger)
    return {"view": view_body(view)}


@method("views.push", TIER_4)
def push_view(call: Call) -> Json:
    body = read_view(call, "modal")
    trigger = _trigger(call)
    user, from_view = call.slack.triggers.look(trigger)
    if from_view is None or call.slack.workspace.view(from_view) is None:
        raise SlackRefusal("not_found")
    view = call.slack.modals.push(user, body)
    call.slack.triggers.exchange(trigger)
    return {"view": view_body(view)}


@method("views.update", TIER_4)
def update_view(call: Call) -> Json:
    arguments = call.arguments
    if "view_id" not in arguments and "external_id" not in arguments:
        raise missing("view_id")
    body = read_view(call, "modal")
    stacked = [view for stack in call.slack.workspace.modals.values() for view in stack]
    wanted, external = arguments.text("view_id"), arguments.text("external_id")
    found = [v for v in stacked if v.id == wanted or (external and v.body.get("external_id") == external)]
    if not found:
        raise SlackRefusal("not_found")
    _same_hash(call, found[0])
    call.slack.modals.update(found[0], body)
    return {"view": view_body(found[0])}


@method("views.publish", TIER_4)
def publish(call: Call) -> Json:
    user = call.arguments.required("user_id")
    known = people.person(user)
    if known is None or known.id != user:
        raise SlackRefusal("user_not_found")
    body = read_view(call, "home")
    view = call.slack.workspace.homes.get(user)
    if view:
        _same_hash(call, view)
        call.slack.modals.update(view, body)
    else:
        view_id = "V" + secrets.token_hex(5).upper()
        view = call.slack.workspace.homes[user] = View(view_id, user, body, new_hash(), view_id)
        call.slack.feed.tell("views", user=user)
    return {"view": view_body(view)}


def _same_hash(call: Call, view: View) -> None:
    """An optimistic lock: with an old hash the view has changed since the app saw it."""
    if "hash" in call.arguments and call.arguments.text("hash") != view.hash:
        raise SlackRefusal("hash_conflict")
