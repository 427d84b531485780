"""A field that marks rows as deleted: what was unique no longer is, and what went before stays (facts/estate.md §9)."""

from collections.abc import Iterator

from runbooks.hazards import Context, found, on_plan
from runbooks.plan import Hazard

_MARKS = frozenset({"deletedat", "isdeleted", "deleted"})


@on_plan
def key_shared_by_deleted_rows(at: Context) -> Iterator[Hazard]:
    change, key = at.planned, at.planned.target.after.sorting_key
    primary = change.table.primary_key if change.table else ()
    if not _marks(at) or not primary or set(primary) <= set(key) or not at.subject.engine.startswith("Replacing"):
        return
    yield found(
        "sorting-key-not-unique",
        "warning",
        at.subject.name,
        f"Sorted by {', '.join(key)}: once rows are marked as deleted instead of removed, several may share it, and "
        "of those the newest alone is kept.",
        f"Sort by {', '.join(dict.fromkeys((*key, *primary)))} in a change of its own.",
    )


@on_plan
def deleted_rows_stay(at: Context) -> Iterator[Hazard]:
    """Deletes never propagate: of a row that Postgres no longer has nobody can say that it is deleted."""
    if _marks(at) and at.planned.replicated and not at.rebuilds:
        yield found(
            "deleted-rows-stay",
            "warning",
            at.subject.name,
            f"Rows of {at.subject.name} that were deleted from Postgres before stay, and would read as alive for ever.",
            "Ask for it with --strategy recreate: the table is made anew and filled with what Postgres has, so that "
            "those rows disappear.",
        )


def _marks(at: Context) -> bool:
    return any(c.name.lower().replace("_", "") in _MARKS for c in at.planned.target.added)
