"""Whether what an append copy misses while it stands still can be copied afterwards: exactly, and proven, or not at all
(facts/procedures.md §2.7)."""

from collections.abc import Iterator, Mapping

from sqlglot import exp

from runbooks.facts.model import Datasource, Facts, Node, Pipe
from runbooks.lineage import Lineage
from runbooks.lineage.lookback import LookBack, Unsure, look_back, parsed, rows_pass_through, steady, templated
from runbooks.proof.gap import MOMENT, Gap, GapNode, KeyColumn, missing
from runbooks.types import clickhouse
from runbooks.words import counted

ENGINE = "ReplacingMergeTree"
ROWS = 30_000_000  # of one table that the proof reads in the 10 s of a query: two narrow columns, with FINAL
SQL_BYTES = 7_500  # of the proof; a query may have 8 KB
_ADDS_UP = ("SummingMergeTree", "AggregatingMergeTree")

Trees = Mapping[str, exp.Expr]


def look_back_s(lineage: Lineage, pipe: str) -> int:
    """How far the copy looks back, in it or in a pipe that it reads; 0 where it does not."""
    read = (parsed for name in lineage.inlined(pipe) for _, parsed in lineage.bounds(name))
    return max((bound.look_back_s or 0 for parsed in read for bound in parsed.bounds), default=0)


def gap_of(pipe: Pipe, facts: Facts, lineage: Lineage) -> Gap | str:
    """What is copied after the appending copy stood still, or why that cannot be: a clause behind a colon."""
    try:
        return _gap(pipe, facts, lineage)
    except Unsure as why:
        return str(why)


def _gap(pipe: Pipe, facts: Facts, lineage: Lineage) -> Gap:
    target = _target(pipe, facts, lineage)
    trees = {node.name: parsed(node.sql) for node in pipe.nodes}
    _nothing_else_moves(pipe, facts, lineage)
    nodes = tuple(_in_order(pipe.output.name, trees))
    bounds = {node.name: found for node in pipe.nodes if (found := look_back(node.sql, trees[node.name]))}
    if not all(steady(node.sql) for node in pipe.nodes if node.name not in bounds):
        raise Unsure("its SQL asks the clock, or chance, in another place too")
    if len(bounds) != 1 or not bounds.keys() <= set(nodes):
        raise Unsure("its look-back does not stand in one place of its own nodes")
    (bounded, cut), *_ = bounds.items()
    for name in nodes[nodes.index(bounded) + 1 :]:
        _passed_on(trees, bounded, name)
    key = tuple(KeyColumn(name, _type(target, name)) for name in target.sorting_key)
    version = KeyColumn(target.version, _type(target, target.version))
    _gives(pipe.output.name, trees, facts, (*target.sorting_key, target.version))
    texts = {node.name: node for node in pipe.nodes}
    made = tuple(GapNode(name, _text(texts[name], cut if name == bounded else None)) for name in nodes)
    gap = Gap(pipe.name, target.name, made, cut.comparison, cut.seconds, key, version)
    if len(missing(gap, facts.now, facts.now).encode()) > SQL_BYTES:
        raise Unsure("its SQL is too long to be proven in one query")
    return gap


def _target(pipe: Pipe, facts: Facts, lineage: Lineage) -> Datasource:
    """The target, if a row that comes twice replaces itself in it."""
    target = facts.datasources.get(pipe.output.target or "")
    if target is None:
        raise Unsure("its target is not known")
    if target.engine != ENGINE or not target.version:
        twice = "counts twice" if target.engine in _ADDS_UP else "stays twice"
        said = f"{target.engine}, where a row that comes twice {twice}"
        raise Unsure(f"{target.name} is a {said if target.engine != ENGINE else f'{ENGINE} without a version'}")
    if not target.sorting_key or any(target.column(name) is None for name in (*target.sorting_key, target.version)):
        raise Unsure(f"the key of {target.name} is more than columns of it")
    if clickhouse.parse(_type(target, target.version)).core.name not in ("DateTime", "DateTime64"):
        raise Unsure(f"the version of {target.name} is no time")
    if chain := lineage.materialized_chain(target.name):
        raise Unsure(f"rows written into {target.name} again would go through the view {chain[0].pipe} again")
    return target


def _nothing_else_moves(pipe: Pipe, facts: Facts, lineage: Lineage) -> None:
    """Each run of the nodes gives the same rows, whoever runs them, and /v0/sql can read them by their names."""
    for node in pipe.nodes:
        if node.name in facts.datasources or node.name in facts.pipes:
            raise Unsure(f"its node {node.name} has the name of something else")
    others = [facts.pipes[name] for name in lineage.inlined(pipe.name) if name != pipe.name]
    for other in others:
        if any(templated(node.sql) or not steady(node.sql) for node in other.nodes):
            raise Unsure(f"{other.name}, which it reads, is a template, or asks the clock or chance")
        for why in lineage.not_understood_in(other):
            raise Unsure(f"{other.name}, which it reads, is not understood: {why}")
        if any(read.bounds for _, read in lineage.bounds(other.name)):
            raise Unsure(f"{other.name}, which it reads, bounds time too")
    tables = {use.table for each in (pipe, *others) for _, read in lineage.bounds(each.name) for use in read.uses}
    for name in sorted({*tables, pipe.output.target or ""} & facts.datasources.keys()):
        if (facts.datasources[name].rows or 0) > ROWS:
            rows = counted(ROWS, "row")
            raise Unsure(f"{name} has more than {rows}, which one query of 10 s cannot prove")


def _in_order(name: str, trees: Trees, open_now: tuple[str, ...] = ()) -> Iterator[str]:
    """The node and those that it reads, each behind what it reads itself."""
    if name in open_now:
        raise Unsure("its nodes read each other in a circle")
    done: dict[str, None] = {}
    for table in trees[name].find_all(exp.Table):
        if table.name in trees and table.name != name:
            done.update(dict.fromkeys(_in_order(table.name, trees, (*open_now, name))))
    yield from (*done, name)


def _passed_on(trees: Trees, bounded: str, name: str) -> None:
    """See that the node leaves each row of those below as it is, if it reads them."""
    below = {bounded, *(n for n in trees if n != name and _reads(trees, n, bounded))}
    for table in {t.name for t in trees[name].find_all(exp.Table)} & below:
        rows_pass_through(trees[name], table)


def _reads(trees: Trees, name: str, other: str) -> bool:
    return other in set(_in_order(name, trees)) - {name}


def _gives(output: str, trees: Trees, facts: Facts, columns: tuple[str, ...]) -> None:
    given = _columns(trees[output], trees, facts)
    lacking = next((name for name in columns if name not in given), None)
    if lacking:
        raise Unsure(f"it is not certain that its SQL gives {lacking}, which the target needs to tell rows apart")


def _columns(query: exp.Expr, trees: Trees, facts: Facts) -> frozenset[str]:
    """The names that come out of the query, as far as they are certain."""
    if isinstance(query, exp.Subquery):
        return _columns(query.this, trees, facts)
    if not isinstance(query, exp.Select):
        return frozenset()
    found: set[str] = set()
    for each in query.expressions:
        if not each.is_star:
            found.add(each.alias_or_name)
            continue
        star = each.this if isinstance(each, exp.Column) else each
        left_out = {column.name for column in star.args.get("except_") or ()}
        found |= _of_star(query, each, trees, facts) - left_out
    return frozenset(found)


def _of_star(query: exp.Select, star: exp.Expr, trees: Trees, facts: Facts) -> frozenset[str]:
    """The columns of ``t.*``, or of ``*`` where there is one table alone."""
    joins = query.args.get("joins") or ()
    places = [query.args.get("from_"), *joins]
    sources = [place.this for place in places if place is not None]
    sources = [source.this if isinstance(source, exp.Final) else source for source in sources]
    if isinstance(star, exp.Column):
        sources = [source for source in sources if source.alias_or_name == star.table]
    if len(sources) != 1:
        return frozenset()
    source = sources[0]
    if isinstance(source, exp.Table) and not source.db and not query.find(exp.With):
        if source.name in trees:
            return _columns(trees[source.name], trees, facts)
        known = facts.datasources.get(source.name)
        return frozenset(c.name for c in known.columns if c.materialized is None) if known else frozenset()
    return _columns(source, trees, facts)


def _text(node: Node, cut: LookBack | None) -> str:
    return node.sql.strip() if cut is None else f"%\n{cut.since(MOMENT).strip()}"


def _type(target: Datasource, name: str) -> str:
    column = target.column(name)
    return column.type if column else ""
