"""Templated SQL made plain, so that a parser can read it (facts/tinybird.md §11).

No template is evaluated. Every branch of ``{% if %}`` is kept: where branches exclude each other the text is
given more than once, so that each branch stands in at least one of them. ``{{…}}`` becomes a literal of its type,
a word inside quotes, and nothing where it only sets something.
"""

import ast
import re
from dataclasses import dataclass, field
from itertools import zip_longest

_TAG = re.compile(r"\{%(.*?)%\}|\{\{(.*?)\}\}|\{#.*?#\}", re.DOTALL)
_OPENS = ("if", "for", "while", "try", "block", "apply")
_BRANCHES = ("else", "elif", "else if", "except", "finally")
_TABLE_PLACE = re.compile(r"\b(?:FROM|JOIN)\s*$", re.IGNORECASE)
_NUMBERS = re.compile(r"(?:U?Int|Float|Decimal)\d*$")
_STRINGS = frozenset({"String", "UUID", "FixedString", "LowCardinality", "sql_unescape", "JSON"})
# What these put into the SQL is a comment, or they end the request (facts/tinybird.md §11).
_SILENT = frozenset({"error", "custom_error", "max_threads", "backend_hint", "cache_ttl", "activate", "disable"})
_NAMES = frozenset({"table", "TABLE", "column", "symbol"})
_TO_QUOTE = re.compile(r"'|--[^\n]*|/\*.*?\*/", re.DOTALL)
_TO_END = re.compile(r"\\.|'", re.DOTALL)
_NEAR = 40  # characters before a tag that say in which place it stands


class NotUnderstood(ValueError):
    """The template cannot be made plain without running it. ``computed``: the caller alone knows a table's name."""

    def __init__(self, why: str, *, computed: bool = False) -> None:
        super().__init__(why)
        self.computed = computed


@dataclass
class _Block:
    """``branches`` are sequences of texts and blocks; ``optional`` when none of them may be taken (no else)."""

    branches: list["list[str | _Block]"] = field(default_factory=lambda: [[]])
    optional: bool = True


def plain(sql: str) -> list[str]:
    """The texts that together hold every branch of ``sql``; one text where nothing excludes anything.

    Raises ``NotUnderstood`` where a table's name is computed.
    """
    return _variants(_tree(sql), alone=False)


def plain_alone(sql: str) -> list[str]:
    """The same with at most one optional branch in each text: for branches that exclude each other without an else."""
    return _variants(_tree(sql), alone=True)


def named(sql: str) -> None:
    """Raises ``NotUnderstood`` where a table's name is computed, or where the tags make no sense."""
    _tree(sql)


def _tree(sql: str) -> "list[str | _Block]":
    body = sql.lstrip()
    if not body.startswith("%") and "{{" not in body and "{%" not in body:
        return [sql]
    body = body.removeprefix("%")
    root: list[str | _Block] = []
    stack: list[_Block] = []
    at, quoted = 0, False
    for tag in _TAG.finditer(body):
        here = stack[-1].branches[-1] if stack else root
        text = body[at : tag.start()]
        here.append(text)
        quoted = _within_quotes(text, quoted)
        at = tag.end()
        if tag.group(2) is not None:
            before = body[max(0, tag.start() - _NEAR) : tag.start()]
            here.append(_word(tag.group(2)) if quoted else _literal(tag.group(2).strip(), before))
        elif tag.group(1) is not None:
            _statement(tag.group(1).strip(), here, stack)
    if stack:
        raise NotUnderstood("an {% if %} or {% for %} has no {% end %}")
    root.append(body[at:])
    return root


def _statement(words: str, here: "list[str | _Block]", stack: list[_Block]) -> None:
    word = words.split(None, 1)[0] if words else ""
    if word in _OPENS:
        block = _Block(optional=word == "if")
        here.append(block)
        stack.append(block)
    elif word in _BRANCHES:
        if not stack:
            raise NotUnderstood(f"{{% {words} %}} stands outside a block")
        stack[-1].branches.append([])
        if words == "else":
            stack[-1].optional = False
    elif word == "end":
        if not stack:
            raise NotUnderstood("an {% end %} too many")
        stack.pop()


def _variants(tree: "list[str | _Block]", *, alone: bool) -> list[str]:
    parts: list[list[str]] = []
    for item in tree:
        if isinstance(item, str):
            parts.append([item])
            continue
        branches = [text for branch in item.branches for text in _variants(branch, alone=alone)]
        parts.append(branches)
        if alone and item.optional:
            parts[-1] = ["", *branches]
    if alone:
        return _one_at_a_time(parts)
    longest = max((len(p) for p in parts), default=1)
    rows = zip_longest(*(p if len(p) == longest else [*p, *([p[-1]] * (longest - len(p)))] for p in parts))
    return ["".join(row) for row in rows] or [""]


def _one_at_a_time(parts: list[list[str]]) -> list[str]:
    first = [p[0] for p in parts]
    texts = ["".join(first)]
    for at, choices in enumerate(parts):
        texts.extend("".join([*first[:at], choice, *first[at + 1 :]]) for choice in choices[1:])
    return texts


def _within_quotes(text: str, quoted: bool) -> bool:
    """Whether a string is open behind ``text``, if ``quoted`` says so of the place before it."""
    at = 0
    while found := (_TO_END if quoted else _TO_QUOTE).search(text, at):
        quoted ^= found.group() == "'"
        at = found.end()
    return quoted


def _word(expression: str) -> str:
    """What stands for it inside quotes: the moment of a run still reads as the clock's."""
    return "now()" if "job_timestamp" in expression else "x"


def _literal(expression: str, before: str) -> str:
    """What stands for ``{{expression}}``. Inside a name only a word can stand."""
    function, arguments = _call(expression)
    if function in _SILENT:
        return " "
    if "job_timestamp" in expression:
        return "now()"  # when a scheduled copy was due
    of_table = function.lower() == "table"
    if (of_table and not arguments) or (_TABLE_PLACE.search(before) and function not in _NAMES):
        raise NotUnderstood(f"the table in {{{{{expression}}}}} is computed", computed=True)
    if function in _NAMES:
        return arguments[0 if of_table else -1] if arguments else "x"
    if before[-1:] in ("'", '"', "`", "_") or before[-1:].isalnum():
        return "x"
    if function == "columns":
        return arguments[0] if arguments else "x"
    if function == "Array" or function == "split_to_array":
        return "['x']"
    if function in _STRINGS or function.startswith(("Date", "date_time")):
        return "'2020-01-01'" if function.startswith("Date") else "'x'"
    return "1" if function == "sql_and" or not _NUMBERS.match(function) else "0"


def _call(expression: str) -> tuple[str, list[str]]:
    """The function's name and its literal string arguments; empty where it is no call."""
    try:
        tree = ast.parse(expression, mode="eval").body
    except SyntaxError:
        return "", []
    if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name):
        return "", []
    strings = [a.value for a in tree.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    return tree.func.id, strings
