"""The Slack stand-in's Web API answers as the real one was measured to (facts/slack.md §2.2)."""

from collections.abc import Iterator
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from sandbox.slack import people
from sandbox.slack.errors import SlackRefusal
from sandbox.slack.standin import SCOPES
from sandbox.slack.tiers import POSTING, TIER_3, Buckets
from sandbox.slack.triggers import Triggers
from tests.support.slack_server import Workspace, slack_workspace

pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("slack"),
    pytest.mark.filterwarnings("ignore:The top-level `text` argument is missing"),  # left out on purpose here
]

MIGRATIONS, ALERTS, GENERAL, SECRET = "C0MIGRATE", "C0ALERTS1", "C0GENERAL", "C0SECRET1"
BUTTON = {"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}, "value": "v"}
ACTIONS = [{"type": "actions", "block_id": "a", "elements": [BUTTON]}]


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


def refusal(call: Any, **arguments: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        call(**arguments)
    return caught.value.response["error"]


def test_the_bot_knows_who_it_is(client: Any) -> None:
    answer = client.auth_test()
    assert (answer["user_id"], answer["bot_id"], answer["team_id"]) == (people.BOT_USER, people.BOT, people.TEAM)
    assert "chat:write" in answer.headers["x-oauth-scopes"]


@pytest.mark.parametrize(("token", "error"), [("", "not_authed"), ("xoxb-wrong", "invalid_auth")])
def test_a_call_without_a_good_token_is_refused(workspace: Workspace, token: str, error: str) -> None:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    assert workspace.http.post("/api/auth.test", headers=headers).json()["error"] == error


def test_the_app_token_opens_sockets_and_nothing_else(workspace: Workspace) -> None:
    assert refusal(workspace.client(workspace.slack.app_token).auth_test) == "not_allowed_token_type"
    open_connection = workspace.client().apps_connections_open
    assert refusal(open_connection, app_token=workspace.slack.bot_token) == "not_allowed_token_type"


def test_a_method_that_does_not_exist_is_named_so(client: Any) -> None:
    assert refusal(client.api_call, api_method="chat.nope") == "unknown_method"


def test_scopes_that_the_manifest_leaves_out_are_missed(client: Any) -> None:
    with pytest.raises(SlackApiError) as caught:
        client.conversations_history(channel=MIGRATIONS)
    assert caught.value.response["error"] == "missing_scope"
    assert caught.value.response["needed"] == "channels:history"


BEYOND = {  # what a wider app could do: the bot must not come to lean on any of it
    "channels:history": ("conversations_replies", {"channel": MIGRATIONS, "ts": "1.0"}),
    "im:write": ("conversations_open", {"users": people.ANA.id}),
    "reactions:write": ("reactions_add", {"channel": MIGRATIONS, "timestamp": "1.0", "name": "eyes"}),
    "team:read": ("team_info", {}),
    "users:read.email": ("users_lookupByEmail", {"email": "ana@example.com"}),
}


@pytest.mark.parametrize("scope", BEYOND)
def test_what_the_manifest_does_not_grant_is_refused_by_scope(client: Any, scope: str) -> None:
    method, arguments = BEYOND[scope]
    with pytest.raises(SlackApiError) as caught:
        getattr(client, method)(**arguments)
    said = caught.value.response
    assert (said["error"], said["needed"]) == ("missing_scope", scope)
    assert said["provided"] == ",".join(SCOPES)


def test_an_address_needs_its_own_scope(wide: Any) -> None:
    assert wide.users_lookupByEmail(email=people.ANA.email)["user"]["profile"]["email"] == people.ANA.email


def test_without_its_scope_a_profile_has_no_address(client: Any) -> None:
    assert "email" not in client.users_info(user=people.ANA.id)["user"]["profile"]


@pytest.fixture
def wide(workspace: Workspace) -> Any:
    """A client of the same app, granted all that the stand-in knows."""
    workspace.post("knobs", **{"slack.more_scopes": ",".join(BEYOND)})
    return workspace.client()


@pytest.mark.parametrize("name", [MIGRATIONS, "migrations", "#migrations"])
def test_posting_takes_a_channel_by_id_or_name(client: Any, name: str) -> None:
    assert client.chat_postMessage(channel=name, text="hi")["channel"] == MIGRATIONS


def test_a_form_with_json_strings_is_read_like_a_json_body(workspace: Workspace) -> None:
    headers = {"authorization": f"Bearer {workspace.slack.bot_token}"}
    form = {"channel": "migrations", "text": "hi", "blocks": '[{"type":"divider"}]', "team_id": people.TEAM}
    assert workspace.http.post("/api/chat.postMessage", data=form, headers=headers).json()["ok"]
    got = workspace.http.get("/api/users.info", params={"user": people.ANA.id}, headers=headers).json()
    assert got["user"]["profile"]["display_name"] == "ana"
    assert workspace.messages()[0]["blocks"][0]["type"] == "divider"


def test_a_posted_message_reads_back_as_the_bots(client: Any) -> None:
    metadata = {"event_type": "r", "event_payload": {}}
    message = client.chat_postMessage(channel=MIGRATIONS, text="hi", metadata=metadata)["message"]
    assert message["bot_id"] == people.BOT
    assert "subtype" not in message
    assert message["blocks"][0]["type"] == "rich_text"
    assert message["metadata"]["event_type"] == "r"


@pytest.mark.parametrize(
    ("argument", "wrong", "error"),
    [("channel", "migrations", "channel_not_found"), ("ts", "1.1", "message_not_found")],
)
def test_updating_knows_ids_only(client: Any, argument: str, wrong: str, error: str) -> None:
    ts = client.chat_postMessage(channel=MIGRATIONS, text="hi")["ts"]
    given = {"channel": MIGRATIONS, "ts": ts, "text": "x"} | {argument: wrong}
    assert refusal(client.chat_update, **given) == error


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"channel": "nope", "text": "x"}, "channel_not_found"),
        ({"channel": SECRET, "text": "x"}, "channel_not_found"),
        ({"channel": MIGRATIONS}, "no_text"),
        ({"channel": MIGRATIONS, "blocks": []}, "no_text"),
        ({"channel": MIGRATIONS, "text": "x", "blocks": "abc"}, "invalid_blocks_format"),
        ({"channel": MIGRATIONS, "text": "x", "blocks": "{}"}, "invalid_blocks_format"),
        ({"channel": MIGRATIONS, "text": "x", "thread_ts": "yesterday"}, "invalid_thread_ts"),
        ({"channel": MIGRATIONS, "text": "x", "attachments": [{"text": "a"}] * 101}, "too_many_attachments"),
        ({"channel": MIGRATIONS, "text": "x", "metadata": {"event_type": 1}}, "invalid_metadata_schema"),
        ({"channel": MIGRATIONS, "text": "x", "markdown_text": "y"}, "markdown_text_conflict"),
        ({"text": "x", "channel": ""}, "invalid_arguments"),
    ],
)
def test_a_bad_post_is_refused_by_its_name(client: Any, arguments: dict[str, Any], error: str) -> None:
    assert refusal(client.chat_postMessage, **arguments) == error


def test_a_public_channel_can_be_posted_to_without_being_in_it(client: Any) -> None:
    assert client.chat_postMessage(channel=GENERAL, text="hi")["ok"]


def test_text_is_cut_when_posted_and_refused_when_edited(client: Any) -> None:
    posted = client.chat_postMessage(channel=MIGRATIONS, text="x" * 40_001)
    assert len(posted["message"]["text"]) == 40_000
    assert refusal(client.chat_update, channel=MIGRATIONS, ts=posted["ts"], text="x" * 4_001) == "msg_too_long"


def test_an_edit_with_text_alone_takes_the_buttons_away(workspace: Workspace, client: Any) -> None:
    ts = client.chat_postMessage(channel=MIGRATIONS, text="hi", blocks=ACTIONS)["ts"]
    client.chat_update(channel=MIGRATIONS, ts=ts, text="hi", blocks=ACTIONS)
    assert not workspace.messages()[0]["edited"]
    answer = client.chat_update(channel=MIGRATIONS, ts=ts, text="done")
    assert "ts" not in answer["message"]
    (message,) = workspace.messages()
    assert (message["blocks"], message["text"], message["edited"], message["revisions"]) == ([], "done", True, 2)
    assert refusal(client.chat_update, channel=MIGRATIONS, ts=ts) == "no_text"


def test_metadata_alone_leaves_text_and_blocks(workspace: Workspace, client: Any) -> None:
    ts = client.chat_postMessage(channel=MIGRATIONS, text="hi", blocks=ACTIONS)["ts"]
    client.chat_update(channel=MIGRATIONS, ts=ts, metadata={"event_type": "run", "event_payload": {"run": 1}})
    (message,) = workspace.messages()
    assert (message["text"], message["blocks"][0]["block_id"]) == ("hi", "a")
    assert message["metadata"] == {"event_type": "run", "event_payload": {"run": 1}}


def test_the_bot_edits_and_deletes_only_its_own(workspace: Workspace, client: Any) -> None:
    ts = workspace.types("ana", "good morning")["ts"]
    assert refusal(client.chat_update, channel=MIGRATIONS, ts=ts, text="x") == "cant_update_message"
    assert refusal(client.chat_delete, channel=MIGRATIONS, ts=ts) == "cant_delete_message"


def test_a_reply_lands_under_the_root_and_an_unknown_root_means_top_level(workspace: Workspace, client: Any) -> None:
    root = client.chat_postMessage(channel=MIGRATIONS, text="root")["ts"]
    reply = client.chat_postMessage(channel=MIGRATIONS, text="reply", thread_ts=root)["ts"]
    deeper = client.chat_postMessage(channel=MIGRATIONS, text="deeper", thread_ts=reply)["message"]
    stray = client.chat_postMessage(channel=MIGRATIONS, text="stray", thread_ts="1700000000.000001")["message"]
    assert deeper["thread_ts"] == root
    assert "thread_ts" not in stray
    assert workspace.messages()[0]["reply_count"] == 2
    link = client.chat_getPermalink(channel=MIGRATIONS, message_ts=reply)["permalink"]
    assert link.endswith(f"?thread_ts={root}&cid={MIGRATIONS}")


def test_a_deleted_root_with_replies_leaves_a_tombstone(workspace: Workspace, client: Any) -> None:
    root = client.chat_postMessage(channel=MIGRATIONS, text="root", blocks=ACTIONS)["ts"]
    reply = client.chat_postMessage(channel=MIGRATIONS, text="reply", thread_ts=root)["ts"]
    client.chat_delete(channel=MIGRATIONS, ts=root)
    tombstone, _ = workspace.messages()
    assert (tombstone["text"], tombstone["blocks"], tombstone["deleted"]) == ("This message was deleted.", [], True)
    assert refusal(client.chat_update, channel=MIGRATIONS, ts=root, text="x") == "message_not_found"
    client.chat_delete(channel=MIGRATIONS, ts=reply)
    assert [m["ts"] for m in workspace.messages()] == [root]


def test_an_ephemeral_is_seen_by_one_person_and_cannot_be_edited(workspace: Workspace, client: Any) -> None:
    ts = client.chat_postEphemeral(channel=MIGRATIONS, user=people.BEN.id, text="psst")["message_ts"]
    assert [m["ephemeral"] for m in workspace.messages(user="ben")] == [True]
    assert workspace.messages(user="ana") == workspace.messages() == []
    assert refusal(client.chat_update, channel=MIGRATIONS, ts=ts, text="x") == "message_not_found"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"channel": MIGRATIONS, "user": "ana"}, "invalid_arguments"),
        ({"channel": MIGRATIONS, "user": "U0NOBODY1"}, "user_not_in_channel"),
        ({"channel": GENERAL, "user": people.ANA.id}, "not_in_channel"),
        ({"channel": SECRET, "user": people.ANA.id}, "channel_not_found"),
    ],
)
def test_an_ephemeral_needs_both_in_the_channel(client: Any, arguments: dict[str, str], error: str) -> None:
    assert refusal(client.chat_postEphemeral, text="x", **arguments) == error


def test_a_reaction_comes_once(workspace: Workspace, wide: Any) -> None:
    client = wide
    ts = client.chat_postMessage(channel=MIGRATIONS, text="hi")["ts"]
    client.reactions_add(channel=MIGRATIONS, timestamp=ts, name="eyes")
    assert workspace.messages()[0]["reactions"] == {"eyes": [people.BOT_USER]}
    assert refusal(client.reactions_add, channel=MIGRATIONS, timestamp=ts, name="eyes") == "already_reacted"
    assert refusal(client.reactions_add, channel=MIGRATIONS, timestamp=ts, name="No Such!") == "invalid_name"
    assert refusal(client.reactions_add, channel="migrations", timestamp=ts, name="eyes") == "channel_not_found"


def test_people_and_groups_are_the_documented_ones(client: Any) -> None:
    handles = {group["handle"]: group["id"] for group in client.usergroups_list()["usergroups"]}
    assert handles == {"data-platform": "S0PLATFRM", "approvers": "S0APPROVE"}
    assert client.usergroups_users_list(usergroup="S0APPROVE")["users"] == [people.BEN.id, people.CHEN.id]
    assert refusal(client.usergroups_users_list, usergroup="S0NOTHING") == "no_such_subteam"
    assert client.users_info(user=people.CHEN.id)["user"]["tz"] == "Asia/Singapore"
    assert refusal(client.users_info, user="U0NOBODY1") == "user_not_found"
    assert client.bots_info(bot=people.BOT)["bot"]["user_id"] == people.BOT_USER


def test_channels_are_listed_by_pages_and_private_ones_are_hidden(wide: Any) -> None:
    client = wide
    names: list[str] = []
    for page in client.conversations_list(types="public_channel,private_channel", limit=2):
        names += [channel["name"] for channel in page["channels"]]
    assert names == ["migrations", "alerts", "general"]
    assert refusal(client.conversations_list, cursor="!!") == "invalid_cursor"
    assert client.conversations_info(channel=GENERAL)["channel"]["is_member"] is False
    assert refusal(client.conversations_info, channel=SECRET) == "channel_not_found"
    assert people.OMAR.id in client.conversations_members(channel=ALERTS)["members"]


def test_a_direct_channel_opens_with_a_user(workspace: Workspace, wide: Any) -> None:
    client = wide
    channel = client.conversations_open(users=people.ANA.id)["channel"]["id"]
    client.chat_postMessage(channel=people.ANA.id, text="by user id")
    assert [m["text"] for m in workspace.messages(channel, "ana")] == ["by user id"]
    assert workspace.http.get(f"/sandbox/slack/channels/{channel}/messages?user=ben").status_code == 404


def test_a_file_is_uploaded_in_three_steps(workspace: Workspace, client: Any) -> None:
    root = client.chat_postMessage(channel=MIGRATIONS, text="root")["ts"]
    client.files_upload_v2(channel=MIGRATIONS, thread_ts=root, content="a\nb\n", filename="log.txt", title="Log")
    reply = workspace.messages()[1]
    assert (reply["thread_ts"], reply["files"][0]["title"], reply["files"][0]["preview"]) == (root, "Log", "a\nb\n")
    assert refusal(client.files_upload_v2, channel=GENERAL, content="x", filename="x.txt") == "not_in_channel"
    assert refusal(client.files_completeUploadExternal, files=[{"id": "F0NOTHING"}]) == "file_not_found"
    assert refusal(client.files_getUploadURLExternal, filename="x", length=0) == "missing_argument"


def test_edits_share_one_bucket_and_posts_have_one_a_channel(workspace: Workspace, client: Any) -> None:
    workspace.post("knobs", **{"slack.rate_limits": True})
    workspace.slack.buckets = Buckets(lambda: 0.0)  # else they fill again while a slow machine empties them
    ts = client.chat_postMessage(channel=MIGRATIONS, text="hi")["ts"]
    for _ in range(POSTING.burst - 1):
        client.chat_postMessage(channel=MIGRATIONS, text="hi")
    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(channel=MIGRATIONS, text="one too many")
    assert (caught.value.response.status_code, caught.value.response["error"]) == (429, "ratelimited")
    assert int(caught.value.response.headers["Retry-After"]) == 1
    client.chat_postMessage(channel=ALERTS, text="another channel")
    for n in range(TIER_3.burst):
        client.chat_update(channel=MIGRATIONS, ts=ts, text=f"edit {n}")
    assert refusal(client.chat_update, channel=MIGRATIONS, ts=ts, text="edit 50") == "ratelimited"


def test_a_bucket_fills_again_with_time() -> None:
    now = [0.0]
    buckets = Buckets(lambda: now[0])
    assert [buckets.take("m", TIER_3) for _ in range(50)] == [None] * 50
    assert buckets.take("m", TIER_3) == 2  # 1.2 s, in whole seconds
    now[0] = 1.3
    assert buckets.take("m", TIER_3) is None
    assert buckets.take("m", TIER_3) is not None


def test_a_trigger_lasts_three_seconds_and_one_use() -> None:
    now = [0.0]
    triggers = Triggers(lambda: now[0])
    trigger = triggers.issue("U1")
    now[0] = 3.0
    assert triggers.look(trigger) == ("U1", None)
    triggers.exchange(trigger)
    with pytest.raises(SlackRefusal, match="exchanged_trigger_id"):
        triggers.look(trigger)
    late = triggers.issue("U1")
    now[0] = 6.1
    with pytest.raises(SlackRefusal, match="expired_trigger_id"):
        triggers.look(late)
    with pytest.raises(SlackRefusal, match="invalid_trigger_id"):
        triggers.look("1.2.3")


def test_the_home_is_published_a_user_and_guarded_by_its_hash(workspace: Workspace, client: Any) -> None:
    view: dict[str, Any] = {"type": "home", "blocks": [{"type": "divider"}]}
    old = client.views_publish(user_id=people.ANA.id, view=view)["view"]["hash"]
    client.views_publish(user_id=people.ANA.id, view=view, hash=old)
    assert refusal(client.views_publish, user_id=people.ANA.id, view=view, hash=old) == "hash_conflict"
    assert refusal(client.views_publish, user_id="U0NOBODY1", view=view) == "user_not_found"
    assert workspace.get("slack/views", user="ana")["home"]["type"] == "home"
    assert workspace.get("slack/views", user="ben")["home"] is None


def test_the_log_holds_every_call_and_no_token(workspace: Workspace, client: Any) -> None:
    before = workspace.get("log")["last"]
    client.chat_postMessage(channel=MIGRATIONS, text="hi")
    (entry,) = workspace.get("log", after=before, wait=5)["entries"]
    assert (entry["method"], entry["path"], entry["status"]) == ("POST", "/api/chat.postMessage", 200)
    assert workspace.slack.bot_token not in str(entry)


def test_a_fault_is_served_as_often_as_asked(workspace: Workspace, client: Any) -> None:
    workspace.post("faults", system="slack", match="POST /api/chat.*", fault="status:429:7", times=1)
    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(channel=MIGRATIONS, text="hi")
    assert caught.value.response.headers["Retry-After"] == "7"
    assert client.chat_postMessage(channel=MIGRATIONS, text="hi")["ok"]


def test_one_fault_is_taken_back_and_the_others_stay(workspace: Workspace, client: Any) -> None:
    first = workspace.post("faults", system="slack", match="POST /api/chat.*", fault="status:500", times=1000)
    other = workspace.post("faults", system="slack", match="POST /api/auth.*", fault="status:500", times=2)
    assert workspace.http.delete(f"/sandbox/faults/{first['id']}").json() == first
    assert client.chat_postMessage(channel=MIGRATIONS, text="hi")["ok"]
    assert workspace.get("faults")["faults"] == [{k: v for k, v in other.items() if k != "ok"}]

    again = workspace.http.delete(f"/sandbox/faults/{first['id']}")
    assert again.status_code == 404
    assert f"there is no fault {first['id']}" in again.json()["error"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", {"system": "slack", "match": "POST", "fault": "html"}),
        ("faults", {"system": "slack", "match": "POST /x", "fault": "nonsense"}),
        ("faults", {"system": "nobody", "match": "POST /x", "fault": "html"}),
        ("faults", {"system": "slack", "match": "POST /x", "fault": "html", "times": 0}),
        ("faults", {"system": "slack", "match": "POST /x", "fault": "html", "times": None}),
        ("clock", {"advance_s": -1}),
        ("clock", {"advance_s": "soon"}),
        ("knobs", {"no.such.knob": 1}),
        ("knobs", {"slack.rate_limits": "yes"}),
        ("slack/command", {"user": "ana"}),
    ],
)
def test_a_control_call_that_cannot_be_read_changes_nothing(
    workspace: Workspace, path: str, body: dict[str, Any]
) -> None:
    answer = workspace.http.post(f"/sandbox/{path}", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_the_platform_clock_moves_on(workspace: Workspace) -> None:
    before = workspace.get("state")["time"]
    assert 3600 <= workspace.post("clock", advance_s=3600)["time"] - before < 3700


def test_a_reset_empties_the_workspace_at_once(workspace: Workspace, client: Any) -> None:
    for n in range(200):
        client.chat_postMessage(channel=MIGRATIONS, text=str(n))
    assert workspace.post("reset") == {"ok": True}
    assert workspace.messages() == []
