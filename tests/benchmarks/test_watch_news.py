"""From a failure in the log to the message on Slack, with a real bot and workers, beside the time between looks."""

import time
from collections.abc import Iterator

import pytest

from tests.benchmarks import report
from tests.support.sandbox import Sandbox

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

EVERY_S = 3.0
SAMPLES = 25
PIPE = "members_sorted_copy_pipe"


@pytest.fixture(scope="module")
def whole() -> Iterator[Sandbox]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TBOPS_ENVIRONMENTS__SANDBOX__WATCH__EVERY_S", str(EVERY_S))
        started = Sandbox(speed=1.0, bot=True)
    try:
        yield started
    finally:
        started.stop()


def test_failure_to_message(whole: Sandbox) -> None:
    whole.until(lambda: whole.ledger("SELECT 1 FROM ledger.watch WHERE looked_at IS NOT NULL"), patience_s=60)
    took = [_told(whole, n) for n in range(SAMPLES)]
    limit = EVERY_S * 1000 + 500
    report.show("failure in the log to message posted, p50", goal="–", floor=EVERY_S * 500, result=report.p50(took))
    report.show(
        "failure in the log to message posted, p99",
        goal=f"≤ poll + 500 = {limit:,.0f} ms",
        floor=EVERY_S * 1000,
        result=report.high(took, 99),
    )
    report.note(f"a look every {EVERY_S:.0f} s; {SAMPLES} failures, p95 {report.high(took, 95):,.0f} ms")


def _told(sandbox: Sandbox, n: int) -> float:
    """Milliseconds. Each failure is news: what was told of the one before is forgotten."""
    time.sleep(n % 10 * EVERY_S / 10)  # at another moment between two looks
    fails = {"pipe": PIPE, "error": "memory"}
    assert sandbox.control.post("/sandbox/tinybird/fail", json=fails).is_success
    after = sandbox.log.last()
    job = sandbox.tinybird.post(f"/v0/pipes/{PIPE}/copy").json()["job"]["job_id"]
    while sandbox.tinybird.get(f"/v0/jobs/{job}").json()["status"] != "error":
        pass
    failed = time.perf_counter()
    sandbox.log.wait("slack", "POST /api/chat.postMessage", after=after)
    took = (time.perf_counter() - failed) * 1000
    good = sandbox.tinybird.post(f"/v0/pipes/{PIPE}/copy").json()["job"]["job_id"]
    sandbox.until(lambda: sandbox.tinybird.get(f"/v0/jobs/{good}").json()["status"] == "done", what="a good run")
    sandbox.until(lambda: not sandbox.ledger("SELECT 1 FROM ledger.incident WHERE state = 'open'"), what="the end")
    sandbox.ledger("UPDATE ledger.incident SET closed_at = closed_at - interval '1 day' RETURNING id")
    return took
