"""What the Tinybird client answers with. Lists and details of the API differ in shape; these do not."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Workspace:
    """``forward`` is True when the workspace was moved to Tinybird Forward, where this client may change nothing."""

    id: str
    name: str
    forward: bool


@dataclass(frozen=True)
class ColumnInfo:
    name: str
    type: str  # Nullable(…) included
    jsonpath: str | None
    default: str | None  # the expression alone, without the word DEFAULT
    codec: str | None


@dataclass(frozen=True)
class IndexInfo:
    name: str
    expression: str
    type: str
    granularity: str


@dataclass(frozen=True)
class DatasourceInfo:
    id: str
    name: str
    columns: tuple[ColumnInfo, ...]
    engine: str
    sorting_key: str
    partition_key: str
    version: str
    ttl: str
    settings: str
    indexes: tuple[IndexInfo, ...]
    description: str
    tags: tuple[str, ...]
    rows: int | None
    bytes: int | None
    quarantine_rows: int | None
    shared: bool


@dataclass(frozen=True)
class NodeInfo:
    id: str
    name: str
    sql: str
    kind: str  # standard | endpoint | copy | materialized | sink | stream
    description: str
    dependencies: tuple[str, ...]
    materialized: str | None  # id of the target
    mode: str | None


@dataclass(frozen=True)
class PipeInfo:
    """``copy_target`` is the target's id, as the API has it."""

    id: str
    name: str
    kind: str  # default | endpoint | copy | materialized | sink | stream
    description: str
    tags: tuple[str, ...]
    nodes: tuple[NodeInfo, ...]
    copy_node: str | None
    copy_target: str | None
    copy_mode: str | None
    cron: str | None
    schedule_status: str | None  # running | shutdown


@dataclass(frozen=True)
class Scope:
    type: str  # DATASOURCES:APPEND
    resource: str | None
    filter: str | None

    def __str__(self) -> str:
        return ":".join(part for part in (self.type, self.resource, self.filter) if part)


@dataclass(frozen=True)
class TokenInfo:
    """A token's name and scopes. Its value is dropped when the answer is read."""

    id: str
    name: str
    scopes: tuple[Scope, ...]


@dataclass(frozen=True)
class TagInfo:
    """A filtering tag and what it is on: (id, name, type) of each, type ``datasource`` or ``pipe``."""

    name: str
    resources: tuple[tuple[str, str, str], ...]

    def on(self, resource_id: str) -> bool:
        return any(resource_id == known for known, _, _ in self.resources)


@dataclass(frozen=True)
class Job:
    id: str
    kind: str
    status: str  # waiting | working | done | error | cancelling | cancelled
    created_at: str
    updated_at: str
    pipe_id: str
    pipe_name: str
    datasource: str
    error: str
    progress: float | None  # per cent
    cancellable: bool | None

    @property
    def live(self) -> bool:
        return self.status in ("waiting", "working", "cancelling")


@dataclass(frozen=True)
class Answer:
    """What an endpoint answers, without its rows: ``digest`` is of all of them, in whatever order they came."""

    columns: tuple[tuple[str, str], ...]  # name, type
    rows: int
    digest: str


@dataclass(frozen=True)
class NewDatasource:
    """What a data source is made from, each as the API takes it (facts/tinybird.md §2)."""

    name: str
    schema: str  # comma-joined columns
    engine: str
    sorting_key: str = ""
    partition_key: str = ""
    version: str = ""
    ttl: str = ""
    settings: str = ""
    indexes: str = ""  # one a line, as in a datafile
    description: str = ""
