"""A browser, and a sandbox with its own bot and workers for all tests that only look at it through the page."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.clicking import ARGUMENTS, CHROMIUM, SHOWN_MS
from tests.support.sandbox import Sandbox
from tests.support.tools import unavailable

expect.set_options(timeout=SHOWN_MS)  # Playwright's five seconds are too few where the machine is busy


@pytest.fixture(scope="package")
def whole() -> Iterator[Sandbox]:
    """Half as fast again as by default."""
    started = Sandbox(speed=30, bot=True)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        unavailable(f"the page's tests need Chromium at {CHROMIUM} (apt-get install chromium, or set CHROMIUM)")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield running
        running.close()
