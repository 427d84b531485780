"""A pipe as a datafile has it: what of it can be compared, and what the API is told of it."""

import textwrap
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from runbooks.facts.model import Node, Pipe
from runbooks.steps.datasource_modify import lines_of

_ON_DEMAND = "@on-demand"


class NodeText(BaseModel):
    """A node as a datafile has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sql: str
    kind: str = "standard"  # standard | copy | materialized | sink; which one is published is the pipe's to say
    description: str = ""
    target: str | None = None
    mode: str | None = None
    schedule: str | None = None

    @property
    def plain(self) -> str:
        """Its SQL without layout that a push does not keep."""
        return textwrap.dedent("\n".join(line.rstrip() for line in self.sql.splitlines() if line.strip()))


class PipeText(BaseModel):
    """A pipe as a datafile has it. ``published`` is the node that is an endpoint; None for a pipe of another kind, and
    for one that is no endpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    nodes: tuple[NodeText, ...]
    published: str | None = None
    description: str = ""

    @classmethod
    def of(cls, pipe: Pipe) -> Self:
        """A pipe without a type publishes its last node (facts/tinybird.md §3)."""
        typed = [node.name for node in pipe.nodes if node.kind == "endpoint"]
        other = any(node.kind in ("copy", "materialized", "sink") for node in pipe.nodes)
        last = pipe.nodes[-1].name if pipe.kind == "endpoint" and not other else None
        return cls(
            name=pipe.name,
            nodes=tuple(_node(node) for node in pipe.nodes),
            published=typed[-1] if typed else last,
            description=pipe.description,
        )

    @property
    def shape(self) -> list[Any]:
        """What cannot be changed by one node's SQL, or by what its copy is set to."""
        return [[n.name, n.kind, n.target if n.kind == "materialized" else None] for n in self.nodes]

    @property
    def kind(self) -> str:
        """What comes out of it: copy, materialized, sink or standard."""
        return next((node.kind for node in self.nodes if node.kind != "standard"), "standard")

    @property
    def settings(self) -> dict[str, str]:
        """Of its copy, as the API takes them."""
        copy = next((node for node in self.nodes if node.kind == "copy"), None)
        if copy is None:
            return {}
        cron = None if copy.schedule in (None, _ON_DEMAND) else copy.schedule
        return {"mode": copy.mode or "append", "schedule_cron": str(cron), "target_datasource": copy.target or ""}

    @property
    def said(self) -> list[list[str]]:
        """Its descriptions, without layout."""
        return [lines_of(text) for text in (self.description, *(node.description for node in self.nodes))]

    @property
    def unlinked(self) -> "PipeText":
        """Between two kinds: nothing comes out of it."""
        bare = (node.model_copy(update={"kind": "standard", "target": None}) for node in self.nodes)
        return self.model_copy(update={"nodes": tuple(bare), "published": None})

    def changed(self, other: "PipeText") -> list[NodeText]:
        """Its nodes whose SQL is another than the other's, of the same shape."""
        return [mine for mine, theirs in zip(self.nodes, other.nodes, strict=True) if mine.plain != theirs.plain]

    def alike(self, other: "PipeText") -> bool:
        return self.shape == other.shape and not self.changed(other)

    def body(self) -> dict[str, Any]:
        """As ``tb push`` posts it; a schedule follows by another call."""
        copies = [n for n in self.nodes if n.kind == "copy"]
        nodes = [
            {
                "name": n.name,
                "type": n.kind,
                "sql": n.sql,
                "description": n.description,
                "target_datasource": n.target if n.kind == "copy" else None,
                "copy_schedule": n.schedule if n.kind == "copy" else None,
                "mode": n.mode or "append",
                "export_params": None,
                **({"datasource": n.target} if n.kind == "materialized" else {}),
            }
            for n in self.nodes
        ]
        target = copies[0].target if copies else None
        return {
            "name": self.name,
            "description": self.description,
            "nodes": nodes,
            "target_datasource": target,
            "schedule_cron": None,
        }


def _node(node: Node) -> NodeText:
    copies = node.kind == "copy"
    return NodeText(
        name=node.name,
        sql=node.sql,
        kind="standard" if node.kind == "endpoint" else node.kind,
        description=node.description,
        target=node.target,
        mode=node.mode if copies else None,
        schedule=node.schedule if copies else None,
    )
