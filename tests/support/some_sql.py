"""SQL by chance: the shapes that pipes have, nested, names that shadow tables, words that only look like tables."""

import random

TABLES = ("people", "events", "organizations", "made")
_COLUMNS = (
    "*",
    "id, name",
    "count() AS n, s.x",
    "(SELECT max(a) FROM made) AS newest, 1",
    "arrayMap(x -> x, [1, 2])",
)
_JOINS = ("LEFT JOIN", "INNER JOIN", "JOIN", "GLOBAL ANY LEFT JOIN")
_MATCHES = ("USING id, name", "ON a.id = b.id")
_ENDS = ("", "", " GROUP BY id, name", " ORDER BY a, b LIMIT 1 BY id", " LIMIT {{ Int32(n, 5) }}")


def some_sql(chance: random.Random) -> str:
    """A templated query."""
    return f"% {_query(chance, 3, [])}"


def _query(chance: random.Random, depth: int, given: list[str]) -> str:
    if not depth or chance.random() > 0.3:
        return _select(chance, depth, given)
    name = chance.choice(("known", "others", "people"))
    return f"WITH {name} AS ({_query(chance, depth - 1, given)}) {_select(chance, depth, [*given, name])}"


def _select(chance: random.Random, depth: int, given: list[str]) -> str:
    joins = "".join(
        f" {chance.choice(_JOINS)} {_source(chance, depth, given)} {chance.choice(_MATCHES)}"
        for _ in range(chance.randrange(3))
    )
    unfolded = chance.choice(("", "", "", " ARRAY JOIN tags AS tag"))
    where = f"{_condition(chance, depth, given)} AND {_condition(chance, depth, given)}"
    text = f"SELECT {chance.choice(_COLUMNS)} FROM {_source(chance, depth, given)}{joins}{unfolded} WHERE {where}"
    more = f" UNION ALL {_select(chance, depth - 1, given)}" if depth and chance.random() < 0.2 else ""
    return f"{text}{chance.choice(_ENDS)}{more}"


def _source(chance: random.Random, depth: int, given: list[str]) -> str:
    if depth and chance.random() < 0.25:
        return f"({_query(chance, depth - 1, given)}) AS s{chance.randrange(9)}"
    name = chance.choice((*TABLES, *given, "numbers(3)", "`made`"))
    alias = chance.choice(("", f" AS x{chance.randrange(9)}", f" y{chance.randrange(9)}"))
    return name if name.endswith(")") else name + alias + (chance.choice(("", " FINAL")) if name in TABLES else "")


def _condition(chance: random.Random, depth: int, given: list[str]) -> str:
    plain = (
        f"id IN {chance.choice((*TABLES, *given))}",
        "id IN (1, 2, known_not)",
        "name != 'from people, it''s' -- FROM events\n",
        "EXTRACT(DAY FROM d) = 1",
        "{% if defined(x) %} a = {{ String(x, 'FROM events') }} {% else %} b = 1 {% end %}",
        f"id IN (SELECT id FROM {{% if x %}} {chance.choice(TABLES)} {{% else %}} {chance.choice(TABLES)} {{% end %}})",
    )
    nested = (
        f"id IN ({_query(chance, depth - 1, given)})" if depth else "1 = 1",
        f"a > (SELECT max(b) FROM {_source(chance, 0, given)})",
    )
    return chance.choice((*plain, *nested))
