"""A table beside another, made for a run, and the copy pipe that fills it; both go away if they are not taken."""

from dataclasses import dataclass
from typing import ClassVar

from runbooks.proof.chunks import Copied, pipe_sql
from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo, Wait
from runbooks.steps.copy_jobs import live_jobs
from runbooks.steps.create import NewTable, moved_to
from runbooks.steps.standing import schema_of, schema_under
from systems.tinybird_model import Job

LOOK_AGAIN_S = 2.0


def beside_name(name: str, run: int) -> str:
    return f"{name}__run_{run}"


def pipe_name(name: str, run: int) -> str:
    return f"{name}__copy_run_{run}"


@dataclass(frozen=True)
class Jobs:
    """Whose jobs: copies are those of ``pipe``, deletes those in ``table``."""

    pipe: str
    table: str


def beside(at: Site, source: str) -> Jobs:
    """Those that fill the table beside ``source``."""
    return Jobs(pipe=pipe_name(source, at.run), table=beside_name(source, at.run))


class CreateBeside(NewTable):
    """Make the table with the planned schema under a name of the run's own: nothing reads it, nothing feeds it."""

    op: ClassVar[str] = "tinybird.datasource.create-beside/1"
    _schema: ClassVar[str] = "new"

    def title(self) -> str:
        return f"Create a table with the new schema beside {self.table.name}"

    def remember(self, at: Site) -> Step | None:
        before = schema_under(at, self.table.name) or ""
        return DropMade(beside=self._name(at), planned=self.table.planned, before=before)

    def look(self, at: Site) -> Seen:
        name = self._name(at)
        found = at.tinybird.datasource(name)
        if found is None:
            return Todo()
        if schema_of(found) != self.table.planned:
            return Astray(f"a data source {name} is there that is not the planned one")
        return Done(f"{name} stands with the {self._schema} schema.")

    def act(self, at: Site) -> None:
        at.tinybird.create_datasource(self.named(self._name(at)))

    def _name(self, at: Site) -> str:
        return beside_name(self.table.name, at.run)


class DropBeside(Step):
    """Delete the table beside, on a way out; once it has taken the table's name there is none."""

    op: ClassVar[str] = "tinybird.datasource.drop-beside/1"
    settle_s: ClassVar[float] = 5.0

    beside: str

    def title(self) -> str:
        return f"Delete {self.beside}, unless it took the table's place"

    def look(self, at: Site) -> Seen:
        if at.tinybird.datasource(self.beside) is None:
            return Done(f"There is no {self.beside}.")
        reader = moved_to(at, self.beside)
        return Astray(f"{reader[0].name} reads {self.beside}: it stays until that is mended") if reader else Todo()

    def act(self, at: Site) -> None:
        found = at.tinybird.datasource(self.beside)
        if found is not None and found.name == self.beside:
            at.tinybird.delete_datasource(found.id)


class DropMade(Step):
    """The same by what it is, not by its name alone: after an exchange the old table may stand under that name. Two
    digests of schemas tell them apart, as ids may have gone with the tables or stayed with the names."""

    op: ClassVar[str] = "tinybird.datasource.drop-beside/2"
    settle_s: ClassVar[float] = 5.0

    beside: str
    planned: str
    before: str

    def title(self) -> str:
        return f"Delete {self.beside}, unless it took the table's place"

    def look(self, at: Site) -> Seen:
        found = schema_under(at, self.beside)
        if found is None:
            return Done(f"There is no {self.beside}.")
        if found != self.planned:
            if found == self.before:
                return Done(f"{self.beside} is the old table now: it stays.")
            return Astray(f"{self.beside} is not what this run made: it stays")
        reader = moved_to(at, self.beside)
        return Astray(f"{reader[0].name} reads {self.beside}: it stays until that is mended") if reader else Todo()

    def act(self, at: Site) -> None:
        found = at.tinybird.datasource(self.beside)
        if found is not None and found.name == self.beside and schema_of(found) == self.planned:
            at.tinybird.delete_datasource(found.id)


class CreateCopyPipe(Step):
    """Make the copy pipe of this run: on demand, appending, its range a parameter of each run."""

    op: ClassVar[str] = "tinybird.copy.create/1"
    gated: ClassVar[bool] = False
    settle_s: ClassVar[float] = 5.0

    of: Copied

    def title(self) -> str:
        return f"Create the copy pipe that fills the table beside {self.of.source}"

    def remember(self, at: Site) -> Step | None:
        return RemoveCopyPipe(pipe=self._jobs(at).pipe)

    def look(self, at: Site) -> Seen:
        name, target = self._jobs(at).pipe, self._jobs(at).table
        found = at.tinybird.pipe(name)
        if found is None:
            return Todo()
        into = at.tinybird.datasource(found.copy_target or "")
        if len(found.nodes) != 1 or found.nodes[0].sql.strip() != pipe_sql(self.of).strip():
            return Astray(f"a pipe {name} is there that is not this run's: its SQL is another")
        if into is None or into.name != target:
            return Astray(f"the pipe {name} does not copy into {target}")
        return Done(f"{name} copies into {target}, on demand.")

    def act(self, at: Site) -> None:
        name, target = self._jobs(at).pipe, self._jobs(at).table
        at.tinybird.put_pipe(on_demand(name, pipe_sql(self.of), target, at.run))

    def _jobs(self, at: Site) -> Jobs:
        return beside(at, self.of.source)


class RemoveCopyPipe(Step):
    """Remove the run's copy pipe, with no job of it under way. Before the names are switched: it points at its target
    by id and at its source by name, and would copy the table into itself (facts/tinybird.md §3)."""

    op: ClassVar[str] = "tinybird.copy.remove/1"
    gated: ClassVar[bool] = False
    settle_s: ClassVar[float] = 5.0

    pipe: str

    def title(self) -> str:
        return f"Remove the copy pipe {self.pipe}"

    def look(self, at: Site) -> Seen:
        return removed(at, self.pipe)

    def act(self, at: Site) -> None:
        remove(at, self.pipe)


class RemoveRunsCopyPipe(Step):
    """The same as a step of the plan, which does not know the run's number yet."""

    op: ClassVar[str] = "tinybird.copy.remove-own/1"
    gated: ClassVar[bool] = False
    settle_s: ClassVar[float] = 5.0

    source: str

    def title(self) -> str:
        return f"Remove the copy pipe of this run, which reads {self.source} by its name"

    def look(self, at: Site) -> Seen:
        return removed(at, self._pipe(at))

    def act(self, at: Site) -> None:
        remove(at, self._pipe(at))

    def _pipe(self, at: Site) -> str:
        return pipe_name(self.source, at.run)


def on_demand(name: str, sql: str, target: str, run: int) -> dict[str, object]:
    """A copy pipe of one node that appends, and runs only when it is asked to."""
    node = {
        "name": f"{name}_rows",
        "type": "copy",
        "sql": sql,
        "description": "",
        "target_datasource": target,
        "copy_schedule": "@on-demand",
        "mode": "append",
    }
    return {
        "name": name,
        "description": f"Made by run {run}, which removes it.",
        "nodes": [node],
        "target_datasource": target,
        "schedule_cron": None,
    }


def removed(at: Site, pipe: str) -> Seen:
    """Whether a copy pipe of the run's own is gone, and what is in the way."""
    if at.tinybird.pipe(pipe) is None:
        return Done(f"The copy pipe {pipe} is removed.")
    job = next(iter(live_jobs(at, pipe)), None)
    if job is None:
        return Todo("no run of it is under way")
    if _stoppable(job):
        return Todo(f"its run {job.id} is cancelled")
    return Wait(LOOK_AGAIN_S, f"a run of {pipe} is {job.status} and is awaited")


def remove(at: Site, pipe: str) -> None:
    """Its run under way, or it itself."""
    job = next(iter(live_jobs(at, pipe)), None)
    if job is None:
        at.tinybird.delete_pipe(pipe)
    elif _stoppable(job):
        at.tinybird.cancel_job(job.id)


def _stoppable(job: Job) -> bool:
    return job.status == "waiting" or (job.status == "working" and job.cancellable is True)
