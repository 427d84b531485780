"""A mirror of a table: another one of the same schema, filled from it and fed by a materialized view, for readers to
read while the table itself is replaced (facts/procedures.md §4, pipe-by-pipe)."""

from typing import ClassVar

from runbooks.proof.fields import ch_name
from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo
from runbooks.steps.beside import CreateBeside, DropBeside, Jobs
from runbooks.steps.create import moved_to


def mirror_name(name: str, run: int | str) -> str:
    return f"{name}__mirror_run_{run}"


def feed_name(name: str, run: int) -> str:
    return f"{name}__feed_run_{run}"


def mirror_jobs(source: str, run: int) -> Jobs:
    return Jobs(pipe=f"{source}__mirror_copy_run_{run}", table=mirror_name(source, run))


class CreateMirror(CreateBeside):
    """Make the mirror, with the schema that the table has."""

    op: ClassVar[str] = "tinybird.mirror.create/1"
    _schema: ClassVar[str] = "same"

    def title(self) -> str:
        return f"Create a mirror of {self.table.name} for its readers"

    def remember(self, at: Site) -> Step | None:
        return DropBeside(beside=self._name(at))  # nothing ever takes its name

    def _name(self, at: Site) -> str:
        return mirror_name(self.table.name, at.run)


class FeedMirror(Step):
    """Make the materialized view that brings every row written to the table into its mirror, before the rows that are
    there are copied: so none falls between."""

    op: ClassVar[str] = "tinybird.mirror.feed/1"
    gated: ClassVar[bool] = False
    settle_s: ClassVar[float] = 5.0

    source: str
    columns: tuple[str, ...]

    def title(self) -> str:
        return f"Feed the mirror with what is written to {self.source}"

    def remember(self, at: Site) -> Step | None:
        return EndFeed(pipe=feed_name(self.source, at.run))

    def look(self, at: Site) -> Seen:
        name, into = feed_name(self.source, at.run), mirror_name(self.source, at.run)
        found = at.tinybird.pipe(name)
        if found is None:
            return Todo()
        target = at.tinybird.datasource(next((n.materialized for n in found.nodes if n.materialized), None) or "")
        if target is None or target.name != into:
            return Astray(f"a pipe {name} is there that does not feed {into}")
        return Done(f"What is written to {self.source} goes into {into} too.")

    def act(self, at: Site) -> None:
        name = feed_name(self.source, at.run)
        columns = ", ".join(ch_name(column) for column in self.columns)
        node = {
            "name": f"{name}_rows",
            "type": "materialized",
            "sql": f"SELECT {columns} FROM {self.source}",
            "description": "",
            "datasource": mirror_name(self.source, at.run),
        }
        description = f"Made by run {at.run}, which removes it."
        at.tinybird.put_pipe({"name": name, "description": description, "nodes": [node]})


class EndFeed(Step):
    """Take the view away; the mirror keeps what it has. The view goes before its pipe, which may be refused else."""

    op: ClassVar[str] = "tinybird.mirror.end-feed/1"
    settle_s: ClassVar[float] = 5.0

    pipe: str

    def title(self) -> str:
        return f"Remove the materialized view {self.pipe}"

    def undone(self, at: Site) -> bool:
        """A feed stops nothing: that it is gone is how it should end."""
        return False

    def look(self, at: Site) -> Seen:
        return Todo() if at.tinybird.pipe(self.pipe) else Done(f"The materialized view {self.pipe} is removed.")

    def act(self, at: Site) -> None:
        found = at.tinybird.pipe(self.pipe)
        if found is None:
            return
        node = next((node for node in found.nodes if node.materialized), None)
        if node is not None:
            at.tinybird.unlink_view(found.id, node.id)
        else:
            at.tinybird.delete_pipe(self.pipe)


class EndRunsFeed(Step):
    """The same as a step of the plan: nothing is written any more, and a table that feeds a view cannot go away."""

    op: ClassVar[str] = "tinybird.mirror.end-own-feed/1"
    gated: ClassVar[bool] = False
    settle_s: ClassVar[float] = 5.0

    source: str

    def title(self) -> str:
        return f"Freeze the mirror: remove the view that feeds it from {self.source}"

    def look(self, at: Site) -> Seen:
        seen = self._feed(at).look(at)
        if not isinstance(seen, Done):
            return seen
        return Done(f"{mirror_name(self.source, at.run)} stands still; it has all that {self.source} has.")

    def act(self, at: Site) -> None:
        self._feed(at).act(at)

    def _feed(self, at: Site) -> EndFeed:
        return EndFeed(pipe=feed_name(self.source, at.run))


class DropMirror(Step):
    """Drop the mirror once no pipe names it: what it has the table has too."""

    op: ClassVar[str] = "tinybird.mirror.drop/1"
    gated: ClassVar[bool] = False
    settle_s: ClassVar[float] = 5.0

    source: str

    def title(self) -> str:
        return f"Prove that nothing reads the mirror of {self.source}, and drop it"

    def look(self, at: Site) -> Seen:
        name = mirror_name(self.source, at.run)
        if at.tinybird.datasource(name) is None:
            return Done(f"Nothing reads {name}, and it is dropped.")
        reader = moved_to(at, name)
        return Astray(f"{reader[0].name}, node {reader[1].name}, reads {name}: it stays") if reader else Todo()

    def act(self, at: Site) -> None:
        DropBeside(beside=mirror_name(self.source, at.run)).act(at)
