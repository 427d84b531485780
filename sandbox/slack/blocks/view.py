"""Rules of a view: a modal or an App Home (facts/slack.md §3.2)."""

import json
from typing import Any

from sandbox.slack.blocks import limits
from sandbox.slack.blocks.check import Check, Json
from sandbox.slack.blocks.message import inspect_blocks, with_ids
from sandbox.slack.errors import SlackRefusal

KINDS = ("modal", "home")


def inspect_view(check: Check, at: str, view: Any) -> None:
    """All rules of a view, pointers relative to it."""
    if not check.is_object(at, view):
        return
    check.one_of(at, view, "type", KINDS, needed=True)
    check.surface = view["type"] if view.get("type") in KINDS else "modal"
    check.string(at, view, "callback_id", limits.ID, least=0)
    check.string(at, view, "external_id", limits.ID, least=0)
    check.string(at, view, "private_metadata", limits.PRIVATE_METADATA, least=0)
    if check.surface == "modal":
        _modal(check, at, view)
    if view.get("blocks") is None:
        check.missing(at, "blocks")
    else:
        inspect_blocks(check, f"{at}/blocks", view["blocks"], limits.VIEW_BLOCKS)


def _modal(check: Check, at: str, view: Json) -> None:
    check.text(at, view, "title", limits.VIEW_TITLE, plain=True, needed=True)
    check.text(at, view, "submit", limits.VIEW_TITLE, plain=True)
    check.text(at, view, "close", limits.VIEW_TITLE, plain=True)
    blocks = view.get("blocks")
    asks = isinstance(blocks, list) and any(isinstance(b, dict) and b.get("type") == "input" for b in blocks)
    if asks and not view.get("submit"):
        check.missing(at, "submit")


def check_view(view: Any, kind: str) -> Json:
    """The view with ids, or a refusal as views.* answer."""
    check = Check(kind)
    inspect_view(check, "", view)
    if not check.problems and view["type"] != kind:
        check.failed("/type", f"must be {kind}", "enum", expected=[kind], got=view["type"])
    if check.problems:
        raise SlackRefusal("invalid_arguments", [problem.line("/view") for problem in check.problems])
    if len(json.dumps(view)) > limits.VIEW_BYTES:
        raise SlackRefusal("view_too_large")
    return {**view, "blocks": with_ids(view["blocks"])}
