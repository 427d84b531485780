"""Questions (lineage, doctor, copies): asked by people, answered by a worker, rendered by the bot from the answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ledger import messages, stored
from ledger.connection import Conn, row_of
from ledger.queries import load
from ledger.values import Json

_sql = load("questions")


@dataclass(frozen=True)
class Question:
    """``asked`` holds at least ``environment``; ``answer`` is None until there is one."""

    id: int
    kind: str
    asked: Json
    asker: str
    inbox: int | None
    answer: Json | None
    created_at: datetime
    answered_at: datetime | None


def question_ref(question: int) -> str:
    return f"question/{question}"


def ask(conn: Conn, *, kind: str, asked: Mapping[str, Any], asker: str, inbox: int | None = None) -> int:
    """Store the question; its number. Ring ``question``. The message that will show the answer has ``question_ref``."""
    values = {"kind": kind, "asked": stored.json(asked), "asker": asker, "inbox": inbox}
    row = conn.execute(_sql["ask"], values).fetchone()
    assert row is not None
    return row["id"]


def get(conn: Conn, question: int) -> Question | None:
    with conn.cursor(row_factory=row_of(Question)) as cursor:
        return cursor.execute(_sql["get"], {"id": question}).fetchone()


def take(conn: Conn, question: int, *, owner: str, lease_s: float) -> Question | None:
    """Take it for answering; None if it is answered or another worker is at it."""
    with conn.cursor(row_factory=row_of(Question)) as cursor:
        return cursor.execute(_sql["take"], {"id": question, "owner": owner, "lease_s": lease_s}).fetchone()


def answer(conn: Conn, question: int, value: Mapping[str, Any]) -> list[int]:
    """Store the answer, once; the messages to ring ``publish`` for."""
    with conn.transaction():
        if conn.execute(_sql["answer"], {"id": question, "answer": stored.json(value)}).fetchone() is None:
            return []
        return messages.answered(conn, question_ref(question))


def sweep(conn: Conn, *, again_s: float) -> list[int]:
    """Questions that nobody is answering, to be rung for; each again only after ``again_s`` (machine's clock)."""
    return [row["id"] for row in conn.execute(_sql["sweep"], {"again_s": again_s})]
