from collections.abc import Iterator

import pytest

from ledger.connection import Conn, Pool, connect, open_pool
from tests.support.ledger_server import LedgerServer, ledger_server


@pytest.fixture(scope="session")
def server() -> Iterator[LedgerServer]:
    with ledger_server() as running:
        yield running


@pytest.fixture
def dsn(server: LedgerServer) -> str:
    return server.database()


@pytest.fixture
def conn(dsn: str) -> Iterator[Conn]:
    with connect(dsn, name="test") as opened:
        yield opened


@pytest.fixture
def pool(dsn: str) -> Iterator[Pool]:
    with open_pool(dsn, name="test", min_size=2, max_size=20) as opened:
        yield opened
