"""The end of a table that a run set aside."""

import re
from typing import ClassVar

from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo


class DropKept(Step):
    """Delete a table that was set aside, known by its id, once nothing names it. Nothing brings it back."""

    op: ClassVar[str] = "tinybird.datasource.drop-kept/1"
    destructive: ClassVar[bool] = True
    settle_s: ClassVar[float] = 5.0

    name: str
    id: str
    of: str  # the data source that it was

    def title(self) -> str:
        return f"Drop {self.name}, the old {self.of}, for good"

    def reads(self) -> tuple[str, ...]:
        return (f"tinybird/datasource/{self.name}/id", f"tinybird/datasource/{self.of}/id")

    def writes(self) -> tuple[str, ...]:
        return (f"tinybird/datasource/{self.name}/id",)

    def look(self, at: Site) -> Seen:
        found = at.tinybird.datasource(self.id)
        if found is None:
            return Done(f"{self.name} is dropped.")
        if found.name != self.name:
            return Astray(f"the table set aside as {self.name} is called {found.name} now: it is in use again")
        named = re.compile(rf"(?<!\w){re.escape(self.name)}(?!\w)")
        reader = next((p.name for p in at.tinybird.pipes() if any(named.search(node.sql) for node in p.nodes)), None)
        return Astray(f"the pipe {reader} reads {self.name}") if reader else Todo()

    def act(self, at: Site) -> None:
        at.tinybird.delete_datasource(self.id)
