"""A file of tests takes nothing from another one, so that each can be moved, renamed or read alone: what several need
is in tests/support, fixtures in a conftest."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
TAKES = re.compile(r"^\s*(?:from|import) tests\.[\w.]*\btest_\w+", re.MULTILINE)


def test_no_file_of_tests_takes_anything_from_another() -> None:
    takers = [str(path.relative_to(TESTS)) for path in TESTS.rglob("*.py") if TAKES.search(path.read_text())]
    assert takers == []
