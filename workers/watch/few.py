"""The last run that was done replaced its target by no row, or by far fewer than usual.

Usual is the median of the rows that up to 21 runs before it wrote, once five have. None at all are too few of any;
fewer than ``few_ratio`` (half) are too few where twenty are usual. Appends are not judged so: each
adds what there is to add.
"""

from ledger.incidents import Found
from runbooks.words import counted
from workers.watch.watched import Watched
from workers.watch.words import moment

_WORTH_A_RATIO = 20


def found(w: Watched) -> Found | None:
    last, usual = w.last_good, w.history.usual.rows
    if w.pipe.mode != "replace" or last is None or last.rows is None or last.ended is None or not usual:
        return None
    if not _few(w, last.rows, usual):
        return None
    what = f"wrote only {counted(last.rows, 'row')} into" if last.rows else "emptied"
    said = (
        f"The copy {w.pipe.name} {what} its target in {w.environment} at {w.clock(last.ended)}: "
        f"usually it writes {counted(round(usual), 'row')}."
    )
    full = [run for run in w.history.good if run.rows is not None and not _few(w, run.rows, usual)]
    return w.fault(
        "few", last.ended, said, job=last.id, rows_before=round(usual), rows_now=last.rows,
        last_good=moment(full[-1].ended) if full and full[-1].ended else None,
    )  # fmt: skip


def _few(w: Watched, rows: int, usual: float) -> bool:
    return rows < usual * w.limits.few_ratio if usual >= _WORTH_A_RATIO else not rows
