"""Facts written as datafiles, byte for byte as ``tb fmt`` 5.22 writes data sources (facts/tinybird.md §11).

Pipes are written in its order too, but with their SQL as it is: a formatter of SQL is not ours to imitate.
"""

import textwrap
from collections.abc import Iterable, Iterator, Mapping

from runbooks.datafile.schema import column_sql
from runbooks.facts.model import Column, Datasource, Index, Node, Pipe

INDENT = "    "
_HEAD = (("SOURCE", "MAINTAINER"), ("VERSION",))  # those of one group stand together


def write_datasource(datasource: Datasource) -> str:
    """The text of ``<name>.datasource``."""
    directives = dict(datasource.directives)
    blocks = [
        *_head(directives),
        _description(datasource.description),
        f'TAGS "{", ".join(datasource.tags)}"' if datasource.tags else "",
        _block("SCHEMA", (f"{column_sql(c)}," for c in datasource.columns)).rstrip(","),
        _block("INDEXES", (_index(index) for index in datasource.indexes)),
        _engine(datasource),
        *(f"INCLUDE {directives[key]}" for key in ("INCLUDE",) if key in directives),
        *("\n".join(_starting(datasource.directives, word)) for word in ("KAFKA_", "IMPORT_")),
        _block("SHARED_WITH", directives.get("SHARED_WITH", "").splitlines()),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def write_pipe(pipe: Pipe) -> str:
    """The text of ``<name>.pipe``."""
    directives = dict(pipe.directives)
    blocks = [
        *_head(directives),
        _description(pipe.description),
        f'TAGS "{", ".join(pipe.tags)}"' if pipe.tags else "",
        *(_node(node) for node in pipe.nodes),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def describe(description: str, added: Iterable[Column]) -> str:
    """``description`` with a bullet for each added column, behind the last bullet; unchanged where there is no list."""
    lines = description.splitlines()
    bullets = [at for at, line in enumerate(lines) if line.lstrip().startswith("- ")]
    if not bullets and lines:
        return description
    new = [_bullet(column) for column in added if not any(f"`{column.name}`" in line for line in lines)]
    at = bullets[-1] + 1 if bullets else len(lines)
    return "\n".join([*lines[:at], *new, *lines[at:]])


def _bullet(column: Column) -> str:
    path = f" from {column.jsonpath.removeprefix('$.')}" if column.jsonpath else ""
    absent = "NULL" if column.default is None and column.type.startswith("Nullable(") else column.default
    return f"- `{column.name}`{path}" + (f", {absent} where there is none" if absent is not None else "")


def _description(text: str) -> str:
    return _block("DESCRIPTION", text.splitlines())


def _head(directives: Mapping[str, str]) -> Iterator[str]:
    for group in _HEAD:
        yield "\n".join(f"{key} {directives[key]}" for key in group if key in directives)


def _block(keyword: str, lines: Iterable[str]) -> str:
    kept = [INDENT + line.strip() for line in lines if line.strip()]
    return "\n".join([f"{keyword} >", *kept]) if kept else ""


def _index(index: Index) -> str:
    return f"{index.name} {index.expression} TYPE {index.type} GRANULARITY {index.granularity}"


def _engine(datasource: Datasource) -> str:
    options = {
        "partition_key": datasource.partition_key,
        "settings": datasource.settings,
        "sorting_key": ", ".join(datasource.sorting_key),
        "ttl": datasource.ttl,
        "ver": datasource.version,
    }
    given = {key: value for key, value in options.items() if value}
    given |= {key.lower(): value for key, value in datasource.engine_options}
    lines = [f"ENGINE_{key.upper()} {_list(value)}" for key, value in sorted(given.items())]
    return "\n".join([f"ENGINE {datasource.engine}", *lines])


def _list(value: str) -> str:
    return ", ".join(part.strip() for part in value.split(",")) if value else '""'


def _starting(directives: Iterable[tuple[str, str]], word: str) -> Iterator[str]:
    return (f"{key} {value}" for key, value in directives if key.startswith(word))


def _node(node: Node) -> str:
    head = "\n".join(part for part in (f"NODE {node.name}", _description(node.description)) if part)
    sql = f"SQL >\n{textwrap.indent(node.sql, INDENT)}"
    lead = f"{head}\n\n{sql}" if node.description else f"{head}\n{sql}"
    kind = "\n".join(_type_lines(node))
    return f"{lead}\n\n{kind}" if kind else lead


def _type_lines(node: Node) -> Iterator[str]:
    if node.kind == "standard":
        return
    yield f"TYPE {node.kind if node.kind == 'endpoint' else node.kind.upper()}"
    if node.kind == "copy":
        yield f"TARGET_DATASOURCE {node.target}"
        if node.mode:
            yield f"COPY_MODE {node.mode}"
        yield f"COPY_SCHEDULE {node.schedule or '@on-demand'}"
    elif node.kind == "materialized":
        yield f"DATASOURCE {node.target}"
    yield from (f"{key} {value}" for key, value in node.directives)
