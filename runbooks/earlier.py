"""What a request is planned from besides the facts: runs that are over, as the ledger has them."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


class Past(BaseModel):
    """A step as it was stored: of the plan, or one that was to put something back and did not (``left``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    op: str
    params: dict[str, Any]
    done: bool = False


class Kept(BaseModel):
    """A table that a run set aside: under which name, its id, and the data source that it was (``of``)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    id: str
    of: str


class Stopped(BaseModel):
    """Which run stopped a copy's schedule, when (by the calendar), and what its note said of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: int
    at: datetime
    note: str = ""

    def __str__(self) -> str:
        why = f" (“{self.note}”)" if self.note else ""
        return f"run {self.run} stopped it at {self.at:%Y-%m-%d %H:%M} UTC{why}"


class Passed(BaseModel):
    """A run that brought datafiles about in another environment: path → text, and the hash of that change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: int
    environment: str
    change_hash: str
    datafiles: dict[str, str]


class Made(BaseModel):
    """What a run that succeeded made: its command, its plan's resolved request and datafiles, when it ended, and the
    sentences of its proofs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: str
    request: dict[str, Any]
    datafiles: dict[str, str]
    ended: datetime
    proven: tuple[str, ...] = ()


class Rest(BaseModel):
    """``request`` is the run's own, as it was stored; ``steps`` its plan's. ``left``, ``proven`` and which steps are
    done tell of the whole line of runs that went on with it. ``touched``: the table may not be what it was.
    ``made_by`` is the run whose number kept tables are named after. ``gaps`` is when each appending copy that looks
    back was first paused (ISO), by its name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    request: dict[str, Any]
    steps: tuple[Past, ...] = ()
    left: tuple[Past, ...] = ()
    proven: tuple[str, ...] = ()
    touched: bool = False
    made_by: int = 0
    locks: tuple[str, ...] = ()
    sql: tuple[str, ...] = ()
    datafiles: dict[str, str] = {}
    gaps: dict[str, str] = {}
