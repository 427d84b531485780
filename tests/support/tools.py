"""What a test needs and a desk may lack."""

import os
from typing import NoReturn

import pytest


def unavailable(why: str) -> NoReturn:
    """A missing tool is a skipped test on a desk and a failure in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)
