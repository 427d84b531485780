"""Numbered migrations: ``ledger/migrations/NNNN_name.sql``, each applied once, in order, whole or not at all."""

from importlib import resources

from ledger.connection import Conn, connect

_LOCK = 0x7462_6F70  # "tbop": one process migrates at a time, whatever the database is called

_BOOK = b"""
CREATE SCHEMA IF NOT EXISTS ledger;
CREATE TABLE IF NOT EXISTS ledger.migration (
    number int PRIMARY KEY,
    name   text NOT NULL,
    at     timestamptz NOT NULL DEFAULT clock_timestamp()
)"""


def init(dsn: str) -> list[str]:
    """Bring the ledger's schema up to this code; the names of what was applied. Safe to repeat and to race."""
    with connect(dsn, name="tbops init-db") as conn:
        conn.execute("SET statement_timeout = 0")
        conn.execute("SET lock_timeout = 0")
        conn.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        try:
            conn.execute(_BOOK)
            return [_apply(conn, name) for name in _missing(conn)]
        finally:
            conn.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def pending(dsn: str) -> list[str]:
    """The migrations that this code needs and the database lacks. Changes nothing."""
    with connect(dsn, name="tbops") as conn:
        row = conn.execute("SELECT to_regclass('ledger.migration') IS NOT NULL AS kept").fetchone()
        return _missing(conn) if row and row["kept"] else _known()


def _known() -> list[str]:
    names = (entry.name for entry in resources.files("ledger").joinpath("migrations").iterdir())
    return sorted(name.removesuffix(".sql") for name in names if name.endswith(".sql"))


def _missing(conn: Conn) -> list[str]:
    applied = {row["number"] for row in conn.execute("SELECT number FROM ledger.migration")}
    return [name for name in _known() if _number(name) not in applied]


def _apply(conn: Conn, name: str) -> str:
    script = resources.files("ledger").joinpath("migrations", f"{name}.sql").read_bytes()
    with conn.transaction():
        conn.execute(script)
        conn.execute("INSERT INTO ledger.migration (number, name) VALUES (%s, %s)", [_number(name), name])
    return name


def _number(name: str) -> int:
    return int(name.split("_", 1)[0])
