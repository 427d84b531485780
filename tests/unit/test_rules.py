"""Every rule of docs/rules.md names tests that are there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
RULES = 16


def test_each_rule_has_tests_that_exist() -> None:
    rows = re.findall(r"^\| (\d+)\. .* \| (.*) \|$", (ROOT / "docs" / "rules.md").read_text(), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, RULES + 1))
    there = _tests()
    for number, named in rows:
        tests = re.findall(r"`(test_\w+)`", named)
        assert tests, f"rule {number} has no test"
        assert set(tests) <= there, f"rule {number} names {sorted(set(tests) - there)}"


def _tests() -> set[str]:
    trees = (ast.parse(path.read_text()) for path in (ROOT / "tests").rglob("test_*.py"))
    return {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
