"""The one comparison by which a copy looks back, found in its SQL and cut out of its text (facts/procedures.md §2.7).

Nothing is written anew from a syntax tree: the text stays as it is but for that comparison, and what comes of it must
parse to the same tree but for that one node. Whatever is not certain is ``Unsure``.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.errors import SqlglotError

from runbooks.lineage.bounds import comparisons_of

_TEMPLATE = re.compile(r"\A\s*%|\{\{|\{%|\{#")
# What gives another value each time it is asked, or depends on the rows around
_UNSTEADY = re.compile(
    r"\b(?:now|now64|nowInBlock(?:64)?|today|yesterday|UTCTimestamp|rand\w*|generate\w+|rowNumber\w*|neighbor|running\w+)"
    r"\s*\(|\b(?:current_timestamp|current_date|localtimestamp|job_timestamp)\b",
    re.IGNORECASE,
)
_SOME_MOMENT = "toDateTime('2100-01-01 00:00:00', 'UTC')"
_OPENS = (TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE)
_CLOSES = (TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE)
_LATER = (TokenType.GT, TokenType.GTE)
_EARLIER = (TokenType.LT, TokenType.LTE)
_ENDS = (  # what a condition of a WHERE stands between
    TokenType.WHERE, TokenType.PREWHERE, TokenType.AND, TokenType.GROUP_BY, TokenType.HAVING, TokenType.ORDER_BY,
    TokenType.LIMIT, TokenType.UNION, TokenType.SETTINGS, TokenType.FORMAT, TokenType.WINDOW, TokenType.SEMICOLON,
)  # fmt: skip
_CLOCKS = ("now", "now64")


class Unsure(ValueError):
    """Why what a copy missed cannot be found exactly: a clause that follows "cannot be copied afterwards:"."""


@dataclass(frozen=True)
class LookBack:
    """A text that looks back. ``comparison`` and ``column`` are as they stand in it; ``seconds`` how far."""

    comparison: str
    column: str
    seconds: int
    before: str
    after: str

    def since(self, moment: str) -> str:
        """The same text, which takes the rows since that moment (an SQL expression) instead."""
        return f"{self.before}{self.column} >= {moment}{self.after}"


def parsed(sql: str) -> exp.Expr:
    """The tree of a text without a template. Raises ``Unsure``."""
    if templated(sql):
        raise Unsure("its SQL is a template")
    try:
        return sqlglot.parse_one(sql.strip().rstrip(";"), read="clickhouse")
    except (SqlglotError, RecursionError, ValueError, TypeError, AttributeError, LookupError) as exc:
        raise Unsure("its SQL is not understood") from exc


def templated(sql: str) -> bool:
    """Whether more than SQL may be in the text."""
    return bool(_TEMPLATE.search(sql))


def steady(sql: str) -> bool:
    """Whether the same rows come of the text whenever it is asked."""
    return not _UNSTEADY.search(sql)


def look_back(sql: str, tree: exp.Expr) -> LookBack | None:
    """How the text looks back, by one comparison that its rows pass one by one; None if nothing in it bounds time.
    Raises ``Unsure``."""
    found = list(comparisons_of(tree))
    if not found:
        return None
    if len(found) > 1:
        raise Unsure("more than one comparison in its SQL bounds time")
    node, bound = found[0]
    side, moment = (node.expression, node.this) if isinstance(node, (exp.LT, exp.LTE)) else (node.this, node.expression)
    if isinstance(node, exp.Between) or not isinstance(side, exp.Column) or not _is_before_now(moment):
        raise Unsure(f"how far {node.sql(dialect='clickhouse')} looks back is not certain")
    _passed_by_each_row(node)
    cut = _cut(sql, node, bound.look_back_s or 0)
    if not steady(cut.before + cut.after):
        raise Unsure("its SQL asks the clock, or chance, in another place too")
    _the_same_but_for(node, tree, cut)
    return cut


def rows_pass_through(tree: exp.Expr, name: str) -> None:
    """See that each row of the table ``name`` goes through the query by itself. Raises ``Unsure``."""
    places = [table for table in tree.find_all(exp.Table) if table.name == name]
    source = places[0].parent if len(places) == 1 else None
    if not isinstance(source, exp.From) or not isinstance(source.parent, exp.Select):
        raise Unsure(f"its SQL does more with the rows of {name} than to read them once")
    _climbs(source.parent)


def _is_before_now(moment: exp.Expr) -> bool:
    """``now() - INTERVAL 3 HOUR``, ``now() - toIntervalHour(3)`` or ``subtractHours(now(), 3)``, and nothing else."""
    if isinstance(moment, exp.Sub):
        back = moment.expression
        called = isinstance(back, exp.Anonymous) and back.name.lower().startswith("tointerval")
        return _is_now(moment.this) and (isinstance(back, exp.Interval) or called)
    if not isinstance(moment, exp.Anonymous) or not moment.name.lower().startswith("subtract"):
        return False
    return len(moment.expressions) == 2 and _is_now(moment.expressions[0])


def _is_now(node: exp.Expr) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.lower() in _CLOCKS and not node.find(exp.Select)


def _passed_by_each_row(node: exp.Expr) -> None:
    """Taken with a further look back, the query must give the same rows and more of them, none of them another."""
    at = node
    while isinstance(at.parent, (exp.And, exp.Paren)):
        at = at.parent
    place = at.parent
    select = place.parent if isinstance(place, (exp.Where, exp.PreWhere)) else None
    if not isinstance(select, exp.Select):
        raise Unsure("the comparison is not one of the conditions of a WHERE that must all hold")
    _climbs(select)


def _climbs(select: exp.Select) -> None:
    """From the SELECT to the outermost one: each reads the one below by its FROM and leaves its rows as they are."""
    while True:
        if _makes_one_of_many(select):
            raise Unsure("its SQL groups, counts or limits rows: over a longer time they would be others")
        if select.parent is None:
            return
        within = select.parent.parent if isinstance(select.parent, exp.Subquery) else None
        if not isinstance(within, exp.From) or not isinstance(within.parent, exp.Select):
            raise Unsure("its SQL does more with the rows that it takes than to read them once")
        select = within.parent


def _makes_one_of_many(select: exp.Select) -> bool:
    if any(select.args.get(part) for part in ("group", "having", "limit", "offset", "qualify", "sample")):
        return True
    found = (part.find(exp.AggFunc, exp.Window) for part in (*select.expressions, *_orders(select)))
    return any(each is not None and each.find_ancestor(exp.Select) is select for each in found)


def _orders(select: exp.Select) -> Iterator[exp.Expr]:
    """WITH FILL makes rows of its own."""
    order = select.args.get("order")
    if isinstance(order, exp.Order):
        if order.find(exp.WithFill):
            raise Unsure("its SQL fills in rows")
        yield order


def _cut(sql: str, node: exp.Expr, seconds: int) -> LookBack:
    """The one place of the text that is the comparison."""
    try:
        tokens = sqlglot.tokenize(sql, read="clickhouse")
    except SqlglotError as exc:
        raise Unsure("its SQL is not understood") from exc
    depths = list(_depths(tokens))
    found: list[LookBack] = []
    for at, token in enumerate(tokens):
        if token.token_type in (*_LATER, *_EARLIER):
            first, last = _reach(tokens, depths, at)
            if _reads_as(sql[tokens[first].start : tokens[last].end + 1], node):
                column = (first, at - 1) if token.token_type in _LATER else (at + 1, last)
                found.append(_around(sql, tokens[first], tokens[last], tokens[column[0]], tokens[column[1]], seconds))
    if len(found) != 1:
        raise Unsure("the comparison is not found in the text of its SQL")
    return found[0]


def _around(sql: str, first: Token, last: Token, begins: Token, ends: Token, seconds: int) -> LookBack:
    return LookBack(
        comparison=" ".join(sql[first.start : last.end + 1].split()),
        column=sql[begins.start : ends.end + 1],
        seconds=seconds,
        before=sql[: first.start],
        after=sql[last.end + 1 :],
    )


def _depths(tokens: Sequence[Token]) -> Iterator[int]:
    """How many brackets are open where each token stands; an opening one stands outside, a closing one too."""
    depth = 0
    for token in tokens:
        depth -= token.token_type in _CLOSES
        yield depth
        depth += token.token_type in _OPENS


def _reach(tokens: Sequence[Token], depths: Sequence[int], at: int) -> tuple[int, int]:
    """The first and the last token of the condition that the one at ``at`` belongs to."""
    first = last = at
    while first > 0 and not _ends(tokens, depths, first - 1, depths[at]):
        first -= 1
    while last + 1 < len(tokens) and not _ends(tokens, depths, last + 1, depths[at]):
        last += 1
    return first, last


def _ends(tokens: Sequence[Token], depths: Sequence[int], n: int, depth: int) -> bool:
    return depths[n] < depth or (depths[n] == depth and tokens[n].token_type in _ENDS)


def _reads_as(text: str, node: exp.Expr) -> bool:
    try:
        return sqlglot.parse_one(text, read="clickhouse") == node
    except (SqlglotError, ValueError):
        return False


def _the_same_but_for(node: exp.Expr, tree: exp.Expr, cut: LookBack) -> None:
    """See that the new text means the old one with nothing but the comparison replaced."""
    with_mark = tree.copy()
    mine = next(other for other, _ in comparisons_of(with_mark))
    mine.replace(sqlglot.parse_one(f"{cut.column} >= {_SOME_MOMENT}", read="clickhouse"))
    if parsed(cut.since(_SOME_MOMENT)) != with_mark:
        raise Unsure("the comparison cannot be replaced in the text of its SQL alone")
