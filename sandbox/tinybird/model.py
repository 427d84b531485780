"""What a workspace holds: data sources, pipes, tokens, tags. Plain state; the rules are in the rooms beside."""

import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sandbox.tinybird.schema import Column, schema_text

ENGINE_KEYS = (
    "partition_key",
    "sorting_key",
    "primary_key",
    "sampling_key",
    "ttl",
    "settings",
    "ver",
    "is_deleted",
    "sign",
    "version",
    "columns",
)


def new_id() -> str:
    return "t_" + secrets.token_hex(16)


def stamp(when: datetime) -> str:
    """Naive, with microseconds: ``tb datasource ls`` cuts the last seven characters (facts/tinybird.md §2)."""
    return when.strftime("%Y-%m-%d %H:%M:%S.%f")


@dataclass(frozen=True)
class Index:
    name: str
    expr: str
    type_full: str
    granularity: str = "1"

    def ddl(self) -> str:
        return f"INDEX {self.name} {self.expr} TYPE {self.type_full} GRANULARITY {self.granularity}"

    def text(self) -> str:
        return f"{self.name} {self.expr} TYPE {self.type_full} GRANULARITY {self.granularity}"


@dataclass(frozen=True)
class Engine:
    """``name`` is the engine; ``options`` holds those of ENGINE_KEYS that are set, as SQL text."""

    name: str = "MergeTree"
    options: dict[str, str] = field(default_factory=dict[str, str])

    def ddl(self) -> str:
        get = self.options.get
        arguments = {
            "ReplacingMergeTree": [get("ver"), get("is_deleted")],
            "SummingMergeTree": [f"({get('columns')})" if get("columns") else None],
            "CollapsingMergeTree": [get("sign")],
            "VersionedCollapsingMergeTree": [get("sign"), get("version")],
        }.get(self.name, [])
        out = f"ENGINE = {self.name}({', '.join(argument for argument in arguments if argument)})"
        if self.name == "Null":
            return "ENGINE = Null"
        if get("partition_key"):
            out += f" PARTITION BY ({get('partition_key')})"
        if get("primary_key"):
            out += f" PRIMARY KEY ({get('primary_key')})"
        out += f" ORDER BY ({get('sorting_key')})" if get("sorting_key") else " ORDER BY tuple()"
        out += f" TTL {get('ttl')}" if get("ttl") else ""
        return out + (f" SETTINGS {get('settings')}" if get("settings") else "")


@dataclass
class Datasource:
    name: str
    columns: tuple[Column, ...]
    engine: Engine
    created_at: datetime
    updated_at: datetime
    id: str = field(default_factory=new_id)
    description: str = ""
    format: str = "csv"
    indexes: tuple[Index, ...] = ()
    quarantined: bool = False  # the quarantine table is made by the first bad row

    @property
    def sql_schema(self) -> str:
        return schema_text(self.columns)

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)

    def copy(self) -> "Datasource":
        return replace(self)


@dataclass
class Node:
    name: str
    sql: str
    created_at: datetime
    updated_at: datetime
    id: str = field(default_factory=new_id)
    description: str = ""
    type: str = "standard"  # standard | endpoint | copy | materialized | sink
    params: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    materialized: str | None = None  # id of the target


@dataclass
class Pipe:
    name: str
    nodes: list[Node]
    created_at: datetime
    updated_at: datetime
    id: str = field(default_factory=new_id)
    description: str = ""
    copy_target: str | None = None  # id of the target, not its name
    copy_mode: str = "append"
    cron: str | None = None
    paused: bool = False
    next_tick: datetime | None = None
    export: dict[str, str] = field(default_factory=dict[str, str])  # of a sink pipe: settings by the API's names

    @property
    def type(self) -> str:
        return next((node.type for node in self.nodes if node.type != "standard"), "default")

    @property
    def output(self) -> Node:
        """The node that the pipe gives: the published, copied or materialized one, else the last."""
        return next((node for node in self.nodes if node.type != "standard"), self.nodes[-1])

    def node(self, key: str) -> Node | None:
        return next((node for node in self.nodes if key in (node.id, node.name)), None)

    def copy(self) -> "Pipe":
        return replace(self, nodes=[replace(node) for node in self.nodes], export=dict(self.export))


@dataclass
class Scope:
    type: str
    resource: str | None = None
    filter: str | None = None

    @property
    def text(self) -> str:
        return ":".join(part for part in (self.type, self.resource, self.filter) if part)


@dataclass
class Token:
    name: str
    token: str
    scopes: list[Scope]
    id: str = field(default_factory=new_id)
    origin: dict[str, Any] = field(default_factory=lambda: {"type": "C"})

    def copy(self) -> "Token":
        return replace(self, scopes=[replace(scope) for scope in self.scopes])


@dataclass
class Tag:
    name: str
    resources: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    id: str = field(default_factory=new_id)

    def copy(self) -> "Tag":
        return replace(self, resources=[dict(resource) for resource in self.resources])
