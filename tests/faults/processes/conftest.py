"""A sandbox of its own for tests with real processes: their workers must not take the work of tests that drive it
from the inside. It ends with this folder's tests: its clock runs fast, and its workers look often."""

from collections.abc import Iterator

import pytest

from tests.support.paces import PACES
from tests.support.processes import Crew
from tests.support.sandbox import Sandbox


@pytest.fixture(scope="package")
def running_sandbox() -> Iterator[Sandbox]:
    started = Sandbox()
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="package")
def running_crew(running_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    """A bot and workers with a lease of 1 s, in whatever state; tests use ``crew``."""
    started = Crew(running_sandbox, tmp_path_factory.mktemp("product"))
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture
def crew(sandbox: Sandbox, running_crew: Crew) -> Crew:
    """Alive and well, on a platform as seeded."""
    sandbox.knobs(**PACES)
    running_crew.ready()
    return running_crew
