"""The change that a strategy plans for: everything inferred, both sides written out, nothing left to guess."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from runbooks.facts.model import Column, Datasource, PgTable, Pipe, Sink
from runbooks.plan import Reader
from runbooks.questions import Question

if TYPE_CHECKING:
    from runbooks.lineage import Lineage


@dataclass(frozen=True)
class PlannedField:
    """One new column, on both sides. ``pg_type`` is None where Postgres gets no column: the datasource is not
    replicated, or the field lies inside a jsonb column that is there already."""

    column: Column
    pg_type: str | None = None
    pg_default: str | None = None  # an SQL literal, quoted
    in_postgres: bool = False  # the column, or the jsonb column it lies in, is already there and may hold values
    expression: str | None = None  # ClickHouse, over the datasource's own columns: its value; None: the default


@dataclass(frozen=True)
class Altered:
    """One datasource before and after; ``copy`` is the wildcard copy that makes a target follow its source."""

    before: Datasource
    after: Datasource
    copy: str | None = None

    @property
    def added(self) -> tuple[Column, ...]:
        known = {c.name for c in self.before.columns}
        return tuple(c for c in self.after.columns if c.name not in known)


@dataclass(frozen=True)
class ReachingCopy:
    """A copy pipe that reads the target, itself or through pipes, without passing another copy's target; or one behind
    such a copy."""

    name: str
    target: str
    mode: str  # append | replace
    schedule: str | None  # cron, UTC; None: on demand
    paused: bool = False  # shut down before the run began: must stay so

    @classmethod
    def of(cls, pipe: Pipe) -> Self:
        output = pipe.output
        return cls(
            name=pipe.name,
            target=output.target or "",
            mode=output.mode or "append",
            schedule=None if output.schedule == "@on-demand" else output.schedule,
            paused=pipe.schedule_status == "shutdown",
        )


@dataclass(frozen=True)
class Migration:
    """The file that enters the project's migration history (facts/procedures.md §2.14).

    ``name`` holds the words ``{epoch}``: resolved when it is written, so that the hash does not depend on the time.
    """

    name: str
    text: str


@dataclass(frozen=True)
class SourceDefault:
    """Another default of a column of Postgres: ``literal`` is SQL, None takes it away."""

    column: str
    type: str  # as ``format_type`` writes it
    literal: str | None


@dataclass(frozen=True)
class Retype:
    """A column of Postgres that gets another type, which rewrites the table under a lock."""

    column: str
    before: str  # types as ``format_type`` writes them
    after: str
    using: str  # the SQL expression that makes the new value of the old one
    back: str  # and the other way round
    default: str | None = None  # as SQL, of the new type
    default_before: str | None = None  # as Postgres writes it


@dataclass(frozen=True)
class PlannedChange:
    """What ``planner`` hands to every strategy, and the chosen one turns into steps."""

    kind: str  # of the request: "add fields", "change field", … (runbooks/request.py)
    request: dict[str, Any]  # the change with every inferred value, as the plan's ``request``
    target: Altered
    fields: tuple[PlannedField, ...]
    sql: tuple[str, ...]  # additive and idempotent, one statement each, for Postgres
    migration: Migration | None
    table: PgTable | None  # None: not in Postgres, or Postgres was not asked
    sink: Sink | None  # the Sequin sink that feeds the target
    replicated: bool  # the rows come from Postgres through Sequin, whether or not Postgres was asked
    targets: tuple[Altered, ...]  # copy targets that must take the column first, the most downstream first
    copies: tuple[ReachingCopy, ...]  # in the order in which they must run again
    sink_pipes: tuple[str, ...]  # sink pipes that reach the target through pipes
    readers: tuple[Reader, ...]
    lineage: Lineage
    source: PgTable | None = None  # the table of Postgres once the run has changed it; None: columns are added at most
    source_default: SourceDefault | None = None
    retype: Retype | None = None
    dropped: tuple[str, ...] = ()  # columns of Postgres that go at the very end
    refills: bool = False  # rows that are there already must be written again: their values are not what they will be
    questions: tuple[Question, ...] = ()  # what planning asks of the systems; see ``Facts.answers``

    @property
    def name(self) -> str:
        """The target datasource's name."""
        return self.target.before.name

    @property
    def added(self) -> tuple[Column, ...]:
        return tuple(f.column for f in self.fields)

    @property
    def concerned(self) -> tuple[Column, ...]:
        """The columns that are new or not what they were, as they will be."""
        before = set(self.target.before.columns)
        return tuple(c for c in self.target.after.columns if c not in before)

    @property
    def holds_values(self) -> bool:
        """Only a backfill brings all values: a new column has some in Postgres already, or old rows must change."""
        return self.refills or any(f.in_postgres for f in self.fields)

    @property
    def computed(self) -> tuple[PlannedField, ...]:
        """Fields whose values no default gives: each is computed for the rows that are there, once."""
        return tuple(f for f in self.fields if f.expression and f.column.default != f.expression)

    @property
    def endpoints(self) -> tuple[Reader, ...]:
        """The endpoints that read the target itself, directly or through pipes: they break while it is away."""
        return tuple(r for r in self.readers if r.kind == "endpoint")
