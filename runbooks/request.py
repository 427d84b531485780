"""What people ask for, once the grammar has understood it: frozen values that a plan is made from.

Names are as typed and checked against ``NAME``; types and defaults are ClickHouse's or Postgres's words
and are resolved by planning, which writes what it inferred into the plan's ``request``.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from runbooks.earlier import Kept, Made, Passed, Rest, Stopped

NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"  # ASCII only: no homoglyphs, quotes, templates or control characters

Name = Annotated[str, Field(pattern=NAME)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NewField(_Frozen):
    """``type`` and ``default`` are None when not typed; ``source`` is a JSON path (``$.record.x``) or SQL."""

    name: Name
    type: str | None = None
    default: str | None = None  # a literal, as typed: '' or 'x' or 0 or NULL
    source: str | None = None


class AddFields(_Frozen):
    kind: Literal["add fields"] = "add fields"
    fields: tuple[NewField, ...]


class ChangeType(_Frozen):
    kind: Literal["change field"] = "change field"
    name: Name
    type: str
    default: str | None = None


class SetDefault(_Frozen):
    kind: Literal["set default"] = "set default"
    name: Name
    default: str


class RemoveFields(_Frozen):
    kind: Literal["remove fields"] = "remove fields"
    names: tuple[Name, ...]


class SortBy(_Frozen):
    kind: Literal["sort by"] = "sort by"
    columns: tuple[Name, ...]


class AddIndex(_Frozen):
    kind: Literal["add index"] = "add index"
    name: Name
    expression: str
    type: str


Change = Annotated[AddFields | ChangeType | SetDefault | RemoveFields | SortBy | AddIndex, Field(discriminator="kind")]


class Migrate(_Frozen):
    kind: Literal["migrate"] = "migrate"
    datasources: tuple[Name, ...]
    change: Change


class Replicate(_Frozen):
    kind: Literal["replicate"] = "replicate"
    table: Name
    datasource: Name | None = None


class Unreplicate(_Frozen):
    kind: Literal["unreplicate"] = "unreplicate"
    table: Name


class Rename(_Frozen):
    kind: Literal["rename"] = "rename"
    datasource: Name
    to: Name


class Finish(_Frozen):
    """Go on with what ``run`` left. ``of`` is its command, for people; ``rest`` is read from the ledger when the run
    is planned, and is never stored."""

    kind: Literal["finish"] = "finish"
    run: int
    of: str
    rest: Rest | None = None


class Retire(_Frozen):
    """Drop the table that ``run`` set aside. ``kept`` is read from the ledger when it is planned, and never stored."""

    kind: Literal["retire"] = "retire"
    run: int
    kept: Kept | None = None


class Revert(_Frozen):
    """The schema from before ``run``, with every row that came since. ``kept`` as in ``Retire``."""

    kind: Literal["revert"] = "revert"
    run: int
    kept: Kept | None = None


class Pull(_Frozen):
    """The workspace's resources into the project's datafiles. ``pattern`` is of names, as in a shell."""

    kind: Literal["pull"] = "pull"
    pattern: str | None = None


class Push(_Frozen):
    """The project's datafiles into the workspace."""

    kind: Literal["push"] = "push"
    pattern: str | None = None


class Promote(_Frozen):
    """What a run brought about elsewhere, here. ``passed`` is read from the ledger when it is planned, the newest
    first, and never stored."""

    kind: Literal["promote"] = "promote"
    pattern: str | None = None
    passed: tuple[Passed, ...] | None = None


class Timetable(_Frozen):
    """Better times for the copies that collide. ``pattern`` is of names, as in a shell; the others stay."""

    kind: Literal["timetable"] = "timetable"
    pattern: str | None = None


# plans whose datafiles can be offered to the repository
MADE_BY = frozenset({"migrate", "replicate", "rename", "revert", "timetable"})


class Propose(_Frozen):
    """What ``run`` made, offered to the project's repository. ``made`` as ``kept`` in ``Retire``."""

    kind: Literal["propose"] = "propose"
    run: int
    made: Made | None = None


Deed = Literal["run", "pause", "resume"]


class CopyDeed(_Frozen):
    """A copy pipe run once, or its schedule stopped or started. ``onward``: and behind it the copies that depend on
    what it makes, in order. ``clear``: the rows of its last run are deleted first. ``stopped`` is read from the ledger
    when it is planned, and never stored: whose pause stands."""

    kind: Literal["copy"] = "copy"
    pipe: Name
    deed: Deed
    onward: bool = False
    clear: bool = False
    stopped: Stopped | None = None


Job = Annotated[
    Migrate
    | Replicate
    | Unreplicate
    | Rename
    | Finish
    | Retire
    | Revert
    | Pull
    | Push
    | Promote
    | Propose
    | CopyDeed
    | Timetable,
    Field(discriminator="kind"),
]


class Request(_Frozen):
    """One request for a run. ``text`` is the line as typed, for people; planning reads only the rest. ``only``: its
    plan is to be shown and never carried out."""

    text: str
    job: Job
    environment: str | None = None  # None: the default environment of tbops.toml
    strategy: str | None = None
    at: datetime | None = None
    note: str | None = None
    only: bool = False


_adapter: TypeAdapter[Request] = TypeAdapter(Request)


def parse_stored(value: dict[str, Any]) -> Request:
    """A request as the ledger stored it (``Request.model_dump(mode="json")``)."""
    return _adapter.validate_python(value)
