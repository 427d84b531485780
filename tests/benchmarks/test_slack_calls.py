"""How many calls to Slack a whole run takes: what a workspace's limits are spent on."""

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.benchmarks import report
from tests.support.people import Message, People
from tests.support.sandbox import Sandbox

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

PATIENCE_S = 240.0
OVER = ("succeeded", "failed", "aborted", "refused")


@pytest.fixture(scope="module")
def whole() -> Iterator[Sandbox]:
    started = Sandbox(bot=True)
    try:
        yield started
    finally:
        started.stop()


@pytest.mark.parametrize("strategy", ["alter", "recreate"])
def test_slack_calls_of_a_run(whole: Sandbox, strategy: str) -> None:
    people = People(whole)
    after = whole.log.last()
    begun = time.monotonic()
    card = people.ana.types(f"/tb migrate members add field via{strategy} text --strategy {strategy}").card()
    run, steps = _carried_out(whole, people, card)
    took = time.monotonic() - begun
    whole.until(lambda: _shown(whole, run), patience_s=60, what="the last state in the thread")
    calls = [
        e["path"] for e in whole.log.entries(after=after) if e["system"] == "slack" and e["path"].startswith("/api/")
    ]
    allowed = 2 + 2 * steps + took / 15
    report.show(
        f"Slack calls of a run, {strategy}, {steps} steps, {took:.0f} s",
        goal=f"≤ {allowed:.0f} (2+2·steps+T/15 s)",
        floor=allowed,
        result=float(len(calls)),
        unit="calls",
    )
    report.note(", ".join(f"{path.removeprefix('/api/')} {n}" for path, n in Counter(calls).most_common()))


def _carried_out(sandbox: Sandbox, people: People, card: Message) -> tuple[int, int]:
    """Approve whatever asks for it until the run is over; its number and how many steps it had."""
    for _ in range(40):
        card = card.until(lambda m: bool(_approval(m)) or bool(_over(sandbox)), patience_s=PATIENCE_S)
        if _over(sandbox):
            break
        pressed = _approval(card)
        person = people.chen if "1 more needed" in pressed else people.ben  # destruction takes two
        person.clicks(pressed, on=card)
        card = card.until(lambda m, was=pressed: _approval(m) != was or bool(_over(sandbox)), patience_s=PATIENCE_S)
    run = _over(sandbox)
    assert run, card.words
    row = sandbox.ledger("SELECT state, reason FROM ledger.run WHERE id = %s", [run])[0]
    assert row["state"] == "succeeded", row
    planned = sandbox.ledger("SELECT count(*) AS n FROM ledger.step WHERE run = %s AND phase = 'plan'", [run])
    return run, planned[0]["n"]


def _approval(card: Message) -> str:
    return next((label for label in card.buttons if label.startswith("Approve step")), "")


def _over(sandbox: Sandbox) -> int:
    """The newest run, once it is over."""
    row = sandbox.ledger("SELECT id, state FROM ledger.run ORDER BY id DESC LIMIT 1")
    return row[0]["id"] if row and row[0]["state"] in OVER else 0


def _shown(sandbox: Sandbox, run: int) -> bool:
    """No message of this run is behind its state."""
    rows = sandbox.ledger("SELECT count(*) AS n FROM ledger.message WHERE wanted_rev > sent_rev")
    return rows[0]["n"] == 0
