"""Cutting a line into words: quotes and brackets hold together, commas stand alone."""

from dataclasses import dataclass

from bot.grammar.refusal import Refused, shown

_CLOSES = {"(": ")", "[": "]"}


@dataclass(frozen=True)
class Token:
    """A word with its place in the line, so that an expression can be cut out as it was typed."""

    text: str
    start: int
    end: int

    @property
    def comma(self) -> bool:
        return self.text == ","


@dataclass
class Cursor:
    """Where the reader is. ``line`` is the cleaned line that the tokens point into."""

    line: str
    tokens: tuple[Token, ...]
    at: int = 0

    @property
    def done(self) -> bool:
        return self.at >= len(self.tokens)

    def peek(self) -> str:
        """The next word, or the empty string at the end."""
        return "" if self.done else self.tokens[self.at].text

    def take(self) -> Token:
        token = self.tokens[self.at]
        self.at += 1
        return token

    def before(self) -> str:
        """The word already read, for "after `members`"."""
        return self.tokens[self.at - 1].text if 0 < self.at <= len(self.tokens) else ""


def tokenize(line: str) -> tuple[Token, ...]:
    """The words of a line. Raises Refused when a quote or bracket is never closed."""
    tokens: list[Token] = []
    at = 0
    while at < len(line):
        if line[at] == " ":
            at += 1
            continue
        end = at + 1 if line[at] == "," else _word_end(line, at)
        tokens.append(Token(line[at:end], at, end))
        at = end
    return tuple(tokens)


def _word_end(line: str, start: int) -> int:
    open_brackets: list[str] = []
    at = start
    while at < len(line):
        char = line[at]
        if char in "'\"":
            at = _quote_end(line, at)
            continue
        if not open_brackets and char in " ,":
            return at
        if char in _CLOSES:
            open_brackets.append(_CLOSES[char])
        elif open_brackets and char == open_brackets[-1]:
            open_brackets.pop()
        at += 1
    if open_brackets:
        raise Refused(f"A bracket in {shown(line[start:])} is never closed; it needs `{open_brackets[-1]}`")
    return at


def _quote_end(line: str, start: int) -> int:
    """The place behind the closing quote; a doubled quote is one quote inside the text."""
    quote, at = line[start], start + 1
    while True:
        at = line.find(quote, at)
        if at < 0:
            raise Refused(f"The quote that opens at {shown(line[start:])} is never closed; write an apostrophe twice")
        if line[at : at + 2] != quote * 2:
            return at + 1
        at += 2
