"""People, rules and plans for the ledger's tests."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Rollback

from config.settings import Rules
from ledger import runs
from ledger.connection import Conn, calendar
from ledger.policy import Actor
from ledger.values import Gate, NewStep

ANA, BEN, CHEN, OMAR = (Actor(f"slack:T1:U{name}") for name in ("ANA", "BEN", "CHEN", "OMAR"))
RULES = Rules(request=("UANA",), approve=("UBEN", "UCHEN"))
SELF = Rules(request=("UANA",), approve=("UANA", "UBEN"))

ERROR = {
    "slug": "json-path-root",
    "level": "error",
    "resource": "members",
    "message": "The path of x is the root.",
    "fix": "Name a path.",
}
WARNING = {
    "slug": "append-lookback",
    "level": "warning",
    "resource": "copy",
    "message": "The copy looks back 3 h.",
    "fix": "Catch up after it.",
}


def in_group(actor: Actor, group: str, *, age_s: float = 0) -> Actor:
    return Actor(actor.id, frozenset({group}), datetime.now(UTC) - timedelta(seconds=age_s))


def steps(*blocks: Gate) -> list[NewStep]:
    """A gated step and a wait after it for every block."""
    made: list[NewStep] = []
    for number, gate in enumerate(blocks, 1):
        made.append(NewStep("tinybird.alter/1", {"table": f"t{number}"}, f"Alter t{number}", gate, number))
        made.append(NewStep("proof/1", {"table": f"t{number}"}, f"Prove t{number}", "none", number))
    return made


def asked(
    conn: Conn, *, requester: Actor = ANA, environment: str = "staging", job: str = "migrate", **given: Any
) -> int:
    with conn.transaction():
        return runs.create(
            conn,
            environment=environment,
            command="migrate members add field x",
            request={"job": {"kind": job}},
            requester=requester.id,
            channel="C1",
            **given,
        )


def made(
    conn: Conn, *, blocks: Sequence[Gate] = ("approve",), hash: str = "h1", life_s: float = 3600, **plan: Any
) -> runs.Proposal:
    return {
        "plan": {"hazards": [], "locks": [], "took_s": 600, **plan},
        "steps": steps(*blocks),
        "hash": hash,
        "change_hash": "c1",
        "world": {"tinybird/datasource/members/schema": "d1"},
        "strategy": "alter",
        "expires_at": calendar(conn) + timedelta(seconds=life_s),
    }


def proposed(
    conn: Conn, *, requester: Actor = ANA, environment: str = "staging", given: Any = None, **plan: Any
) -> int:
    run = asked(conn, requester=requester, environment=environment, **(given or {}))
    with conn.transaction():
        runs.propose(conn, run, **made(conn, **plan))
    return run


def states_of(conn: Conn, run: int) -> list[str]:
    return [step.state for step in runs.get(conn, run).steps]


def undone(conn: Conn, work: Callable[[], object]) -> None:
    """Do ``work`` in a transaction that is then rolled back, as a failure after it would."""
    with conn.transaction() as transaction:
        work()
        raise Rollback(transaction)
