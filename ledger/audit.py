"""The audit: what was done, by whom, each line carrying the hash of the one before.

A line's hash is sha256 of the line before's hash followed by the line as canonical JSON. The head row
knows the last line, so that lines cut off the end are missed too.

Appending locks the head until the caller's transaction ends. Append last, after the run's row and its
messages, so that everybody takes these locks in one order and holds this one for no longer than a commit.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ledger import stored
from ledger.connection import Conn, row_of
from ledger.queries import load
from ledger.values import AuditLine

SYSTEM = "tbops"  # the actor of what nobody clicked

FIRST = bytes(32)

_sql = load("audit")


@dataclass(frozen=True)
class Sound:
    lines: int


@dataclass(frozen=True)
class Broken:
    """The chain does not hold at ``line``: it, or the one before, was changed, taken out or put in."""

    line: int
    why: str


def append(conn: Conn, *, actor: str, action: str, subject: str, detail: Mapping[str, Any] | None = None) -> int:
    """Write a line in the caller's transaction; its number. ``detail`` is small JSON without floats or secrets."""
    head = conn.execute(_sql["head"]).fetchone()
    assert head is not None
    number: int = head["id"] + 1
    at: datetime = head["at"]
    fit, who = stored.json(detail or {}), stored.text(actor)
    chained = link(head["hash"], number, at, who, action, subject, fit.obj)
    line = {"id": number, "at": at, "actor": who, "action": action, "subject": subject, "detail": fit}
    conn.execute(_sql["append"], {**line, "before": head["hash"], "hash": chained})
    return number


def about(conn: Conn, subject: str) -> list[AuditLine]:
    """Everything that happened to ``run/7`` (and its steps), oldest first."""
    with conn.cursor(row_factory=row_of(AuditLine)) as cursor:
        return cursor.execute(_sql["about"], {"subject": subject, "below": f"{subject}/%"}).fetchall()


def verify(conn: Conn) -> Sound | Broken:
    """Walk the whole chain in one snapshot."""
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        head = conn.execute(_sql["last"]).fetchone()
        assert head is not None
        number, before = 0, FIRST
        with conn.cursor("audit", row_factory=row_of(AuditLine)) as cursor:
            for line in cursor.execute(_sql["lines"]):
                wrong = _wrong(line, number + 1, before)
                if wrong:
                    return wrong
                number, before = line.id, line.hash
    if (number, before) != (head["id"], head["hash"]):
        return Broken(number + 1, f"the chain ends at line {number}, but line {head['id']} was written")
    return Sound(number)


def _wrong(line: AuditLine, number: int, before: bytes) -> Broken | None:
    if line.id != number:
        return Broken(number, f"line {number} is missing")
    if line.before != before:
        return Broken(number, f"line {number} does not follow the line before it")
    if line.hash != link(before, line.id, line.at, line.actor, line.action, line.subject, line.detail):
        return Broken(number, f"line {number} was changed")
    return None


def link(
    before: bytes, id: int, at: datetime, actor: str, action: str, subject: str, detail: Mapping[str, Any]
) -> bytes:
    """The hash of a line that follows ``before``."""
    when = at.astimezone(UTC).isoformat()
    line = {"id": id, "at": when, "actor": actor, "action": action, "subject": subject, "detail": detail}
    text = json.dumps(line, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(before + text.encode()).digest()
