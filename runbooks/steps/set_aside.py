"""The moment a table goes away under its name, and the way back."""

from datetime import timedelta
from typing import ClassVar

from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo, Wait
from runbooks.steps.copy_jobs import live_jobs
from runbooks.steps.delivery import lagging, raw_count
from runbooks.steps.standing import Standing
from runbooks.words import counted

LOOK_AGAIN_S = 2.0


def kept_name(name: str, run: int) -> str:
    return f"{name}__before_run_{run}"


class _Away(Step):
    """What both ways share: the table is known by its id, and everything is looked at once more right before."""

    touches: ClassVar[bool] = True
    destructive: ClassVar[bool] = True
    settle_s: ClassVar[float] = 5.0

    table: Standing
    topic: str
    copies: tuple[str, ...]

    def reads(self) -> tuple[str, ...]:
        return (f"tinybird/datasource/{self.table.name}/schema", f"tinybird/datasource/{self.table.name}/id")

    def writes(self) -> tuple[str, ...]:
        return self.reads()

    def _not_yet(self, at: Site) -> Seen | None:
        """A copy under way, a connector that runs, a message not delivered: not now (facts/procedures.md §3)."""
        if not at.connect.status(at.names.connector).paused:
            return Astray(f"the connector {at.names.connector} is not paused any more: somebody or a restart undid it")
        behind = lagging(at, self.topic, at.kafka.end_offsets(self.topic))
        if behind:
            return Astray(f"{behind}, and the connector is paused: messages came after the topic had been drained")
        for copy in self.copies:
            if live_jobs(at, copy):
                return Wait(LOOK_AGAIN_S, f"a run of {copy} is under way and is awaited")
        return None


class SetAside(_Away):
    """Rename the table and keep it, as it is, until its retire date."""

    op: ClassVar[str] = "tinybird.datasource.set-aside/1"

    keep_days: int = 7

    def title(self) -> str:
        return f"Set {self.table.name} aside under another name"

    def remember(self, at: Site) -> Step | None:
        return PutBack(table=self.table, kept=kept_name(self.table.name, at.run), topic=self.topic)

    def look(self, at: Site) -> Seen:
        kept = kept_name(self.table.name, at.run)
        found = at.tinybird.datasource(self.table.id)
        if found is None:
            return Astray(f"{self.table.name} as the plan knew it (id {self.table.id}) is gone: it was not this run")
        if found.name == kept:
            retire = (at.now + timedelta(days=self.keep_days)).date().isoformat()
            record = {"name": kept, "id": found.id, "retire": retire, "of": self.table.name}
            return Done(
                f"{self.table.name} is kept as {kept} until {retire}.", {"touched": [self.table.name], "kept": record}
            )
        if found.name != self.table.name:
            return Astray(f"{self.table.name} was renamed to {found.name} by somebody else")
        return self._not_yet(at) or Todo()

    def act(self, at: Site) -> None:
        at.tinybird.rename_datasource(self.table.id, kept_name(self.table.name, at.run))


class DeleteDatasource(_Away):
    """Delete the table, where the workspace cannot rename: nothing is kept, its rows come back by the backfill."""

    op: ClassVar[str] = "tinybird.datasource.delete/1"

    def title(self) -> str:
        return f"Delete {self.table.name}; its rows come back from Postgres"

    def look(self, at: Site) -> Seen:
        found = at.tinybird.datasource(self.table.id)
        if found is None:
            return Done(f"{self.table.name} is deleted.", {"touched": [self.table.name]})
        return self._not_yet(at) or Todo()

    def act(self, at: Site) -> None:
        at.tinybird.delete_datasource(self.table.id)


class PutBack(Step):
    """Give the kept table its name back, as long as the new one takes no rows; afterwards the run can only finish
    forward (facts/procedures.md §2.3). A table that is fed may look empty while rows are on their way: once it is
    away they would be refused and dropped. When the new table is proven there is nothing to put back."""

    op: ClassVar[str] = "tinybird.datasource.put-back/1"
    settle_s: ClassVar[float] = 5.0

    table: Standing
    kept: str
    topic: str

    def title(self) -> str:
        return f"Put {self.kept} back as {self.table.name}, if the new one has taken no row"

    def writes(self) -> tuple[str, ...]:
        return (f"tinybird/datasource/{self.table.name}/schema", f"tinybird/datasource/{self.table.name}/id")

    def look(self, at: Site) -> Seen:
        if self.table.name in at.proven:
            return Done(f"{self.table.name} is proven; the old one stays aside.")
        old = at.tinybird.datasource(self.table.id)
        if old is None:
            return Astray(f"the table set aside as {self.kept} is gone; {self.table.name} stays as it is")
        if old.name == self.table.name:
            return Done(f"{self.table.name} is the table it was before.")
        new = at.tinybird.datasource(self.table.name)
        if new is None:
            return Todo("the name is free")
        rows = raw_count(at, self.table.name)
        if rows:
            return Astray(
                f"the new {self.table.name} has taken {counted(rows, 'row')}; the old one is kept as {self.kept}"
            )
        feeding = self._feeding(at)
        if feeding:
            return Astray(
                f"the Sequin sink {feeding} feeds the new {self.table.name} already; the old one is kept as {self.kept}"
            )
        return Todo("the new one is empty and is removed")

    def act(self, at: Site) -> None:
        new = at.tinybird.datasource(self.table.name)
        if new is None:
            at.tinybird.rename_datasource(self.table.id, self.table.name)
        elif new.id != self.table.id and not raw_count(at, self.table.name) and not self._feeding(at):
            at.tinybird.delete_datasource(new.id)

    def _feeding(self, at: Site) -> str | None:
        """The sink that sends rows to the new table now, if any does."""
        return next((s.name for s in at.sequin.sinks() if s.topic == self.topic and s.status == "active"), None)
