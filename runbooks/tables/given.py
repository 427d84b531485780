"""A table that Postgres lacks and that a migration of the project makes: what it will be, and who is to make it.

What is read is SQL that nobody has run here. So nothing is guessed: a statement about the table that is not
understood refuses the plan, and the steps compare the columns that they find with those that the plan counts on.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from runbooks import history
from runbooks.ddl import Draft, NotClear, Past, Told, beginning
from runbooks.errors import Refused
from runbooks.facts.model import Facts, PgTable, ProjectFiles
from runbooks.hazards import found
from runbooks.names import ProjectNames
from runbooks.plan import Hazard
from runbooks.questions import MOST_READ, InProject, Question
from runbooks.step import Step
from runbooks.steps.postgres_table import AwaitTable, MakeTable, PlannedColumn, PlannedTable

_PUBLIC = "public"  # where there is no other table to tell


@dataclass(frozen=True)
class Given:
    """``files`` are the migrations that make it, oldest first, by their paths; ``sql`` what of them does. ``waits`` is
    why that is left to the deploy; empty where all that is about the table may run a second time."""

    table: PgTable
    repository: str
    files: tuple[str, ...]
    sql: tuple[str, ...]
    waits: str

    @property
    def named(self) -> str:
        return " and ".join(path.rpartition("/")[2] for path in self.files)

    def step(self) -> Step:
        """The one that ends with the table in Postgres, as the plan counts on it."""
        of = PlannedTable(
            table=self.table.name,
            columns=tuple(PlannedColumn(name=c.name, type=c.type, nullable=c.nullable) for c in self.table.columns),
            key=self.table.primary_key,
            repository=self.repository,
            files=self.files,
        )
        return AwaitTable(of=of) if self.waits else MakeTable(of=of, sql=self.sql)

    def hazard(self) -> Hazard:
        what = f"Postgres has no {self.table.name} before the deploy of {self.named} of {self.repository}."
        if self.waits:
            said = f"{what} The run waits for that: {self.waits}."
            fix = "Deploy it: the run goes on by itself, within a day and as long as its approval lasts."
        else:
            said = f"{what} The run makes the table as it is there, and the deploy then finds that done."
            fix = "Or deploy it first, and the table belongs to whom the deploy runs as, not to the role of tbops."
        return found("migration-waits-for-deploy", "note", self.table.name, said, fix)


def questions(name: str, facts: Facts) -> tuple[Question, ...]:
    """The migrations whose names mention the table, and the newest ones, where Postgres was asked and lacks it."""
    project = facts.names.project
    if facts.tables is None or name in facts.tables or project is None or facts.history is not None:
        return ()
    return (InProject("project", project, words=(name,), newest=MOST_READ),)


def given(name: str, facts: Facts) -> Given | None:
    """None where no migration that was read makes the table. Raises ``Refused`` where one is not understood."""
    held, project = facts.history, facts.names.project
    if held is None or project is None:
        return None
    schema = next((table.schema for table in (facts.tables or {}).values()), _PUBLIC)
    told = _past(schema, held, project, facts).of_table(name)
    if told.unclear is not None:
        raise _not_understood(*told.unclear, name, project)
    draft, parts = told.draft, told.parts
    if draft.table is None:
        return None
    if draft.partition_of:
        raise _partition(parts[0][0], draft, project)
    shaping = [(path, part) for path, part in parts if part.shapes]
    _require_all_read(shaping[0][0], name, held, project)
    return Given(
        table=draft.table,
        repository=project.repository,
        files=tuple(dict.fromkeys(path for path, _ in shaping)),
        sql=tuple(part.text for _, part in shaping),
        waits=next(_hindrances(told, facts), ""),
    )


def _past(schema: str, held: ProjectFiles, project: ProjectNames, facts: Facts) -> Past:
    order = history.in_order(project.migrations, held.shas)

    def whole(first: str, last: str) -> bool:
        between = order[order.index(first) : order.index(last)] if first in order and last in order else []
        return all(path in held.texts for path in between)

    texts = [(path, held.texts[path]) for path in history.in_order(project.migrations, held.texts)]
    return Past.of(schema, texts, whole, facts.tables or {})


def _not_understood(path: str, error: NotClear, name: str, project: ProjectNames) -> Refused:
    return Refused(
        f"Postgres has no table `{name}`, and what `{path.rpartition('/')[2]}` of {project.repository} does to it is "
        f"not understood (“{error}”). Deploy it, then ask again: the plan is then made from what Postgres has.",
        name,
    )


def _partition(path: str, draft: Draft, project: ProjectNames) -> Refused:
    """Sequin and the publication know its changes as those of the table that it is part of."""
    return Refused(
        f"`{draft.name}` will be a partition of `{draft.partition_of}`, by `{path.rpartition('/')[2]}` of "
        f"{project.repository}: its rows are sent as those of `{draft.partition_of}`. Replicate that one.",
        draft.name,
    )


def _require_all_read(first: str, name: str, held: ProjectFiles, project: ProjectNames) -> None:
    """One behind it may change the table, whatever it is called."""
    order = history.in_order(project.migrations, held.shas)
    later = order[order.index(first) + 1 :] if first in order else []
    if left := [path for path in later if path not in held.texts]:
        raise Refused(
            f"Postgres has no table `{name}`. `{first.rpartition('/')[2]}` of {project.repository} makes it, and "
            f"{len(left)} of the {len(later)} migrations behind it were not read, as only the newest {MOST_READ} are. "
            "Deploy them, then ask again.",
            name,
        )


def _hindrances(told: Told, facts: Facts) -> Iterator[str]:
    """Why somebody who runs it now would be in the way of the deploy, or could not."""
    tables = facts.tables or {}
    there = {*tables, *(column.type.removesuffix("[]") for table in tables.values() for column in table.columns)}
    for path, part in told.parts:
        file = path.rpartition("/")[2]
        if not part.again:
            yield f"“{beginning(part.text)}” could not run a second time"
        lacking = [each for each in part.uses if each not in there]
        if lacking:
            yield f"{file} names {' and '.join(lacking)}, which Postgres does not have yet"
    if told.draft.table is not None and told.draft.table.partitioned and not told.draft.partitions:
        yield f"no migration that was read makes a partition of {told.draft.name}"
