"""Commands, clicks, forms and events reach the app over Socket Mode and over signed HTTP, with Slack's time limits."""

import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_bolt.adapter.starlette import SlackRequestHandler
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.slack import people
from tests.support.sandbox import ANSWER_S, PATIENCE_S
from tests.support.slack_server import Workspace, free_port, served, slack_workspace

pytestmark = pytest.mark.integration

Json = dict[str, Any]
PLAIN = {"type": "plain_text", "text": "Title"}


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with slack_workspace() as served_workspace:
        served_workspace.post("knobs", **{"slack.ack_limit_s": ANSWER_S})
        yield served_workspace


def button(value: str = "v1") -> list[Json]:
    one = {"type": "button", "action_id": "approve", "text": {"type": "plain_text", "text": "Approve"}, "value": value}
    return [{"type": "actions", "block_id": "row", "elements": [one]}]


def form(**more: Any) -> Json:
    options = [{"text": {"type": "plain_text", "text": kind}, "value": kind} for kind in ("text", "integer")]

    def ask(name: str, element: Json, **rest: Any) -> Json:
        return {"type": "input", "block_id": name, "label": {"type": "plain_text", "text": name}, **rest,
                "element": {"action_id": "v", **element}}  # fmt: skip

    blocks = [
        ask("name", {"type": "plain_text_input", "min_length": 2, "max_length": 8}),
        ask("type", {"type": "static_select", "options": options}),
        ask("also", {"type": "checkboxes", "options": options}, optional=True),
        ask("who", {"type": "users_select"}, optional=True),
    ]
    return {"type": "modal", "callback_id": "form", "title": PLAIN, "submit": PLAIN, "blocks": blocks, **more}


def bolt(workspace: Workspace, **more: Any) -> App:
    """A small app: a command that posts a card, a button that edits it, a form, a mention, a home."""
    app = App(client=workspace.client(), process_before_response=True, **more)

    @app.command("/tb")
    def command(ack: Any, command: Json, client: Any) -> None:
        ack(f"on it: {command['text']}")
        client.chat_postMessage(channel=command["channel_id"], text="card", blocks=button())

    @app.action("approve")
    def approve(ack: Any, body: Json, client: Any, respond: Any) -> None:
        ack()
        value, user = body["actions"][0]["value"], body["user"]["id"]
        client.chat_update(channel=body["channel"]["id"], ts=body["message"]["ts"], text=f"{value} by <@{user}>")
        respond("thank you")

    @app.event("app_mention")
    def mention(event: Json, say: Any) -> None:
        say(f"heard {event['text']}", thread_ts=event.get("thread_ts") or event["ts"])

    @app.event("app_home_opened")
    def home(event: Json, client: Any) -> None:
        client.views_publish(user_id=event["user"], view={"type": "home", "blocks": button("home")})

    @app.view("form")
    def submitted(ack: Any, view: Json, client: Any) -> None:
        name = view["state"]["values"]["name"]["v"]["value"]
        if name == "taken":
            ack(response_action="errors", errors={"name": "That name is taken."})
        elif name == "next":
            ack(response_action="push", view=form(callback_id="second"))
        else:
            ack()
            client.chat_postMessage(channel="migrations", text=f"form {name}")

    return app


def hang_up(workspace: Workspace, client: SocketModeClient) -> None:
    """The SDK's close waits for its read of up to three seconds; cutting the line from our side ends that read."""
    client.auto_reconnect_enabled = False
    workspace.post("slack/drop")
    client.close()


@contextmanager
def over_socket(workspace: Workspace) -> Iterator[App]:
    app = bolt(workspace)
    handler = SocketModeHandler(app, workspace.slack.app_token)
    handler.connect()
    try:
        yield app
    finally:
        hang_up(workspace, handler.client)


@contextmanager
def over_http(workspace: Workspace, url_path: str = "/slack/events") -> Iterator[App]:
    app = bolt(workspace, signing_secret=workspace.slack.signing_secret)
    handler = SlackRequestHandler(app)

    async def endpoint(request: Request) -> Response:
        return await handler.handle(request)

    with served(Starlette(routes=[Route(url_path, endpoint, methods=["POST"])]), free_port()) as url:
        assert workspace.post("slack/request_url", url=url + url_path)["ok"]
        yield app


@pytest.fixture(params=[over_socket, over_http], ids=["socket", "http"])
def app(request: pytest.FixtureRequest, workspace: Workspace) -> Iterator[App]:
    with request.param(workspace) as connected:
        yield connected


def test_a_command_is_acked_to_the_asker_alone(app: App, workspace: Workspace) -> None:
    answer = workspace.types("ana", "/tb migrate members add field x")
    assert answer["ack"]["status"] == "acked"
    assert answer["ack"]["text"] == "on it: migrate members add field x"
    assert answer["ack"]["latency_ms"] > 0
    assert [m["text"] for m in workspace.messages(user="ana")] == ["card", "on it: migrate members add field x"]
    assert [m["text"] for m in workspace.messages(user="ben")] == ["card"]


def test_a_click_edits_the_card_and_answers_the_clicker(app: App, workspace: Workspace) -> None:
    ts = workspace.client().chat_postMessage(channel="migrations", text="card", blocks=button())["ts"]
    assert workspace.clicks("ben", ts, "approve")["ack"]["status"] == "acked"
    card, thanks = workspace.messages(user="ben")
    assert (card["text"], card["blocks"]) == (f"v1 by <@{people.BEN.id}>", [])
    assert (thanks["text"], thanks["ephemeral"]) == ("thank you", True)


def test_a_button_that_is_gone_cannot_be_pressed_but_can_be_forged(app: App, workspace: Workspace) -> None:
    ts = workspace.client().chat_postMessage(channel="migrations", text="card")["ts"]
    body = {"user": "ben", "channel": "migrations", "message_ts": ts, "action_id": "approve"}
    assert workspace.http.post("/sandbox/slack/click", json=body).status_code == 404
    assert workspace.clicks("ben", ts, "approve", value="forged")["ack"]["status"] == "acked"
    assert workspace.messages()[0]["text"] == f"forged by <@{people.BEN.id}>"


def test_nobody_presses_what_another_person_sees(app: App, workspace: Workspace) -> None:
    ts = workspace.client().chat_postEphemeral(channel="migrations", user=people.ANA.id, text="x", blocks=button())
    body = {"user": "ben", "channel": "migrations", "message_ts": ts["message_ts"], "action_id": "approve"}
    assert workspace.http.post("/sandbox/slack/click", json=body).status_code == 404


def test_a_mention_in_a_thread_is_answered_there(app: App, workspace: Workspace) -> None:
    root = workspace.client().chat_postMessage(channel="migrations", text="card")["ts"]
    answer = workspace.types("ana", "please @tb status, not mail@tb", thread_ts=root)
    assert answer["ack"]["status"] == "acked"
    workspace.wait_for("/api/chat.postMessage", 2)
    said, heard = workspace.messages()[1:]
    assert said["text"] == f"please <@{people.BOT_USER}> status, not mail@tb"
    assert (heard["text"], heard["thread_ts"]) == (f"heard {said['text']}", root)


def test_opening_the_home_publishes_it(app: App, workspace: Workspace) -> None:
    assert workspace.post("slack/home", user="ana")["ack"]["status"] == "acked"
    workspace.wait_for("/api/views.publish")
    assert workspace.get("slack/views", user="ana")["home"]["blocks"][0]["elements"][0]["value"] == "home"


def open_form(workspace: Workspace, user: str = "ana", **more: Any) -> str:
    known = people.person(user)
    assert known
    trigger = workspace.slack.triggers.issue(known.id)
    return workspace.client().views_open(trigger_id=trigger, view=form(**more))["view"]["id"]


def submit(workspace: Workspace, view_id: str, **values: Any) -> Json:
    return workspace.post("slack/submit", user="ana", view_id=view_id, values=values)


def test_a_form_is_checked_sent_and_closed(app: App, workspace: Workspace) -> None:
    view_id = open_form(workspace)
    missing = submit(workspace, view_id, name="x")
    assert missing["errors"] == {
        "name": "Please enter at least 2 characters.",
        "type": "Please complete this required field.",
    }
    assert "ack" not in missing
    assert submit(workspace, view_id, name="taken", type="text")["errors"] == {"name": "That name is taken."}
    assert workspace.get("slack/views", user="ana")["views"][0]["errors"] == {"name": "That name is taken."}
    assert submit(workspace, view_id, name="fine", also=["text"], who="ben")["ok"]
    assert workspace.get("slack/views", user="ana")["views"] == []
    workspace.wait_for("/api/chat.postMessage")
    assert workspace.messages()[0]["text"] == "form fine"


def test_a_form_can_push_the_next_one_and_closing_goes_back(app: App, workspace: Workspace) -> None:
    first = open_form(workspace)
    submit(workspace, first, name="next", type="text")
    below, above = workspace.get("slack/views", user="ana")["views"]
    assert (below["id"], above["previous_view_id"], above["root_view_id"]) == (first, first, first)
    workspace.post("slack/close", user="ana", view_id=above["id"])
    assert [view["id"] for view in workspace.get("slack/views", user="ana")["views"]] == [first]


def test_a_choice_that_does_not_exist_is_named(app: App, workspace: Workspace) -> None:
    view_id = open_form(workspace)
    assert "there is no option 'blob'" in submit(workspace, view_id, name="fine", type="blob")["error"]
    assert "there is no person 'zoe'" in submit(workspace, view_id, name="fine", type="text", who="zoe")["error"]


def test_stacks_are_three_deep_and_updates_need_the_hash(workspace: Workspace) -> None:
    client = workspace.client()
    view_id = open_form(workspace)
    for _ in range(2):
        trigger = workspace.slack.triggers.issue(people.ANA.id, view_id)
        client.views_push(trigger_id=trigger, view=form())
    trigger = workspace.slack.triggers.issue(people.ANA.id, view_id)
    with pytest.raises(SlackApiError, match="push_limit_reached"):
        client.views_push(trigger_id=trigger, view=form())
    fresh = client.views_update(view_id=view_id, view=form())["view"]["hash"]
    client.views_update(view_id=view_id, hash=fresh, view=form())
    with pytest.raises(SlackApiError, match="hash_conflict"):
        client.views_update(view_id=view_id, hash=fresh, view=form())
    with pytest.raises(SlackApiError, match="not_found"):
        client.views_update(view_id="V0NOTHING", view=form())
    open_form(workspace, external_id="one")
    with pytest.raises(SlackApiError, match="duplicate_external_id"):
        open_form(workspace, "ben", external_id="one")


def test_what_no_app_answers_is_told_to_the_asker(workspace: Workspace) -> None:
    answer = workspace.types("ana", "/tb help")
    assert answer["ack"]["status"] == "dispatch_failed"
    assert answer["ack"]["text"] == '/tb failed with the error "dispatch_failed"'


def test_what_slack_itself_refuses_reaches_no_app(workspace: Workspace) -> None:
    nope = workspace.types("ana", "/nope")["ack"]
    assert (nope["status"], nope["text"]) == ("refused", "/nope is not a valid command.")
    root = workspace.types("ana", "good morning")["ts"]
    in_thread = workspace.types("ana", "/tb help", thread_ts=root)["ack"]
    assert (in_thread["status"], in_thread["text"]) == ("refused", "/tb is not supported in threads. Sorry!")
    assert workspace.messages(user="ana")[-1]["thread_ts"] == root
    assert workspace.get("slack/stats")["acks"] == []


class Raw:
    """A Socket Mode client that acks only what it is told to."""

    def __init__(self, workspace: Workspace, ack: Callable[[SocketModeRequest], bool]) -> None:
        self.requests: queue.Queue[SocketModeRequest] = queue.Queue()
        self.frames: queue.Queue[Json] = queue.Queue()
        self._ack = ack
        self.client = SocketModeClient(
            app_token=workspace.slack.app_token,
            web_client=workspace.client(),
            ping_interval=0.5,  # a cut line is noticed by pings that stay unanswered
        )
        self.client.message_listeners.append(lambda _, frame, __: self.frames.put(frame))
        self.client.socket_mode_request_listeners.append(self._heard)
        self.client.connect()
        assert self.frames.get(timeout=PATIENCE_S)["type"] == "hello"

    def _heard(self, client: BaseSocketModeClient, request: SocketModeRequest) -> None:
        self.requests.put(request)  # before the ack, behind which a test counts them
        if self._ack(request):
            client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))


@contextmanager
def raw(workspace: Workspace, ack: Callable[[SocketModeRequest], bool]) -> Iterator[Raw]:
    one = Raw(workspace, ack)
    try:
        yield one
    finally:
        hang_up(workspace, one.client)


def test_without_an_ack_a_command_times_out_and_an_event_comes_again(workspace: Workspace) -> None:
    workspace.post("knobs", **{"slack.ack_limit_s": 3.0})
    with raw(workspace, lambda request: bool(request.retry_attempt)) as app:
        mention = workspace.types("ana", "@tb status")
        assert mention["ack"]["status"] == "operation_timeout"
        first, second = app.requests.get(timeout=PATIENCE_S), app.requests.get(timeout=PATIENCE_S)
        assert first.payload["event_id"] == second.payload["event_id"]
        assert (second.retry_attempt, second.retry_reason) == (1, "timeout")
        command = workspace.types("ana", "/tb help")
        assert command["ack"]["text"] == '/tb failed with the error "operation_timeout"'
        assert app.requests.get(timeout=PATIENCE_S).type == "slash_commands"
        assert app.requests.empty()
    stats = workspace.get("slack/stats")
    assert (stats["redeliveries"], stats["late_or_missing"]) == (1, 2)


def test_each_envelope_goes_to_one_of_several_sockets(workspace: Workspace) -> None:
    with raw(workspace, lambda _: True) as one, raw(workspace, lambda _: True) as two:
        for n in range(20):
            assert workspace.types("ana", f"/tb {n}")["ack"]["status"] == "acked"
        assert one.requests.qsize() + two.requests.qsize() == 20
        assert workspace.get("slack/stats")["connections"] == 2


def test_an_app_comes_again_after_a_disconnect_and_after_a_cut(workspace: Workspace) -> None:
    with raw(workspace, lambda _: True) as app:
        assert workspace.post("slack/disconnect", reason="refresh_requested")["connections"] == 1
        assert app.frames.get(timeout=PATIENCE_S)["type"] == "hello"  # the SDK keeps "disconnect" to itself
        workspace.post("slack/drop")
        assert app.frames.get(timeout=PATIENCE_S)["type"] == "hello"
        assert workspace.types("ana", "/tb help")["ack"]["status"] == "acked"


def test_a_ticket_opens_one_socket_only(workspace: Workspace) -> None:
    address = workspace.client().apps_connections_open(app_token=workspace.slack.app_token)["url"]
    assert address.startswith("ws://127.0.0.1:")
    plain = address.replace("ws://", "http://")
    upgrade = {
        "connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    }  # fmt: skip
    with workspace.http.stream("GET", plain, headers=upgrade) as opened:
        assert opened.status_code == 101
        assert workspace.http.get(plain, headers=upgrade).status_code == 403


def test_a_response_url_answers_five_times(workspace: Workspace) -> None:
    with raw(workspace, lambda _: True) as app:
        workspace.types("ana", "/tb help")
        url = app.requests.get(timeout=PATIENCE_S).payload["response_url"]
    answers = [httpx.post(url, json={"text": f"{n}"}, trust_env=False, timeout=ANSWER_S) for n in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [404]
    assert answers[-1].json()["error"] == "used_url"
    assert [m["text"] for m in workspace.messages(user="ana")] == ["0", "1", "2", "3", "4"]
    assert workspace.messages(user="ben") == []


def test_a_response_url_replaces_and_deletes_an_ephemeral(workspace: Workspace) -> None:
    sent = workspace.client().chat_postEphemeral(channel="migrations", user=people.ANA.id, text="x", blocks=button())
    with raw(workspace, lambda _: True) as app:
        workspace.clicks("ana", sent["message_ts"], "approve")
        payload = app.requests.get(timeout=PATIENCE_S).payload
    assert "message" not in payload
    assert payload["container"]["is_ephemeral"] is True
    url = payload["response_url"]
    httpx.post(url, json={"replace_original": True, "text": "changed"}, trust_env=False, timeout=ANSWER_S)
    assert [(m["text"], m["blocks"]) for m in workspace.messages(user="ana")] == [("changed", [])]
    httpx.post(url, json={"response_type": "in_channel", "text": "all may see"}, trust_env=False, timeout=ANSWER_S)
    httpx.post(url, json={"delete_original": True}, trust_env=False, timeout=ANSWER_S)
    assert [m["text"] for m in workspace.messages(user="ana")] == ["all may see"]


def test_a_request_url_must_answer_the_challenge(workspace: Workspace) -> None:
    assert "did not answer" in workspace.post("slack/request_url", url=f"http://127.0.0.1:{free_port()}/")["error"]


def test_an_app_with_another_secret_refuses_what_comes(workspace: Workspace) -> None:
    with over_http(workspace):
        wrong = bolt(workspace, signing_secret="another")
        handler = SlackRequestHandler(wrong)

        async def endpoint(request: Request) -> Response:
            return await handler.handle(request)

        with served(Starlette(routes=[Route("/", endpoint, methods=["POST"])]), free_port()) as url:
            workspace.slack.delivery.request_url = url
            answer = workspace.types("ana", "/tb help")
    assert answer["ack"]["text"] == '/tb failed with the error "dispatch_failed"'
    assert workspace.get("slack/stats")["acks"][-1]["http_status"] == 401
