"""What people fill in: the ``state.values`` of inputs and menus, typed as Slack types them.

Slack's own client checks required fields and lengths before anything is sent; so does ``missing``.
"""

from typing import Any

from sandbox.asking import BadRequest
from sandbox.slack import people
from sandbox.slack.blocks.message import elements_of
from sandbox.slack.store import Json

# element type -> (the key that holds what was chosen, the property it starts from)
_PLAIN = {
    "plain_text_input": ("value", "initial_value"),
    "email_text_input": ("value", "initial_value"),
    "url_text_input": ("value", "initial_value"),
    "number_input": ("value", "initial_value"),
    "users_select": ("selected_user", "initial_user"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "channels_select": ("selected_channel", "initial_channel"),
    "multi_users_select": ("selected_users", "initial_users"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
    "static_select": ("selected_option", "initial_option"),
    "radio_buttons": ("selected_option", "initial_option"),
    "multi_static_select": ("selected_options", "initial_options"),
    "checkboxes": ("selected_options", "initial_options"),
}
_LISTS = ("multi_users_select", "multi_static_select", "checkboxes")
_OF_OPTIONS = ("static_select", "radio_buttons", "multi_static_select", "checkboxes")


class UnknownChoice(BadRequest):
    """What was to be chosen is not among the options."""


def initial_values(blocks: list[Json]) -> Json:
    """``{block_id: {action_id: state}}`` of everything that holds a value, as it is at first."""
    values: Json = {}
    for block in blocks:
        for element in elements_of(block):
            kind = element.get("type", "")
            if kind in _PLAIN:
                key, source = _PLAIN[kind]
                start = element.get(source, [] if kind in _LISTS else None)
                values.setdefault(block["block_id"], {})[element["action_id"]] = {"type": kind, key: start}
    return values


def typed(element: Json, given: Any) -> Json:
    """The state of one element from what a person gives in plain words: a text, an option's value, a name, a list."""
    kind = element["type"]
    if kind not in _PLAIN:
        raise UnknownChoice(f"{kind} takes no value")
    key = _PLAIN[kind][0]
    if isinstance(given, dict) and key in given:
        return {"type": kind, **given}
    if kind in _LISTS:
        wanted = given if isinstance(given, list) else [given] if given else []
        return {"type": kind, key: [_choice(element, one) for one in wanted]}
    return {"type": kind, key: None if given in (None, "") else _choice(element, given)}


def _choice(element: Json, given: Any) -> Any:
    kind = element["type"]
    if kind.endswith("users_select"):
        known = people.person(str(given))
        if known is None:
            raise UnknownChoice(f"there is no person {given!r}")
        return known.id
    if kind not in _OF_OPTIONS:
        return given if isinstance(given, int) and kind == "datetimepicker" else str(given)
    grouped = (option for group in element.get("option_groups", []) for option in group["options"])
    options = [*element.get("options", []), *grouped]
    for option in options:
        if given in (option["value"], option["text"]["text"]):
            return option
    raise UnknownChoice(f"there is no option {given!r}; there are {', '.join(o['value'] for o in options)}")


def fill(blocks: list[Json], values: Json, given: Json) -> None:
    """Write into ``values`` what a person gives: by block and action, or short by action or block alone."""
    for block in blocks:
        for element in elements_of(block):
            if element.get("type") in _PLAIN and (found := _given(block, element, given)) is not _NOTHING:
                values.setdefault(block["block_id"], {})[element["action_id"]] = typed(element, found)


_NOTHING = object()


def _given(block: Json, element: Json, given: Json) -> Any:
    at_block = given.get(block["block_id"], _NOTHING)
    if isinstance(at_block, dict) and element["action_id"] in at_block:
        return at_block[element["action_id"]]
    if at_block is not _NOTHING and not isinstance(at_block, dict):
        return at_block
    return given.get(element["action_id"], _NOTHING)


def missing(blocks: list[Json], values: Json) -> dict[str, str]:
    """``{block_id: sentence}`` for what Slack's client would not let through."""
    errors: dict[str, str] = {}
    for block in blocks:
        if block.get("type") != "input":
            continue
        element = block["element"]
        state = values.get(block["block_id"], {}).get(element["action_id"], {})
        chosen = state.get(_PLAIN[element["type"]][0]) if element["type"] in _PLAIN else True
        if not chosen and not block.get("optional"):
            errors[block["block_id"]] = "Please complete this required field."
        elif isinstance(chosen, str) and (wrong := _wrong_length(element, chosen)):
            errors[block["block_id"]] = wrong
    return errors


def _wrong_length(element: Json, text: str) -> str | None:
    most = element.get("max_length", 3_000)
    if len(text) > most:
        return f"Please enter at most {most} characters."
    if len(text) < element.get("min_length", 0):
        return f"Please enter at least {element['min_length']} characters."
    return None
