"""The plan's SQL, judged by squawk: locks, rewrites, what an older reader would trip over."""

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from shutil import which
from typing import Any

from runbooks.hazards import Context, found, on_plan
from runbooks.plan import Hazard, Level

TIMEOUT_S = 20
_TASTE = ("prefer-", "ban-char-field", "require-timeout")  # how things are called and typed here is not squawk's affair


@on_plan
def squawk(at: Context) -> Iterator[Hazard]:
    if at.planned.migration:
        yield from judged(at.planned.migration.text, at.planned.table.name if at.planned.table else at.planned.name)


def judged(sql: str, table: str) -> Iterator[Hazard]:
    """What squawk says of a migration of that table."""
    for rule, level, message, fix in _findings(sql):
        yield found(f"postgres/{rule}", level, table, message, fix)


@lru_cache(maxsize=256)
def _findings(sql: str) -> tuple[tuple[str, Level, str, str], ...]:
    binary = which("squawk", path=str(Path(sys.executable).parent)) or which("squawk")
    if binary is None:
        return (("not-checked", "warning", "squawk is not installed: the SQL was not checked.", "Install squawk-cli."),)
    try:
        answer = subprocess.run(  # a fixed program; the SQL goes in by its standard input
            [binary, "--reporter", "json"], input=sql, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        rows: list[dict[str, Any]] = json.loads(answer.stdout or "[]")
    except (OSError, subprocess.TimeoutExpired, json.JSONDecodeError) as exc:
        said = f"squawk gave no answer ({type(exc).__name__}): the SQL was not checked."
        return (("not-checked", "warning", said, "Check it by hand."),)
    return tuple(dict.fromkeys(_finding(row) for row in rows))


def _finding(row: dict[str, Any]) -> tuple[str, Level, str, str]:
    rule = str(row.get("rule_name") or "unknown")
    level: Level = "error" if row.get("level") == "Error" else "warning"
    if rule.startswith(_TASTE):
        level = "note"
    return rule, level, str(row.get("message") or rule), str(row.get("help") or "See the rule's page at squawkhq.com.")
