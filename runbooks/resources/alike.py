"""Whether two resources say the same, however each is laid out and wherever it was read: neither blanks nor what lives
in a workspace alone are a difference."""

import textwrap
from dataclasses import replace

from runbooks.facts.model import Column, Datasource, Node, Pipe

Resource = Datasource | Pipe


def alike(one: Resource, other: Resource) -> bool:
    """The same by all that their datafiles say, ``TOKEN`` lines left out."""
    return _plain(one) == _plain(other)


def alike_in_lists(one: Resource, other: Resource) -> bool:
    """The same by what the lists of a workspace say, which is all that other environments are asked for."""
    return _listed(one) == _listed(other)


def _plain(resource: Resource) -> Resource:
    """Without what lives in the workspace alone, and without layout."""
    if isinstance(resource, Datasource):
        return replace(
            resource,
            columns=tuple(_column(column) for column in resource.columns),
            sorting_key=tuple(_squeezed(key) for key in resource.sorting_key),
            partition_key=_squeezed(resource.partition_key),
            ttl=_squeezed(resource.ttl),
            settings=_squeezed(resource.settings),
            indexes=tuple(sorted(resource.indexes, key=lambda index: index.name)),
            description=_lines(resource.description),
            tags=tuple(sorted(resource.tags)),
            id="",
            rows=None,
            bytes=None,
            quarantine_rows=None,
            engine_options=tuple(option for option in resource.engine_options if option[1]),
            directives=tuple(sorted(resource.directives)),
        )
    nodes = tuple(_node(node, last=node is resource.nodes[-1]) for node in resource.nodes)
    return Pipe(
        name=resource.name,
        nodes=nodes,
        description=_lines(resource.description),
        tags=tuple(sorted(resource.tags)),
        directives=tuple(sorted(resource.directives)),
    )


def _listed(resource: Resource) -> Resource:
    """Without what only a resource's own text says."""
    plain = _plain(resource)
    if isinstance(plain, Datasource):
        columns = tuple(replace(column, materialized=None) for column in plain.columns)
        return replace(plain, columns=columns, engine_options=(), directives=())
    return replace(plain, nodes=tuple(replace(node, directives=()) for node in plain.nodes), directives=())


def _column(column: Column) -> Column:
    default = None if (column.default or "").strip().upper() in ("", "NULL") else (column.default or "").strip()
    return replace(column, type=_squeezed(column.type), default=default)


def _node(node: Node, *, last: bool) -> Node:
    kind = "standard" if node.kind == "endpoint" and last else node.kind
    return replace(
        node,
        kind=kind,
        sql=plain_sql(node.sql),
        description=_lines(node.description),
        id="",
        directives=tuple(sorted(node.directives)),
    )


def plain_sql(sql: str) -> str:
    """Without indent and blank lines, which a push does not keep either."""
    return textwrap.dedent(_lines(sql))


def _lines(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())


def _squeezed(text: str) -> str:
    return "".join(text.replace("`", "").split())
