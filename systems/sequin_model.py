"""What Sequin's client returns. Apart from the client, so that a plan made offline loads no HTTP."""

from dataclasses import dataclass

from systems.errors import SystemsError

HAS_ACTIVE_BACKFILL = "already has an active backfill"


@dataclass(frozen=True)
class BackfillInfo:
    """``state``: active, paused, completed, failed, cancelled. ``rows_total`` is None until Sequin has counted."""

    id: str
    state: str
    table: str
    rows_total: int | None
    rows_done: int
    inserted_at: str

    @property
    def open(self) -> bool:
        return self.state in ("active", "paused")


@dataclass(frozen=True)
class KafkaTarget:
    """Where a sink writes to, without its topic. Never a password: Sequin shows it masked."""

    hosts: str = ""
    tls: bool = False
    username: str = ""
    mechanism: str = ""  # as Sequin writes it: plain, scram_sha_256, scram_sha_512
    compression: str = "none"


@dataclass(frozen=True)
class SinkSpec:
    """What a sink is made from (facts/systems.md §1.3). ``table`` is "public.members"."""

    name: str
    database: str
    table: str
    topic: str
    target: KafkaTarget
    batch_size: int
    actions: tuple[str, ...]
    timestamp_format: str
    message_grouping: bool


@dataclass(frozen=True)
class SinkInfo:
    """``status`` is what was asked for (active, paused, disabled), ``health`` what is so."""

    id: str
    name: str
    database: str
    status: str
    health: str
    tables: tuple[str, ...]  # "public.members"
    topic: str
    batch_size: int
    active_backfills: tuple[BackfillInfo, ...]
    trouble: str  # the first failing check's words
    kind: str = "kafka"  # of its destination
    target: KafkaTarget = KafkaTarget()
    functions: tuple[str, ...] = ()  # by which its messages are changed, filtered or routed
    actions: tuple[str, ...] = ("insert", "update", "delete")
    timestamp_format: str = "iso8601"
    message_grouping: bool = True

    def like(self, name: str, table: str, topic: str) -> SinkSpec:
        """A sink of another table, like this one."""
        return SinkSpec(
            name=name,
            database=self.database,
            table=table,
            topic=topic,
            target=self.target,
            batch_size=self.batch_size,
            actions=self.actions,
            timestamp_format=self.timestamp_format,
            message_grouping=self.message_grouping,
        )


def is_name_taken(error: SystemsError) -> bool:
    """Whether a create was refused because there is a sink of that name."""
    return error.status == 422 and "has already been taken" in error.said


def is_open_backfill(error: SystemsError) -> bool:
    """Whether a create was refused because one is open already."""
    return error.status == 422 and HAS_ACTIVE_BACKFILL in error.said
