"""Commands that look after the ledger: init-db and health."""

import sys

import psycopg

from config import settings as config
from ledger import migrate


def init_db() -> int:
    applied = migrate.init(config.load().ledger_dsn.get_secret_value())
    print(f"The ledger is up to date; applied: {', '.join(applied) or 'nothing, it was already'}.")
    return 0


def health() -> int:
    """0 when the ledger answers and has the schema that this code needs: what a container's health check asks."""
    try:
        pending = migrate.pending(config.load().ledger_dsn.get_secret_value())
    except psycopg.Error as away:
        print(f"The ledger does not answer: {type(away).__name__}.", file=sys.stderr)
        return 1
    if pending:
        print(f"The ledger lacks {', '.join(pending)}: run `tbops init-db`.", file=sys.stderr)
        return 1
    return 0
