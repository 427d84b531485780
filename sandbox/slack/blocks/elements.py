"""Rules of block elements: buttons, menus, choices and inputs, and where each may stand."""

from collections.abc import Callable
from typing import Any

from sandbox.slack.blocks import limits
from sandbox.slack.blocks.check import Check, Json

_SELECT_SOURCES = ("static", "external", "users", "conversations", "channels")
SELECTS = tuple(f"{source}_select" for source in _SELECT_SOURCES)
MULTI_SELECTS = tuple(f"multi_{name}" for name in SELECTS)
PICKERS = ("datepicker", "timepicker", "datetimepicker")
CHOICES = ("checkboxes", "radio_buttons")
TYPED = ("plain_text_input", "email_text_input", "url_text_input", "number_input", "rich_text_input", "file_input")

IN_SECTION = ("button", "overflow", "image", "workflow_button", *SELECTS, *MULTI_SELECTS, *PICKERS, *CHOICES)
IN_ACTIONS = ("button", "overflow", "workflow_button", *SELECTS, *MULTI_SELECTS, *PICKERS, *CHOICES)
IN_INPUT = (*TYPED, *SELECTS, *MULTI_SELECTS, *PICKERS, *CHOICES)
IN_CONTEXT_ACTIONS = ("icon_button", "feedback_buttons")


def check_element(check: Check, at: str, element: Any, allowed: tuple[str, ...]) -> None:
    """One element in a place where only ``allowed`` types may stand."""
    if not check.is_object(at, element):
        return
    kind = element.get("type")
    if kind is None:
        check.missing(at, "type")
        return
    if kind not in allowed:
        check.failed(f"{at}/type", f"unsupported type: {kind}", "enum", expected=list(allowed), got=kind)
        return
    check.string(at, element, "action_id", limits.ID)
    _confirm(check, at, element)
    check.text(at, element, "placeholder", limits.PLACEHOLDER, plain=True)
    if rule := _RULES.get(kind):
        rule(check, at, element)


def _button(check: Check, at: str, element: Json) -> None:
    check.text(at, element, "text", limits.BUTTON_TEXT, plain=True, needed=True)
    check.string(at, element, "value", limits.BUTTON_VALUE, least=0)
    check.string(at, element, "url", limits.BUTTON_URL)
    check.string(at, element, "accessibility_label", limits.ACCESSIBILITY_LABEL)
    check.one_of(at, element, "style", limits.BUTTON_STYLES)


def _confirm(check: Check, at: str, element: Json) -> None:
    confirm = element.get("confirm")
    if confirm is None or not check.is_object(f"{at}/confirm", confirm):
        return
    where = f"{at}/confirm"
    check.text(where, confirm, "title", limits.CONFIRM_TITLE, plain=True, needed=True)
    check.text(where, confirm, "text", limits.CONFIRM_TEXT, needed=True)
    check.text(where, confirm, "confirm", limits.CONFIRM_BUTTON, plain=True, needed=True)
    check.text(where, confirm, "deny", limits.CONFIRM_BUTTON, plain=True, needed=True)
    check.one_of(where, confirm, "style", limits.BUTTON_STYLES)


def _option(check: Check, at: str, option: Any, *, plain: bool) -> None:
    if not check.is_object(at, option):
        return
    check.text(at, option, "text", limits.OPTION_TEXT, plain=plain, needed=True)
    check.string(at, option, "value", limits.OPTION_VALUE, needed=True)
    check.text(at, option, "description", limits.OPTION_DESCRIPTION, plain=plain)


def _options(check: Check, at: str, body: Json, most: int, *, plain: bool) -> None:
    options = check.items(at, body, "options", most)
    for i, option in enumerate(options):
        _option(check, f"{at}/options/{i}", option, plain=plain)
    values = [(f"{at}/options/{i}", o.get("value")) for i, o in enumerate(options) if isinstance(o, dict)]
    check.unique(at, "value", values)


def _overflow(check: Check, at: str, element: Json) -> None:
    _options(check, at, element, limits.OVERFLOW_OPTIONS, plain=True)


def _choices(check: Check, at: str, element: Json) -> None:
    _options(check, at, element, limits.CHOICES, plain=False)
    _initial(check, at, element)


def _static_select(check: Check, at: str, element: Json) -> None:
    if "option_groups" not in element:
        _options(check, at, element, limits.OPTIONS, plain=True)
        _initial(check, at, element)
        return
    if "options" in element:
        check.failed(at, "only one of options, option_groups is allowed")
    for i, group in enumerate(check.items(at, element, "option_groups", limits.OPTION_GROUPS)):
        where = f"{at}/option_groups/{i}"
        if check.is_object(where, group):
            check.text(where, group, "label", limits.OPTION_TEXT, plain=True, needed=True)
            _options(check, where, group, limits.OPTIONS, plain=True)


def _initial(check: Check, at: str, element: Json) -> None:
    """What is chosen at first must be one of the options, exactly."""
    options = element.get("options") or []
    single = element.get("initial_option")
    if single is not None and single not in options:
        check.failed(f"{at}/initial_option", "must exactly match one of the provided options")
    for i, one in enumerate(element.get("initial_options") or []):
        if one not in options:
            check.failed(f"{at}/initial_options/{i}", "must exactly match one of the provided options")


def _plain_text_input(check: Check, at: str, element: Json) -> None:
    for name, least in (("min_length", 0), ("max_length", 1)):
        value = element.get(name)
        if value is not None and not (isinstance(value, int) and least <= value <= limits.INPUT_LENGTH):
            check.failed(f"{at}/{name}", f"must be between {least} and {limits.INPUT_LENGTH}", "range", got=value)
    check.string(at, element, "initial_value", limits.INPUT_LENGTH, least=0)


def image(check: Check, at: str, element: Json) -> None:
    """An image element or block: where it is and what it shows in words."""
    if "slack_file" not in element:
        check.string(at, element, "image_url", limits.IMAGE_URL, needed=True)
    check.string(at, element, "alt_text", limits.ALT_TEXT, needed=True)


_RULES: dict[str, Callable[[Check, str, Json], None]] = {
    "button": _button,
    "overflow": _overflow,
    "checkboxes": _choices,
    "radio_buttons": _choices,
    "static_select": _static_select,
    "multi_static_select": _static_select,
    "plain_text_input": _plain_text_input,
    "image": image,
}
