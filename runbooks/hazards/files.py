"""Datafiles that cannot be read: everything in them is unknown to lineage and plan."""

from collections.abc import Iterator

from runbooks.hazards import Context, found, on_facts, on_plan
from runbooks.plan import Hazard


@on_facts
@on_plan
def datafile_not_understood(at: Context) -> Iterator[Hazard]:
    for file, why in sorted(at.facts.broken.items()):
        if at.change and file.removesuffix(".pipe") in at.facts.pipes:
            continue  # its text counts as a reader of what it names: see pipe-not-understood
        yield found(
            "datafile-not-understood",
            "warning" if at.change else "error",
            file,
            f"{why}. What it holds is not known.",
            "Correct the file.",
        )
