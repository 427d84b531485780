"""What the migrations of a project make of a table, and of those that it is made like."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from runbooks.ddl.draft import Draft, NotClear, Part
from runbooks.ddl.outline import Outline
from runbooks.ddl.statements import Statement, statements
from runbooks.facts.model import PgTable


@dataclass(frozen=True)
class Told:
    """``parts`` is what matters to the table as it was made last, by the path that it is in; ``unclear`` what of it is
    not understood, first of all."""

    draft: Draft
    parts: tuple[tuple[str, Part], ...]
    unclear: tuple[str, NotClear] | None


@dataclass(frozen=True)
class Past:
    """The statements of migrations in the order in which a deploy runs them. ``whole`` says of two paths whether every
    migration from the one to the other was read. ``catalog`` is what Postgres has by now, after some of them."""

    schema: str
    told: tuple[tuple[str, Statement], ...]
    whole: Callable[[str, str], bool]
    catalog: Mapping[str, PgTable]

    @classmethod
    def of(
        cls,
        schema: str,
        texts: Iterable[tuple[str, str]],
        whole: Callable[[str, str], bool],
        catalog: Mapping[str, PgTable],
    ) -> "Past":
        told = tuple((path, statement) for path, text in texts for statement in statements(text))
        return cls(schema, told, whole, catalog)

    def of_table(self, name: str) -> Told:
        return self._told(Draft(self.schema, name), len(self.told))

    def _told(self, draft: Draft, before: int) -> Told:
        parts: list[tuple[str, Part]] = []
        unclear: tuple[str, NotClear] | None = None
        for at, (path, statement) in enumerate(self.told[:before]):
            draft.known = partial(self._known, at)
            there, part = draft.table, None
            try:
                part = draft.take(statement)
            except NotClear as error:
                unclear = unclear or (path, error)
                continue
            if (there is None) != (draft.table is None):  # made, or dropped: what was before does not matter
                parts, unclear = [], None
            if part is not None and draft.table is not None:
                parts.append((path, part))
        return Told(draft, tuple(parts), unclear)

    def _known(self, before: int, schema: str, name: str) -> Outline | None:
        """Another table as it is when that statement runs. One that the catalog has too must be alike in both, as
        which of the migrations were deployed is not known."""
        found = self._told(Draft(schema, name), before)
        deployed = self.catalog.get(name) if schema == self.schema else None
        made = found.draft
        if made.partition_of or (deployed is None and found.unclear):
            return None
        if made.table is not None and found.unclear is None:
            whole = self.whole(found.parts[0][0], self.told[before][0])
            return made if whole and (deployed is None or _alike(made.table, deployed)) else None
        return None if deployed is None else self._standing(before, deployed)

    def _standing(self, before: int, deployed: PgTable) -> Outline | None:
        """One that was made before all that was read: certain where nothing that was read changes it any more."""
        again = self._told(Draft.of(deployed), before)
        if again.unclear or again.draft.table is None or not _alike(again.draft.table, deployed):
            return None
        return Draft.of(deployed)


def _alike(one: PgTable, other: PgTable) -> bool:
    """A default is in Postgres' own words: only whether there is one can be compared."""

    def seen(table: PgTable) -> object:
        columns = [(c.name, c.type, c.nullable, c.default is not None, c.generated) for c in table.columns]
        return (columns, table.primary_key, set(table.unique), set(table.indexes), table.partitioned)

    return seen(one) == seen(other)
