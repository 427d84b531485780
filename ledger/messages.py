"""Messages: what should be on Slack (``wanted_rev``) and what is (``sent_rev``).

Whoever changes state raises ``wanted_rev`` in the same transaction; after it a publisher claims the
message, renders it from stored state, sends it and stores ``sent_rev``. Times here are the machine's,
as Slack's are.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ledger import stored
from ledger.connection import Conn, row_of
from ledger.queries import load
from ledger.values import Message

Purpose = Literal["root", "progress", "reply", "alert", "ephemeral", "answer", "incident", "announcement"]

CLAIM_STALE_S = 30  # longer than any call to Slack may take

_sql = load("messages")


def run_ref(run: int) -> str:
    return f"run/{run}"


def step_ref(run: int, number: int) -> str:
    return f"run/{run}/step/{number}"


def want(
    conn: Conn,
    purpose: Purpose,
    ref: str,
    channel: str,
    *,
    thread: int | None = None,
    thread_ts: str | None = None,
    recipient: str | None = None,
    body: Mapping[str, Any] | None = None,
) -> int:
    """Ask for a message, or for a new rendering of it (a ``body`` given then replaces the old one); its id.

    ``thread`` is the id of the root message whose thread it goes into; ``thread_ts`` a thread not ours.
    """
    values = {"purpose": purpose, "ref": ref, "channel": channel, "thread": thread, "thread_ts": thread_ts}
    row = conn.execute(_sql["want"], {**values, "recipient": recipient, "body": stored.json_or_null(body)}).fetchone()
    assert row is not None
    return row["id"]


def want_once(
    conn: Conn, purpose: Purpose, ref: str, channel: str, *, thread_ts: str | None, body: Mapping[str, Any]
) -> int | None:
    """Ask for a message that is sent a single time; None where it was asked for before."""
    values = {"purpose": purpose, "ref": ref, "channel": channel, "thread_ts": thread_ts, "body": stored.json(body)}
    row = conn.execute(_sql["want_once"], values).fetchone()
    return row["id"] if row else None


def touch(conn: Conn, *refs: str) -> list[int]:
    """What the messages of these refs show has changed: have them sent again. A ref may have no message."""
    return [row["id"] for row in conn.execute(_sql["touch"], {"refs": list(refs)})]


def showing(conn: Conn, refs: Sequence[str]) -> list[int]:
    """The messages of these refs that show an older state: to ring ``publish`` for after a commit."""
    return [row["id"] for row in conn.execute(_sql["showing"], {"refs": list(refs)})]


def answered(conn: Conn, *refs: str) -> list[int]:
    """The same where they were put off until now: whoever is rung for them finds them due, and no sweep is awaited."""
    return [row["id"] for row in conn.execute(_sql["answered"], {"refs": list(refs)})]


def root(conn: Conn, run: int) -> Message | None:
    """The message whose thread is the run's; None for runs of the command line."""
    with conn.cursor(row_factory=row_of(Message)) as cursor:
        return cursor.execute(_sql["root"], {"ref": run_ref(run)}).fetchone()


def get(conn: Conn, message: int) -> Message | None:
    with conn.cursor(row_factory=row_of(Message)) as cursor:
        return cursor.execute(_sql["get"], {"id": message}).fetchone()


def find(conn: Conn, purpose: Purpose, ref: str, channel: str) -> Message | None:
    """The one message of these, if it was ever asked for."""
    with conn.cursor(row_factory=row_of(Message)) as cursor:
        return cursor.execute(_sql["find"], {"purpose": purpose, "ref": ref, "channel": channel}).fetchone()


def of_run(conn: Conn, run: int) -> Sequence[Message]:
    with conn.cursor(row_factory=row_of(Message)) as cursor:
        return cursor.execute(_sql["of_run"], _below(run)).fetchall()


def behind_of(conn: Conn, run: int) -> list[int]:
    """The run's messages to ring ``publish`` for after a commit."""
    return [row["id"] for row in conn.execute(_sql["behind_of"], _below(run))]


def claim(conn: Conn, message: int) -> Message | None:
    """Take the message for sending; None if it is up to date, not due yet, in trouble, or being sent by another.

    A claim lasts ``CLAIM_STALE_S`` seconds; it ends with ``sent``, ``postpone``, ``failed`` or ``trouble``. One that
    ended with none of them may have reached Slack all the same: there is no asking (docs/decisions.md), so it is sent
    again.
    """
    with conn.cursor(row_factory=row_of(Message)) as cursor:
        return cursor.execute(_sql["claim"], {"id": message, "stale_s": CLAIM_STALE_S}).fetchone()


def sent(conn: Conn, message: int, *, ts: str | None, rev: int, quiet_s: float = 0) -> bool:
    """It is on Slack as of ``rev`` (the ``wanted_rev`` claimed). True: it changed meanwhile, send again.

    ``quiet_s``: no edit of it sooner than that. ``ts`` None keeps the one stored.
    """
    row = conn.execute(_sql["sent"], {"id": message, "ts": ts, "rev": rev, "quiet_s": quiet_s}).fetchone()
    return bool(row and row["behind"])


def postpone(conn: Conn, message: int, seconds: float) -> None:
    """Give the claim back: the limiter, or Slack's ``Retry-After``, says later."""
    conn.execute(_sql["postpone"], {"id": message, "seconds": seconds})


def failed(conn: Conn, message: int, seconds: float) -> int:
    """Give the claim back after a failure; to be tried again in ``seconds``. How many failures in a row that makes."""
    row = conn.execute(_sql["failed"], {"id": message, "seconds": seconds}).fetchone()
    return row["failures"] if row else 0


def trouble(conn: Conn, message: int, why: str) -> None:
    """It cannot be sent (channel gone, bot removed): it is not tried again. ``why`` is for operators."""
    conn.execute(_sql["trouble"], {"id": message, "why": stored.text(why)})


def gone(conn: Conn, message: int) -> bool:
    """Somebody deleted it: it is posted anew, once. False: it was gone before, and stays so."""
    return conn.execute(_sql["gone"], {"id": message}).fetchone() is not None


def last_troubles(conn: Conn, channels: Sequence[str]) -> dict[str, str]:
    """Of each channel whose newest message for everybody could not be sent: why."""
    rows = conn.execute(_sql["last_troubles"], {"channels": list(channels)})
    return {row["channel"]: row["trouble"] for row in rows if row["trouble"]}


def behind(conn: Conn, limit: int) -> list[int]:
    """Messages that show an older state and may be sent now, oldest first."""
    return [row["id"] for row in conn.execute(_sql["behind"], {"limit": limit, "stale_s": CLAIM_STALE_S})]


def _below(run: int) -> dict[str, str]:
    return {"ref": run_ref(run), "below": f"{run_ref(run)}/%"}
