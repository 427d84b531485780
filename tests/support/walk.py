"""Who reads a data source, found a second time by other means: words of the SQL, and no parser.

It shares no code with ``runbooks.lineage``, so that one can be held against the other. A pipe is its datafile's text or
what the API says of it; a template keeps all its branches one behind the other; a table's name is a word behind
FROM, JOIN, IN or a comma of their lists, unless a WITH or a node of the pipe gives the name.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

_HIDDEN = re.compile(
    r"'(?:[^'\\]|\\.|'')*'"  # strings first: what looks like a comment in them is none
    r"|--[^\n]*|/\*.*?\*/|\{#.*?#\}",
    re.DOTALL,
)
_VALUE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_TAG = re.compile(r"\{%\s*(\w+).*?%\}", re.DOTALL)
_MARKS = {"if": "⟦", "for": "⟦", "else": "¦", "elif": "¦", "end": "⟧"}  # one character that no SQL has
_TOKEN = re.compile(r"[A-Za-z_]\w*|`[^`]+`|[(),.]|\S")
_WITH = re.compile(r"(\w+)\s+AS\s*\(\s*(?:WITH|SELECT)\b", re.IGNORECASE)
_ENDS = re.compile(  # of a list of tables
    r"WHERE|PREWHERE|GROUP|ORDER|HAVING|LIMIT|UNION|SELECT|ON|USING|SETTINGS|WINDOW|ARRAY|FORMAT|EXCEPT"
)


@dataclass(frozen=True)
class Walked:
    """A pipe as its words tell it: ``reads`` are tables and pipes, its own nodes left out."""

    name: str
    kind: str
    reads: frozenset[str]


def walked(name: str, kind: str, nodes: Iterable[tuple[str, str]]) -> Walked:
    """``nodes`` are names with their SQL."""
    texts = dict(nodes)
    reads = {table for node, sql in texts.items() for table in tables(sql) if table == node or table not in texts}
    return Walked(name, kind, frozenset(reads))


def from_datafiles(files: Mapping[str, str]) -> list[Walked]:
    """The pipes of ``files``: path → text."""
    return [
        walked(PurePath(path).stem, _kind(text), _nodes(text)) for path, text in files.items() if path.endswith(".pipe")
    ]


def from_api(pipes: Iterable[Mapping[str, Any]]) -> list[Walked]:
    """The pipes as ``GET /v0/pipes`` answers; ``default`` are those that are not published."""
    return [
        walked(p["name"], "pipe" if p["type"] == "default" else p["type"], [(n["name"], n["sql"]) for n in p["nodes"]])
        for p in pipes
    ]


def readers(datasource: str, pipes: Iterable[Walked]) -> set[tuple[str, str, bool]]:
    """``(name, kind, direct)`` of every pipe that reads ``datasource``, itself or by way of other pipes."""
    everyone = list(pipes)
    found = {pipe.name: (pipe.name, pipe.kind, True) for pipe in everyone if datasource in pipe.reads}
    grown = -1
    while grown != len(found):
        grown = len(found)
        for pipe in everyone:
            if pipe.name not in found and not found.keys().isdisjoint(pipe.reads):
                found[pipe.name] = (pipe.name, pipe.kind, False)
    return set(found.values())


def differences(
    readers_of: Callable[[str], Iterable[Any]], datasources: Iterable[str], pipes: list[Walked]
) -> dict[str, str]:
    """Of each data source whose readers ``readers_of`` tells otherwise than the walk: who names which."""
    found: dict[str, str] = {}
    for name in datasources:
        named = {(reader.name, reader.kind, reader.direct) for reader in readers_of(name)}
        if named != (walked := readers(name, pipes)):
            found[name] = f"by the other alone: {named - walked}; by the walk alone: {walked - named}"
    return found


def tables(sql: str) -> set[str]:
    """Every word that stands where SQL has a table."""
    marked = _TAG.sub(lambda m: f" {_MARKS.get(m[1], '')} ", _VALUE.sub(" 0 ", sql))
    text = _HIDDEN.sub(lambda m: " 0 " if m[0].startswith("'") else " ", marked)
    given = list(_given(text))
    return {
        word
        for word, at in _in_table_places(text)
        if not any(word == name and begin <= at < end for name, begin, end in given)
    }


def _in_table_places(text: str) -> Iterator[tuple[str, int]]:
    tokens = [(m[0].strip("`"), m.start(), m[0].startswith("`")) for m in _TOKEN.finditer(text)]
    depths: list[bool] = [False]  # of each open bracket: are we in a list of tables?
    branching: list[bool] = []  # what was expected where each open {% if %} began
    expected = False
    for number, (word, at, quoted) in enumerate(tokens):
        upper = "" if quoted else word.upper()
        after = tokens[number + 1][0] if number + 1 < len(tokens) else ""
        if word == "⟦":
            branching.append(expected)
        elif word == "¦":
            expected = branching[-1]
        elif word == "⟧":
            branching.pop()
        elif upper in ("FROM", "JOIN"):
            depths[-1] = expected = not _of_something_else(tokens, number)
        elif upper == "IN":
            expected = after != "("
        elif word == "(":
            depths.append(expected)
            expected = expected and after.upper() not in ("SELECT", "WITH")
        elif word == ")":
            depths.pop()
            expected = False
        elif word == ",":
            expected = depths[-1]
        elif _ENDS.fullmatch(upper):
            depths[-1] = expected = False
        elif expected and re.fullmatch(r"[A-Za-z_]\w*", word) and after != "(":
            if after != ".":
                yield word, at
            expected = after == "."
        elif word != ".":
            expected = False


def _of_something_else(tokens: list[tuple[str, int, bool]], number: int) -> bool:
    """``EXTRACT(DAY FROM x)``, ``TRIM(BOTH ' ' FROM x)`` and ``ARRAY JOIN x``."""
    before = [word.upper() for word, _, _ in tokens[max(0, number - 4) : number]]
    return "EXTRACT" in before or "TRIM" in before or before[-1:] == ["ARRAY"]


def _given(text: str) -> Iterator[tuple[str, int, int]]:
    """The names that WITH gives, and from where to where each counts: behind its definition, in the same brackets."""
    for found in _WITH.finditer(text):
        defined = _closed(text, text.index("(", found.end(1)) + 1)
        yield found[1], defined, _closed(text, defined)


def _closed(text: str, at: int) -> int:
    """Where the bracket closes in which ``at`` lies."""
    depth = 1
    while depth and at < len(text):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
    return at


def _kind(text: str) -> str:
    types = re.findall(r"(?mi)^TYPE\s+(\w+)", text)
    return types[-1].lower() if types else "endpoint"  # pushing a plain pipe publishes its last node


def _nodes(text: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"(?m)^NODE\s+", text)[1:]:
        name, _, rest = part.partition("\n")
        sql: list[str] = []
        for line in rest.partition("SQL >\n")[2].splitlines():
            if line and not line.startswith((" ", "\t")):
                break
            sql.append(line)
        yield name.strip(), "\n".join(sql)
