"""ClickHouse expressions that people type: over one data source's own columns, and the same for a row every time."""

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

LONGEST = 500  # characters
_CHANGING = (exp.CurrentTimestamp, exp.CurrentDate, exp.CurrentTime, exp.CurrentDatetime, exp.Rand, exp.Uuid)
_CHANGING_NAMES = (
    "now", "today", "yesterday", "rand", "generate", "rownumber", "blocknumber", "neighbor", "running", "host",
    "dictget", "joinget", "uptime", "server", "version",
)  # fmt: skip
_BEYOND_A_ROW = (exp.Query, exp.AggFunc, exp.Window, exp.Star, exp.Alias, exp.Parameter, exp.Placeholder)


class BadExpression(ValueError):
    """``str`` is half a sentence that says why."""


def columns_in(text: str, what: str = "the expression") -> frozenset[str]:
    """The columns that the expression names. Raises ``BadExpression`` for what is none, or is not one row's own."""
    if len(text) > LONGEST:
        raise BadExpression(f"{what} has {len(text):,} characters, and at most {LONGEST} are taken")
    if any(mark in text for mark in (";", "--", "/*", "{", "}", "\\", "#")):
        raise BadExpression(f"{what} holds more than an expression: no comments, templates or second statements")
    tree = _parsed(text, what)
    for node in tree.walk():
        if isinstance(node, _BEYOND_A_ROW):
            raise BadExpression(f"{what} must name columns of one row: {_words(node)} looks beyond it")
        if isinstance(node, _CHANGING) or _called(node).startswith(_CHANGING_NAMES):
            raise BadExpression(f"{what} must give the same value every time, which {_words(node)} does not")
    if any(column.table for column in tree.find_all(exp.Column)):
        raise BadExpression(f"{what} names a column of another table")
    return frozenset(column.name for column in tree.find_all(exp.Column))


def _parsed(text: str, what: str) -> exp.Expr:
    """The one expression, or why it is none."""
    try:
        tree = sqlglot.parse_one(f"SELECT {text}", read="clickhouse")
    except (SqlglotError, RecursionError) as exc:
        raise BadExpression(f"{what} is not understood as SQL") from exc
    if not isinstance(tree, exp.Select) or len(tree.expressions) != 1 or set(_given(tree)) != {"expressions"}:
        raise BadExpression(f"{what} must be one value and nothing more, such as score / 2")
    return tree.expressions[0]


def _given(tree: exp.Select) -> list[str]:
    return [name for name, value in tree.args.items() if value]


def _called(node: exp.Expr) -> str:
    return node.name.lower() if isinstance(node, exp.Anonymous) else ""


def _words(node: exp.Expr) -> str:
    """As it is typed: the parser has names of its own for some functions."""
    if isinstance(node, exp.Rand):
        return "rand()"
    return node.sql(dialect="clickhouse")[:60]
