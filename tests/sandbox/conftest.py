"""The Tinybird stand-in alone, which several files of tests ask."""

from collections.abc import Iterator

import pytest

from tests.support.tinybird_server import Tinybird, tinybird_served


@pytest.fixture(scope="module")
def served() -> Iterator[Tinybird]:
    with tinybird_served() as made:
        yield made


@pytest.fixture
def tb(served: Tinybird) -> Tinybird:
    served.reset()
    return served
