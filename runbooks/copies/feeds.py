"""Which copies a copy reads the targets of, and how long they take: what its time of day depends on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from runbooks.copies.day import Minutes, running, starts
from runbooks.facts.model import Facts, Pipe
from runbooks.hazards.schedules import tables_read
from runbooks.lineage import Lineage
from runbooks.schedules import runs_by_the_clock

LEAST_S = 60  # taken where a copy did not run of late: what starts in the same minute collides all the same


@dataclass(frozen=True)
class Timed:
    """A copy that runs by the clock. ``lasting`` is the 95th percentile of its runs in whole minutes, rounded up;
    ``measured`` is False where it did not run of late."""

    pipe: str
    schedule: str
    lasting: int = 1
    measured: bool = True

    @cached_property
    def starts(self) -> Minutes:
        return starts(self.schedule)

    @cached_property
    def running(self) -> Minutes:
        return running(self.starts, self.lasting)


Feeds = Mapping[str, Mapping[str, str]]  # copy -> the copies whose rows it reads, each with the table it reads


def timed(facts: Facts) -> dict[str, Timed]:
    """The copies that run by the clock now: those that are paused are left out."""
    found = (pipe for pipe in facts.pipes.values() if pipe.kind == "copy" and pipe.schedule_status != "shutdown")
    return {p.name: _timed(p, facts) for p in found if runs_by_the_clock(p.output.schedule)}


def lasting_s(pipe: str, facts: Facts) -> int | None:
    """How long nearly all of its runs take, in seconds; None where it did not run of late."""
    runs = (facts.copy_figures or {}).get(pipe)
    return runs.p95_s if runs else None


def feeds(copies: Mapping[str, Timed], facts: Facts, lineage: Lineage) -> Feeds:
    """Through inlined pipes and materialized views, up to the nearest copy."""
    return {
        name: {up: table for table in sorted(tables_read(lineage, facts.pipes[name])) for up in _up(table, lineage)
               if up in copies and up != name}
        for name in sorted(copies)
    }  # fmt: skip


def _timed(pipe: Pipe, facts: Facts) -> Timed:
    seconds = lasting_s(pipe.name, facts)
    minutes = -(-max(seconds or 0, LEAST_S) // 60)
    return Timed(pipe.name, pipe.output.schedule or "", minutes, measured=seconds is not None)


def _up(table: str, lineage: Lineage) -> Iterator[str]:
    """The copies whose rows come into a table; a view passes on what is written into the one that it begins with."""
    seen, queue = {table}, [table]
    for name in queue:
        for writer in lineage.writers(name):
            if writer.kind == "copy":
                yield writer.name
            else:
                above = lineage.triggers(writer.name) or frozenset[str]()
                queue += sorted(above - seen)
                seen |= above
