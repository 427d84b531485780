"""Each limit of Block Kit: what is just allowed passes, one more is refused, in Slack's words (facts/slack.md §3.2)."""

from collections.abc import Iterator
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from sandbox.slack.blocks.check import Check
from sandbox.slack.blocks.message import inspect_blocks
from sandbox.slack.blocks.view import inspect_view
from tests.support.slack_server import Workspace, slack_workspace

pytestmark = [pytest.mark.unit, pytest.mark.xdist_group("slack")]

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def section(text: str = "x", **more: Any) -> Json:
    return {"type": "section", "text": mrkdwn(text), **more}


def header(text: Json) -> Json:
    return {"type": "header", "text": text}


def button(**more: Any) -> Json:
    return {"type": "button", "text": plain("Go"), "action_id": "go", **more}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def option(n: int, **more: Any) -> Json:
    return {"text": plain(f"o{n}"), "value": f"v{n}", **more}


def options(n: int) -> list[Json]:
    return [option(i) for i in range(n)]


def select(**more: Any) -> Json:
    return {"type": "static_select", "action_id": "s", **more}


def confirm(**more: str) -> Json:
    words = {"title": "Sure?", "text": "It is for ever.", "confirm": "Yes", "deny": "No"} | more
    return {name: plain(text) for name, text in words.items()}


def asks(element: Json | None = None, **more: Any) -> Json:
    element = element or {"type": "plain_text_input", "action_id": "v"}
    return {"type": "input", "block_id": "i", "label": plain("Name"), "element": element, **more}


def table(rows: int, columns: int, text: str = "c") -> Json:
    return {"type": "table", "rows": [[{"type": "raw_text", "text": text}] * columns] * rows}


def task(n: int) -> Json:
    return {"task_id": f"t{n}", "title": "Task", "status": "pending"}


# name: (what is just allowed, what is not, where the problem is)
LIMITS: dict[str, tuple[list[Json], list[Json], str]] = {
    "50 blocks": ([section()] * 50, [section()] * 51, ""),
    "header": ([header(plain("x" * 150))], [header(plain("x" * 151))], "/0/text/text"),
    "header is plain": ([header(plain("x"))], [header(mrkdwn("x"))], "/0/text/type"),
    "section": ([section("x" * 3000)], [section("x" * 3001)], "/0/text/text"),
    "section is not empty": ([section("x")], [section("")], "/0/text/text"),
    "section says something": ([{"type": "section", "fields": [plain("x")]}], [{"type": "section"}], "/0"),
    "10 fields": ([section(fields=[plain("x")] * 10)], [section(fields=[plain("x")] * 11)], "/0/fields"),
    "field": ([section(fields=[plain("x" * 2000)])], [section(fields=[plain("x" * 2001)])], "/0/fields/0/text"),
    "context": (
        [{"type": "context", "elements": [plain("x")] * 10}],
        [{"type": "context", "elements": [plain("x")] * 11}],
        "/0/elements",
    ),
    "25 elements": (
        [actions(*(button(action_id=f"b{n}") for n in range(25)))],
        [actions(*(button(action_id=f"b{n}") for n in range(26)))],
        "/0/elements",
    ),
    "block_id": ([section(block_id="x" * 255)], [section(block_id="x" * 256)], "/0/block_id"),
    "block_id comes once": ([section(block_id="a"), section(block_id="b")], [section(block_id="a")] * 2, "/1/block_id"),
    "action_id": (
        [actions(button(action_id="x" * 255))],
        [actions(button(action_id="x" * 256))],
        "/0/elements/0/action_id",
    ),
    "action_id comes once": (
        [actions(button(), button(action_id="b"))],
        [actions(button(), button())],
        "/0/elements/1/action_id",
    ),
    "button text": (
        [actions(button(text=plain("x" * 75)))],
        [actions(button(text=plain("x" * 76)))],
        "/0/elements/0/text/text",
    ),
    "button value": ([actions(button(value="x" * 2000))], [actions(button(value="x" * 2001))], "/0/elements/0/value"),
    "button url": ([actions(button(url="x" * 3000))], [actions(button(url="x" * 3001))], "/0/elements/0/url"),
    "button style": ([actions(button(style="danger"))], [actions(button(style="loud"))], "/0/elements/0/style"),
    "accessibility label": (
        [actions(button(accessibility_label="x" * 75))],
        [actions(button(accessibility_label="x" * 76))],
        "/0/elements/0/accessibility_label",
    ),
    "confirm title": (
        [actions(button(confirm=confirm(title="x" * 100)))],
        [actions(button(confirm=confirm(title="x" * 101)))],
        "/0/elements/0/confirm/title/text",
    ),
    "confirm text": (
        [actions(button(confirm=confirm(text="x" * 300)))],
        [actions(button(confirm=confirm(text="x" * 301)))],
        "/0/elements/0/confirm/text/text",
    ),
    "confirm button": (
        [actions(button(confirm=confirm(deny="x" * 30)))],
        [actions(button(confirm=confirm(deny="x" * 31)))],
        "/0/elements/0/confirm/deny/text",
    ),
    "100 options": (
        [actions(select(options=options(100)))],
        [actions(select(options=options(101)))],
        "/0/elements/0/options",
    ),
    "option text": (
        [actions(select(options=[option(1, text=plain("x" * 75))]))],
        [actions(select(options=[option(1, text=plain("x" * 76))]))],
        "/0/elements/0/options/0/text/text",
    ),
    "option value": (
        [actions(select(options=[option(1, value="x" * 150)]))],
        [actions(select(options=[option(1, value="x" * 151)]))],
        "/0/elements/0/options/0/value",
    ),
    "option description": (
        [actions(select(options=[option(1, description=plain("x" * 75))]))],
        [actions(select(options=[option(1, description=plain("x" * 76))]))],
        "/0/elements/0/options/0/description/text",
    ),
    "option comes once": (
        [actions(select(options=options(2)))],
        [actions(select(options=[option(1)] * 2))],
        "/0/elements/0/options/1",
    ),
    "first choice is an option": (
        [actions(select(options=options(2), initial_option=option(1)))],
        [actions(select(options=options(2), initial_option=option(7)))],
        "/0/elements/0/initial_option",
    ),
    "placeholder": (
        [actions(select(options=options(1), placeholder=plain("x" * 150)))],
        [actions(select(options=options(1), placeholder=plain("x" * 151)))],
        "/0/elements/0/placeholder/text",
    ),
    "overflow": (
        [section(accessory={"type": "overflow", "options": options(5)})],
        [section(accessory={"type": "overflow", "options": options(6)})],
        "/0/accessory/options",
    ),
    "checkboxes": (
        [actions({"type": "checkboxes", "options": options(10)})],
        [actions({"type": "checkboxes", "options": options(11)})],
        "/0/elements/0/options",
    ),
    "radio buttons": (
        [actions({"type": "radio_buttons", "options": options(10)})],
        [actions({"type": "radio_buttons", "options": options(11)})],
        "/0/elements/0/options",
    ),
    "input label": ([asks(label=plain("x" * 2000))], [asks(label=plain("x" * 2001))], "/0/label/text"),
    "input hint": ([asks(hint=plain("x" * 2000))], [asks(hint=plain("x" * 2001))], "/0/hint/text"),
    "input length": (
        [asks({"type": "plain_text_input", "max_length": 3000})],
        [asks({"type": "plain_text_input", "max_length": 3001})],
        "/0/element/max_length",
    ),
    "no button in an input": ([asks()], [asks(button())], "/0/element/type"),
    "no input in actions": ([actions(button())], [actions({"type": "plain_text_input"})], "/0/elements/0/type"),
    "image alt text": (
        [{"type": "image", "image_url": "https://e.org/a.png", "alt_text": "x" * 2000}],
        [{"type": "image", "image_url": "https://e.org/a.png", "alt_text": "x" * 2001}],
        "/0/alt_text",
    ),
    "markdown": ([{"type": "markdown", "text": "x" * 12000}], [{"type": "markdown", "text": "x" * 12001}], "/0/text"),
    "markdown together": (
        [{"type": "markdown", "text": "x" * 6000}] * 2,
        [{"type": "markdown", "text": "x" * 6001}] * 2,
        "",
    ),
    "table rows": ([table(100, 1)], [table(101, 1)], "/0/rows"),
    "table columns": ([table(1, 20)], [table(1, 21)], "/0/rows/0"),
    "table cell is not empty": ([table(1, 1)], [table(1, 1, "")], "/0/rows/0/0/text"),
    "one table": ([table(1, 1)], [table(1, 1), table(1, 1)], "/1"),
    "plan tasks": (
        [{"type": "plan", "title": "Plan", "tasks": [task(n) for n in range(50)]}],
        [{"type": "plan", "title": "Plan", "tasks": [task(n) for n in range(51)]}],
        "/0/tasks",
    ),
    "no alert in a message": ([section()], [{"type": "alert", "text": plain("x")}], "/0/type"),
    "known types only": ([section()], [{"type": "nope"}], "/0/type"),
    "type is needed": ([section()], [{"text": plain("x")}], "/0"),
}


def modal(**more: Any) -> Json:
    return {"type": "modal", "title": plain("Title"), "submit": plain("Send"), "blocks": [section()], **more}


VIEW_LIMITS: dict[str, tuple[Json, Json, str]] = {
    "100 blocks": (modal(blocks=[section()] * 100), modal(blocks=[section()] * 101), "/blocks"),
    "title": (modal(title=plain("x" * 24)), modal(title=plain("x" * 25)), "/title/text"),
    "submit": (modal(submit=plain("x" * 24)), modal(submit=plain("x" * 25)), "/submit/text"),
    "close": (modal(close=plain("x" * 24)), modal(close=plain("x" * 25)), "/close/text"),
    "private_metadata": (modal(private_metadata="x" * 3000), modal(private_metadata="x" * 3001), "/private_metadata"),
    "callback_id": (modal(callback_id="x" * 255), modal(callback_id="x" * 256), "/callback_id"),
    "external_id": (modal(external_id="x" * 255), modal(external_id="x" * 256), "/external_id"),
    "an input needs submit": (modal(blocks=[asks()]), modal(blocks=[asks()], submit=None), ""),
    "no table in a modal": (modal(), modal(blocks=[table(1, 1)]), "/blocks/0/type"),
    "no markdown in a modal": (modal(), modal(blocks=[{"type": "markdown", "text": "x"}]), "/blocks/0/type"),
    "no plan in a home": (
        {"type": "home", "blocks": [section()]},
        {"type": "home", "blocks": [{"type": "plan", "title": "x", "tasks": [task(1)]}]},
        "/blocks/0/type",
    ),
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_block_limit_holds_exactly(name: str) -> None:
    allowed, refused, pointer = LIMITS[name]
    fine, wrong = Check("message"), Check("message")
    inspect_blocks(fine, "", allowed)
    inspect_blocks(wrong, "", refused)
    assert fine.problems == []
    assert pointer in [problem.pointer for problem in wrong.problems]


@pytest.mark.parametrize("name", VIEW_LIMITS)
def test_a_view_limit_holds_exactly(name: str) -> None:
    allowed, refused, pointer = VIEW_LIMITS[name]
    fine, wrong = Check(), Check()
    inspect_view(fine, "", allowed)
    inspect_view(wrong, "", refused)
    assert fine.problems == []
    assert pointer in [problem.pointer for problem in wrong.problems]


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with slack_workspace() as served:
        yield served


def test_a_refused_message_says_where_and_why(workspace: Workspace) -> None:
    with pytest.raises(SlackApiError) as caught:
        workspace.client().chat_postMessage(channel="migrations", text="x", blocks=[section(), section("x" * 3001)])
    answer = caught.value.response
    assert answer["error"] == "invalid_blocks"
    line = "must be less than 3001 characters [json-pointer:/blocks/1/text/text]"
    assert answer["errors"] == [line]
    assert answer["response_metadata"]["messages"] == [f"[ERROR] {line}"]
    assert workspace.messages() == []


def test_all_blocks_together_have_a_limit_of_their_own(workspace: Workspace) -> None:
    with pytest.raises(SlackApiError) as caught:
        workspace.client().chat_postMessage(channel="migrations", text="x", blocks=[section("x" * 3000)] * 5)
    assert caught.value.response["error"] == "msg_blocks_too_long"


def test_a_refused_view_says_where_and_keeps_the_trigger(workspace: Workspace) -> None:
    trigger = workspace.slack.triggers.issue("U0ANA0001")
    with pytest.raises(SlackApiError) as caught:
        workspace.client().views_open(trigger_id=trigger, view=modal(title=plain("x" * 25)))
    assert caught.value.response["error"] == "invalid_arguments"
    expected = "[ERROR] must be less than 25 characters [json-pointer:/view/title/text]"
    assert caught.value.response["response_metadata"]["messages"] == [expected]
    assert workspace.client().views_open(trigger_id=trigger, view=modal())["ok"]


def test_a_view_over_250_kb_is_too_large(workspace: Workspace) -> None:
    trigger = workspace.slack.triggers.issue("U0ANA0001")
    blocks = [section("ü" * 3000) for _ in range(99)]
    with pytest.raises(SlackApiError) as caught:
        workspace.client().views_open(trigger_id=trigger, view=modal(blocks=blocks))
    assert caught.value.response["error"] == "view_too_large"


def test_the_public_validator_needs_no_token(workspace: Workspace) -> None:
    ask = workspace.http.post
    assert ask("/api/blocks.validate", json={"blocks": [section()]}).json() == {"ok": True}
    missing = ask("/api/blocks.validate", json={"blocks": [{"text": "x"}]}).json()
    problem = {"code": "missing_field", "message": "missing required field: type", "field": "type", "pointer": "/0"}
    assert missing == {"ok": False, "error": "invalid_blocks", "errors": [problem]}
    wrong = ask("/api/blocks.validate", json={"view": modal(type="nope")}).json()
    assert wrong["error"] == "invalid_view"
    assert wrong["errors"][0]["constraint"] == {"type": "enum", "expected": ["modal", "home"], "got": "nope"}
    assert ask("/api/blocks.validate", json={"blocks": [], "view": modal()}).json()["error"] == "invalid_arguments"
