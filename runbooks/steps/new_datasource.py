"""A data source for a table that had none: made before anything is sent to it, removed if it comes to nothing, and
dropped when the table is replicated no more."""

from typing import ClassVar

from runbooks.facts import live
from runbooks.guards import digest_of_schema
from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo
from runbooks.steps.create import CreateDatasource
from runbooks.steps.moves import reading_node
from runbooks.steps.tracking import still_read


class CreateNew(CreateDatasource):
    """The same as where a table is made anew, with the way back of one that was not there before."""

    op: ClassVar[str] = "tinybird.datasource.create-new/1"

    def title(self) -> str:
        return f"Create the data source {self.table.name}"

    def reads(self) -> tuple[str, ...]:
        return self.writes()

    def remember(self, at: Site) -> Step | None:
        return RemoveNew(name=self.table.name, planned=self.table.planned)


class RemoveMade(Step):
    """Delete a data source that the run made, where the run came to nothing and nobody uses it: a way back."""

    settle_s: ClassVar[float] = 5.0

    name: str
    planned: str  # the digest of its schema: another one is somebody else's

    def title(self) -> str:
        return f"Delete the new data source {self.name}"

    def writes(self) -> tuple[str, ...]:
        return (f"tinybird/datasource/{self.name}/schema", f"tinybird/datasource/{self.name}/id")

    def look(self, at: Site) -> Seen:
        if why := self._stays(at):
            return Done(why)
        found = at.tinybird.datasource(self.name)
        if found is None:
            return Done(f"There is no data source {self.name}, as before.")
        if digest_of_schema(live.datasource(found)) != self.planned:
            return Astray(f"{self.name} has another schema than the run gave it: somebody uses it, and it stays")
        return self._used(at) or Todo()

    def act(self, at: Site) -> None:
        at.tinybird.delete_datasource(self.name)

    def _stays(self, at: Site) -> str:
        """Why it is there for good; empty if it is not."""
        raise NotImplementedError

    def _used(self, at: Site) -> Seen | None:
        """Who would miss it."""
        raise NotImplementedError


class RemoveNew(RemoveMade):
    """The same once nothing is sent to it. Its rows are Postgres's own."""

    op: ClassVar[str] = "tinybird.datasource.remove-new/1"

    def _stays(self, at: Site) -> str:
        return f"{self.name} is replicated and proven: it stays." if self.name in at.proven else ""

    def _used(self, at: Site) -> Seen | None:
        return still_read(at, self.name, f"the connector {at.names.connector} reads the topic {self.name}: it stays")


class DropReplica(Step):
    """Drop a data source whose table is replicated no more, known by its id, once nothing reads it and nothing is sent
    to it. Its rows are Postgres's own: another replicate fills it again."""

    op: ClassVar[str] = "tinybird.datasource.drop-replica/1"
    destructive: ClassVar[bool] = True
    settle_s: ClassVar[float] = 5.0

    name: str
    id: str

    def title(self) -> str:
        return f"Drop the data source {self.name}"

    def reads(self) -> tuple[str, ...]:
        return (f"tinybird/datasource/{self.name}/id",)

    def writes(self) -> tuple[str, ...]:
        return (f"tinybird/datasource/{self.name}/schema", f"tinybird/datasource/{self.name}/id")

    def look(self, at: Site) -> Seen:
        found = at.tinybird.datasource(self.id)
        if found is None:
            return Done(f"{self.name} is dropped.")
        if found.name != self.name:
            return Astray(f"the data source {self.name} is called {found.name} now: somebody uses it")
        reader = next((pipe.name for pipe in at.tinybird.pipes() if reading_node(pipe, self.name)), None)
        if reader:
            return Astray(f"the pipe {reader} reads {self.name}")
        return (
            still_read(at, self.name, f"the connector {at.names.connector} still reads the topic {self.name}") or Todo()
        )

    def act(self, at: Site) -> None:
        at.tinybird.delete_datasource(self.id)
