"""A sandbox leaves nothing behind, cuts connections when told to, and keeps the ledger's clock."""

import os
import shutil
import signal
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.sandbox import PATIENCE_S, Sandbox

pytestmark = pytest.mark.integration

DAY_S = 86_400.0


def _family(sandbox: Sandbox) -> list[psutil.Process]:
    return psutil.Process(sandbox.process.pid).children(recursive=True)


def _folder(sandbox: Sandbox) -> Path:
    return Path(sandbox.ready["product"]["config"]).parent


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGTERM, marks=pytest.mark.long),
        pytest.param(signal.SIGINT, marks=pytest.mark.long),
        signal.SIGKILL,
    ],
)
def test_nothing_is_left_behind(number: signal.Signals) -> None:
    """Postgres, Redis, Kafka and ClickHouse end with the sandbox, also when it is killed."""
    own = Sandbox()
    family, folder = _family(own), _folder(own)
    assert len(family) >= 4
    os.kill(own.process.pid, number)
    own.process.wait(PATIENCE_S)
    psutil.wait_procs(family, timeout=PATIENCE_S)
    left = [one.name() for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    own.stop()
    stayed = folder.exists()
    shutil.rmtree(folder, ignore_errors=True)
    assert left == []
    assert stayed == (number == signal.SIGKILL), "only a killed sandbox cannot remove its folder"


@pytest.mark.parametrize("fault", ["drop_before", "drop_after"])
def test_a_dropped_connection_gives_no_answer_at_all(sandbox: Sandbox, fault: str) -> None:
    sandbox.faults.add("sequin", "PATCH /api/sinks/*", fault)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        sandbox.set_sink("members_sink", "paused")
    assert sandbox.log.find("sequin", "PATCH /api/sinks/*")[0]["status"] is None
    assert sandbox.sink("members_sink")["status"] == ("paused" if fault == "drop_after" else "active")


def test_the_ledgers_clock_is_the_platforms(sandbox: Sandbox) -> None:
    sandbox.clock.run_at(1.0)
    sandbox.clock.advance(7200)
    seen = sandbox.ledger("SELECT extract(epoch FROM ledger.now())::float8 AS now")[0]["now"]
    assert abs(seen - sandbox.clock.time()) < 60


def test_a_reset_empties_the_ledger_and_redis_and_keeps_the_clock(sandbox: Sandbox) -> None:
    sandbox.clock.advance(3 * DAY_S)
    assert sandbox.control.post("/sandbox/reset", json={"ahead_s": -1}).status_code == 400
    assert ahead(sandbox) > 3 * DAY_S
    for days in (0, 1):
        assert sandbox.control.post("/sandbox/reset", json={"ahead_s": days * DAY_S}).is_success
        assert sandbox.ledger("SELECT count(*) AS n FROM ledger.clock") == [{"n": 1}]
        assert days * DAY_S <= ahead(sandbox) < (days + 0.5) * DAY_S


def ahead(sandbox: Sandbox) -> float:
    """By how much the ledger's clock is ahead of the machine's."""
    return sandbox.ledger("SELECT extract(epoch FROM ledger.now() - clock_timestamp())::float8 AS s")[0]["s"]
