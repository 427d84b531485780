"""The audit chain: whatever is changed, taken out or put in is found."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger import audit
from ledger.audit import Broken, Sound
from ledger.connection import Conn, Pool
from tests.support.ledger_story import undone

pytestmark = pytest.mark.integration


@pytest.fixture
def chain(conn: Conn) -> Conn:
    for number in range(1, 8):
        with conn.transaction():
            audit.append(
                conn, actor="cli:ana", action="decide", subject=f"run/{number}", detail={"ü": [number, None, True]}
            )
    assert audit.verify(conn) == Sound(7)
    return conn


@pytest.mark.parametrize(
    ("tampering", "line"),
    [
        (b"UPDATE ledger.audit SET actor = 'cli:omar' WHERE id = 3", 3),
        (b"""UPDATE ledger.audit SET detail = detail || '{"x": 1}' WHERE id = 7""", 7),
        (b"UPDATE ledger.audit SET at = at + interval '1 microsecond' WHERE id = 1", 1),
        (b"UPDATE ledger.audit SET action = 'x', hash = sha256('x') WHERE id = 4", 4),
        (b"DELETE FROM ledger.audit WHERE id = 1", 1),
        (b"DELETE FROM ledger.audit WHERE id = 5", 5),
        (b"DELETE FROM ledger.audit WHERE id = 7", 7),
        (b"DELETE FROM ledger.audit", 1),
        (
            b"INSERT INTO ledger.audit SELECT 8, at, actor, action, subject, detail, hash, hash FROM ledger.audit"
            b" WHERE id = 7",
            8,
        ),
        (b"UPDATE ledger.audit SET id = 9 WHERE id = 2", 2),
    ],
)
def test_tampering_is_found_at_its_line(chain: Conn, tampering: bytes, line: int) -> None:
    chain.execute(tampering)
    found = audit.verify(chain)
    assert isinstance(found, Broken)
    assert found.line == line


def test_a_line_rolled_back_leaves_no_gap(chain: Conn) -> None:
    undone(chain, lambda: audit.append(chain, actor="cli:ana", action="x", subject="run/1"))
    with chain.transaction():
        assert audit.append(chain, actor="cli:ana", action="x", subject="run/1") == 8
    assert audit.verify(chain) == Sound(8)


def test_many_at_once_make_one_chain(pool: Pool) -> None:
    def append(number: int) -> int:
        with pool.connection() as conn, conn.transaction():
            return audit.append(conn, actor="cli:ana", action="x", subject=f"run/{number}")

    with ThreadPoolExecutor(16) as people:
        lines = list(people.map(append, range(200)))
    assert sorted(lines) == list(range(1, 201))
    with pool.connection() as conn:
        assert audit.verify(conn) == Sound(200)


def test_the_head_keeps_step_with_the_last_line(chain: Conn) -> None:
    chain.execute("UPDATE ledger.audit_head SET id = 12")
    assert audit.verify(chain) == Broken(8, "the chain ends at line 7, but line 12 was written")
