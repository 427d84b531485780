"""The end, established by asking the systems: Postgres, Tinybird, Sequin, Kafka Connect and the ledger's own proof."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from tbops.demo.stage import Stage
from tbops.demo.watcher import Seen

SETTLE_S = 60.0

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Finding:
    holds: bool
    said: str


def findings(stage: Stage, seen: Seen, fields: Sequence[str]) -> Iterator[Finding]:
    """Every promise of the demo, each asked of the system that knows."""
    yield settled(lambda: rows_equal(stage, fields))
    yield settled(lambda: copy_serves(stage, fields))
    lost = f"; lost were {', '.join(sorted(seen.lost)[:5])}" if seen.lost else ""
    yield Finding(not seen.lost, f"In {seen.samples} looks, a second apart, members_sorted never lost a row{lost}.")
    broken = f": {seen.failed_reads[0]}" if seen.failed_reads else ""
    yield Finding(not seen.failed_reads, f"{len(seen.failed_reads)} reads of members_sorted failed{broken}.")
    yield nothing_paused(stage)
    yield audit_sound(stage)


def rows_equal(stage: Stage, fields: Sequence[str]) -> Finding:
    """Every row of Postgres is in Tinybird, with the new fields' values."""
    columns = sql.SQL(", ").join(sql.SQL("coalesce({}, '')").format(sql.Identifier(field)) for field in fields)
    query = sql.SQL("SELECT id::text, coalesce(score, -1), {} FROM members").format(columns)
    with stage.source() as conn:
        there: dict[str, Row] = {row[0]: row[1:] for row in conn.execute(query)}
    names = ("score", *fields)
    rows = stage.tinybird(f"SELECT id, {', '.join(names)} FROM members FINAL")
    here: dict[str, Row] = {row["id"]: tuple(row[name] for name in names) for row in rows}
    differ = [key for key, values in there.items() if here.get(key) != values]
    valued = sum(any(values[1:]) for values in there.values())
    said = f"{len(there):,} rows of Postgres, {valued:,} of them with a value in {' or '.join(fields)}"
    if differ:
        return Finding(False, f"{said}: {len(differ):,} are missing or differ in Tinybird, first {differ[0]}.")
    return Finding(True, f"{said}: every one is in Tinybird with the same values.")


def copy_serves(stage: Stage, fields: Sequence[str]) -> Finding:
    """The copy's target, filled by a run after the migration, serves the new fields."""
    values = " OR ".join(f"{field} != ''" for field in fields)
    rows = stage.tinybird(f"SELECT count() AS rows, countIf({values}) AS valued FROM members_sorted")
    served, valued = int(rows[0]["rows"]), int(rows[0]["valued"])
    return Finding(
        valued > 0, f"The copy's target serves {served:,} people, {valued:,} with a value in the new fields."
    )


def nothing_paused(stage: Stage) -> Finding:
    paused = [str(sink["name"]) for sink in stage.asks("sequin", "/api/sinks")["data"] if sink["status"] != "active"]
    status = stage.asks("connect", "/connectors/tinybird-sink/status")
    states = [status["connector"]["state"], *(task["state"] for task in status["tasks"])]
    if set(states) != {"RUNNING"}:
        paused.append(f"tinybird-sink ({', '.join(states)})")
    for pipe in stage.asks("tinybird", "/v0/pipes")["pipes"]:
        schedule = pipe.get("schedule")
        if schedule and schedule["cron"] and schedule["status"] != "running":
            paused.append(str(pipe["name"]))
    if paused:
        return Finding(False, f"Left paused: {', '.join(paused)}.")
    return Finding(True, "Every Sequin sink is active, the connector and its tasks run, every copy schedule runs.")


def audit_sound(stage: Stage) -> Finding:
    environment = {**os.environ, **stage.ready["product"]["env"]}
    command = [sys.executable, "-m", "tbops", "audit", "verify"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return Finding(done.returncode == 0, (done.stdout or done.stderr).strip())


def settled(look: Callable[[], Finding]) -> Finding:
    """The finding once it holds, or as it stands after a minute: what was written last is still on its way."""
    until = time.monotonic() + SETTLE_S
    while not (found := look()).holds and time.monotonic() < until:
        time.sleep(0.3)
    return found
