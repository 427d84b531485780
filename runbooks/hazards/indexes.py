"""Skip indexes that do no good, or harm (facts/procedures.md §5)."""

from collections.abc import Iterator

from runbooks.expressions import BadExpression, columns_in
from runbooks.facts.model import Datasource, Index
from runbooks.hazards import Context, found, on_plan
from runbooks.plan import Hazard


@on_plan
def index_useless(at: Context) -> Iterator[Hazard]:
    """What the sorting key begins with is found by the key itself."""
    of = at.subject
    for index in _new(at):
        if of.sorting_key and "".join(index.expression.split()) == "".join(of.sorting_key[0].split()):
            yield found(
                "index-useless",
                "warning",
                f"{of.name}.{index.name}",
                f"{of.name} is sorted by {of.sorting_key[0]} first: the key finds what the index {index.name} would.",
                "Leave it out.",
            )


@on_plan
def index_under_final(at: Context) -> Iterator[Hazard]:
    """FINAL compares only what is read: an index that leaves the newest row of a key out brings an older one back."""
    of = at.subject
    if not of.engine.endswith("ReplacingMergeTree"):
        return
    readers = sorted({u.pipe for u in at.lineage.uses(of.name) if u.use and u.use.final})
    for index in _new(at):
        moving = sorted(_columns(index) - _fixed(of))
        if of.version in moving:
            yield found(
                "index-under-final",
                "error",
                f"{of.name}.{index.name}",
                f"{index.name} is on the version {of.version}: a reader with FINAL that asks for a range of it may get "
                "rows that have been replaced.",
                "Leave it out; a range of the sorting key or of createdAt finds rows without that.",
            )
        elif moving and readers:
            who = readers[0] if len(readers) == 1 else f"{readers[0]} and {len(readers) - 1} more"
            yield found(
                "index-under-final",
                "warning",
                f"{of.name}.{index.name}",
                f"{', '.join(moving)} can change from one version of a row to the next, and {who} reads {of.name} "
                "FINAL: a filter on it may bring back a row that has been replaced.",
                "Filter outside of the FINAL read, or index a column that never changes.",
            )


def _new(at: Context) -> tuple[Index, ...]:
    change = at.planned.target
    return tuple(index for index in change.after.indexes if index not in change.before.indexes)


def _columns(index: Index) -> frozenset[str]:
    try:
        return columns_in(index.expression)
    except BadExpression:
        return frozenset()


def _fixed(of: Datasource) -> frozenset[str]:
    """Columns that are the same in every version of a row."""
    return frozenset({"createdAt", "created_at", *of.sorting_key})
