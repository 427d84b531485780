"""The last run that was done replaced its target by no row, or by far fewer than usual.

Usual is the median of the rows that up to 21 runs before it wrote, once five have. None at all are too few of any;
fewer than ``few_ratio`` (half) are too few where twenty are usual. Appends are not judged so: each
adds what there is to add.
"""

from ledger.incidents import Found
from workers.watch.watched import Watched

_WORTH_A_RATIO = 20


def found(w: Watched) -> Found | None:
    last, usual = w.last_good, w.history.usual.rows
    if w.pipe.mode != "replace" or last is None or last.rows is None or last.ended is None or not usual:
        return None
    if last.rows and (usual < _WORTH_A_RATIO or last.rows >= usual * w.limits.few_ratio):
        return None
    wrote = f"only {last.rows:,}" if last.rows else "no"
    said = (
        f"The copy {w.pipe.name} replaced its target in {w.environment} at {w.clock(last.ended)} by "
        f"{wrote} row{'' if last.rows == 1 else 's'}; usual are {round(usual):,}."
    )
    return w.fault("few", last.ended, said, job=last.id, rows_before=round(usual), rows_now=last.rows)
