"""Rules of layout blocks, a function a type."""

from collections.abc import Callable
from typing import Any

from sandbox.slack.blocks import limits
from sandbox.slack.blocks.check import Check, Json
from sandbox.slack.blocks.elements import (
    IN_ACTIONS,
    IN_CONTEXT_ACTIONS,
    IN_INPUT,
    IN_SECTION,
    check_element,
    image,
)

_RICH = ("rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote")
_CELLS = ("raw_text", "raw_number", "rich_text")
_TASK_STATES = ("pending", "in_progress", "complete", "error")


def check_block(check: Check, at: str, block: Any) -> None:
    """One block, on the surface that ``check`` is about."""
    if not check.is_object(at, block):
        return
    kind = block.get("type")
    if kind is None:
        check.missing(at, "type")
        return
    surfaces = limits.SURFACES.get(kind) if isinstance(kind, str) else None
    if surfaces is None or check.surface not in surfaces:
        allowed = [name for name, where in limits.SURFACES.items() if check.surface in where]
        check.failed(f"{at}/type", f"unsupported type: {kind}", "enum", expected=allowed, got=kind)
        return
    check.string(at, block, "block_id", limits.ID)
    if rule := _RULES.get(kind):
        rule(check, at, block)


def _header(check: Check, at: str, block: Json) -> None:
    check.text(at, block, "text", limits.HEADER, plain=True, needed=True)


def _section(check: Check, at: str, block: Json) -> None:
    if "text" not in block and "fields" not in block:
        check.missing(at, "text")
    check.text(at, block, "text", limits.SECTION)
    for i, field in enumerate(check.items(at, block, "fields", limits.FIELDS, needed=False)):
        check.text_object(f"{at}/fields/{i}", field, limits.FIELD)
    if "accessory" in block:
        check_element(check, f"{at}/accessory", block["accessory"], IN_SECTION)


def _actions(check: Check, at: str, block: Json) -> None:
    elements = check.items(at, block, "elements", limits.ACTIONS_ELEMENTS)
    for i, element in enumerate(elements):
        check_element(check, f"{at}/elements/{i}", element, IN_ACTIONS)
    ids = [(f"{at}/elements/{i}/action_id", e.get("action_id")) for i, e in enumerate(elements) if isinstance(e, dict)]
    check.unique(at, "action_id", ids)


def _context(check: Check, at: str, block: Json) -> None:
    for i, element in enumerate(check.items(at, block, "elements", limits.CONTEXT_ELEMENTS)):
        where = f"{at}/elements/{i}"
        if not check.is_object(where, element):
            continue
        if element.get("type") == "image":
            image(check, where, element)
        else:
            check.text_object(where, element, limits.SECTION)


def _image(check: Check, at: str, block: Json) -> None:
    image(check, at, block)
    check.text(at, block, "title", limits.IMAGE_TITLE, plain=True)


def _input(check: Check, at: str, block: Json) -> None:
    check.text(at, block, "label", limits.INPUT_LABEL, plain=True, needed=True)
    check.text(at, block, "hint", limits.INPUT_HINT, plain=True)
    if "element" not in block:
        check.missing(at, "element")
        return
    check_element(check, f"{at}/element", block["element"], IN_INPUT)


def _markdown(check: Check, at: str, block: Json) -> None:
    check.string(at, block, "text", limits.MARKDOWN, needed=True)
    check.characters += len(block["text"]) if isinstance(block.get("text"), str) else 0


def _rich_text(check: Check, at: str, block: Json) -> None:
    for i, element in enumerate(check.items(at, block, "elements", 1_000, least=0)):
        where = f"{at}/elements/{i}"
        if check.is_object(where, element):
            check.one_of(where, element, "type", _RICH, needed=True)
    check.characters += _spoken(block)


def _spoken(value: Any) -> int:
    """Characters of every ``text`` leaf below."""
    if isinstance(value, list):
        return sum(_spoken(one) for one in value)
    if not isinstance(value, dict):
        return 0
    own = len(value["text"]) if isinstance(value.get("text"), str) else 0
    return own + sum(_spoken(one) for one in value.values() if not isinstance(one, str))


def _table(check: Check, at: str, block: Json) -> None:
    for i, row in enumerate(check.items(at, block, "rows", limits.TABLE_ROWS)):
        where = f"{at}/rows/{i}"
        cells = check.items(at, {f"rows/{i}": row}, f"rows/{i}", limits.TABLE_COLUMNS)
        for j, cell in enumerate(cells):
            if check.is_object(f"{where}/{j}", cell):
                check.one_of(f"{where}/{j}", cell, "type", _CELLS, needed=True)
                if cell.get("type") == "raw_text":
                    check.string(f"{where}/{j}", cell, "text", limits.SECTION, needed=True)
    check.characters += _spoken(block.get("rows"))


def _plan(check: Check, at: str, block: Json) -> None:
    check.string(at, block, "title", limits.HEADER, needed=True)
    for i, task in enumerate(check.items(at, block, "tasks", limits.PLAN_TASKS)):
        where = f"{at}/tasks/{i}"
        if check.is_object(where, task):
            check.string(where, task, "task_id", limits.ID, needed=True)
            check.string(where, task, "title", limits.HEADER, needed=True)
            check.one_of(where, task, "status", _TASK_STATES)


def _alert(check: Check, at: str, block: Json) -> None:
    check.text(at, block, "text", limits.ALERT, needed=True)


def _context_actions(check: Check, at: str, block: Json) -> None:
    for i, element in enumerate(check.items(at, block, "elements", 5)):
        check_element(check, f"{at}/elements/{i}", element, IN_CONTEXT_ACTIONS)


_RULES: dict[str, Callable[[Check, str, Json], None]] = {
    "header": _header,
    "section": _section,
    "actions": _actions,
    "context": _context,
    "image": _image,
    "input": _input,
    "markdown": _markdown,
    "rich_text": _rich_text,
    "table": _table,
    "plan": _plan,
    "alert": _alert,
    "context_actions": _context_actions,
}
