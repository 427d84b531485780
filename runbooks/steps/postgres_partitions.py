"""An index of a partitioned table, as Postgres' manual has it (CREATE INDEX, "Building Indexes Concurrently"): first on
the table alone, where it is not valid yet, then beside the writers on each partition, each attached to it."""

import hashlib
from dataclasses import dataclass
from typing import ClassVar

from runbooks.proof.fields import pg_name
from runbooks.site import Site
from runbooks.step import Astray, Done, Memo, Progress, Seen, Step, Todo, Wait
from runbooks.steps.postgres_index import LOOK_AGAIN_S, NAME_BYTES, TRIES, index_name
from runbooks.steps.postgres_migrate import AGAIN_S, PATIENT_WITH_S
from runbooks.words import counted
from systems.postgres_model import PartitionIndex, PartitionInfo

_DIGEST = 8  # characters of a name's digest


@dataclass(frozen=True)
class Lacking:
    """What is to be done next, on which of the tables. ``beside``: it takes no writer's lock and may take hours."""

    on: PartitionInfo
    statement: str
    beside: bool
    said: str


def lacking(parts: tuple[PartitionInfo, ...], columns: tuple[str, ...]) -> Lacking | None:
    """None once the index of the table is valid, and so is that of each partition. ``parts`` from the top down."""
    chosen: dict[int, PartitionIndex] = {}
    top = parts[0]
    for part in parts:
        above = chosen.get(part.parent) if part is not top and part.parent is not None else None
        index = _index_of(part, above, columns, top=part is top)
        if index is None:
            return _made(part, columns, top=part is top)
        if part.kind == "r" and not index.valid:
            return _mended(part, index)
        if above is not None and index.under != above.id:
            return _attached(_owner(part, parts), above, part, index)
        chosen[part.id] = index
    return None if chosen[top.id].valid else _looked_at_again(parts, chosen)


def _looked_at_again(parts: tuple[PartitionInfo, ...], chosen: dict[int, PartitionIndex]) -> Lacking:
    """One was attached while it was not valid, and is whole since: only a further ATTACH has Postgres look again. Or
    its partitions are gone."""
    for part in reversed(parts[1:]):
        owner = _owner(part, parts)
        if chosen[part.id].valid and not chosen[owner.id].valid:
            return _attached(owner, chosen[owner.id], part, chosen[part.id])
    name = f"{pg_name(parts[0].schema)}.{pg_name(chosen[parts[0].id].name)}"
    said = f"{chosen[parts[0].id].name} is not valid, has no parts and is dropped before it is made again"
    return Lacking(parts[0], f"DROP INDEX IF EXISTS {name};", beside=False, said=said)


def own_name(part: PartitionInfo, columns: tuple[str, ...], *, top: bool) -> str:
    """Where a name would be cut, those of two partitions must not become one."""
    name = index_name(part.name, columns)
    if top or f"ix_{part.name}_{'_'.join(columns)}" == name:
        return name
    digest = hashlib.sha256(part.name.encode()).hexdigest()[:_DIGEST]
    return f"{name.encode()[: NAME_BYTES - _DIGEST - 1].decode(errors='ignore')}_{digest}"


def _index_of(
    part: PartitionInfo, above: PartitionIndex | None, columns: tuple[str, ...], *, top: bool
) -> PartitionIndex | None:
    """The one that is attached already, else one that may be: whole, or of the name that it gets here."""
    name = own_name(part, columns, top=top)
    if top:
        return next((index for index in part.indexes if index.name == name), None)
    if above is not None and (under := [index for index in part.indexes if index.under == above.id]):
        return under[0]
    free = [index for index in part.indexes if index.under is None and (index.valid or index.name == name)]
    return min(free, key=lambda index: (not index.valid, index.name != name), default=None)


def _owner(part: PartitionInfo, parts: tuple[PartitionInfo, ...]) -> PartitionInfo:
    return next(each for each in parts if each.id == part.parent)


def _made(part: PartitionInfo, columns: tuple[str, ...], *, top: bool) -> Lacking:
    name, listed = own_name(part, columns, top=top), ", ".join(pg_name(column) for column in columns)
    on = f"{pg_name(part.schema)}.{pg_name(part.name)}"
    if part.kind == "p":
        sql = f"CREATE INDEX IF NOT EXISTS {pg_name(name)} ON ONLY {on} ({listed});"
        return Lacking(part, sql, beside=False, said=f"the index of {part.name} alone is made")
    sql = f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {pg_name(name)} ON {on} ({listed});"
    return Lacking(part, sql, beside=True, said=f"the index of {part.name} is built")


def _mended(part: PartitionInfo, index: PartitionIndex) -> Lacking:
    """One that is attached cannot be dropped alone."""
    name = f"{pg_name(part.schema)}.{pg_name(index.name)}"
    if index.under is None:
        said = f"{index.name} was not finished and is dropped before it is built again"
        return Lacking(part, f"DROP INDEX CONCURRENTLY IF EXISTS {name};", beside=True, said=said)
    return Lacking(part, f"REINDEX INDEX CONCURRENTLY {name};", beside=True, said=f"{index.name} is built anew")


def _attached(owner: PartitionInfo, above: PartitionIndex, part: PartitionInfo, index: PartitionIndex) -> Lacking:
    under = f"{pg_name(owner.schema)}.{pg_name(above.name)}"
    sql = f"ALTER INDEX {under} ATTACH PARTITION {pg_name(part.schema)}.{pg_name(index.name)};"
    return Lacking(part, sql, beside=False, said=f"{index.name} becomes part of {above.name}")


class CreatePartitionedIndex(Step):
    """Build an index of a partitioned table beside the writers, one partition after another. Every look begins with
    what is there, so that it goes on wherever it was left; an index of a partition that fits is taken as it is."""

    op: ClassVar[str] = "postgres.index.create-partitioned/1"
    long: ClassVar[bool] = True
    settle_s: ClassVar[float] = 5.0

    table: str
    columns: tuple[str, ...]
    feeds: str  # the data source that it is for

    def title(self) -> str:
        return f"Build an index of {self.table} on {', '.join(self.columns)}, partition by partition beside its writers"

    def remember(self, at: Site) -> Step | None:
        """With an index of before among its parts, dropping it would take that one too: then it stays."""
        if any(part.indexes for part in at.postgres.partitions(self.table, self.columns)):
            return None
        return DropPartitionedIndex(table=self.table, columns=self.columns, feeds=self.feeds)

    def look(self, at: Site) -> Seen:
        parts = at.postgres.partitions(self.table, self.columns)
        if not parts:
            return Astray(f"there is no partitioned table {self.table} in Postgres")
        if foreign := [part.name for part in parts if part.kind == "f"]:
            return Astray(f"{foreign[0]} is a foreign table, which has no index here: {self.table} cannot have one")
        if others := [part.name for part in parts if not part.owned]:
            return Astray(f"the role of tbops does not own {others[0]}, a partition of {self.table}")
        next_one = lacking(parts, self.columns)
        if next_one is None:
            has = f"{self.table} has an index that begins with {self.columns[0]}"
            return Done(f"{has}, and so has each of its {counted(len(parts) - 1, 'partition')}.")
        return self._before(at, parts, next_one)

    def act(self, at: Site) -> None:
        parts = at.postgres.partitions(self.table, self.columns)
        next_one = lacking(parts, self.columns) if parts else None
        if next_one is None or (next_one.beside and next_one.on.blocks_done is not None):
            return
        if next_one.beside:
            at.postgres.begin(next_one.statement)
        else:
            at.postgres.migrate(next_one.statement)

    def _before(self, at: Site, parts: tuple[PartitionInfo, ...], next_one: Lacking) -> Seen:
        on, leaves = next_one.on, [part for part in parts if part.kind == "r"]
        whole = sum(any(index.valid for index in part.indexes) for part in leaves)
        progress = Progress(whole, len(leaves), "partitions")
        if next_one.beside and on.blocks_done is not None:
            part = f", {on.blocks_done} of {on.blocks_total} blocks" if on.blocks_total else ""
            return Wait(LOOK_AGAIN_S, f"Postgres builds an index of {on.name}{part}", progress)
        memo: Memo = at.memo if at.memo.get("on") == on.id else {"on": on.id, "from": at.answered}
        if at.answered - memo["from"] >= 2 * TRIES:
            return Astray(f"{next_one.said}, and that did not take {TRIES} times: `{next_one.statement}`", memo={})
        if not next_one.beside:
            blockers = [b for b in at.postgres.blockers(on.name) if b.age_s >= PATIENT_WITH_S]
            if blockers:
                why = f"{on.name} is locked by {blockers[0]}; its index does not queue behind it"
                return Wait(AGAIN_S, why, progress, memo)
        return Todo(next_one.said, memo)


class DropPartitionedIndex(Step):
    """The way back of an index of a partitioned table, where the table did not come to be replicated. With the index
    of the table go those that are attached to it, at once; the others beside the writers."""

    op: ClassVar[str] = "postgres.index.drop-partitioned/1"
    settle_s: ClassVar[float] = 5.0

    table: str
    columns: tuple[str, ...]
    feeds: str

    def title(self) -> str:
        return f"Drop the index of {self.table} and of its partitions again"

    def look(self, at: Site) -> Seen:
        if self.feeds in at.proven:
            return Done(f"{self.table} is replicated and proven: its index stays.")
        statement, beside, on = self._next(at)
        if not statement:
            return Done(f"{self.table} has its indexes of before.")
        blockers = [] if beside else [b for b in at.postgres.blockers(on) if b.age_s >= PATIENT_WITH_S]
        if blockers:
            return Wait(AGAIN_S, f"{on} is locked by {blockers[0]}; its index is not dropped yet")
        return Todo()

    def act(self, at: Site) -> None:
        statement, beside, _ = self._next(at)
        if statement and beside:
            at.postgres.begin(statement)
        elif statement:
            at.postgres.migrate(statement)

    def _next(self, at: Site) -> tuple[str, bool, str]:
        """The statement, whether it goes beside the writers, and the table; an empty one where nothing is left."""
        parts = at.postgres.partitions(self.table, self.columns)
        for part in parts:
            name = own_name(part, self.columns, top=part is parts[0])
            if any(index.name == name and index.under is None for index in part.indexes):
                beside = part.kind == "r"
                how = "DROP INDEX CONCURRENTLY" if beside else "DROP INDEX"
                return f"{how} IF EXISTS {pg_name(part.schema)}.{pg_name(name)};", beside, part.name
        return "", False, ""
