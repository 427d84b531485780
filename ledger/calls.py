"""Calls for people, in the channel for alerts: once for each subject, however often it is found again."""

from collections.abc import Mapping
from typing import Any

from ledger import stored
from ledger.connection import Conn
from ledger.queries import load

_sql = load("calls")


def call(conn: Conn, ref: str, channel: str, body: Mapping[str, Any]) -> int | None:
    """Call people about ``ref`` (``run/7/hold/1``); the message to ring ``publish`` for, None if they were called.

    ``body`` is ``{"text": sentence}``, with ``people`` (actors) where somebody in particular must come.
    """
    row = conn.execute(_sql["call"], {"ref": ref, "channel": channel, "body": stored.json(body)}).fetchone()
    return row["id"] if row else None
