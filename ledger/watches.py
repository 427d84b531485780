"""How far the watch has seen: one row an environment, so that an outage loses nothing and repeats nothing."""

from collections.abc import Sequence

from ledger.connection import Conn
from ledger.queries import load

_sql = load("watches")


def elect(conn: Conn, environments: Sequence[str], *, every_s: float) -> list[str]:
    """The environments not looked at for ``every_s`` (machine's clock); each is given to one caller only."""
    values = {"environments": list(environments), "every_s": every_s}
    return [row["environment"] for row in conn.execute(_sql["elect"], values)]


def seen(conn: Conn, environment: str) -> str | None:
    """The newest change seen, as Tinybird wrote it; None before the first look."""
    row = conn.execute(_sql["seen"], {"environment": environment}).fetchone()
    return row["seen"] if row else None


def remember(conn: Conn, environment: str, newest: str) -> None:
    """Everything up to ``newest`` has been told. Goes forward only."""
    conn.execute(_sql["remember"], {"environment": environment, "seen": newest})
