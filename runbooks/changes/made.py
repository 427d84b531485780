"""What every kind of change has in common: who reads the data source, what feeds it."""

from typing import Any

from runbooks.facts.model import Facts
from runbooks.fields import Where
from runbooks.lineage import Lineage
from runbooks.strategies import Altered, PlannedChange, ReachingCopy


def made(
    kind: str, request: dict[str, Any], target: Altered, place: Where, facts: Facts, lineage: Lineage
) -> PlannedChange:
    """The change of ``target`` with its readers; what only some kinds have is put in by them."""
    name = target.before.name
    readers = lineage.readers(name)
    return PlannedChange(
        kind=kind,
        request=request,
        target=target,
        fields=(),
        sql=(),
        migration=None,
        table=place.table,
        sink=facts.sink_of(name),
        replicated=place.replicated,
        targets=(),
        copies=tuple(map(ReachingCopy.of, lineage.copies_reaching(name))),
        sink_pipes=tuple(r.name for r in readers if r.kind == "sink"),
        readers=readers,
        lineage=lineage,
    )
