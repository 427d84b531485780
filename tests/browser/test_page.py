"""People can do everything in the page: type, press, confirm, fill forms, read threads, on a desk and on a phone."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler

from sandbox.slack import people
from tests.browser.clicking import SHOWN_MS
from tests.support.sandbox import ANSWER_S
from tests.support.slack_server import Workspace, slack_workspace
from tests.support.tools import unavailable

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESK, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}

Json = dict[str, Any]
Open = Callable[..., Page]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def button(action_id: str, text: str, **more: Any) -> Json:
    return {"type": "button", "action_id": action_id, "text": plain(text), "value": "v1", **more}


def cells(*texts: str) -> list[Json]:
    return [{"type": "raw_text", "text": text} for text in texts]


CONFIRM = {
    "title": plain("Reject?"),
    "text": mrkdwn("Nothing *changes*."),
    "confirm": plain("Yes"),
    "deny": plain("No"),
}
CARD: list[Json] = [
    {"type": "header", "text": plain("Add nickname to members")},
    {"type": "section", "text": mrkdwn("*Plan* for `members`"), "accessory": button("details", "Details")},
    {"type": "section", "fields": [mrkdwn("*Downtime*\n0 s"), mrkdwn(f"*Asked by*\n<@{people.ANA.id}>")]},
    {"type": "divider"},
    {"type": "table", "rows": [cells("Step", "What"), cells("1", "Alter")]},
    {"type": "markdown", "text": "### Proof\n| table | rows |\n|---|---|\n| members | **5,000** |"},
    {"type": "context", "elements": [mrkdwn("run 41")]},
    {
        "type": "actions",
        "elements": [
            button("approve", "Approve step 1", style="primary"),
            button("reject", "Reject", style="danger", confirm=CONFIRM),
            button("form", "Choose a type"),
        ],
    },
]
OPTIONS = [{"text": plain(kind), "value": kind} for kind in ("text", "integer")]


def asks(name: str, element: Json, **more: Any) -> Json:
    return {"type": "input", "block_id": name, "label": plain(name), "element": {"action_id": "v", **element}, **more}


FORM: Json = {
    "type": "modal",
    "callback_id": "form",
    "title": plain("Choose a type"),
    "submit": plain("Continue"),
    "close": plain("Cancel"),
    "blocks": [
        asks("Name", {"type": "plain_text_input"}),
        asks("Reason", {"type": "plain_text_input", "multiline": True}, optional=True),
        asks("Type", {"type": "static_select", "options": OPTIONS}),
        asks("How", {"type": "radio_buttons", "options": OPTIONS}),
        asks("Also", {"type": "checkboxes", "options": OPTIONS}, optional=True),
        asks("Who", {"type": "users_select"}, optional=True),
    ],
}


def bolt(workspace: Workspace) -> App:
    app = App(client=workspace.client(), process_before_response=True)

    @app.command("/tb")
    def command(ack: Any, command: Json, client: Any) -> None:
        if command["text"] != "card":
            ack(f"I do not know `{command['text']}`.")
            return
        ack()
        client.chat_postMessage(channel=command["channel_id"], text="card", blocks=CARD)

    @app.action("approve")
    def approve(ack: Any, body: Json, client: Any, respond: Any) -> None:
        ack()
        channel, ts = body["channel"]["id"], body["message"]["ts"]
        approved = {"type": "section", "text": mrkdwn(f"Approved by <@{body['user']['id']}>")}
        client.chat_update(channel=channel, ts=ts, text="approved", blocks=[*CARD[:-1], approved])
        client.chat_postMessage(channel=channel, thread_ts=ts, text="Step 1 is *running*")
        respond(text="Noted.", replace_original=False)

    @app.action("reject")
    def reject(ack: Any, body: Json, client: Any) -> None:
        ack()
        client.chat_update(channel=body["channel"]["id"], ts=body["message"]["ts"], text="Rejected")

    @app.action("form")
    def form(ack: Any, body: Json, client: Any) -> None:
        ack()
        client.views_open(trigger_id=body["trigger_id"], view=FORM)

    @app.view("form")
    def submitted(ack: Any, view: Json, client: Any) -> None:
        values = {name: next(iter(actions.values())) for name, actions in view["state"]["values"].items()}
        if values["Name"]["value"] == "taken":
            ack(response_action="errors", errors={"Name": "That name is taken."})
            return
        ack()
        words = [values["Name"]["value"], values["Reason"]["value"], values["Type"]["selected_option"]["value"]]
        words += [values["How"]["selected_option"]["value"], values["Also"]["selected_options"][0]["value"]]
        client.chat_postMessage(channel="migrations", text=f"{' '.join(words)} <@{values['Who']['selected_user']}>")

    @app.event("app_mention")
    def mention(event: Json, say: Any) -> None:
        say(f"heard <@{event['user']}>", thread_ts=event.get("thread_ts") or event["ts"])

    @app.event("app_home_opened")
    def home(event: Json, client: Any) -> None:
        client.views_publish(user_id=event["user"], view={"type": "home", "blocks": [*CARD[:3], CARD[-1]]})

    return app


@pytest.fixture(scope="module")
def served() -> Iterator[Workspace]:
    with slack_workspace() as workspace:
        yield workspace


@pytest.fixture
def workspace(served: Workspace) -> Workspace:
    served.post("reset")
    served.post("knobs", **{"slack.ack_limit_s": ANSWER_S})
    return served


@pytest.fixture(scope="module")
def connected(served: Workspace) -> Iterator[App]:
    app = bolt(served)
    handler = SocketModeHandler(app, served.slack.app_token)
    handler.connect()
    yield app
    handler.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        why = f"the page's tests need Chromium at {CHROMIUM} (apt-get install chromium, or set CHROMIUM)"
        unavailable(why)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def open_as(browser: Browser, workspace: Workspace, connected: App) -> Iterator[Open]:
    """Opens the page as somebody; a script error or a request to another host fails the test at its end."""
    wrong: list[str] = []
    contexts = []

    def request(url: str) -> None:
        if not url.startswith((workspace.url, "data:")):
            wrong.append(f"requested {url}")

    def opened(user: str, size: Any = DESK, place: str = "") -> Page:
        context = browser.new_context(viewport=size)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SHOWN_MS)
        page.on("request", lambda sent: request(sent.url))
        page.on("pageerror", lambda error: wrong.append(f"{user}: {error}"))
        page.on("dialog", lambda dialog: wrong.append(f"{user}: a script spoke: {dialog.message}"))
        page.goto(f"{workspace.url}/?user={user}{place}")
        page.wait_for_selector("body[data-ready]")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


def types(page: Page, line: str, into: str = "composer") -> None:
    page.get_by_test_id(into).fill(line)
    page.get_by_test_id(into).press("Enter")


def messages(page: Page) -> Any:
    return page.get_by_test_id("messages").get_by_test_id("message")


def pressing(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).first.click()


def test_a_card_grows_before_everybodys_eyes(open_as: Open) -> None:
    ana, ben = open_as("ana"), open_as("ben")
    types(ana, "/tb card")
    expect(ben.get_by_role("heading", name="Add nickname to members")).to_be_visible()
    expect(ben.get_by_role("cell", name="5,000")).to_be_visible()
    expect(ben.get_by_role("columnheader", name="Step")).to_be_visible()
    pressing(ben, "Approve step 1")
    expect(ana.get_by_text("Approved by @ben")).to_be_visible()
    expect(ana.get_by_role("button", name="Approve step 1")).to_have_count(0)
    expect(ben.locator("[data-ephemeral=true]")).to_contain_text("Only visible to you")
    expect(ana.locator("[data-ephemeral=true]")).to_have_count(0)


def test_what_is_for_the_asker_alone_is_shown_to_the_asker_alone(open_as: Open) -> None:
    page = open_as("ana")
    types(page, "/tb migrat")
    expect(page.locator("[data-ephemeral=true] code")).to_have_text("migrat")
    page.get_by_role("radio", name="omar").check(force=True)
    expect(page.get_by_text("No messages yet")).to_be_visible()
    page.get_by_role("radio", name="ana").check(force=True)
    expect(page.locator("[data-ephemeral=true]")).to_have_count(1)


def test_a_dangerous_button_asks_first(open_as: Open) -> None:
    page = open_as("ana")
    types(page, "/tb card")
    pressing(page, "Reject")
    sheet = page.get_by_test_id("confirm")
    expect(sheet).to_contain_text("Nothing changes.")
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    expect(page.get_by_role("button", name="Approve step 1")).to_be_visible()
    pressing(page, "Reject")
    pressing(page, "Yes")
    expect(messages(page)).to_contain_text(["Rejected"])


def test_a_form_is_filled_corrected_and_sent(open_as: Open) -> None:
    page = open_as("ana")
    types(page, "/tb card")
    pressing(page, "Choose a type")
    form = page.get_by_test_id("modal")
    form.get_by_label("Name").fill("taken")
    pressing(page, "Continue")
    expect(form.get_by_text("Please complete this required field.")).to_have_count(2)
    form.get_by_label("Reason").fill("a long one")
    form.get_by_role("combobox", name="Type").select_option("integer")
    form.get_by_role("group", name="How").get_by_label("text").check()
    form.get_by_role("group", name="Also").get_by_label("integer").check()
    form.get_by_role("combobox", name="Who").select_option(label="Chen Wei (@chen)")
    pressing(page, "Continue")
    expect(form.get_by_role("alert")).to_have_text(["That name is taken."])
    form.get_by_label("Name").fill("nickname")
    pressing(page, "Continue")
    expect(form).to_have_count(0)
    expect(page.get_by_text("nickname a long one integer text integer @chen")).to_be_visible()


def test_a_modal_is_left_with_escape(open_as: Open, workspace: Workspace) -> None:
    page = open_as("ana")
    types(page, "/tb card")
    pressing(page, "Choose a type")
    expect(page.get_by_test_id("modal").get_by_label("Name")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("modal")).to_have_count(0)
    assert workspace.get("slack/views", user="ana")["views"] == []


def test_a_thread_opens_at_the_side_and_the_bot_answers_there(open_as: Open) -> None:
    page = open_as("ana")
    types(page, "/tb card")
    pressing(page, "Approve step 1")
    page.get_by_test_id("open-thread").click()
    replies = page.get_by_test_id("replies").get_by_test_id("message")
    expect(replies).to_have_count(2)
    types(page, "@tb status", "reply")
    expect(replies).to_contain_text(["Add nickname", "Step 1 is running", "@tb status", "heard @ana"])
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("thread")).to_be_hidden()


def test_another_channel_shows_that_something_is_new_there(open_as: Open, workspace: Workspace) -> None:
    page = open_as("ana")
    alerts = page.locator("[data-channel=alerts]")
    expect(alerts).to_have_accessible_name("alerts")
    workspace.client().chat_postMessage(channel="alerts", text="members_copy failed")
    expect(alerts).to_have_accessible_name("alerts (new)")
    alerts.click()
    expect(alerts).to_have_accessible_name("alerts")
    expect(messages(page)).to_contain_text(["members_copy failed"])


def test_the_home_tab_is_published_when_it_is_opened(open_as: Open) -> None:
    page = open_as("chen")
    pressing(page, "tb")
    home = page.get_by_test_id("home")
    expect(home.get_by_role("heading", name="Add nickname to members")).to_be_visible()
    home.get_by_role("button", name="Choose a type").click()
    expect(page.get_by_test_id("modal")).to_be_visible()


def test_the_platform_clock_is_shown_and_moved(open_as: Open, workspace: Workspace) -> None:
    page = open_as("ana")
    before = workspace.get("state")["time"]
    expect(page.get_by_test_id("clock")).to_have_text(re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$"))
    hour = (page.get_by_test_id("clock").text_content() or "")[:13]
    page.get_by_role("button", name="Move the platform clock on by one hour").click()
    expect(page.get_by_test_id("clock")).not_to_have_text(re.compile(f"^{hour}"))
    assert workspace.get("state")["time"] - before >= 3600


def test_markup_is_rendered_and_nothing_hostile_runs(open_as: Open, workspace: Workspace) -> None:
    page = open_as("ana")
    hostile = "&lt;img src=x onerror=alert(1)&gt; <javascript:alert(2)|press me> <script>alert(3)</script> <!channel>"
    nice = "*bold* _slanted_ ~gone~ `code` <https://example.com/?a=1&amp;b=2|there>"
    nice += "\n• one\n• two\n&gt; said\n```SELECT 1 &lt; 2```"
    workspace.client().chat_postMessage(channel="migrations", text=hostile)
    workspace.client().chat_postMessage(channel="migrations", text=nice)
    first, second = messages(page).nth(0), messages(page).nth(1)
    expect(first).to_contain_text("<img src=x onerror=alert(1)>")
    assert first.locator("a, img, script").count() == 0
    for tag, text in {
        "strong >> nth=1": "bold",
        "em": "slanted",
        "s": "gone",
        "code": "code",
        "blockquote": "said",
    }.items():
        expect(second.locator(tag)).to_have_text(text)
    expect(second.locator("pre")).to_have_text("SELECT 1 < 2")
    expect(second.locator("li")).to_have_text(["one", "two"])
    assert second.locator("a").get_attribute("href") == "https://example.com/?a=1&b=2"
    assert second.locator("a").get_attribute("rel") == "noopener noreferrer"


def test_on_a_phone_nothing_sticks_out_and_everything_can_be_reached(open_as: Open) -> None:
    page = open_as("ben", PHONE)
    types(page, "/tb card")
    pressing(page, "Approve step 1")
    expect(page.get_by_text("Approved by @ben")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.get_by_test_id("open-thread").click()
    box = page.get_by_test_id("thread").bounding_box()
    assert box
    assert (box["x"], box["width"]) == (0, PHONE["width"])
    page.get_by_role("button", name="Close the thread").click()
    page.get_by_role("button", name="Channels").click()
    page.get_by_role("button", name="alerts").click()
    expect(page.get_by_role("heading", name="# alerts")).to_be_visible()
    expect(page.get_by_text("No messages yet")).to_be_visible()


def test_on_a_phone_news_elsewhere_show_without_opening_the_list(open_as: Open, workspace: Workspace) -> None:
    page = open_as("ben", PHONE)
    workspace.client().chat_postMessage(channel="alerts", text="members_copy failed")
    page.get_by_role("button", name="Channels (new messages)").click()
    page.get_by_role("button", name="alerts (new)").click()
    expect(page.get_by_role("button", name="Channels", exact=True)).to_be_visible()


def test_an_uploaded_picture_is_seen_where_it_was_uploaded(open_as: Open, workspace: Workspace) -> None:
    page = open_as("ben", PHONE, "#alerts")
    drawn = page.screenshot()
    workspace.client().files_upload_v2(channel="C0ALERTS1", filename="day.png", content=drawn, alt_txt="The day")
    picture = page.get_by_role("img", name="The day")
    expect(picture).to_be_visible()
    expect(picture).to_have_js_property("naturalWidth", PHONE["width"])
    box = picture.bounding_box()
    assert box
    assert box["x"] + box["width"] <= PHONE["width"]


def test_a_channel_is_archived_before_everybodys_eyes_and_brought_back(open_as: Open) -> None:
    ana, ben = open_as("ana", place="#alerts"), open_as("ben", PHONE, "#alerts")
    ana.get_by_label("Channel settings").click()
    pressing(ana, "Archive")
    for page in (ana, ben):
        expect(page.get_by_text("This channel is archived")).to_be_visible()
        expect(page.get_by_test_id("composer")).to_be_hidden()
    ben.get_by_label("Channel settings").click()
    pressing(ben, "Unarchive")
    expect(ana.get_by_test_id("composer")).to_be_visible()
    ana.get_by_label("Channel settings").click()
    pressing(ana, "Invite tb")
    ana.get_by_label("Channel settings").click()
    expect(ana.get_by_role("button", name="Remove tb")).to_be_visible()


def test_a_message_is_deleted_once_that_is_confirmed(open_as: Open, workspace: Workspace) -> None:
    page = open_as("ana")
    workspace.client().chat_postMessage(channel="migrations", text="members_copy failed")
    for answer, left in (("Keep", 1), ("Delete", 0)):
        messages(page).first.hover()
        pressing(page, "Delete the message")
        page.get_by_test_id("confirm").get_by_role("button", name=answer).click()
        expect(messages(page)).to_have_count(left)


def test_everything_that_can_be_pressed_has_a_name(open_as: Open) -> None:
    page = open_as("ana")
    types(page, "/tb card")
    pressing(page, "Choose a type")
    expect(page.get_by_test_id("modal")).to_be_visible()
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, textarea, [role=tab]')].filter((one) =>
            !(one.getAttribute('aria-label') || one.textContent.trim() || one.labels?.length))
            .map((one) => one.outerHTML)"""
    )
    assert nameless == []
