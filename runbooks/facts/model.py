"""Facts: what is known of the systems at one moment, as frozen values.

The same value comes from the live systems (``facts.live``) and from a folder of datafiles with an
optional Postgres (``facts.folder``), so that a plan does not care where its facts are from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Literal

from runbooks.facts.copy_figures import CopyFigures
from runbooks.facts.copy_runs import RecentRuns
from runbooks.facts.project import Project
from runbooks.names import Names
from systems.kafka_model import TopicShape

PipeKind = Literal["copy", "materialized", "endpoint", "sink", "pipe"]


@dataclass(frozen=True)
class Column:
    name: str
    type: str  # ClickHouse, as Tinybird shows it: "Nullable(DateTime64(3))"
    jsonpath: str | None = None  # "$.record.id"
    default: str | None = None  # the expression after DEFAULT: "''", "0", "toDateTime64(0, 3)"
    codec: str | None = None
    materialized: str | None = None  # the expression after MATERIALIZED


@dataclass(frozen=True)
class Index:
    name: str
    expression: str
    type: str
    granularity: str = "1"


@dataclass(frozen=True)
class Datasource:
    name: str
    columns: tuple[Column, ...]
    engine: str = "MergeTree"
    sorting_key: tuple[str, ...] = ()
    partition_key: str = ""
    version: str = ""  # ENGINE_VER
    ttl: str = ""
    settings: str = ""
    indexes: tuple[Index, ...] = ()
    description: str = ""
    tags: tuple[str, ...] = ()
    id: str = ""  # "t_…"; empty from a folder
    rows: int | None = None
    bytes: int | None = None
    quarantine_rows: int | None = None
    shared: bool = False
    engine_options: tuple[tuple[str, str], ...] = ()  # further ENGINE_… lines: ("PRIMARY_KEY", "id")
    directives: tuple[tuple[str, str], ...] = ()  # of a datafile, kept as they are: ("KAFKA_TOPIC", "x")

    def column(self, name: str) -> Column | None:
        return next((c for c in self.columns if c.name == name), None)


@dataclass(frozen=True)
class Node:
    name: str
    sql: str  # as in the datafile, templates and a leading % included
    kind: Literal["standard", "copy", "materialized", "endpoint", "sink"] = "standard"
    description: str = ""
    id: str = ""
    target: str | None = None  # of a copy or materialized node: the datasource's name
    mode: str | None = None  # append | replace
    schedule: str | None = None  # cron in UTC, or @on-demand
    directives: tuple[tuple[str, str], ...] = ()  # of a datafile, kept as they are: ("EXPORT_SERVICE", "kafka")


@dataclass(frozen=True)
class Pipe:
    name: str
    nodes: tuple[Node, ...]
    kind: PipeKind = "pipe"
    description: str = ""
    tags: tuple[str, ...] = ()
    id: str = ""
    schedule_status: str | None = None  # running | shutdown; None without a schedule or from a folder
    directives: tuple[tuple[str, str], ...] = ()

    @property
    def output(self) -> Node:
        """The node that is published, copied, materialized or sunk; the last one of a plain pipe."""
        special = [n for n in self.nodes if n.kind != "standard"]
        return special[-1] if special else self.nodes[-1]


@dataclass(frozen=True)
class Backfill:
    id: str
    state: str  # active | paused | completed | failed | cancelled
    table: str  # "public.members"
    rows_total: int | None
    rows_done: int


@dataclass(frozen=True)
class Sink:
    """A Sequin sink. ``table`` is ``public.members``; ``status`` active | paused | disabled."""

    name: str
    table: str
    topic: str
    status: str
    health: str
    database: str
    batch_size: int = 1
    backfills: tuple[Backfill, ...] = ()


@dataclass(frozen=True)
class PgColumn:
    name: str
    type: str  # format_type: "text", "timestamp with time zone", "character varying(255)", "text[]"
    nullable: bool
    default: str | None = None  # or what it is generated from
    generated: bool = False


@dataclass(frozen=True)
class PgTable:
    schema: str
    name: str
    columns: tuple[PgColumn, ...]
    primary_key: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()  # of each unique index, partial ones left out, the primary key included
    indexes: tuple[tuple[str, ...], ...] = ()
    identity: str = "d"  # pg_class.relreplident: d | f | n | i
    published: bool = False
    published_columns: tuple[str, ...] | None = None  # None: all columns, no column list
    granted: bool = False  # the role sequin may SELECT
    rows: int | None = None  # estimate
    bytes: int | None = None
    writes_per_s: float | None = None  # from two readings of pg_stat_user_tables
    owned: bool = True  # the migrating role owns it
    partitioned: bool = False
    heirs: tuple[str, ...] = ()  # tables that inherit from it: a query of it finds their rows
    wholesale: bool = False  # published with all tables, or all of its schema: it cannot be taken out alone
    row_filter: str = ""  # of the publication: other rows are not sent
    unsent: tuple[str, ...] = ()  # generated columns that changes come without
    refuses_unsent: bool = False  # with such a column and identity FULL Postgres refuses every UPDATE and DELETE
    veiled: bool = False  # row security chooses the rows that the role of tbops sees
    veiled_there: bool = False  # the same of the role that Sequin reads with

    def column(self, name: str) -> PgColumn | None:
        return next((c for c in self.columns if c.name == name), None)


@dataclass(frozen=True)
class Slot:
    name: str
    active: bool
    wal_status: str  # reserved | extended | unreserved | lost
    lag_bytes: int | None
    retained_bytes: int | None = None


@dataclass(frozen=True)
class Connector:
    name: str
    state: str  # RUNNING | PAUSED | STOPPED | FAILED | UNASSIGNED
    tasks: tuple[str, ...]
    topics: tuple[str, ...]


@dataclass(frozen=True)
class Deployment:
    """A Kubernetes deployment whose pods write rows that Postgres does not have. ``replicas`` is what is wanted,
    ``ready`` how many serve; with ``trouble`` neither is known: it says why."""

    namespace: str
    name: str
    replicas: int = 0
    ready: int = 0
    trouble: str = ""

    @property
    def where(self) -> str:
        """As tbops.toml and people write it."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class Token:
    """A workspace token's name and scopes; never its value."""

    name: str
    scopes: tuple[tuple[str, str | None], ...]  # ("DATASOURCES:APPEND", "members"); a filter behind a colon


@dataclass(frozen=True)
class Limits:
    """What planning may rely on, from tbops.toml."""

    copy_quota: int = 12
    copy_timeout_s: int = 3600
    copy_chunk_rows: int = 1_000_000  # both sides' digests of so many take well under 10 s, a copy well under an hour
    connect_rows_per_s: float | None = None  # measured where possible
    backfill_max_s: int = 6 * 3600
    rewrite_max_bytes: int = 10 * 2**30
    slot_restart_s: int = 15
    sink_buffer_messages: int = 50_000  # facts/systems.md §1.5
    sink_buffer_bytes: int = 102 * 10**6
    message_bytes: int | None = None  # mean message on the topic, where sampled


@dataclass(frozen=True)
class ProjectFiles:
    """What the project's branch holds of what one request is about (runbooks/questions.py): ``shas`` is path → blob's
    sha of all its datafiles and migrations, ``texts`` path → text of those that were read. With ``trouble`` neither is
    known: it says why."""

    shas: Mapping[str, str] = field(default_factory=dict[str, str])
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    trouble: str = ""


@dataclass(frozen=True)
class Facts:
    """All that a plan is made from, read once: of one environment, live or from a folder of datafiles. What is None was
    not asked; mappings are by name."""

    environment: str
    now: datetime
    datasources: Mapping[str, Datasource]
    pipes: Mapping[str, Pipe]
    sinks: Mapping[str, Sink] = field(default_factory=dict[str, Sink])  # by sink name
    tables: Mapping[str, PgTable] | None = None  # by table name; None: Postgres was not asked
    slot: Slot | None = None
    connector: Connector | None = None
    tokens: tuple[Token, ...] = ()
    connect_token: str = "connect"  # noqa: S105  # the name of the token that the connector posts with
    limits: Limits = Limits()
    capabilities: Mapping[str, str] = field(default_factory=dict[str, str])  # probed: {"rename": "keeps-references"}
    calls: Mapping[str, int] | None = None  # endpoint name -> requests in the last 7 days, where known
    in_flight: Mapping[str, str] = field(default_factory=dict[str, str])  # copy pipe -> its job: waiting | working
    live: bool = True  # False: from a folder
    broken: Mapping[str, str] = field(default_factory=dict[str, str])  # datafile -> why it could not be read
    answers: Mapping[str, int | str | None] = field(  # to the questions of one change: see runbooks/questions.py
        default_factory=dict[str, "int | str | None"]
    )
    # by datasource, as tbops.toml lists them; one that is not named here has writers that nobody knows of
    writers: Mapping[str, tuple[Deployment, ...]] = field(default_factory=dict[str, tuple[Deployment, ...]])
    names: Names = field(default_factory=Names)
    # of the topics that one request is about: see runbooks/questions.py. One that is not there has None
    topics: Mapping[str, TopicShape | None] = field(default_factory=dict[str, "TopicShape | None"])
    project: Project | None = None  # the datafiles in git, where a request is about them
    # by environment the resources of the project's other workspaces, by file name; None for one that is away
    elsewhere: "Mapping[str, Mapping[str, Datasource | Pipe] | None] | None" = None
    # by copy pipe, of those that one request is about: see runbooks/questions.py
    recent_runs: Mapping[str, RecentRuns] = field(default_factory=dict[str, RecentRuns])
    history: ProjectFiles | None = None  # what the project's branch holds; None: its repository was not asked
    copy_figures: Mapping[str, CopyFigures] | None = None  # by copy pipe, of those that ran; None: nobody asked

    def sink_of(self, datasource: str) -> Sink | None:
        """The Sequin sink whose topic is this datasource: topic = datasource = table name (facts/estate.md §5)."""
        return self._by_topic.get(datasource)

    @cached_property
    def versions(self) -> frozenset[str]:
        """Every column that is some datasource's version."""
        return frozenset(d.version for d in self.datasources.values() if d.version)

    @cached_property
    def _by_topic(self) -> Mapping[str, Sink]:
        return {s.topic: s for s in reversed(list(self.sinks.values()))}  # the first of a topic wins

    def table_of(self, datasource: str) -> PgTable | None:
        """The Postgres table that a datasource replicates, if Postgres was asked and has it."""
        if self.tables is None:
            return None
        sink = self.sink_of(datasource)
        name = sink.table.rpartition(".")[2] if sink else datasource
        return self.tables.get(name)
