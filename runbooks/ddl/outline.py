"""A table while statements change it: its columns and keys, and the names by which later ones may drop them."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Self

from runbooks.ddl.objects import Index, chosen
from runbooks.errors import RunbooksError
from runbooks.facts.model import PgColumn, PgTable

_NEVER_NULL = "_not_null"  # ends the name that Postgres 18 gives a NOT NULL; up to 17 it has none


class Unclear(RunbooksError):
    """What becomes of the table is not certain; ``str`` is why, as far as that can be said."""


@dataclass
class Outline:
    """The table so far; None before a statement makes it, and after one that drops it. ``partition_of``: the table
    that it is a partition of, and then nothing else is known of it. ``partitions``: its own, as far as statements made
    them."""

    schema: str
    name: str
    table: PgTable | None = None
    deployed: bool = False  # Postgres has it: it comes from the catalog
    partition_of: str = ""
    partitions: tuple[str, ...] = ()
    indexes: dict[str, Index] = field(default_factory=dict[str, Index])
    idle: set[str] = field(default_factory=set[str])  # constraints that are neither keys nor indexes
    never_null: set[str] = field(default_factory=set[str])  # names that people gave to a NOT NULL

    @classmethod
    def of(cls, table: PgTable) -> Self:
        """One that the catalog has. It does not tell the names of its indexes."""
        outline = cls(table.schema, table.name, table, deployed=True)
        unique, key = Counter(table.unique), table.primary_key
        for columns in table.indexes:
            one = unique[columns] > 0
            unique[columns] -= one
            label = "pkey" if one and columns == key else "idx"
            key = () if label == "pkey" else key
            outline.indexes[f"({len(outline.indexes)})"] = Index(columns, label, one, needs=frozenset(columns))
        return outline

    def begin(self, table: PgTable | None) -> None:
        """Nothing is left of what it was before."""
        self.table, self.partition_of, self.partitions = table, "", ()
        self.indexes, self.idle, self.never_null = {}, set(), set()

    def become(self, other: "Outline") -> None:
        """What the other one is, by this one's name."""
        if self.table is not None or other.table is None:
            raise Unclear
        self.begin(replace(other.table, schema=self.schema, name=self.name))
        self.partitions = other.partitions
        self.indexes, self.idle, self.never_null = dict(other.indexes), {*other.idle}, {*other.never_null}

    # -- columns

    def column(self, name: str) -> PgColumn | None:
        return self.table.column(name) if self.table else None

    def put(self, column: PgColumn) -> None:
        if self.table is None:
            return
        columns = {known.name: known for known in self.table.columns} | {column.name: column}
        self.table = replace(self.table, columns=tuple(columns.values()))

    def remove(self, name: str, *, cascades: bool) -> None:
        """Its indexes go with it, and a key that it is part of."""
        if self.table is None or self.column(name) is None:
            raise Unclear
        if cascades and any(column.generated for column in self.table.columns):
            raise Unclear  # one that is made from it goes too
        key = () if name in self.table.primary_key else self.table.primary_key
        self.table = replace(
            self.table, columns=tuple(c for c in self.table.columns if c.name != name), primary_key=key
        )
        self.indexes = {called: index for called, index in self.indexes.items() if name not in index.needs}
        self._keep()

    def rename(self, old: str, new: str) -> None:
        if self.table is None or self.column(old) is None or not new:
            raise Unclear

        def called(name: str) -> str:
            return new if name == old else name

        columns = tuple(replace(c, name=called(c.name)) for c in self.table.columns)
        key = tuple(called(name) for name in self.table.primary_key)
        self.table = replace(self.table, columns=columns, primary_key=key)
        self.indexes = {own: index.renamed(old, new) for own, index in self.indexes.items()}
        self._keep()

    # -- keys, indexes and other constraints

    def key(self, columns: tuple[str, ...], name: str, *, beside: tuple[str, ...] = ()) -> None:
        if self.table is not None:
            self.table = replace(self.table, primary_key=columns)
        for column in columns:
            if (known := self.column(column)) is not None:
                self.put(replace(known, nullable=False))
        self.index(name, Index.over(columns, "pkey", beside=beside))

    def index(self, name: str, index: Index) -> None:
        if not name and (index.called_by or index.label == "pkey"):
            after = () if index.label == "pkey" else index.called_by
            name = chosen(self.name, after, index.label, {*self.indexes, *self.idle})
        self.indexes[name or f"({len(self.indexes)})"] = index
        self._keep()

    def merge(self) -> None:
        """Of two keys alike that one statement makes Postgres builds one, the primary one if that is among them. Which
        name it keeps is its own to say where people gave one."""
        kept: dict[tuple[tuple[str, ...], frozenset[str]], str] = {}
        keys = [name for name, index in self.indexes.items() if index.label in ("pkey", "key")]
        for name in sorted(keys, key=lambda name: self.indexes[name].label != "pkey"):
            index = self.indexes[name]
            if kept.setdefault((index.columns, index.needs), name) != name:
                if not name.startswith(chosen(self.name, index.called_by, index.label, ())):
                    raise Unclear
                del self.indexes[name]
        self._keep()

    def copy(self, index: Index) -> None:
        if index.label != "pkey":
            self.index("", index)
        elif self.table is None or self.table.primary_key:
            raise Unclear
        else:
            self.key(index.columns, "", beside=tuple(sorted(index.needs.difference(index.columns))))

    def restrict(self, name: str, columns: tuple[str, ...], label: str) -> None:
        """By a constraint that is no key. A check of several columns is named after none."""
        after = columns if label == "fkey" or len(columns) == 1 else ()
        self.idle.add(name or chosen(self.name, after, label, {*self.indexes, *self.idle}))

    def unconstrain(self, name: str, *, exists: bool) -> None:
        """Columns of a primary key that goes stay NOT NULL."""
        if name in self.idle:
            self.idle.discard(name)
        elif name in self.indexes and self.indexes[name].label != "idx":
            if self.table is not None and self.indexes[name].label == "pkey":
                self.table = replace(self.table, primary_key=())
            del self.indexes[name]
            self._keep()
        elif name in self.indexes or name in self.never_null or name.endswith(_NEVER_NULL) or not exists:
            raise Unclear
        else:
            self.require_named()

    def require_named(self) -> None:
        """A name that is not known may be that of an index whose name is not."""
        if any(name.startswith("(") for name in self.indexes):
            raise Unclear

    def _keep(self) -> None:
        if self.table is None:
            return
        whole = [index for index in self.indexes.values() if index.whole]
        self.table = replace(
            self.table,
            indexes=tuple(index.columns for index in whole),
            unique=tuple(index.columns for index in whole if index.unique),
        )
