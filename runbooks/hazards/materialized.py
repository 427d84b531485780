"""Materialized views: whatever is written goes through them, to the end of their chain (facts/procedures.md §2.5)."""

from collections.abc import Iterator

from runbooks import twice
from runbooks.hazards import Context, found, on_plan
from runbooks.lineage import Link
from runbooks.plan import Hazard


@on_plan
def materialized_reader(at: Context) -> Iterator[Hazard]:
    name = at.planned.name
    fed = {link.pipe for link in _chain(at) if link.source == name}
    for reader in at.planned.readers:
        if reader.kind != "materialized":
            continue
        if not at.rebuilds:
            yield found(
                "materialized-reader",
                "note",
                reader.name,
                f"{reader.name} {'is fed by' if reader.name in fed else 'joins'} {name} and goes on writing the "
                "columns that it wrote before.",
                "Change the view in a change of its own, if it is to carry the new ones.",
            )
        elif reader.name in fed:
            yield found(
                "materialized-reader",
                "error",
                reader.name,
                f"{reader.name} is fed by {name}: a table that triggers a materialized view cannot be deleted.",
                "Use alter, or unlink the view first.",
            )
        else:
            yield found(
                "materialized-reader",
                "error",
                reader.name,
                f"{reader.name} joins {name}: while that is away, nothing can be written into what feeds the view.",
                "Use alter, or unlink the view first.",
            )


@on_plan
def backfill_double_counts(at: Context) -> Iterator[Hazard]:
    if not (at.reinserts or at.rebuilds):
        return
    for link in twice.sums(at.planned, at.facts):
        yield found(
            "backfill-double-counts",
            "error",
            link.target,
            f"{link.pipe} writes {link.target} again for every backfilled row: what it sums is wrong for ever.",
            f"Unlink {link.pipe}, backfill, rebuild {link.target}, and link it again.",
        )


def _chain(at: Context) -> tuple[Link, ...]:
    return at.planned.lineage.materialized_chain(at.planned.name)
