"""Data sources that a push makes new, removed again if it comes to nothing."""

from typing import ClassVar

from runbooks.site import Site
from runbooks.step import Astray, Seen, Step
from runbooks.steps.create import CreateDatasource
from runbooks.steps.delivery import raw_count
from runbooks.steps.new_datasource import RemoveMade
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


class RemovePushed(RemoveMade):
    """Delete a data source that the run made, as long as it is empty, unless the push holds."""

    op: ClassVar[str] = "tinybird.datasource.remove-pushed/1"

    def _stays(self, at: Site) -> str:
        return f"{self.name} stands: it stays." if at.found.get(HOLDS) else ""

    def _used(self, at: Site) -> Seen | None:
        rows = raw_count(at, self.name)
        return Astray(f"{self.name} has {counted(rows, 'row')} by now, and it stays") if rows else None
