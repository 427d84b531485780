"""The statements of one SQL text. Cut at sqlglot's tokens: a semicolon inside quotes or a function's body is none."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import SqlglotError

from runbooks.lineage.sql import STUMBLES

_TEXTS = (TokenType.STRING, TokenType.HEREDOC_STRING, TokenType.RAW_STRING)


@dataclass(frozen=True)
class Statement:
    """``words`` are its tokens, those that are not quoted in capitals, and ``ends`` where in the text each one ends;
    both are empty where it cannot be read at all."""

    text: str
    words: tuple[str, ...]
    ends: tuple[int, ...]

    @cached_property
    def tree(self) -> exp.Expr | None:
        """None where sqlglot understands nothing of it, and a ``Command`` where it knows the first word alone. Parsed
        when it is asked for: a migration may fill other tables with thousands of rows."""
        if not self.words:
            return None
        try:
            return sqlglot.parse_one(self.text, read="postgres")
        except (SqlglotError, *STUMBLES):
            return None

    def may_name(self, *names: str) -> bool:
        """Whether it is worth being parsed for one of the names."""
        text = self.text.lower()
        return any(name.lower() in text for name in names)


def statements(text: str) -> Iterator[Statement]:
    """In their order; what cannot be read at all is one statement that nobody understands."""
    tokens = _tokens(text)
    if tokens is None:
        yield Statement(text, (), ())
        return
    start = 0
    for end in [*(at for at, token in enumerate(tokens) if token.token_type == TokenType.SEMICOLON), len(tokens)]:
        part = tokens[start:end]
        start = end + 1
        if part:
            begins = part[0].start
            sql = text[begins : part[-1].end + 1]
            ends = tuple(token.end + 1 - begins for token in part)
            yield Statement(sql, tuple(_word(token) for token in part), ends)


def behind(statement: Statement, words: Iterable[str]) -> Iterator[Statement]:
    """What stands behind the last of these words in it; all of it where there is none."""
    found = [end for word, end in zip(statement.words, statement.ends, strict=True) if word in words]
    if found:
        yield from statements(statement.text[found[-1] :])
    else:
        yield statement


def body_of(statement: Statement) -> str:
    """What stands between the dollars of ``DO $$ … $$``; empty without any."""
    quoted = _tokens(statement.words[-1]) or []
    return next((token.text for token in quoted if token.token_type == TokenType.HEREDOC_STRING), "")


def mentions(text: str, name: str) -> bool:
    """Whether the SQL names the table, in a string or a function's body too."""
    tokens = _tokens(text)
    if tokens is None:
        return name.lower() in text.lower()
    return any(_names(token, text, name) for token in tokens)


def name_of(identifier: object) -> str:
    """As Postgres folds it: what is not quoted is in lower case."""
    if not isinstance(identifier, exp.Identifier):
        return ""
    return identifier.name if identifier.args.get("quoted") else identifier.name.lower()


def _names(token: Token, text: str, name: str) -> bool:
    if token.token_type in _TEXTS:
        return token.text == name or (token.text != text and mentions(token.text, name))
    return (token.text if token.token_type == TokenType.IDENTIFIER else token.text.lower()) == name


def _word(token: Token) -> str:
    return token.text if token.token_type in (*_TEXTS, TokenType.IDENTIFIER) else token.text.upper()


def _tokens(text: str) -> list[Token] | None:
    try:
        return Postgres().tokenize(text)
    except (SqlglotError, *STUMBLES):
        return None
