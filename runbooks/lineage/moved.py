"""A node's SQL made to read another table in a table's place, and nothing else of it changed.

The names are spliced into the text as it stands, templates, comments and layout included. What cannot be done for
certain is refused: the new text is parsed, and must read of the other table what the old one read of the first.
"""

from dataclasses import replace
from functools import lru_cache

from sqlglot import Token, TokenType
from sqlglot.dialects.clickhouse import ClickHouse
from sqlglot.errors import SqlglotError

from runbooks.lineage.sql import NotParsed, Understood, understand

_READS = (TokenType.FROM, TokenType.JOIN)
_WORDS = (TokenType.VAR, TokenType.IDENTIFIER)


class NotMoved(ValueError):
    """It is not certain what the text would read then; why, in words that follow "its SQL"."""


@lru_cache(maxsize=10_000)
def reading(sql: str, table: str, other: str) -> str:
    """``sql`` reading ``other`` wherever it reads ``table``. A table without an alias keeps its name as one, so that
    ``table.column`` still means the same. Raises ``NotMoved``."""
    before = understand(sql)
    if isinstance(before, NotParsed):
        raise NotMoved(f"is not understood: {before.why}")
    tokens = _tokens(sql)
    if any(_named(token, table) and _made_here(tokens, at) for at, token in enumerate(tokens)):
        raise NotMoved(f"gives the name {table} to something of its own")
    pieces, at = list[str](), 0
    for number, token in enumerate(tokens):
        if _named(token, table) and _read(tokens, number):
            pieces += [sql[at : token.start], other + _alias(tokens, number, table)]
            at = token.end + 1
    made = "".join([*pieces, sql[at:]])
    if _apart(understand(made), other) != _apart(before, table) or _use(made, other) != _use(sql, table):
        raise NotMoved(f"names {table} in a place that is not understood for certain")
    return made


def _tokens(sql: str) -> list[Token]:
    try:
        return list(ClickHouse().tokenize(sql))
    except SqlglotError as exc:
        raise NotMoved("cannot be read word by word") from exc


def _named(token: Token, table: str) -> bool:
    return token.token_type in _WORDS and token.text == table


def _made_here(tokens: list[Token], at: int) -> bool:
    """Whether a name is made there that FROM would mean: ``WITH members AS (``."""
    return [token.token_type for token in tokens[at + 1 : at + 3]] == [TokenType.ALIAS, TokenType.L_PAREN]


def _read(tokens: list[Token], at: int) -> bool:
    """Whether a table stands there: behind FROM or JOIN, and not as ``members.other`` or ``members(…)``."""
    before = tokens[at - 1].token_type if at else None
    after = tokens[at + 1].token_type if at + 1 < len(tokens) else None
    return before in _READS and after not in (TokenType.DOT, TokenType.L_PAREN)


def _alias(tokens: list[Token], at: int, table: str) -> str:
    following = tokens[at + 1].token_type if at + 1 < len(tokens) else None
    return "" if following in (TokenType.ALIAS, *_WORDS) else f" AS {table}"


def _use(sql: str, table: str) -> object:
    parsed = understand(sql)
    use = parsed.use(table) if isinstance(parsed, Understood) else None
    return replace(use, table="") if use else None


def _apart(parsed: Understood | NotParsed, table: str) -> object:
    """All that the text reads, without the table's name."""
    if isinstance(parsed, NotParsed):
        return parsed
    others = frozenset(use for use in parsed.uses if use.table != table)
    bounds = tuple(replace(bound, table="") if bound.table == table else bound for bound in parsed.bounds)
    return others, bounds, parsed.alone, parsed.first - {table}, table in parsed.first
