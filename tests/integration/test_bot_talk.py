"""People talk to the bot through the Slack stand-in; a real Postgres keeps what they said."""

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from ledger import incidents, runs, watches
from ledger.incidents import Detail, Found
from runbooks.plan import Hazard
from tests.support.bot_stage import Stage, plan, stage
from tests.support.ledger_server import LedgerServer, RedisServer, ledger_server
from tests.support.sandbox import ANSWER_S
from tests.support.slack_server import Workspace, slack_workspace

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("bot")]

ASK = "/tb migrate members add field nickname text"


@pytest.fixture(scope="module")
def server() -> Iterator[LedgerServer]:
    with ledger_server() as running:
        yield running


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    running = RedisServer()
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def slack() -> Iterator[Workspace]:
    with slack_workspace() as workspace:
        yield workspace


@pytest.fixture
def signed(slack: Workspace, server: LedgerServer, redis: RedisServer) -> Iterator[Stage]:
    with stage(slack, server, redis, "http") as made:
        yield made


@pytest.fixture(scope="module")
def shared(slack: Workspace, server: LedgerServer, redis: RedisServer) -> Iterator[Stage]:
    with stage(slack, server, redis) as made:
        yield made


@pytest.fixture
def talk(shared: Stage) -> Stage:
    shared.empty()
    return shared


def asks_and_sees_the_plan(stage: Stage) -> None:
    said = stage.types("ana", ASK)
    assert said["ack"]["status"] == "acked"
    assert said["ack"]["text"] == "Planning … (request 1)"
    assert "Planning" in stage.card()["text"]
    assert "ana" in str(stage.card()["blocks"])
    stage.propose(1, plan())
    assert stage.labels() == ["Approve step 1", "Approve up to step 5", "Reject"]
    assert "Waiting for approval of step 1" in stage.card()["text"]
    assert "ALTER TABLE" in str(stage.card()["blocks"])


def test_a_command_over_the_socket_is_acknowledged_planned_and_shown(talk: Stage) -> None:
    asks_and_sees_the_plan(talk)


def test_the_asker_may_not_approve_and_the_second_click_is_told(talk: Stage) -> None:
    talk.types("ana", ASK)
    talk.propose(1, plan())
    before = talk.card()
    talk.clicks("ana", "Approve step 1")
    assert "somebody else must approve" in talk.whispers("ana")[-1]
    talk.clicks("omar", "Approve step 1")
    assert "may not approve" in talk.whispers("omar")[-1]
    talk.clicks("ben", "Approve step 1")
    assert "approved by ben" in str(talk.card()["blocks"])
    talk.slack.clicks("chen", before["ts"], "tb:approve:1", value=_value(before, "tb:approve:1"))
    talk.settle()
    assert "ben" in talk.whispers("chen")[-1]
    assert talk.labels()[0] == "Approve steps 2–4"


def test_a_hold_is_approved_as_one_and_destruction_by_two(talk: Stage) -> None:
    talk.types("ana", ASK)
    talk.propose(1, plan())
    talk.clicks("ben", "Approve up to step 5")
    talk.clicks("chen", "Approve step 5 (1 more needed)")
    assert not [label for label in talk.labels() if label.startswith("Approve")]


def test_a_forged_value_changes_nothing(talk: Stage) -> None:
    talk.types("ana", ASK)
    talk.propose(1, plan())
    card = talk.card()
    good = _value(card, "tb:approve:1")
    for value in (
        "v1|1|1|" + "0" * 64,
        "v2" + good[2:],
        "v1|99|1|" + good.split("|")[3],
        "x",
        "v1|1|2|" + good.split("|")[3],
        "<!channel>",
    ):
        talk.slack.clicks("ben", card["ts"], "tb:approve:1", value=value)
        talk.settle()
    told = talk.whispers("ben")
    assert len(told) == 6
    assert "older plan" in told[0]
    assert "no run 99" in told[2]
    assert all("nothing was changed" in t.lower() or "not one of mine" in t for t in told)
    assert "approved by" not in str(talk.card()["blocks"])


def test_rejecting_ends_it_and_takes_the_buttons_away(talk: Stage) -> None:
    talk.types("ana", ASK)
    talk.propose(1, plan())
    talk.clicks("ben", "Reject")
    assert talk.labels() == []
    assert "Rejected. ben rejected it." in talk.card()["text"]
    assert "Nothing was changed" in talk.card()["text"]


def test_warnings_are_listed_in_the_dialog_and_kept_with_the_approval(talk: Stage) -> None:
    warning = Hazard(slug="append-lookback", level="warning", resource="c", message="Looks back 3 h.", fix="Catch up.")
    talk.types("ana", ASK)
    talk.propose(1, plan(warning))
    button = next(e for b in talk.card()["blocks"] if b["type"] == "actions" for e in b["elements"])
    assert "append-lookback" in button["confirm"]["text"]["text"]
    talk.types("ben", "/tb approve 1")
    assert "acknowledged" in talk.whispers("ben")[-1]
    talk.clicks("ben", "Approve step 1")
    with talk.pool.connection() as conn:
        row = conn.execute("SELECT acknowledged FROM ledger.decision").fetchone()
    assert row is not None
    assert row["acknowledged"] == ["append-lookback"]


def test_an_error_takes_the_approve_buttons_away(talk: Stage) -> None:
    error = Hazard(slug="grant-missing", level="error", resource="members", message="No grant.", fix="Grant it.")
    talk.types("ana", ASK)
    talk.propose(1, plan(error))
    assert talk.labels() == ["Reject"]
    assert "cannot be approved" in talk.card()["text"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/tb migrate members ad field x", "did you mean `add`"),
        ("/tb migrate members add field `x`", "cannot be the field's name"),
        ("/tb <!channel>", "I do not know"),
        ("/tb migrate members add field x); DROP", "cannot be the field's name"),
        ("/tb migrate m\u0435mbers add field x text", "CYRILLIC"),
    ],
)
def test_bad_input_is_answered_at_once_and_stored_nowhere(talk: Stage, line: str, said: str) -> None:
    answer = talk.types("ana", line)["ack"]["text"]
    assert said in answer
    assert "<!channel>" not in answer
    with talk.pool.connection() as conn:
        row = conn.execute(
            "SELECT (SELECT count(*) FROM ledger.inbox) + (SELECT count(*) FROM ledger.run) AS n"
        ).fetchone()
    assert row == {"n": 0}


def test_who_may_not_ask_is_told_who_may(talk: Stage) -> None:
    talk.types("omar", ASK)
    assert "may not ask for runs" in talk.whispers("omar")[-1]
    assert [m for m in talk.slack.messages() if not m["ephemeral"]] == []


def test_an_unknown_environment_is_told_with_the_nearest(talk: Stage) -> None:
    talk.types("ana", ASK + " --env sandbx")
    assert "did you mean `sandbox`" in talk.whispers("ana")[-1]


def test_a_mention_in_a_thread_keeps_the_card_in_it(talk: Stage) -> None:
    root = talk.slack.types("ana", "let us add nicknames")["ts"]
    talk.types("ana", "@tb migrate members add field nickname text", thread_ts=root)
    cards = [m for m in talk.slack.messages() if m["blocks"]]
    assert [c["thread_ts"] for c in cards] == [root]
    talk.types("ana", "@tb migrate membrs ad field", thread_ts=root)
    assert "did you mean `add`" in talk.whispers("ana")[-1]


def test_help_show_runs_and_the_home_tab(talk: Stage) -> None:
    assert "Help for /tb" in talk.types("omar", "/tb help")["ack"]["text"]
    talk.types("ana", ASK)
    talk.types("omar", "/tb runs")
    assert talk.whispers("omar")[-1] == "One run is open."
    talk.types("omar", "/tb show 1")
    assert "Run 1" in talk.whispers("omar")[-1]
    talk.types("omar", "/tb show 7")
    assert "no run 7" in talk.whispers("omar")[-1]
    talk.slack.post("slack/home", user="omar")
    talk.settle()
    assert "nickname" in str(talk.slack.get("slack/views", user="omar")["home"])


def test_a_freeze_is_told_of_with_the_runs(talk: Stage) -> None:
    talk.types("ana", "/tb freeze the warehouse moves")
    assert "until `/tb unfreeze --env sandbox`" in talk.whispers("ana")[-1]
    talk.types("omar", "/tb runs")
    assert talk.whispers("omar")[-1] == "No run is open. Frozen: sandbox."
    talk.types("ben", "/tb unfreeze")
    assert talk.whispers("ben")[-1] == "sandbox is no longer frozen: its runs go on."
    talk.types("omar", "/tb runs")
    assert talk.whispers("omar")[-1] == "No run is open."


def test_slack_refusing_for_a_while_delays_the_card_and_loses_nothing(talk: Stage) -> None:
    talk.slack.post("faults", system="slack", match="POST /api/chat.postMessage", fault="status:500", times=2)
    talk.types("ana", ASK)
    assert "Planning" in talk.card()["text"]


def test_the_same_words_a_moment_later_are_the_same_request(talk: Stage) -> None:
    talk.types("ana", ASK)
    talk.types("ana", ASK)
    assert "You asked for that a moment ago: run 1" in talk.whispers("ana")[-1]
    talk.types("ana", ASK + " --note 'another'")
    talk.types("ben", ASK)
    with talk.pool.connection() as conn:
        assert [r["id"] for r in conn.execute("SELECT id FROM ledger.run ORDER BY id")] == [1, 2, 3]
        conn.execute("UPDATE ledger.inbox SET received_at = received_at - interval '31 seconds'")
    talk.types("ana", ASK)
    assert len([m for m in talk.slack.messages() if m["blocks"] and not m["ephemeral"]]) == 4


def test_a_time_that_is_over_is_refused(talk: Stage) -> None:
    talk.types("ana", ASK + ' --at "2020-01-01 10:00 UTC"')
    assert "2020-01-01 10:00 UTC is over" in talk.whispers("ana")[-1]
    assert [m for m in talk.slack.messages() if not m["ephemeral"]] == []


def test_a_redelivered_command_is_one_run(talk: Stage) -> None:
    talk.types("ana", ASK)
    with talk.pool.connection() as conn:
        row = conn.execute("SELECT payload FROM ledger.inbox").fetchone()
    assert row is not None
    assert "token" not in row["payload"]
    assert len([m for m in talk.slack.messages() if m["blocks"]]) == 1


def _value(card: dict[str, object], action_id: str) -> str:
    blocks = card["blocks"]
    assert isinstance(blocks, list)
    return next(e["value"] for b in blocks for e in b.get("elements", ()) if e.get("action_id") == action_id)


def test_a_command_over_signed_http_is_acknowledged_and_an_unsigned_one_is_refused(signed: Stage) -> None:
    asks_and_sees_the_plan(signed)
    with httpx.Client(base_url=f"http://127.0.0.1:{signed.bot.port}", trust_env=False, timeout=ANSWER_S) as client:
        assert client.post("/slack/events", data={"command": "/tb", "text": "runs"}).status_code == 401
        assert client.get("/health").json() == {"ok": True, "ledger": True, "slack": True}
        assert 'tbops_runs{state="proposed"} 1.0' in client.get("/metrics").text


def test_the_metrics_say_how_the_watch_does(signed: Stage) -> None:
    now = datetime.now(UTC)
    with signed.pool.connection() as conn, conn.transaction():
        incidents.open_incident(conn, "staging", Found("failed", "t_1", "a_copy", now, Detail(said="It failed.")))
        watches.begin(conn, "staging")
        watches.looked(conn, "staging", now, trouble="")
        watches.failing(conn, "production", "Tinybird is away.")
        conn.execute("UPDATE ledger.watch SET looked_at = looked_at - interval '1 h'")
        conn.execute("UPDATE ledger.watch SET failing_since = failing_since - interval '2 h'")
    told = httpx.get(f"http://127.0.0.1:{signed.bot.port}/metrics", trust_env=False, timeout=ANSWER_S).text
    figures = dict(line.rsplit(" ", 1) for line in told.splitlines() if not line.startswith("#"))
    assert figures['tbops_incidents_open{environment="staging",kind="failed"}'] == "1.0"
    assert 3600 <= float(figures['tbops_watch_behind_seconds{environment="staging"}']) < 3600 + ANSWER_S
    assert figures['tbops_watch_failing_seconds{environment="staging"}'] == "0.0"
    assert 7200 <= float(figures['tbops_watch_failing_seconds{environment="production"}']) < 7200 + ANSWER_S
    assert 'tbops_watch_last_look_timestamp_seconds{environment="production"}' not in figures


def test_a_type_that_cannot_be_inferred_is_chosen_in_a_form(talk: Stage) -> None:
    talk.types("ana", "/tb migrate members add field nickname")
    with talk.pool.connection() as conn, conn.transaction():
        runs.refuse(conn, 1, "The type of `nickname` cannot be inferred. Please choose a type.", untyped="nickname")
    talk.settle()
    talk.clicks("ana", "Choose a type")
    view = talk.slack.get("slack/views", user="ana")["views"][-1]
    assert "Type of nickname" in str(view["blocks"])
    talk.slack.post("slack/submit", user="ana", view_id=view["id"], values={"tb:type": "text"})
    talk.settle()
    assert "migrate members add field nickname text" in talk.card()["text"]
