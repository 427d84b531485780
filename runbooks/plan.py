"""The plan: what a runbook makes of facts, as one frozen value that people approve by its hash.

The keys of ``Plan.to_json`` are a contract (DESIGN §8): other tools read them.
"""

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1

Level = Literal["error", "warning", "note"]
Gate = Literal["none", "approve", "strong"]  # strong: destructive, see the policy's rule


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reason(Frozen):
    name: str
    reason: str


class Choice(Frozen):
    """The strategy chosen, why, and every other with the reason it was not."""

    name: str
    reasons: tuple[str, ...]
    rejected: tuple[Reason, ...] = ()


class Reader(Frozen):
    """One who reads the target. ``direct`` is False when it reads through other pipes."""

    name: str
    kind: Literal["copy", "materialized", "endpoint", "sink", "pipe"]
    direct: bool
    schedule: str | None = None  # cron, UTC
    mode: str | None = None  # append | replace
    called: int | None = None  # requests in the last days, where known


class Hazard(Frozen):
    slug: str
    level: Level
    resource: str
    message: str
    fix: str


class PlannedStep(Frozen):
    """``block`` numbers what is approved by one click; ``hold`` is the number of the hold it lies in, or None."""

    op: str
    title: str
    gate: Gate
    long: bool
    params: dict[str, Any]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    block: int
    hold: int | None = None
    touches: bool = False


class HoldLimit(Frozen):
    """A hold's budget in seconds and how it was found (facts/procedures.md §2.2); bound by the hash as a deadline."""

    hold: int
    budget_s: int
    formula: str


class DriftRow(Frozen):
    """How one resource stands: in git, and by environment in each workspace that was asked."""

    resource: str
    git: str
    elsewhere: dict[str, str]
    diffs: dict[str, str] = Field(default_factory=dict)  # by other environment, from git's text to what it says


class MovedCopy(Frozen):
    """A copy pipe's schedule (cron, UTC) as it is and as it will be, so many ``minutes`` later, and why."""

    pipe: str
    old: str
    new: str
    minutes: int
    why: str


class Estimate(Frozen):
    """A time in seconds with the formula it came from."""

    seconds: int
    formula: str


class Plan(Frozen):
    """``target`` is what it is about: a data source, a pipe, a repository. ``guards`` are what it relies on, as digests
    by key (``runbooks.guards``); ``locks`` the resources that it keeps from other runs."""

    command: str
    environment: str
    target: str
    request: dict[str, Any]  # the request with every inferred value
    strategy: Choice
    readers: tuple[Reader, ...] = ()
    hazards: tuple[Hazard, ...] = ()
    steps: tuple[PlannedStep, ...] = ()
    holds: tuple[HoldLimit, ...] = ()
    downtime: Estimate = Estimate(seconds=0, formula="no read is broken")
    hold: Estimate = Estimate(seconds=0, formula="nothing is held")
    stale: Estimate = Estimate(seconds=0, formula="nothing gets stale")
    took: Estimate = Estimate(seconds=0, formula="")  # the whole run's estimate
    sql: tuple[str, ...] = ()
    datafiles: dict[str, str] = Field(default_factory=dict)
    diffs: dict[str, str] = Field(default_factory=dict)  # by pipe, how its SQL changes for a while; its steps have both
    guards: dict[str, str] = Field(default_factory=dict)
    inferred: tuple[str, ...] = ()  # plain sentences: "type text: no such column in Postgres yet, …"
    ghosts: str = ""  # the sentence on rows that disappear (facts/procedures.md §2.10)
    drift: tuple[DriftRow, ...] = ()  # what is not the same everywhere; for people alone
    timetable: tuple[MovedCopy, ...] = ()  # for people: the steps say it too
    locks: tuple[str, ...] = ()  # long locks: the table, its copies and their targets

    @property
    def blocked(self) -> tuple[Hazard, ...]:
        """The hazards that forbid approval."""
        return tuple(h for h in self.hazards if h.level == "error")

    @property
    def hash(self) -> str:
        """What an approval is bound to (DESIGN §4, Binding). Counts, durations, reasons and prose are not in it."""
        return digest(
            {
                "schema": SCHEMA_VERSION,
                "environment": self.environment,
                "request": self.request,
                "strategy": self.strategy.name,
                "steps": [
                    s.model_dump(mode="json", include={"op", "params", "gate", "block", "hold"}) for s in self.steps
                ],
                "sql": self.sql,
                "datafiles": self.datafiles,
                "hazards": [[h.slug, h.level, h.resource] for h in self.hazards if h.level != "note"],
                "readers": sorted([r.name, r.kind, r.direct] for r in self.readers),
                "deadlines": [[h.hold, h.budget_s] for h in self.holds],
            }
        )

    @property
    def change_hash(self) -> str:
        """The change without its environment: what must have passed in staging."""
        return digest({"schema": SCHEMA_VERSION, "request": self.request, "sql": self.sql, "datafiles": self.datafiles})

    def to_json(self) -> dict[str, Any]:
        """The plan as the command line and the ledger have it."""
        steps = [s.model_dump(mode="json") for s in self.steps]
        return {
            "command": self.command,
            "environment": self.environment,
            "target": self.target,
            "request": self.request,
            "strategy": self.strategy.model_dump(mode="json"),
            "readers": [r.model_dump(mode="json") for r in self.readers],
            "hazards": [h.model_dump(mode="json") for h in self.hazards],
            "steps": steps,
            "holds": [h.model_dump(mode="json") for h in self.holds],
            "downtime_s": self.downtime.seconds,
            "hold_s": self.hold.seconds,
            "stale_s": self.stale.seconds,
            "took_s": self.took.seconds,
            "formulas": {name: getattr(self, name).formula for name in ("downtime", "hold", "stale", "took")},
            "sql": list(self.sql),
            "datafiles": dict(self.datafiles),
            "diffs": dict(self.diffs),
            "guards": dict(self.guards),
            "inferred": list(self.inferred),
            "ghosts": self.ghosts,
            "drift": [row.model_dump(mode="json") for row in self.drift],
            "timetable": [moved.model_dump(mode="json") for moved in self.timetable],
            "locks": list(self.locks),
            "hash": self.hash,
            "change_hash": self.change_hash,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """``to_json`` read back: estimates stand there as seconds and formula apart, hashes are computed anew."""
        figures = {
            name: {"seconds": stored[f"{name}_s"], "formula": formula} for name, formula in stored["formulas"].items()
        }
        kept = {name: value for name, value in stored.items() if name in cls.model_fields}
        return cls.model_validate({**kept, **figures})


def digest(value: Any) -> str:
    """sha256 of canonical JSON: sorted keys, NFC text, no floats (a float is a bug of the caller)."""
    text = json.dumps(_canonical(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: Any) -> Any:
    match value:
        case str():
            return unicodedata.normalize("NFC", value)
        case bool() | int() | None:
            return value
        case float():
            raise TypeError(f"no floats in a digest: {value!r}")
        case Mapping():
            return {unicodedata.normalize("NFC", str(k)): _canonical(v) for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case Sequence():
            return [_canonical(v) for v in value]  # pyright: ignore[reportUnknownVariableType]
        case _:
            raise TypeError(f"not JSON: {value!r}")
