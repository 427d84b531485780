"""What one SQL text reads: tables, columns, wildcards, FINAL, bounds in time. Parsed once a text, by sqlglot."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from runbooks.lineage.bounds import Bound, bounds_of
from runbooks.lineage.first import first_tables
from runbooks.lineage.templates import NotUnderstood, named, plain, plain_alone

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # what it cannot parse is a finding, not a line on the terminal

LONGEST = 200_000  # characters; the estate's longest pipe has 30,000
STUMBLES = (ValueError, TypeError, AttributeError, LookupError, AssertionError)  # sqlglot's, over what nobody expected
_CONSTANTS = frozenset({"inf", "nan", "Inf", "NaN", "default"})
_NAMES_COLUMNS = re.compile(r"\{\{.*\b(?:columns?|symbol)\s*\(|\{%\s*(?:set|for)\b", re.DOTALL)
_SERVICE = ("tinybird", "organization", "system")  # Tinybird's own logs (facts/tinybird.md §8)
_BY_NAME = re.compile(r"\b(?:merge|cluster(?:AllReplicas)?|remote(?:Secure)?)\s*\(", re.IGNORECASE)
_READ_BY_NAME = ("merge", "cluster", "clusterallreplicas", "remote", "remotesecure")
# ClickHouse's own that sqlglot does not know, and that say nothing of what is read.
_APPLY = re.compile(r"\bAPPLY\s*(?:\((?:[^()]|\([^()]*\))*\)|\s\w+)", re.IGNORECASE)
_SECOND_LIMIT = re.compile(
    r"(\bLIMIT\s+\d+\s+BY\s+[\w.,`\"\s]+?)\s+LIMIT\s+\d+(?:\s*(?:,|\bOFFSET\b)\s*\d+)?", re.IGNORECASE
)


@dataclass(frozen=True)
class Use:
    """One table in one text. ``columns`` are those that the text may read of it, by their own names."""

    table: str
    final: bool = False  # every place where it stands says FINAL, or keeps one row a key in another way
    wildcard: bool = False  # some ``*`` or ``x.*`` takes all its columns
    emitted: bool = False  # all its columns come out of the text's outermost SELECT
    columns: frozenset[str] = frozenset()
    qualified: frozenset[str] = frozenset()  # those of them that the text itself gives to this table
    sole: frozenset[str] = frozenset()  # those that a SELECT names which reads nothing else: they can only be its own
    prefixed: bool = False  # with a workspace's name before it: it may be another workspace's table


@dataclass(frozen=True)
class Understood:
    uses: tuple[Use, ...]
    bounds: tuple[Bound, ...] = ()
    alone: frozenset[str] = frozenset()  # columns that can only be those of the one table that is read
    first: frozenset[str] = frozenset()  # the tables that it begins with

    def use(self, table: str) -> Use | None:
        return next((u for u in self.uses if u.table == table), None)


@dataclass(frozen=True)
class NotParsed:
    """``computed``: what it reads is decided when it is called, so it may be anything."""

    why: str
    computed: bool = False


@lru_cache(maxsize=50_000)
def understand(sql: str) -> Understood | NotParsed:
    """What the node's SQL (templates included) reads, or why that cannot be said."""
    if len(sql) > LONGEST:
        return NotParsed(f"it has {len(sql):,} characters, and at most {LONGEST:,} are parsed")
    try:
        return _understood(sql)
    except NotUnderstood as exc:
        return NotParsed(str(exc), computed=exc.computed)
    except RecursionError:
        return NotParsed("it is nested too deeply")
    except SqlglotError as exc:
        return NotParsed(_first_line(exc))
    except STUMBLES as exc:
        return NotParsed(f"the parser stumbled over it ({type(exc).__name__})")


@lru_cache(maxsize=50_000)
def computes(sql: str) -> bool:
    """Whether a table's name is computed when the SQL is called. The template tells, or a function that only those
    texts are parsed for which name it: this is asked of every pipe for every plan."""
    if len(sql) > LONGEST:
        return False
    try:
        named(sql)
    except NotUnderstood as exc:
        return exc.computed
    parsed = understand(sql) if _BY_NAME.search(sql) else None
    return isinstance(parsed, NotParsed) and parsed.computed


def trees_of(sql: str) -> list[exp.Expr]:
    """The trees of a text that ``understand`` understands: one for each of a template's branches."""
    try:
        return [_parse(text) for text in plain(sql)]
    except SqlglotError as first:
        try:
            return [_parse(text) for text in plain_alone(sql) if text.strip()]
        except SqlglotError:
            raise first from None  # of the text as it stands


def _understood(sql: str) -> Understood:
    trees = trees_of(sql)
    merged: dict[str, Use] = {}
    bounds: dict[Bound, None] = {}
    for tree in trees:
        for use in _uses(tree):
            merged[use.table] = _join(merged[use.table], use) if use.table in merged else use
        bounds.update(dict.fromkeys(bounds_of(tree)))
    alone = _columns_alone(trees) if len(merged) == 1 and not _NAMES_COLUMNS.search(sql) else frozenset[str]()
    first = frozenset[str]().union(*map(first_tables, trees))
    return Understood(tuple(merged.values()), tuple(bounds), alone, first)


def _parse(text: str) -> exp.Expr:
    text = text.strip().rstrip(";")
    try:
        tree = sqlglot.parse_one(text, read="clickhouse")
    except SqlglotError:
        plainer = _SECOND_LIMIT.sub(r"\1 ", _APPLY.sub(" ", text))
        if plainer == text:
            raise
        tree = sqlglot.parse_one(plainer, read="clickhouse")
    if not isinstance(tree, exp.Query):
        raise NotUnderstood("it is not a SELECT")
    return tree


def _first_line(error: Exception) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", str(error)).splitlines()[0][:200]


def _join(a: Use, b: Use) -> Use:
    return Use(
        a.table,
        a.final and b.final,
        a.wildcard or b.wildcard,
        a.emitted or b.emitted,
        a.columns | b.columns,
        a.qualified | b.qualified,
        a.sole | b.sole,
        a.prefixed and b.prefixed,
    )


def _uses(tree: exp.Expr) -> Iterator[Use]:
    emitted, told = _emitted(tree), set[str]()
    others = _other_names(tree) | {c.name for c in _set_or_left_out(tree)}
    for select in tree.find_all(exp.Select):
        sources = list(_sources(select))
        tables = [t for t in sources if isinstance(t, exp.Table)]
        real = {_alias(t): t for t in tables if t.name and not _is_cte(t) and t.db not in _SERVICE}
        columns, stars = _columns_of(select)
        once = len(tables) == 1 and _keeps_one_row(select)
        for alias, table in real.items():
            names = {alias, table.name} if table.name not in real else {alias}  # its own name goes beside an alias
            qualified = {column for name in names for column in columns.get(name, ())}
            named = qualified | columns.get("", set())
            name, prefixed = _own_name(table)
            told.add(name)
            yield Use(
                name,
                final=once or isinstance(table.parent, exp.Final),
                wildcard=bool({"", *names} & stars),
                emitted=table.name in emitted,
                columns=frozenset(named),
                qualified=frozenset() if prefixed else frozenset(qualified),
                sole=frozenset(columns.get("", set()) - others) if len(sources) == 1 and not prefixed else frozenset(),
                prefixed=prefixed,
            )
    yield from _named_elsewhere(tree)
    for table in tree.find_all(exp.Table):  # in a place that nobody thought of: better a reader too many
        name, prefixed = _own_name(table)
        if name and name not in told and not _is_cte(table) and table.db not in _SERVICE and _is_source(table):
            yield Use(name, prefixed=prefixed)


def _is_source(table: exp.Table) -> bool:
    """Not one of the arrays of ARRAY JOIN, which sqlglot takes for tables."""
    join = table.find_ancestor(exp.Join, exp.Select)
    return not (isinstance(join, exp.Join) and join.kind == "ARRAY")


def _own_name(table: exp.Table) -> tuple[str, bool]:
    """The table's name without its workspace's, and whether there was one: ``w.t`` and ```w.t```."""
    before, _, name = table.name.rpartition(".")
    return name, bool(before or table.db)


def _keeps_one_row(select: exp.Select) -> bool:
    """``LIMIT 1 BY key`` and ``argMax(…) … GROUP BY key`` choose one version of a row, as FINAL does."""
    limit = select.args.get("limit")
    if isinstance(limit, exp.Limit) and limit.expressions:
        return True
    return select.args.get("group") is not None and any(e.find(exp.ArgMax) for e in select.expressions)


def _sources(select: exp.Select) -> Iterator[exp.Expr]:
    """What stands in the FROM and the JOINs of this very SELECT; arrays of ARRAY JOIN left out."""
    places = [select.args.get("from_"), *(j for j in select.args.get("joins") or () if j.kind != "ARRAY")]
    for place in places:
        if place is not None:
            source = place.this
            source = source.this if isinstance(source, exp.Final) else source
            if isinstance(source, exp.Table) and _called(source).lower() in _READ_BY_NAME:
                raise NotUnderstood(
                    f"the tables that {_called(source)}(…) reads are found by their names", computed=True
                )
            yield source


def _called(source: exp.Table) -> str:
    """The table function's name; empty for a table."""
    return source.this.name if isinstance(source.this, exp.Anonymous) else ""


def _alias(source: exp.Expr) -> str:
    return source.alias or source.name


def _is_cte(table: exp.Table | exp.Column) -> bool:
    """Whether a WITH that is visible here gives the name; inside its own definition it is the table."""
    if table.args.get("db") or table.args.get("table"):
        return False
    node: exp.Expr = table
    while (parent := node.parent) is not None:
        if isinstance(parent, exp.With):
            before = parent.expressions[: parent.expressions.index(node)]
            if table.name in {c.alias for c in before}:
                return True
        elif (with_ := parent.args.get("with_")) is not node and table.name in _tables_of(with_):
            return True
        node = parent
    return False


def _tables_of(with_: exp.With | None) -> set[str]:
    return {c.alias for c in with_.expressions if not c.args.get("scalar")} if with_ else set()


def _columns_of(select: exp.Select) -> tuple[dict[str, set[str]], set[str]]:
    """Columns named in this SELECT (not in the queries inside it) by their qualifier, and the qualifiers of stars."""
    columns: dict[str, set[str]] = {}
    stars: set[str] = set()
    unfolded = _unfolded(select)
    for node in select.walk(prune=lambda n: isinstance(n, exp.Query) and n is not select):
        if isinstance(node, exp.Column):
            if isinstance(node.this, exp.Star):
                stars.add(node.table)
            elif node.name not in unfolded:
                columns.setdefault(node.table, set()).add(node.name)
        elif _is_columns(node) or (isinstance(node, exp.Star) and node.parent is select):
            stars.add("")
    return columns, stars


def _unfolded(select: exp.Select) -> set[str]:
    """The names that ARRAY JOIN gives to the elements: no columns, though a table's name may stand before them."""
    joins = (j for j in select.args.get("joins") or () if j.kind == "ARRAY")
    arrays = (e for j in joins for e in (j.this, *j.expressions) if e is not None)
    return {e.alias for e in arrays if e.alias}


def _emitted(query: exp.Expr, known: dict[str, frozenset[str]] | None = None) -> frozenset[str]:
    """The tables all of whose columns come out of ``query``, looked for through subqueries and WITH."""
    known = dict(known or {})
    if (with_ := query.args.get("with_")) is not None:
        for cte in with_.expressions:
            known[cte.alias] = _emitted(cte.this, known)
    if isinstance(query, exp.Subquery):
        return _emitted(query.this, known)
    if isinstance(query, exp.SetOperation):
        return _emitted(query.this, known) | _emitted(query.expression, known)
    if not isinstance(query, exp.Select):
        return frozenset()
    stars = {e.table if isinstance(e, exp.Column) else "" for e in query.expressions if _is_star(e)}
    found: set[str] = set()
    aliases = {_alias(source) for source in _sources(query)}
    for source in _sources(query):
        if {"", _alias(source), *({source.name} - aliases)} & stars:
            if isinstance(source, exp.Table):
                found |= known.get(source.name, frozenset({source.name}))
            else:
                found |= _emitted(source, known)
    return frozenset(found)


def _columns_alone(trees: list[exp.Expr]) -> frozenset[str]:
    """The unqualified columns of texts so plain that no name in them can come from anywhere but their one table."""
    found: set[str] = set()
    for tree in trees:
        selects = list(tree.find_all(exp.Select, exp.With, exp.Join, exp.In))
        if len(selects) != 1 + sum(isinstance(s, exp.In) and s.args.get("field") is None for s in selects):
            return frozenset()
        aliases = _other_names(tree)
        others = {id(c) for c in _set_or_left_out(tree)}
        names = (c for c in tree.find_all(exp.Column) if not c.table and id(c) not in others)
        found |= {c.name for c in names if not isinstance(c.this, exp.Star)} - aliases - _CONSTANTS
    return frozenset(found)


def _other_names(tree: exp.Expr) -> set[str]:
    """Names that a text gives to something itself, and words that are no columns."""
    found = {e.alias for e in tree.find_all(exp.Alias, exp.Aliases)}
    for node in tree.find_all(exp.Lambda, exp.Anonymous, exp.DateDiff, exp.DateAdd, exp.DateSub, exp.TimestampTrunc):
        found |= {i.name for i in node.find_all(exp.Identifier)} if _own_names(node) else set[str]()
    return found


def _set_or_left_out(tree: exp.Expr) -> Iterator[exp.Column]:
    """What looks like columns in SETTINGS, and those that ``* EXCEPT`` does without."""
    settings = [e for select in tree.find_all(exp.Select) for e in select.args.get("settings") or ()]
    left_out = [e for star in tree.find_all(exp.Star) for e in star.args.get("except_") or ()]
    for expression in (*settings, *left_out):
        yield from expression.find_all(exp.Column)


def _own_names(node: exp.Expr) -> bool:
    """Its arguments may be names that are no columns: parameters, units of time, dictionaries."""
    return not isinstance(node, exp.Anonymous) or node.name.lower().startswith(("dictget", "joinget", "date"))


def _is_star(expression: exp.Expr) -> bool:
    if isinstance(expression, exp.Dot):  # m.COLUMNS('…')
        return _is_columns(expression.expression)
    return (
        isinstance(expression, exp.Star)
        or _is_columns(expression)
        or (isinstance(expression, exp.Column) and isinstance(expression.this, exp.Star))
    )


def _is_columns(node: exp.Expr) -> bool:
    """``COLUMNS('…')``: every column that fits."""
    return isinstance(node, exp.Columns) or (isinstance(node, exp.Anonymous) and node.name.upper() == "COLUMNS")


def _named_elsewhere(tree: exp.Expr) -> Iterator[Use]:
    """Tables named outside FROM: ``x IN table`` and ``joinGet('table', …)``. A row read twice counts once there."""
    for node in tree.find_all(exp.In, exp.Anonymous):
        if isinstance(node, exp.In):
            operand = node.args.get("field")
            if isinstance(operand, exp.Column) and not _is_cte(operand):
                yield Use(operand.name, final=True, prefixed=bool(operand.table))
        elif node.name.lower().startswith(("joinget", "dictget")) and node.expressions:
            name = node.expressions[0].name
            yield Use(name.rpartition(".")[2], final=True, prefixed="." in name)
