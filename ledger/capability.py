"""What probes have learnt of a workspace: whether rename rewrites references, whether exchange is enabled, …"""

from collections.abc import Mapping

from ledger import audit
from ledger.connection import Conn
from ledger.queries import load

_sql = load("capability")


def learn(conn: Conn, environment: str, found: Mapping[str, str], *, actor: str = audit.SYSTEM) -> None:
    """Store what a probe found; newer findings replace older ones of the same name."""
    with conn.transaction():
        for name, value in sorted(found.items()):
            conn.execute(_sql["learn"], {"environment": environment, "name": name, "value": value})
        audit.append(conn, actor=actor, action="learn", subject=f"environment/{environment}", detail=found)


def known(conn: Conn, environment: str) -> dict[str, str]:
    """All that is known; what is not in it must be planned for both ways."""
    return {row["name"]: row["value"] for row in conn.execute(_sql["known"], {"environment": environment})}
