"""What the product costs while nothing happens: memory, processor, calls to Slack."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.benchmarks import processes, report
from tests.support.sandbox import Sandbox

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]

SETTLE_S, WATCHED_S = 8.0, 30.0


def test_idle() -> None:
    whole = Sandbox(bot=True, speed=1.0)
    try:
        # a bare worker of the queue's own library on the same Redis, for the floor
        bare = subprocess.Popen(
            [sys.executable, "-m", "rq.cli", "worker", "--url", whole.ready["redis"], "bare"],
            stderr=subprocess.DEVNULL,
            preexec_fn=os.setpgrp,
        )
        try:
            _measure(whole, bare.pid)
        finally:
            bare.send_signal(signal.SIGKILL)
            bare.wait(10)
    finally:
        whole.stop()


def _measure(sandbox: Sandbox, bare: int) -> None:
    time.sleep(SETTLE_S)  # whatever starts has started; there is nothing to be waited for
    own = [pid for pid in processes.children(sandbox.process.pid) if _ours(processes.command(pid))]
    assert len(own) >= 4, "the bot, the pool and its children were expected"
    after = sandbox.log.last()
    begun = {pid: processes.cpu_s(pid) for pid in (*own, bare)}
    started = time.monotonic()
    time.sleep(WATCHED_S)
    passed = time.monotonic() - started
    busy = {pid: (processes.cpu_s(pid) - begun[pid]) / passed * 100 for pid in (*own, bare)}
    memory = {pid: processes.pss_mb(pid) for pid in (*own, bare)}
    calls = [entry for entry in sandbox.log.entries(after=after) if entry["system"] == "slack" and _call(entry["path"])]
    report.show(
        "idle: memory (PSS) of all processes",
        goal="≤ 200 MB",
        floor=memory[bare],
        result=sum(memory[p] for p in own),
        unit="MB",
    )
    report.show(
        "idle: processor, all processes",
        goal="≤ 1 %",
        floor=max(busy[bare], 0.01),
        result=sum(busy[p] for p in own),
        unit="%",
    )
    report.show("idle: calls to Slack", goal="0", floor=None, result=float(len(calls)), unit="calls")
    for pid in own:
        name = processes.command(pid).split("-m ")[-1].strip()
        report.note(f"{name} (below {processes.parent(pid)}, pid {pid}): {memory[pid]:.0f} MB, {busy[pid]:.2f} %")
    report.note(f"floor: a bare rq worker; {len(own)} processes of ours; watched for {passed:.0f} s")
    assert not calls


def _ours(command: str) -> bool:
    return "tbops bot" in command or "tbops worker" in command


def _call(path: str) -> bool:
    return path.startswith("/api/")
