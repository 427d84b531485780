from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.connection import Pool, open_pool
from runbooks import steps
from tests.support.engine_story import CLOCK, Toys, toys
from tests.support.ledger_server import LedgerServer, ledger_server

_TOYS = str(Path(__file__).parents[2] / "support" / "toys")
if _TOYS not in steps.__path__:
    steps.__path__.append(_TOYS)


@pytest.fixture(scope="session")
def server() -> Iterator[LedgerServer]:
    with ledger_server() as running:
        yield running


@pytest.fixture
def dsn(server: LedgerServer) -> str:
    return server.database()


@pytest.fixture
def pool(dsn: str) -> Iterator[Pool]:
    with open_pool(f"{dsn}?options={CLOCK.replace(' ', '%20').replace('=', '%3D')}", name="test", max_size=8) as opened:
        yield opened


@pytest.fixture
def toy(dsn: str, pool: Pool) -> Toys:
    return toys(dsn, pool)
