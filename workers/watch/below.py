"""Which copies read, near or far, what another one writes."""

from collections.abc import Sequence
from datetime import datetime

from runbooks.facts import live
from runbooks.facts.model import Facts
from runbooks.lineage import Lineage
from systems.tinybird_model import DatasourceInfo, PipeInfo


class Below:
    """Answers by the ids of pipes; nothing is parsed before it is asked for."""

    def __init__(
        self, environment: str, now: datetime, pipes: Sequence[PipeInfo], datasources: Sequence[DatasourceInfo]
    ) -> None:
        named = {d.id: d.name for d in datasources}
        self.facts = Facts(
            environment=environment,
            now=now,
            datasources={d.name: live.datasource(d) for d in datasources},
            pipes={p.name: live.pipe(p, named) for p in pipes},
        )
        self.lineage = Lineage.of(self.facts)
        self._names = {p.id: p.name for p in pipes}
        self._found: dict[str, frozenset[str]] = {}

    def follows(self, one: str, other: str) -> bool:
        """Whether pipe ``one`` reads, directly or through pipes, views and copies, what pipe ``other`` writes."""
        below, above = self._names.get(one), self._names.get(other)
        return below is not None and above is not None and one != other and below in self._below(above)

    def _below(self, pipe: str) -> frozenset[str]:
        if pipe not in self._found:
            targets = self.lineage.targets(pipe)
            tables = {t for target in targets for t in (target, *self.lineage.downstream(target))}
            readers = {reader.name for table in tables for reader in self.lineage.readers(table)}
            self._found[pipe] = frozenset(readers - {pipe})
        return self._found[pipe]
