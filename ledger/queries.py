"""SQL in files: named blocks, each a name, a line on what it does, and the query.

::

    -- take --
    -- Lock a row that nobody else is handling
    SELECT …
"""

import re
from collections.abc import Mapping
from importlib import resources

_NAME = re.compile(r"^-- (?P<name>[a-z_]+) --\n(?P<about>(?:-- (?![a-z_]+ --\n).+\n)+)", re.MULTILINE)


def load(subject: str) -> Mapping[str, bytes]:
    """The queries of ``ledger/sql/<subject>.sql`` by name, as psycopg takes them."""
    text = resources.files("ledger").joinpath("sql", f"{subject}.sql").read_text(encoding="utf-8")
    return parse(text)


def parse(text: str) -> dict[str, bytes]:
    """Read blocks; ``ValueError`` for text before the first one, an empty block or a name used twice."""
    heads = list(_NAME.finditer(text))
    if not heads or text[: heads[0].start()].strip():
        raise ValueError("SQL must begin with a named block: `-- name --`, then a line that says what it does")
    queries: dict[str, bytes] = {}
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        body = text[head.end() : following.start() if following else len(text)].strip()
        if not body or head["name"] in queries:
            raise ValueError(f"block {head['name']!r} is empty or there twice")
        queries[head["name"]] = body.encode()
    return queries
