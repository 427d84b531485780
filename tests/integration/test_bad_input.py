"""Bad input: one plain sentence for its sender alone, nothing changed in any system, nobody pinged (issue: Bad input).

People type and click over the wire; afterwards the platform's log and the schemas on both sides are looked at.
"""

import hashlib
import hmac
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from bot.serve import Bot
from config.settings import SlackSettings
from tests.support.drive import Drive
from tests.support.people import Done, Message
from tests.support.sandbox import ANSWER_S, Sandbox

pytestmark = pytest.mark.integration

ASK = "/tb migrate members add field nickname text"
PEOPLE = ("ana", "ben", "chen", "omar")
PLATFORM = ("tinybird", "sequin", "connect")
FAR_S = 900  # far outside the five minutes in which a signature counts, however slowly the request arrives
PINGS = ("<!channel>", "<!here>", "<!everyone>", "<@U")
ASKED_WITH = ("/v0/sql", "/v0/datasources/members/alter")  # POST, and yet they change nothing: a query, a dry run


@pytest.fixture
def untouched(drive: Drive) -> Iterator[Drive]:
    """What the test does changes no system and no schema, and pings nobody."""
    before = schemas(drive.sandbox)
    last = drive.sandbox.log.last()
    yield drive
    assert mutations(drive.sandbox, last) == []
    assert schemas(drive.sandbox) == before
    seen = [m for who in PEOPLE for m in getattr(drive.people, who).sees()]
    assert [m.words for m in seen if m.shown["user_name"] == "tb" and any(p in m.words for p in PINGS)] == []


def mutations(sandbox: Sandbox, after: int) -> list[str]:
    made = [e for e in sandbox.log.entries(after=after) if e["system"] in PLATFORM and e["method"] != "GET"]
    return [f"{e['method']} {e['path']}" for e in made if e["path"].split("?")[0] not in ASKED_WITH]


def schemas(sandbox: Sandbox) -> tuple[Any, Any]:
    columns = sandbox.pg(
        "SELECT table_name, column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = 'public' ORDER BY 1, 2"
    )
    found = sandbox.tinybird.get("/v0/datasources").json()["datasources"]
    return columns, {d["name"]: [(c["name"], c["type"]) for c in d["columns"]] for d in found}


def alone(drive: Drive, done: Done) -> str:
    """The one sentence that only its sender sees: at once, or when a worker has looked."""
    drive()
    fresh = [m for m in getattr(drive.people, done.person).sees() if m.ts not in done.before]
    ours = [m for m in fresh if m.shown["user_name"] == "tb" and not m.text.startswith("Planning …")]
    assert len(ours) == 1, [m.text for m in ours]
    assert ours[0].shown["ephemeral"], f"others see it: {ours[0].text}"
    for other in set(PEOPLE) - {done.person}:
        assert ours[0].ts not in {m.ts for m in getattr(drive.people, other).sees()}
    return ours[0].text


def runs(drive: Drive) -> list[str]:
    return [row["state"] for row in drive.sandbox.ledger("SELECT state FROM ledger.run ORDER BY id")]


def decisions(drive: Drive) -> int:
    return int(drive.sandbox.ledger("SELECT count(*) AS n FROM ledger.decision")[0]["n"])


def refused(drive: Drive, line: str) -> str:
    """The sentence on the card of a run that planning refused, without the command that it repeats."""
    done = drive.people.ana.types(line)
    drive()
    card = done.card()
    assert runs(drive) == ["refused"]
    assert card.buttons.keys() <= {"Choose a type"}
    head, command, said = card.text.partition(f" ({line.removeprefix('/tb ')}): ")
    assert (head, bool(command)) == ("Run 1", True), card.text
    assert said.endswith("Nothing was changed.")
    return said


def test_an_unknown_datasource_is_answered_with_the_nearest(untouched: Drive) -> None:
    said = refused(untouched, "/tb migrate membrs add field nickname text")
    assert "no data source `membrs`; did you mean `members`?" in said


def test_a_field_that_exists_is_refused(untouched: Drive) -> None:
    said = refused(untouched, "/tb migrate members add field displayName text")
    assert "`members` has a field `displayName` already" in said


def test_an_unknown_type_is_refused_by_its_name(untouched: Drive) -> None:
    said = refused(untouched, "/tb migrate members add field nickname strnig")
    assert "no type `strnig`; did you mean `" in said


HOSTILE = {  # what is typed, and the fault that the sentence names
    "closing a statement": ("x); DROP TABLE members", "a name has only a–z"),
    "back-ticks": ("`x`", "a name has only a–z"),
    "a template": ("{{ x }}", "a name has only a–z"),
    "a new line": ("x\ny text", "more than one"),
    "NUL": ("x\x00y text", "U+0000"),
    "pinging a channel": ("<!channel> text", "a name has only a–z"),
    "a homoglyph": ("n\u0456ckname text", "CYRILLIC"),
    "a right-to-left mark": ("x\u200fy text", "U+200F"),
    "a right-to-left override": ("x\u202ey text", "U+202E"),
    "a name of 300": ("x" * 300 + " text", "at most 128"),
    "a line of 40,000": ("x " * 20_000, "at most 1,000"),
}


@pytest.mark.parametrize(("name", "fault"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_name_is_refused_and_stored_nowhere(untouched: Drive, name: str, fault: str) -> None:
    said = alone(untouched, untouched.people.ana.types(f"/tb migrate members add field {name}"))
    assert fault in said
    assert "Nothing was changed." in said
    assert "\n" not in said
    assert len(said) < 500
    assert not [c for c in said if c in "\x00\u202e\u200f"]
    assert runs(untouched) == []
    assert untouched.sandbox.ledger("SELECT 1 FROM ledger.inbox") == []


def test_a_hostile_datasource_is_refused(untouched: Drive) -> None:
    said = alone(untouched, untouched.people.ana.types("/tb migrate m\u0435mbers add field x text"))
    assert "CYRILLIC" in said
    assert runs(untouched) == []


def test_who_may_not_ask_is_told_alone(untouched: Drive) -> None:
    assert "You may not ask for runs here" in alone(untouched, untouched.people.omar.types(ASK))
    assert runs(untouched) == []


@pytest.fixture
def proposed(untouched: Drive) -> Message:
    return untouched.card(untouched.run(ASK, approve=False))


@pytest.mark.parametrize(("person", "why"), [("ana", "somebody else must approve"), ("omar", "You may not approve")])
def test_who_may_not_approve_is_told_alone(untouched: Drive, proposed: Message, person: str, why: str) -> None:
    assert why in alone(untouched, getattr(untouched.people, person).clicks("Approve step 1", on=proposed))
    assert runs(untouched) == ["proposed"]
    assert decisions(untouched) == 0


def test_a_click_on_an_older_plan_is_refused(untouched: Drive, proposed: Message) -> None:
    # planning again after something changed gives the run another hash; the card that was read is then an old one
    untouched.sandbox.ledger("UPDATE ledger.run SET hash = repeat('a', 64)")
    said = alone(untouched, untouched.people.ben.clicks("Approve step 1", on=proposed))
    assert "older plan" in said
    assert decisions(untouched) == 0


FORGED = {
    "another hash": lambda good: good[:-64] + "0" * 64,
    "another version": lambda good: "v2" + good[2:],
    "a run that is not there": lambda good: good.replace("v1|1|", "v1|99|"),
    "another step": lambda good: good.replace("v1|1|1|", "v1|1|2|"),
    "a huge number": lambda good: good.replace("v1|1|", f"v1|{'9' * 30}|"),
    "nothing": lambda good: "",
    "a ping": lambda good: "<!channel>",
    "no hash": lambda good: good[:-64],
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_forged_value_changes_nothing(untouched: Drive, proposed: Message, forge: Any) -> None:
    button = proposed.buttons["Approve step 1"]
    done = presses(untouched, "ben", proposed, button["action_id"], forge(button["value"]))
    assert "nothing was changed" in alone(untouched, done).lower()
    assert decisions(untouched) == 0
    assert runs(untouched) == ["proposed"]


def test_a_button_of_another_run_does_not_decide_this_one(untouched: Drive, proposed: Message) -> None:
    other = untouched.card(untouched.run("/tb migrate members add field motto text", approve=False))
    value = proposed.buttons["Approve step 1"]["value"].replace("v1|1|", "v1|2|")  # run 2, bound to the plan of run 1
    said = alone(untouched, presses(untouched, "ben", other, "tb:approve:1", value))
    assert "older plan of run 2" in said
    assert decisions(untouched) == 0


def test_a_second_click_is_told_of_the_first(drive: Drive) -> None:
    card = drive.card(drive.run(ASK, approve=False))
    drive.people.ben.clicks("Approve step 1", on=card)
    drive.talk()
    for person in (drive.people.ben, drive.people.chen):
        done = person.clicks("Approve step 1", on=card)
        drive.talk()
        assert "already approved by" in done.ephemeral().text
    assert decisions(drive) == 1


def test_of_two_who_click_at_once_one_is_counted_and_the_other_told(drive: Drive) -> None:
    card = drive.card(drive.run(ASK, approve=False))
    two = (drive.people.ben, drive.people.chen)
    with ThreadPoolExecutor(2) as both:
        clicked = list(both.map(lambda who: who.clicks("Approve step 1", on=card), two))
    drive.talk()
    assert decisions(drive) == 1
    told = [m.text for done in clicked for m in getattr(drive.people, done.person).sees() if m.shown["ephemeral"]]
    assert len([t for t in told if "already approved by" in t]) == 1


def presses(drive: Drive, person: str, card: Message, action_id: str, value: str) -> Done:
    before = frozenset(m.ts for m in getattr(drive.people, person).sees())
    body = {"user": person, "channel": card.channel, "message_ts": card.ts, "action_id": action_id, "value": value}
    answer = drive.sandbox.control.post("/sandbox/slack/click", json=body)
    assert answer.status_code == 200, answer.text
    return Done(drive.sandbox, person, card.channel, answer.json(), before)


def test_a_pipe_that_cannot_be_parsed_is_a_reader_and_no_crash(drive: Drive) -> None:
    sql = "SELECT COLUMNS('^i') EXCEPT STRICT id FROM members"  # good ClickHouse that the parser does not know
    made = drive.sandbox.tinybird.post("/v0/pipes", json={"name": "odd", "nodes": [{"name": "n", "sql": sql}]})
    assert made.status_code == 200, made.text
    plan = drive.view(drive.run(ASK, approve=False)).run.plan
    assert plan is not None
    assert "odd" in [reader["name"] for reader in plan["readers"]]
    assert [h["resource"] for h in plan["hazards"] if h["slug"] == "pipe-not-understood"] == ["odd"]
    assert "odd" in drive.card(1).words


@pytest.fixture
def http_bot(drive: Drive) -> Iterator[Bot]:
    """A second bot that takes signed HTTP and shares the ledger."""
    slack = drive.product.settings.slack
    given = SlackSettings.model_validate({**slack.model_dump(), "mode": "http", "port": 0})
    bot = Bot(drive.product.settings.model_copy(update={"slack": given}))
    bot.start()
    yield bot
    bot.stop()


def sends(bot: Bot, secret: str, *, at: float | None = None, signature: str = "", **form: str) -> httpx.Response:
    """A slash command as Slack sends it, signed with ``secret`` unless a signature is given."""
    command = {
        "command": "/tb", "text": ASK.removeprefix("/tb "), "user_id": "U0ANA0001", "team_id": "T0SANDBOX",
        "channel_id": "C0MIGRATE", "trigger_id": "1.2.3", **form,
    }  # fmt: skip
    body, stamp = urlencode(command), str(int(at if at is not None else time.time()))
    made = hmac.new(secret.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
    headers = {
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": signature or f"v0={made}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    url = f"http://127.0.0.1:{bot.port}/slack/events"
    return httpx.post(url, content=body, headers=headers, trust_env=False, timeout=ANSWER_S)


def stored(drive: Drive) -> int:
    return int(drive.sandbox.ledger("SELECT count(*) AS n FROM ledger.inbox")[0]["n"])


def test_a_forged_old_or_unsigned_request_is_401_and_stored_nowhere(untouched: Drive, http_bot: Bot) -> None:
    secret = untouched.sandbox.ready["slack"]["signing_secret"]
    answers = {
        "forged": sends(http_bot, "another secret"),
        "too old": sends(http_bot, secret, at=time.time() - FAR_S),
        "of the future": sends(http_bot, secret, at=time.time() + FAR_S),
        "another's signature": sends(http_bot, secret, signature="v0=" + "0" * 64),
        "no signature": sends(http_bot, secret, signature="v0="),
    }
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 401)
    assert stored(untouched) == 0


def test_a_replayed_request_is_stored_once(untouched: Drive, http_bot: Bot) -> None:
    secret = untouched.sandbox.ready["slack"]["signing_secret"]
    first, second = sends(http_bot, secret), sends(http_bot, secret)
    assert (first.status_code, second.status_code) == (200, 200)
    assert stored(untouched) == 1


UNREADABLE = {  # body and headers, sent by anybody: neither is signed
    "broken JSON": ('{"a":', {}),
    "a list": ("[]", {}),
    "nothing": ("null", {}),
    "nested without end": ('{"a":' * 5_000 + "1" + "}" * 5_000, {}),
    "a form around a list": ("payload=[]", {"Content-Type": "application/x-www-form-urlencoded"}),
    "a time that is none": ("{}", {"X-Slack-Request-Timestamp": "abc"}),
    "a time in other digits": ("{}", {"X-Slack-Request-Timestamp": "\u0661"}),
    "a signature in umlauts": ("{}", {"X-Slack-Signature": "v0=\u00fc"}),
}


@pytest.mark.parametrize(("body", "headers"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_the_senders_fault(untouched: Drive, http_bot: Bot, body: str, headers: Any) -> None:
    signed = {"X-Slack-Request-Timestamp": str(int(time.time())), "X-Slack-Signature": "v0=" + "0" * 64}
    sent = {**signed, "Content-Type": "application/json", **headers}
    raw = [(name, value.encode()) for name, value in sent.items()]
    url = f"http://127.0.0.1:{http_bot.port}/slack/events"
    answer = httpx.post(url, content=body, headers=raw, trust_env=False, timeout=ANSWER_S)
    assert answer.status_code in (400, 401)
    assert stored(untouched) == 0


def test_a_request_longer_than_slacks_is_not_read_to_its_end(untouched: Drive, http_bot: Bot) -> None:
    secret = untouched.sandbox.ready["slack"]["signing_secret"]
    assert sends(http_bot, secret, text="x" * 1_100_000).status_code == 413
    assert stored(untouched) == 0
