"""Datafiles that cannot be read: everything in them is unknown to lineage and plan."""

from collections.abc import Iterator

from runbooks.hazards import Context, found, on_facts, on_plan
from runbooks.plan import Hazard


@on_facts
@on_plan
def datafile_not_understood(at: Context) -> Iterator[Hazard]:
    for file, why in sorted(at.facts.broken.items()):
        yield found(
            "datafile-not-understood",
            "warning" if at.change else "error",
            file,
            f"{why}. What it reads or holds is not known.",
            "Correct the file.",
        )
