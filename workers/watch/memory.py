"""What is remembered of one environment: a history a copy pipe, the lately quarantined rows a data source."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from systems.tinybird_logs import LoggedJob, LoggedWrite
from workers.watch import history, quarantine
from workers.watch.history import History
from workers.watch.seen import CopyPipe, Look


@dataclass(frozen=True)
class Bad:
    """A data source's lately quarantined rows, by minute."""

    name: str
    minutes: quarantine.Minutes


@dataclass(frozen=True)
class Memory:
    """Both by id, so that a new name changes nothing."""

    pipes: Mapping[str, History] = field(default_factory=dict[str, History])
    bad: Mapping[str, Bad] = field(default_factory=dict[str, Bad])

    @property
    def subjects(self) -> int:
        return len(self.pipes) + len(self.bad)

    def over(self, later: Memory) -> Memory:
        """With what was remembered later of some."""
        return Memory({**self.pipes, **later.pipes}, {**self.bad, **later.bad})

    def folded(self, look: Look) -> Memory:
        """With what the look saw; pipes that are gone are forgotten."""
        jobs: dict[str, list[LoggedJob]] = defaultdict(list)
        of: dict[str, str] = {}
        for job in look.jobs:
            jobs[job.pipe_id].append(job)
            of[job.id] = job.pipe_id
        rows: dict[str, dict[str, int]] = defaultdict(dict)
        for write in look.writes:
            if write.job in of:
                of_pipe = rows[of[write.job]]
                of_pipe[write.job] = of_pipe.get(write.job, 0) + write.rows
        pipes = {
            pipe.id: self._of_pipe(pipe, jobs.get(pipe.id, []), rows.get(pipe.id, {}), look)
            for pipe in look.pipes.values()
        }
        return Memory(pipes, self._bad(look))

    def _of_pipe(self, pipe: CopyPipe, jobs: list[LoggedJob], rows: Mapping[str, int], look: Look) -> History:
        known, now = self.pipes.get(pipe.id), look.now.timestamp()
        known = history.first_seen(pipe, jobs, look) if known is None else history.seen_again(known, pipe, now)
        if jobs:
            known = history.folded(known, pipe.cron, jobs, rows)
        if pipe.id in look.newest:
            newest = look.newest[pipe.id]
            known = replace(known, newest=newest.timestamp() if newest else None, asked=now)
        return known

    def _bad(self, look: Look) -> Mapping[str, Bad]:
        told: dict[str, list[LoggedWrite]] = defaultdict(list)
        for write in look.writes:
            if write.quarantined and write.datasource_id:
                told[write.datasource_id].append(write)
        found: dict[str, Bad] = {}
        for subject in self.bad.keys() | told.keys():
            known, writes = self.bad.get(subject), told.get(subject, [])
            minutes = quarantine.folded(known.minutes if known else {}, writes, look.now)
            if minutes:
                found[subject] = Bad(writes[-1].datasource if writes else known.name if known else subject, minutes)
        return found


def restored(rows: Mapping[str, Mapping[str, Any]]) -> Memory:
    """From the ledger's rows, by subject."""
    bad = {s: Bad(str(row["name"]), dict(row["quarantine"])) for s, row in rows.items() if "quarantine" in row}
    return Memory({s: history.restored(row) for s, row in rows.items() if "quarantine" not in row}, bad)


def changes(before: Memory, after: Memory) -> tuple[dict[str, dict[str, Any]], set[str]]:
    """What to store of what changed, and the subjects of which nothing is remembered any more."""
    changed = {s: history.stored(h) for s, h in after.pipes.items() if before.pipes.get(s) != h}
    changed |= {
        s: {"name": b.name, "quarantine": dict(b.minutes)} for s, b in after.bad.items() if before.bad.get(s) != b
    }
    return changed, (before.pipes.keys() | before.bad.keys()) - (after.pipes.keys() | after.bad.keys())
