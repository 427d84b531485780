"""Data sources that a push makes new, removed again if it comes to nothing."""

from typing import ClassVar

from runbooks.facts import live
from runbooks.guards import digest_of_schema
from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo
from runbooks.steps.create import CreateDatasource
from runbooks.steps.delivery import raw_count
from runbooks.steps.pipe_write import HOLDS
from runbooks.words import counted


class CreatePushed(CreateDatasource):
    """Make the data source that a datafile describes, where there is none of that name."""

    op: ClassVar[str] = "tinybird.datasource.create-pushed/1"

    def title(self) -> str:
        return f"Create the data source {self.table.name}"

    def reads(self) -> tuple[str, ...]:
        return (f"tinybird/datasource/{self.table.name}/schema",)

    def remember(self, at: Site) -> Step | None:
        return RemovePushed(name=self.table.name, planned=self.table.planned)


class RemovePushed(Step):
    """Delete a data source that the run made, as long as it is empty, unless the push holds."""

    op: ClassVar[str] = "tinybird.datasource.remove-pushed/1"
    settle_s: ClassVar[float] = 5.0

    name: str
    planned: str  # the digest of its schema: another one is somebody else's

    def title(self) -> str:
        return f"Delete the new data source {self.name}"

    def writes(self) -> tuple[str, ...]:
        return (f"tinybird/datasource/{self.name}/schema", f"tinybird/datasource/{self.name}/id")

    def look(self, at: Site) -> Seen:
        if at.found.get(HOLDS):
            return Done(f"{self.name} stands: it stays.")
        found = at.tinybird.datasource(self.name)
        if found is None:
            return Done(f"There is no data source {self.name}, as before.")
        if digest_of_schema(live.datasource(found)) != self.planned:
            return Astray(f"{self.name} has another schema than the run gave it: somebody uses it, and it stays")
        rows = raw_count(at, self.name)
        return Astray(f"{self.name} has {counted(rows, 'row')} by now, and it stays") if rows else Todo()

    def act(self, at: Site) -> None:
        at.tinybird.delete_datasource(self.name)
