"""What is usual of a pipe, learnt from its last runs (at most 60). Each figure is None until enough runs tell it.

Only runs that were done teach. The newest of them is left out, so that what is judged is not its own measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.watch.history import Ran

ENOUGH = 10  # runs, for times
ENOUGH_ROWS = 5  # runs, for rows
ROWS_OF = 21  # runs: what a target holds changes for good now and then, and is usual after ten runs more
_HIGH = 0.95
_LATEST_S = 1800.0  # a run that comes later than that after a tick was not made for it


@dataclass(frozen=True)
class Usual:
    """``took`` is the 95th percentile of the seconds that a run works, ``rows`` the median of the rows it writes,
    ``behind`` the 95th percentile of how late after its tick a run is made, ``apart`` the same of the time
    between two runs that wrote something."""

    took: float | None = None
    rows: float | None = None
    behind: float | None = None
    apart: float | None = None

    @classmethod
    def of(cls, runs: Sequence[Ran]) -> Usual:
        done = [run for run in runs if run.status == "done"]
        before = done[:-1]
        took = [run.took for run in before if run.took is not None]
        rows = [run.rows for run in before if run.rows is not None][-ROWS_OF:]
        behind = [run.created - run.tick for run in runs if run.tick is not None]
        behind = [seconds for seconds in behind if seconds <= _LATEST_S]
        wrote = [run.ended for run in done if run.rows and run.ended is not None]
        return cls(
            took=_high(took) if len(took) >= ENOUGH else None,
            rows=median(rows) if len(rows) >= ENOUGH_ROWS else None,
            behind=_high(behind) if len(behind) >= ENOUGH else None,
            apart=_high([b - a for a, b in pairwise(wrote)]) if len(wrote) >= ENOUGH else None,
        )


def _high(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(_HIGH * len(ordered)))]
