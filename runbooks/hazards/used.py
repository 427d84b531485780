"""Columns that readers name: those that a table has not, and those that a change takes away."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from runbooks.facts.model import Node
from runbooks.hazards import Context, found, on_datasource, on_plan
from runbooks.lineage import NodeUse, Understood, understand
from runbooks.plan import Hazard


@on_datasource
def column_still_used(at: Context) -> Iterator[Hazard]:
    """A reader that names a column which the table does not have."""
    if at.change is not None:
        return
    known = {c.name for c in at.subject.columns}
    for use in at.lineage.uses(at.subject.name):
        named = use.use.qualified | _alone(at, use) if use.use else frozenset[str]()
        missing = sorted(c for c in named - known if not c.startswith("_"))  # _part and kin are ClickHouse's own
        for column in missing:
            yield found(
                "column-still-used",
                "error",
                f"{at.subject.name}.{column}",
                f"{use.pipe} reads {column} of {at.subject.name}, which has no such column.",
                f"Change {use.pipe}, or add the column.",
            )


@on_plan
def removed_column_used(at: Context) -> Iterator[Hazard]:
    """A reader that names a column which the change takes away, in its own SQL or behind a ``*`` that it reads."""
    change, places = at.planned, list(_places(at))
    for column in (c.name for c in change.target.before.columns if change.target.after.column(c.name) is None):
        named = [(place.use.pipe, how) for place in places if (how := _names(at, place, column))]
        said = dict(sorted(named, key=lambda one: one[1] == "reads"))  # what is certain comes last and stays
        for pipe, how in sorted(said.items()):
            yield found(
                "column-still-used",
                "error" if how == "reads" else "warning",
                f"{change.name}.{column}",
                f"{pipe} {how} {column} of {change.name}, which is to be removed.",
                f"Change {pipe} first: it would fail from then on.",
            )


@dataclass(frozen=True)
class _Place:
    """A node that reads the table or what hands on all its columns; ``source`` is the name that it reads."""

    source: str
    use: NodeUse


def _places(at: Context) -> Iterator[_Place]:
    """The nodes that columns of the table can reach, through nodes and inlined pipes that hand on all of them."""
    queue: list[tuple[str, str]] = [("", at.planned.name)]  # within which pipe, and what is read
    for pipe, source in queue:
        for use in _uses_within(at, pipe, source) if pipe else at.planned.lineage.uses(source):
            yield _Place(source, use)
            output = at.facts.pipes[use.pipe].output.name == use.node
            handed_on = [(use.pipe, use.node), *([("", use.pipe)] if output else [])]
            if use.use and use.use.emitted:
                queue += [place for place in handed_on if place not in queue]


def _uses_within(at: Context, pipe: str, source: str) -> Iterator[NodeUse]:
    for node in at.facts.pipes[pipe].nodes:
        parsed = understand(node.sql)
        use = parsed.use(source) if isinstance(parsed, Understood) and node.name != source else None
        if use:
            yield NodeUse(pipe, node.name, use)


def _names(at: Context, place: _Place, column: str) -> str:
    """``reads`` where the node names the column for certain, ``may read`` where it is perhaps another table's."""
    node, use = _node(at, place.use), place.use.use
    if not re.search(rf"\b{re.escape(column)}\b", node.sql):
        return ""
    if use is None:
        return "may read"
    if column in use.qualified | use.sole | _alone(at, place.use):
        return "reads"
    if column in use.columns:
        return "may read" if _others_with(at, node, place.source, column) else "reads"
    return "may read" if use.wildcard else ""


def _others_with(at: Context, node: Node, source: str, column: str) -> bool:
    """Another table that the node reads has such a column, or is not known."""
    parsed = understand(node.sql)
    others = [use.table for use in parsed.uses if use.table != source] if isinstance(parsed, Understood) else []
    tables = [at.facts.datasources.get(name) for name in others]
    return any(table is None or table.column(column) for table in tables)


def _alone(at: Context, use: NodeUse) -> frozenset[str]:
    """Columns without a table's name, where the node reads nothing else."""
    parsed = understand(_node(at, use).sql)
    return parsed.alone if isinstance(parsed, Understood) and not (use.use and use.use.prefixed) else frozenset()


def _node(at: Context, use: NodeUse) -> Node:
    return next(n for n in at.facts.pipes[use.pipe].nodes if n.name == use.node)
