"""Whether the watch of copies sees all it should: what its last look went without."""

from typing import Any

from ledger import blind
from ledger.connection import Conn


def check(conn: Conn, environment: str) -> dict[str, Any]:
    """A line for the doctor, as ``bot.channels.check``."""
    trouble = blind.trouble(conn, environment)
    if trouble is None:
        return {"name": "watch", "ok": True, "said": "has not looked yet"}
    return {"name": "watch", "ok": not trouble, "said": trouble or "its last look saw all copies"}
