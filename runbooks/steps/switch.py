"""A table replaced by the one beside it, by two renames: the old one is kept, the new one takes its name.

Between the two calls nobody finds the table; whoever looks next makes the second one, whatever became of the first
worker (facts/procedures.md §4, rename). Tables are known by their ids.
"""

from datetime import timedelta
from typing import ClassVar

from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo, Wait
from runbooks.steps.beside import beside_name, pipe_name
from runbooks.steps.copy_jobs import live_jobs
from runbooks.steps.create import moved_to, write_back
from runbooks.steps.set_aside import kept_name
from runbooks.steps.standing import Standing, schema_of, schema_under
from runbooks.steps.still import grown

LOOK_AGAIN_S = 2.0


class Replacing(Step):
    """What every way shares in which the table beside takes the table's name, while the connector holds back what
    comes: it goes to the new one afterwards."""

    touches: ClassVar[bool] = True
    destructive: ClassVar[bool] = True

    table: Standing
    copies: tuple[str, ...]
    keep_days: int = 7

    def reads(self) -> tuple[str, ...]:
        return (f"tinybird/datasource/{self.table.name}/schema", f"tinybird/datasource/{self.table.name}/id")

    def writes(self) -> tuple[str, ...]:
        return self.reads()

    def _kept(self, at: Site, name: str, known: str) -> dict[str, str]:
        """How the old table, of that name and id now, enters the run's record."""
        retire = (at.now + timedelta(days=self.keep_days)).date().isoformat()
        return {"name": name, "id": known, "retire": retire, "of": self.table.name}

    def _not_yet(self, at: Site) -> Seen | None:
        """What forbids it: there is no way to look in the midst of it that would help anybody."""
        name = self.table.name
        if not at.connect.status(at.names.connector).paused:
            return Astray(f"the connector {at.names.connector} is not paused any more: somebody or a restart undid it")
        if at.tinybird.pipe(pipe_name(name, at.run)) is not None:
            return Astray(f"the copy pipe {pipe_name(name, at.run)} is there: it would copy the table into itself")
        if schema_under(at, beside_name(name, at.run)) != self.table.planned:
            return Astray(f"there is no {beside_name(name, at.run)} with the planned schema any more")
        if name not in at.proven:
            return Astray(f"the copy of {name} is not proven")
        for copy in self.copies:
            if live_jobs(at, copy):
                return Wait(LOOK_AGAIN_S, f"a run of {copy} is under way and is awaited")
        return None


class Switch(Replacing):
    """Both renamed, the old table first."""

    op: ClassVar[str] = "tinybird.datasource.switch/1"
    settle_s: ClassVar[float] = 5.0

    def title(self) -> str:
        return f"Switch {self.table.name} to the new table; the old one is kept under another name"

    def remember(self, at: Site) -> Step | None:
        name = self.table.name
        return SwitchBack(table=self.table, kept=kept_name(name, at.run), beside=beside_name(name, at.run))

    def look(self, at: Site) -> Seen:
        name, kept = self.table.name, kept_name(self.table.name, at.run)
        old = at.tinybird.datasource(self.table.id)
        if old is None:
            return Astray(f"{name} as the plan knew it (id {self.table.id}) is gone: it was not this run")
        if old.name == name:
            return self._not_yet(at) or Todo(f"{name} is renamed to {kept}, and the new one to {name}")
        if old.name != kept:
            return Astray(f"{name} was renamed to {old.name} by somebody else")
        return self._second(at)

    def act(self, at: Site) -> None:
        """Both calls, one right behind the other: a tick between them would be ten times what they take themselves.
        Where only the first one took, the next look asks for the second."""
        name = self.table.name
        old, new = at.tinybird.datasource(self.table.id), at.tinybird.datasource(beside_name(name, at.run))
        if old is not None and old.name == name:
            at.tinybird.rename_datasource(old.id, kept_name(name, at.run))
        if new is not None:
            at.tinybird.rename_datasource(new.id, name)

    def _second(self, at: Site) -> Seen:
        name, kept = self.table.name, kept_name(self.table.name, at.run)
        new = at.tinybird.datasource(name)
        if new is None:
            beside = beside_name(name, at.run)
            if at.tinybird.datasource(beside) is None:
                return Astray(f"there is neither {name} nor {beside}; the old table is kept as {kept}")
            return Todo(f"{beside} is renamed to {name}")
        if schema_of(new) != self.table.planned:
            return Astray(f"a data source {name} was made that is not the planned one; the old one is kept as {kept}")
        record = self._kept(at, kept, self.table.id)
        return Done(
            f"{name} is the new table; the old one is kept as {kept} until {record['retire']}.",
            {"touched": [name], "kept": record},
        )


class SwitchWritten(Switch):
    """The same for a table whose writers are stopped: nothing may have come since it was found at rest."""

    op: ClassVar[str] = "tinybird.datasource.switch-written/1"

    topic: str

    def _not_yet(self, at: Site) -> Seen | None:
        return super()._not_yet(at) or come_since(at, self.table.name, self.topic)


def come_since(at: Site, table: str, topic: str) -> Astray | None:
    """Of a table whose writers are stopped, what has come all the same."""
    more = grown(at, table, topic)
    return Astray(f"{more}; {table} was not touched") if more else None


class SwitchBack(Step):
    """Give the old table its name back on a way out, as long as nothing can have been written to the new one, which
    goes: the connector is still paused. Once it runs, the new table, which was proven before the switch, stays."""

    op: ClassVar[str] = "tinybird.datasource.switch-back/1"
    settle_s: ClassVar[float] = 5.0

    table: Standing
    kept: str
    beside: str

    def title(self) -> str:
        return f"Put {self.kept} back as {self.table.name}, unless the new one takes rows already"

    def undone(self, at: Site) -> bool:
        """A switch stops nothing: that it stays is how it should end."""
        return False

    def look(self, at: Site) -> Seen:
        name = self.table.name
        old = at.tinybird.datasource(self.table.id)
        if old is None:
            return Astray(f"the table kept as {self.kept} is gone; {name} stays as it is")
        if old.name == name:
            return self._read_again(at)
        new = at.tinybird.datasource(name)
        if new is None:
            return Todo(f"{old.name} is renamed to {name}")
        if schema_of(new) != self.table.planned:
            return Astray(f"a data source {name} is there that nobody planned; the old one is kept as {old.name}")
        if at.connect.status(at.names.connector).paused:
            return Todo(f"the new {name} is renamed to {self.beside}")
        return Done(f"{name} is the new table, which was proven; the old one stays aside as {old.name}.")

    def act(self, at: Site) -> None:
        new = at.tinybird.datasource(self.table.name)
        if new is None:
            at.tinybird.rename_datasource(self.table.id, self.table.name)
        elif new.id != self.table.id:
            at.tinybird.rename_datasource(new.id, self.beside)
        elif moved_to(at, self.beside) or moved_to(at, self.kept):
            write_back(at, self.beside if moved_to(at, self.beside) else self.kept, self.table.name)
        else:
            beside = at.tinybird.datasource(self.beside)
            if beside is not None:
                at.tinybird.delete_datasource(beside.id)

    def _read_again(self, at: Site) -> Seen:
        """Where a rename rewrites SQL, pipes that had been mended followed the new table away."""
        moved = moved_to(at, self.beside) or moved_to(at, self.kept)
        if moved:
            return Todo(f"{moved[0].name}, node {moved[1].name}, followed the new table and is written back")
        if at.tinybird.datasource(self.beside) is not None:  # while it had the table's name, dropping it seemed done
            return Todo(f"{self.beside} is deleted")
        return Done(f"{self.table.name} is the table it was before.")
