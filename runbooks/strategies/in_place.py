"""A field's values computed for the rows of a live table, where it stands (facts/procedures.md §4, the last): what
`alter` does where no default could give them."""

import re
from collections.abc import Iterator

from runbooks import twice
from runbooks.expressions import columns_in
from runbooks.facts.model import Facts
from runbooks.plan import Estimate
from runbooks.proof.chunks import FINAL_ENGINES, Copied, copied
from runbooks.proof.fields import ch_name
from runbooks.proof.filling import Fill, later_by, value
from runbooks.step import Step
from runbooks.steps.fill import FillInPlace, RemoveFillPipe
from runbooks.strategies.beside import COPY_ROWS_PER_S, PROVEN_ROWS_PER_S
from runbooks.strategies.change import PlannedChange

CAPABILITY, ACCEPTED = "copy-into-itself", "accepted"


def hindrance(change: PlannedChange, facts: Facts) -> str | None:
    """Why the values cannot be computed in place; None if they can, or none is to be computed."""
    if not change.computed:
        return None
    names = ", ".join(f.column.name for f in change.computed)
    if change.replicated:
        return f"rows with {names} would be newer than Postgres has them, and versions must be the same on both sides"
    return _of_the_table(change, names) or _of_the_workspace(facts) or _of_readers(change, facts)


def filled(change: PlannedChange, facts: Facts) -> Iterator[Step]:
    if not change.computed:
        return
    yield FillInPlace(of=copying(change), fills=_fills(change), rows=facts.limits.copy_chunk_rows)
    yield RemoveFillPipe(source=change.name)


def copying(change: PlannedChange) -> Copied:
    """The table copied into itself: a version that is a moment later, the fields computed, all else as it is."""
    before = change.target.before
    version = before.column(before.version)
    later = later_by(version.type) if version else None
    assert later is not None  # else it is not eligible
    values = {fill.name: value(fill) for fill in _fills(change)}
    return copied(before, change.target.after, values | {before.version: f"{ch_name(before.version)} + {later}"})


def took(change: PlannedChange) -> Estimate:
    rows = change.target.before.rows or 0
    return Estimate(
        seconds=round(rows / COPY_ROWS_PER_S) + 2 * round(rows / PROVEN_ROWS_PER_S) + 10,
        formula=f"{rows:,} rows / {COPY_ROWS_PER_S:,} a second to write again + twice {rows:,} / "
        f"{PROVEN_ROWS_PER_S:,} to compare + 10 s (assumed)",
    )


def costs(change: PlannedChange) -> tuple[str, ...]:
    if not change.computed:
        return ()
    rows, names = change.target.before.rows, ", ".join(f.column.name for f in change.computed)
    many = f"up to {rows:,} rows" if rows is not None else "up to every row"
    return (
        f"{many} written again for {names}, into the table itself, each a moment newer than it was; one "
        "that holds exactly the default counts as one that was given no value",
    )


def _fills(change: PlannedChange) -> tuple[Fill, ...]:
    return tuple(Fill(f.column.name, f.column.type, f.column.default, f.expression or "") for f in change.computed)


def _of_the_table(change: PlannedChange, names: str) -> str | None:
    before = change.target.before
    version = before.column(before.version)
    if before.engine not in FINAL_ENGINES or version is None:
        return (
            f"rows with {names} would be written again, and only a {FINAL_ENGINES[0]} with a version keeps each once: "
            f"{before.name} is a {before.engine}{'' if version else ' without one'}"
        )
    if later_by(version.type) is None:
        return f"rows with {names} would have to be 1 ms newer, and the version {version.name} is {version.type}"
    for what, key in (("sorted", ", ".join(before.sorting_key)), ("parted", before.partition_key)):
        if _named(version.name, key):
            return (
                f"{before.name} is {what} by its version {version.name}: a row that is newer would not replace the old"
            )
    by = next((f for f in change.computed if version.name in columns_in(f.expression or "")), None)
    if by:
        return f"{by.column.name} is computed from the version {version.name}, which writing a row again would change"
    return None


def _of_the_workspace(facts: Facts) -> str | None:
    known = facts.capabilities.get(CAPABILITY)
    if known == ACCEPTED:
        return None
    if known is None:
        return "whether Tinybird copies a table into itself is not known here: /tb doctor probe finds out"
    return "this workspace refuses to copy a table into itself (found by /tb doctor probe)"


def _of_readers(change: PlannedChange, facts: Facts) -> str | None:
    doubled = next((each for each in twice.readers(change, facts) if each.pages), None)
    if doubled:
        through = "" if doubled.reader in doubled.pages else f", for {doubled.pages[0]},"
        return f"{doubled.reader}{through} reads {doubled.table} without FINAL and would count rows twice"
    summed = next(twice.sums(change, facts), None)
    if summed:
        return f"{summed.pipe} would write {summed.target} once more for every row that is written again"
    return None


def _named(column: str, key: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(column)}(?!\w)", key) is not None
