"""A table's way into the publication, and out of it again (facts/systems.md §2.1).

One transaction: with a publication first and an identity later, an UPDATE of a table without a key is refused
meanwhile, and that is the application's own.
"""

from collections.abc import Iterator
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from runbooks.proof.fields import pg_name
from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo, Wait
from runbooks.steps.postgres_migrate import AGAIN_S, PATIENT_WITH_S
from systems.postgres_model import ReplicationInfo


class Published(BaseModel):
    """A table, the publication it belongs in, the role that reads it and the data source that it feeds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_name: str = "public"
    table: str
    feeds: str
    publication: str
    role: str

    @property
    def quoted(self) -> str:
        return f"{pg_name(self.schema_name)}.{pg_name(self.table)}"

    def publishing(
        self, *, full: bool, published: bool, granted: bool, partitions: tuple[str, ...] = ()
    ) -> Iterator[str]:
        """The statements for what is lacking. Identity does not go down to partitions: each gets its own."""
        if not full:
            yield f"ALTER TABLE {self.quoted} REPLICA IDENTITY FULL;"
        for partition in partitions:
            yield f"ALTER TABLE {partition} REPLICA IDENTITY FULL;"
        if not published:
            yield f"ALTER PUBLICATION {pg_name(self.publication)} ADD TABLE {self.quoted};"
        if not granted:
            yield f"GRANT SELECT ON {self.quoted} TO {pg_name(self.role)};"

    def withdrawing(self, *, full: bool, published: bool, granted: bool) -> Iterator[str]:
        """The statements that take away what is said to be there. A partition keeps its identity: it costs nothing
        that the table's own does not, and what it was before is not known."""
        if published:
            yield f"ALTER PUBLICATION {pg_name(self.publication)} DROP TABLE {self.quoted};"
        if full:
            yield f"ALTER TABLE {self.quoted} REPLICA IDENTITY DEFAULT;"
        if granted:
            yield f"REVOKE SELECT ON {self.quoted} FROM {pg_name(self.role)};"

    def found(self, at: Site) -> ReplicationInfo | None:
        return at.postgres.replication(self.table, publication=self.publication, role=self.role)

    def locked(self, at: Site) -> Wait | None:
        """A long transaction on the table is waited for: behind a queued ALTER every reader would queue too."""
        blockers = [b for b in at.postgres.blockers(self.table) if b.age_s >= PATIENT_WITH_S]
        if not blockers:
            return None
        return Wait(AGAIN_S, f"{self.table} is locked by {blockers[0]}; the change does not queue behind it")


class _Changing(Step):
    """Carries out what is still to be done, whatever somebody did of it meanwhile."""

    settle_s: ClassVar[float] = 5.0

    of: Published

    def writes(self) -> tuple[str, ...]:
        return (f"postgres/table/{self.of.table}/replication",)

    def act(self, at: Site) -> None:
        found = self.of.found(at)
        if found is not None:
            at.postgres.migrate("\n".join(self._still_to_do(found)))

    def _still_to_do(self, found: ReplicationInfo) -> Iterator[str]:
        """The statements that lead there from what was found."""
        raise NotImplementedError


class PublishTable(_Changing):
    """Replica identity FULL, member of the publication, readable for Sequin: what is there already is left."""

    op: ClassVar[str] = "postgres.table.publish/1"

    def title(self) -> str:
        return f"Put the Postgres table {self.of.table} into the publication {self.of.publication}, with its whole rows"

    def reads(self) -> tuple[str, ...]:
        return self.writes()

    def remember(self, at: Site) -> Step | None:
        found = self.of.found(at)
        if found is None:
            return None
        return TakeBack(of=self.of, full=not found.full, published=not found.published, granted=not found.granted)

    def look(self, at: Site) -> Seen:
        found = self.of.found(at)
        if found is None:
            return Astray(f"there is no table {self.of.table} in Postgres")
        if found.full and not found.partitions and found.published and found.granted:
            return Done(f"{self.of.table} is in {self.of.publication} with its whole rows, and Sequin may read it.")
        return _hindered(self.of, found) or self.of.locked(at) or Todo()

    def _still_to_do(self, found: ReplicationInfo) -> Iterator[str]:
        return self.of.publishing(
            full=found.full, published=found.published, granted=found.granted, partitions=found.partitions
        )


def _hindered(of: Published, found: ReplicationInfo) -> Astray | None:
    if not found.role_exists:
        return Astray(f"there is no role {of.role} in Postgres that could be given the right to read {of.table}")
    if not found.publication_exists:
        return Astray(f"there is no publication {of.publication} in Postgres")
    if not found.owned:
        return Astray(f"the role that tbops uses does not own {of.table}, so it may not change its replica identity")
    if not found.published and not found.publication_owned:
        return Astray(f"the role that tbops uses does not own {of.publication}, so it may add no table to it")
    if found.listed:
        return Astray(
            f"{of.publication} lists the columns of {of.table}: with whole rows as its identity Postgres would refuse "
            "every UPDATE and DELETE of it. Publish it without a column list first"
        )
    if found.unsent and found.refuses_unsent:
        return Astray(
            f"{of.publication} does not send {', '.join(found.unsent)} of {of.table}, which Postgres generates: with "
            "whole rows as its identity it would refuse every UPDATE and DELETE of it"
        )
    if found.partitioned and not found.published and not found.via_root:
        return Astray(
            f"{of.table} is partitioned, and {of.publication} sends changes under the names of partitions: nobody "
            f"would take them. First: ALTER PUBLICATION {of.publication} SET (publish_via_partition_root = true)"
        )
    return None


class TakeBack(_Changing):
    """The way back of a publishing: what it added and no more. Nothing where the new table is proven."""

    op: ClassVar[str] = "postgres.table.take-back/1"

    full: bool
    published: bool
    granted: bool

    def title(self) -> str:
        return f"Take the Postgres table {self.of.table} out of the publication {self.of.publication} again"

    def look(self, at: Site) -> Seen:
        if self.of.feeds in at.proven:
            return Done(f"{self.of.table} is replicated and proven: it stays in {self.of.publication}.")
        found = self.of.found(at)
        if found is None or not list(self._still_to_do(found)):
            return Done(f"{self.of.table} is not replicated, as before.")
        return self.of.locked(at) or Todo()

    def _still_to_do(self, found: ReplicationInfo) -> Iterator[str]:
        return self.of.withdrawing(
            full=self.full and found.full,
            published=self.published and found.published,
            granted=self.granted and found.granted,
        )


class WithdrawTable(_Changing):
    """Out of the publication for good: no later change of it is sent. Its rows and its columns stay as they are."""

    op: ClassVar[str] = "postgres.table.withdraw/1"

    def title(self) -> str:
        return f"Take the Postgres table {self.of.table} out of the publication {self.of.publication}"

    def reads(self) -> tuple[str, ...]:
        return self.writes()

    def remember(self, at: Site) -> Step | None:
        found = self.of.found(at)
        return None if found is None or not found.published else PublishAgain(of=self.of)

    def look(self, at: Site) -> Seen:
        found = self.of.found(at)
        if found is None:
            return Done(f"There is no table {self.of.table} in Postgres.")
        if not (found.alone or found.full):  # a right may come from elsewhere and stay
            if found.published:
                return Done(f"{self.of.publication} publishes {self.of.table} with all others; no sink sends it on.")
            return Done(f"{self.of.table} is not in {self.of.publication}; its rows in Postgres are as they were.")
        if not found.owned or (found.alone and not found.publication_owned):
            return Astray(f"the role that tbops uses does not own {self.of.table} and {self.of.publication}")
        return self.of.locked(at) or Todo()

    def _still_to_do(self, found: ReplicationInfo) -> Iterator[str]:
        return self.of.withdrawing(full=found.full, published=found.alone, granted=found.granted)


class PublishAgain(PublishTable):
    """The way back of a withdrawal, as long as the data source that the table feeds is there."""

    op: ClassVar[str] = "postgres.table.publish-again/1"

    def remember(self, at: Site) -> Step | None:
        return None

    def look(self, at: Site) -> Seen:
        if at.tinybird.datasource(self.of.feeds) is None:
            return Done(f"There is no data source {self.of.feeds} any more that its changes could reach.")
        return super().look(at)
