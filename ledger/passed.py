"""What runs brought about elsewhere: what may be promoted (DESIGN §4, Binding)."""

from collections.abc import Iterable

from ledger.connection import Conn
from ledger.queries import load
from ledger.values import Json

MOST = 50

_sql = load("passed")


def newest(conn: Conn, environments: Iterable[str]) -> list[Json]:
    """``{"run", "environment", "change_hash", "datafiles"}`` of the last runs that succeeded there with datafiles."""
    return [dict(row) for row in conn.execute(_sql["newest"], {"environments": list(environments), "most": MOST})]
