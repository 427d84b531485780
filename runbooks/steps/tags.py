"""The filtering tags of resources (facts/tinybird.md §11): of a data source made anew, and as a datafile has them."""

from typing import ClassVar, Literal

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


class SetTags(Step):
    """Give a resource exactly these tags, one a look: a tag is written with all that it is on."""

    op: ClassVar[str] = "tinybird.tags.set/1"
    settle_s: ClassVar[float] = 5.0

    name: str
    kind: Literal["datasource", "pipe"]
    tags: tuple[str, ...]

    def title(self) -> str:
        if not self.tags:
            return f"Take all tags off {self.name}"
        return f"Give {self.name} the {'tag' if len(self.tags) == 1 else 'tags'} {', '.join(self.tags)}"

    def look(self, at: Site) -> Seen:
        known = self._id(at)
        if known is None:
            return Astray(f"there is no {self.kind} {self.name}")
        worn = {tag.name for tag in at.tinybird.tags() if tag.on(known)}
        if lacking := [name for name in self.tags if name not in worn]:
            return Todo(f"{self.name} lacks the tag {lacking[0]}")
        if more := sorted(worn - set(self.tags)):
            return Todo(f"{self.name} has the tag {more[0]}")
        return Done(f"The tags of {self.name}: {', '.join(self.tags) or 'none'}.")

    def act(self, at: Site) -> None:
        known = self._id(at)
        if known is None:
            return
        tags = {tag.name: tag for tag in at.tinybird.tags()}
        lacking = [name for name in self.tags if name not in tags or not tags[name].on(known)]
        more = [tag for name, tag in sorted(tags.items()) if name not in self.tags and tag.on(known)]
        if lacking:
            there = tags.get(lacking[0], TagInfo(lacking[0], ()))
            at.tinybird.put_tag(
                there.name, [*there.resources, (known, self.name, self.kind)], new=there.name not in tags
            )
        elif more:
            at.tinybird.put_tag(more[0].name, [on for on in more[0].resources if on[0] != known], new=False)

    def _id(self, at: Site) -> str | None:
        found = at.tinybird.datasource(self.name) if self.kind == "datasource" else at.tinybird.pipe(self.name)
        return found.id if found else None
