"""The filtering tags of a data source made anew (facts/procedures.md §2.8)."""

from typing import ClassVar

from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo
from systems.tinybird_model import TagInfo


class RestoreTags(Step):
    """Put the tags of the table that was replaced on the new one: a tag knows its resources by id, so that it stayed
    on the old one or went with it. They order the workspace and nothing waits for them: hence the run's last step."""

    op: ClassVar[str] = "tinybird.datasource.restore-tags/1"
    gated: ClassVar[bool] = False
    settle_s: ClassVar[float] = 5.0

    table: str
    tags: tuple[str, ...]

    def title(self) -> str:
        return f"Put the {'tag' if len(self.tags) == 1 else 'tags'} {', '.join(self.tags)} on {self.table} again"

    def look(self, at: Site) -> Seen:
        found = at.tinybird.datasource(self.table)
        if found is None:
            return Astray(f"there is no data source {self.table}")
        lacking = self._lacking(at, found.id)
        if lacking:
            return Todo(f"{self.table} lacks the tag {lacking[0]}")
        return Done(f"{self.table} has its {'tag' if len(self.tags) == 1 else 'tags'} {', '.join(self.tags)}.")

    def act(self, at: Site) -> None:
        found = at.tinybird.datasource(self.table)
        lacking = self._lacking(at, found.id) if found else []
        if found is None or not lacking:
            return
        known = {tag.name: tag for tag in at.tinybird.tags()}
        there = known.get(lacking[0], TagInfo(lacking[0], ()))
        mine = (found.id, self.table, "datasource")
        at.tinybird.put_tag(there.name, [*there.resources, mine], new=there.name not in known)

    def _lacking(self, at: Site, table: str) -> list[str]:
        worn = {tag.name for tag in at.tinybird.tags() if tag.on(table)}
        return [name for name in self.tags if name not in worn]
