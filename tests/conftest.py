"""The fixtures that all tests stand on: one sandbox a pytest worker, made anew before each test (DESIGN §11)."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import bot.picture
from tests.support.drive import Drive, Product, driving, product
from tests.support.people import People
from tests.support.sandbox import ANSWER_S, Faults, Sandbox

HERE = Path(__file__).parent
IN_MEMORY = Path("/dev/shm")
ROOM = 6 * 2**30  # bytes; a container's is often 64 MB
KINDS = {"sandbox": "integration", "benchmarks": "benchmark"}  # folders whose tests are of a kind by another name

# A machine that is slow for a moment is no fault of what is tried. In CI Hypothesis draws the same examples each time.
settings.register_profile("patient", settings(deadline=None, suppress_health_check=[HealthCheck.too_slow]))
settings.load_profile("patient")

TOGETHER = ("faults/processes", "integration/ledger", "integration/workers", "unit/proof")
"""Folders whose tests share a server or a bot that takes seconds to start: one pytest worker runs all of one."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="the long sets too")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """ClickHouse makes and deletes folders by the thousand: on a disk that was half of all processor time."""
    if "TMPDIR" not in os.environ and IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free > ROOM:
        os.environ["TMPDIR"] = str(IN_MEMORY)
        tempfile.tempdir = None
    if config.option.long:
        config.option.markexpr = config.option.markexpr.replace("not benchmark and not long", "not benchmark")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test's kind is its folder's: `-m faults` chooses tests/faults."""
    for item in items:
        place = item.path.relative_to(HERE)
        item.add_marker(KINDS.get(place.parts[0], place.parts[0]))
        for folder in TOGETHER:
            if place.is_relative_to(folder):
                item.add_marker(pytest.mark.xdist_group(folder))


@pytest.fixture(scope="session", autouse=True)
def _drawn_in_the_end() -> Iterator[None]:
    """The first picture on a machine is preceded by a list of its fonts, which a slow one makes for longer than Slack's
    publishers wait. No other publisher takes a message over from the one in this process."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bot.picture, "PATIENCE_S", ANSWER_S)
        yield


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[Sandbox]:
    """The sandbox of this pytest worker, in whatever state; tests use ``sandbox``."""
    started = Sandbox()
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Sandbox:
    """A whole platform, as seeded. Its clock runs 20 times as fast as the machine's."""
    running_sandbox.reset()
    return running_sandbox


@pytest.fixture
def people(sandbox: Sandbox) -> People:
    return People(sandbox)


@pytest.fixture
def faults(sandbox: Sandbox) -> Faults:
    return sandbox.faults


@pytest.fixture(scope="session")
def running_product(running_sandbox: Sandbox) -> Iterator[Product]:
    """A bot that listens to the sandbox's Slack from this process; tests use ``drive``."""
    with product(running_sandbox) as running:
        yield running


@pytest.fixture
def drive(sandbox: Sandbox, people: People, running_product: Product) -> Iterator[Drive]:
    """Bot and workers in this process: jobs are done when the test says so, and the clock is moved on for them."""
    with driving(sandbox, people, running_product) as drive:
        yield drive
