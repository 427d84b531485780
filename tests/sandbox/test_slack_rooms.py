"""Channels go away under the bot, and messages too: the Web API then refuses as the real one does (facts/slack.md)."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from tests.support.slack_server import Workspace, slack_workspace

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("slack")]

ALERTS, SECRET = "C0ALERTS1", "C0SECRET1"
ANA = "U0ANA0001"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


@pytest.fixture(scope="module")
def served_workspace() -> Iterator[Workspace]:
    with slack_workspace() as workspace:
        yield workspace


@pytest.fixture
def workspace(served_workspace: Workspace) -> Workspace:
    served_workspace.post("reset")
    served_workspace.post("knobs", **{"slack.rate_limits": False})
    return served_workspace


@pytest.fixture
def client(workspace: Workspace) -> Any:
    return workspace.client()


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(SlackApiError) as caught:
        call()
    return caught.value.response["error"]


def attempts(client: Any, channel: str, ts: str) -> dict[str, Callable[[], Any]]:
    """What a bot does with a card of its own."""
    return {
        "post": lambda: client.chat_postMessage(channel=channel, text="more"),
        "reply": lambda: client.chat_postMessage(channel=channel, text="more", thread_ts=ts),
        "update": lambda: client.chat_update(channel=channel, ts=ts, text="other"),
        "whisper": lambda: client.chat_postEphemeral(channel=channel, user=ANA, text="psst"),
        "file": lambda: client.files_upload_v2(channel=channel, filename="a.txt", content="a"),
    }


def outcomes(client: Any, channel: str, ts: str) -> dict[str, str]:
    """The refusal of each attempt; "" when it went through."""
    found: dict[str, str] = {}
    for name, attempt in attempts(client, channel, ts).items():
        try:
            attempt()
            found[name] = ""
        except SlackApiError as exc:
            found[name] = exc.response["error"]
    return found


def card(client: Any, channel: str = ALERTS) -> str:
    return client.chat_postMessage(channel=channel, text="members_copy failed")["ts"]


def test_an_archived_channel_refuses_everything(workspace: Workspace, client: Any) -> None:
    ts = card(client)
    assert workspace.post("slack/archive", channel="alerts") == {"ok": True, "archived": True, "bot": False}
    assert outcomes(client, ALERTS, ts) == {
        "post": "is_archived",
        "reply": "is_archived",
        "update": "is_inactive",
        "whisper": "is_archived",
        "file": "is_archived",
    }
    assert "archived" in workspace.types("ana", "/tb runs", "alerts")["error"]
    assert len(workspace.messages("alerts")) == 1


def test_an_unarchived_channel_has_to_invite_the_bot_again(workspace: Workspace, client: Any) -> None:
    ts = card(client)
    workspace.post("slack/archive", channel="alerts")
    assert "archived" in workspace.post("slack/invite", channel="alerts")["error"]
    assert workspace.post("slack/unarchive", channel="alerts") == {"ok": True, "archived": False, "bot": False}
    assert outcomes(client, ALERTS, ts)["whisper"] == "not_in_channel"
    assert workspace.post("slack/invite", channel="alerts") == {"ok": True, "archived": False, "bot": True}
    assert set(outcomes(client, ALERTS, ts).values()) == {""}


@pytest.mark.parametrize("granted", [True, False])
def test_a_bot_that_was_removed_may_post_with_a_scope_and_neither_whisper_nor_upload(
    workspace: Workspace, client: Any, granted: bool
) -> None:
    ts = card(client)
    if not granted:
        workspace.post("knobs", **{"slack.fewer_scopes": "chat:write.public"})
    assert workspace.post("slack/kick", channel="alerts") == {"ok": True, "archived": False, "bot": False}
    writing = "" if granted else "not_in_channel"
    assert outcomes(client, ALERTS, ts) == {
        "post": writing,
        "reply": writing,
        "update": "",
        "whisper": "not_in_channel",
        "file": "not_in_channel",
    }


def test_a_private_channel_without_the_bot_does_not_exist_for_it(workspace: Workspace, client: Any) -> None:
    assert workspace.post("slack/invite", channel="secret")["bot"] is True
    ts = card(client, SECRET)
    workspace.post("slack/kick", channel="secret")
    assert set(outcomes(client, SECRET, ts).values()) == {"channel_not_found"}


def test_a_message_that_a_person_deleted_cannot_be_edited(workspace: Workspace, client: Any) -> None:
    ts = card(client)
    assert workspace.post("slack/delete", user="omar", channel="alerts", message_ts=ts) == {"ok": True}
    assert workspace.messages("alerts") == []
    assert refusal(lambda: client.chat_update(channel=ALERTS, ts=ts, text="other")) == "message_not_found"
    assert "thread_ts" not in client.chat_postMessage(channel=ALERTS, text="more", thread_ts=ts)["message"]


def test_a_card_that_a_person_deleted_leaves_its_thread(workspace: Workspace, client: Any) -> None:
    ts = card(client)
    client.chat_postMessage(channel=ALERTS, text="history", thread_ts=ts)
    workspace.post("slack/delete", user="ana", channel="alerts", message_ts=ts)
    assert [one["deleted"] for one in workspace.messages("alerts")] == [True, False]
    assert refusal(lambda: client.chat_update(channel=ALERTS, ts=ts, text="other")) == "message_not_found"


def test_an_ephemeral_is_dismissed_by_whom_it_is_for(workspace: Workspace, client: Any) -> None:
    ts = client.chat_postEphemeral(channel=ALERTS, user=ANA, text="psst")["message_ts"]
    body = {"channel": "alerts", "message_ts": ts}
    assert "sees no message" in workspace.post("slack/delete", user="ben", **body)["error"]
    assert workspace.post("slack/delete", user="ana", **body)["ok"]
    assert workspace.messages("alerts", "ana") == []


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("archive", {}, 400),
        ("archive", {"channel": "nowhere"}, 404),
        ("archive", {"channel": ANA}, 404),
        ("kick", {"channel": ANA}, 404),
        ("delete", {"user": "ana", "channel": "alerts"}, 400),
        ("delete", {"user": "ana", "channel": "alerts", "message_ts": "1.0"}, 404),
        ("delete", {"user": "omar", "channel": "secret", "message_ts": "1.0"}, 404),
    ],
)
def test_what_cannot_be_done_to_a_channel_is_said(
    workspace: Workspace, path: str, body: dict[str, str], status: int
) -> None:
    answer = workspace.http.post(f"/sandbox/slack/{path}", json=body)
    assert (answer.status_code, answer.json()["ok"]) == (status, False)


def test_the_directory_says_how_channels_stand_and_a_reset_brings_them_back(workspace: Workspace) -> None:
    def standing() -> dict[str, tuple[bool, bool]]:
        listed = workspace.get("slack/directory", user="ana")["channels"]
        return {one["name"]: (one["archived"], one["bot"]) for one in listed if not one["direct"]}

    before = standing()
    workspace.post("slack/archive", channel="alerts")
    workspace.post("slack/kick", channel="migrations")
    assert standing() == before | {"alerts": (True, False), "migrations": (False, False)}
    workspace.post("reset")
    assert standing() == before


def test_channels_say_by_the_api_whether_they_are_archived(workspace: Workspace, client: Any) -> None:
    workspace.post("knobs", **{"slack.more_scopes": "channels:read"})
    workspace.post("slack/archive", channel="alerts")
    shown = client.conversations_info(channel=ALERTS)["channel"]
    assert (shown["is_archived"], shown["is_member"]) == (True, False)
    left = client.conversations_list(exclude_archived=True)["channels"]
    assert ALERTS not in {one["id"] for one in left}
    assert ALERTS in {one["id"] for one in client.conversations_list()["channels"]}


def test_a_picture_is_served_as_it_was_uploaded(workspace: Workspace, client: Any) -> None:
    client.files_upload_v2(channel=ALERTS, filename="day.png", title="The day", content=PNG, alt_txt="Copies as bars")
    (file,) = workspace.messages("alerts")[0]["files"]
    assert (file["mimetype"], file["alt_txt"], file["preview"]) == ("image/png", "Copies as bars", "")
    picture = workspace.http.get(f"/sandbox/slack/pictures/{file['id']}")
    assert (picture.headers["content-type"], picture.content) == ("image/png", PNG)
    assert workspace.http.get("/sandbox/slack/pictures/F0").status_code == 404


def test_a_reply_can_be_shown_in_the_channel_too(workspace: Workspace, client: Any) -> None:
    ts = card(client)
    client.chat_postMessage(channel=ALERTS, text="still so", thread_ts=ts, reply_broadcast=True)
    client.chat_postMessage(channel=ALERTS, text="quietly", thread_ts=ts)
    client.chat_postMessage(channel=ALERTS, text="no thread", reply_broadcast=True)
    assert [m["text"] for m in workspace.messages("alerts") if m["broadcast"]] == ["still so"]
