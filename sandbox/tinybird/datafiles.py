"""Datafiles as ``tb fmt`` writes them: read for the seed, written for ``tb pull`` (facts/tinybird.md §11)."""

import shlex
from dataclasses import dataclass, field

from sandbox.tinybird.model import ENGINE_KEYS, Datasource, Node, Pipe
from sandbox.tinybird.sinks import settings_text

_BLOCKS = ("DESCRIPTION", "SCHEMA", "SQL", "INDEXES")


@dataclass
class Section:
    """One NODE of a pipe, or the whole of a data source: keyword to text, the last one wins."""

    keys: dict[str, str] = field(default_factory=dict[str, str])

    def get(self, key: str) -> str:
        return self.keys.get(key, "")


def read(text: str) -> tuple[Section, list[Section]]:
    """The head and the nodes of a datafile of our own (no INCLUDE, no variables)."""
    head = Section()
    nodes: list[Section] = []
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        keyword, _, rest = lines[at].partition(" ")
        at += 1
        if not keyword:
            continue
        if keyword == "NODE":
            nodes.append(Section())
        section = nodes[-1] if nodes else head
        if keyword in _BLOCKS and rest.strip() == ">":
            start = at
            while at < len(lines) and (not lines[at] or lines[at].startswith("    ")):
                at += 1
            rest = "\n".join(line[4:] for line in lines[start:at]).strip("\n")
        section.keys[keyword] = rest.strip() if keyword not in _BLOCKS else rest
    return head, nodes


def tag_names(text: str) -> list[str]:
    return [name.strip() for name in " ".join(shlex.split(text)).split(",") if name.strip()]


def _block(keyword: str, text: str) -> str:
    indented = "\n".join("    " + line if line else "" for line in text.strip("\n").split("\n"))
    return f"{keyword} >\n{indented}\n"


def write_datasource(source: Datasource, tags: list[str], token_lines: list[str]) -> str:
    parts = [_block("DESCRIPTION", source.description)] if source.description else []
    if token_lines:
        parts.append("".join(f"{line}\n" for line in token_lines))
    if tags:
        parts.append(f'TAGS "{", ".join(tags)}"\n')
    parts.append("SCHEMA >\n" + ",\n".join("    " + column.text() for column in source.columns) + "\n")
    if source.indexes:
        parts.append("INDEXES >\n" + "".join(f"    {index.text()}\n" for index in source.indexes))
    engine = f"ENGINE {source.engine.name}\n"
    for key in sorted(ENGINE_KEYS):
        if source.engine.options.get(key):
            engine += f"ENGINE_{key.upper()} {source.engine.options[key]}\n"
    return "\n".join([*parts, engine])


def write_pipe(pipe: Pipe, tags: list[str], target: str | None, token_lines: list[str]) -> str:
    parts = [_block("DESCRIPTION", pipe.description)] if pipe.description else []
    if token_lines:
        parts.append("".join(f"{line}\n" for line in token_lines))
    if tags:
        parts.append(f'TAGS "{", ".join(tags)}"\n')
    return "\n".join([*parts, *(_node(pipe, node, target) for node in pipe.nodes)])


def _node(pipe: Pipe, node: Node, target: str | None) -> str:
    out = f"NODE {node.name}\n"
    if node.description:
        out += _block("DESCRIPTION", node.description) + "\n"
    out += _block("SQL", node.sql)
    if node.type == "copy":
        out += f"\nTYPE COPY\nTARGET_DATASOURCE {target}\nCOPY_MODE {pipe.copy_mode}\n"
        out += f"COPY_SCHEDULE {pipe.cron or '@on-demand'}\n"
    elif node.type == "materialized":
        out += f"\nTYPE MATERIALIZED\nDATASOURCE {target}\n"
    elif node.type == "sink":
        out += f"\nTYPE SINK\n{settings_text(pipe)}"
    return out
