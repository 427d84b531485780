"""Indexes, and what Postgres calls one that nobody named (``makeObjectName`` and ``ChooseRelationName`` in its
indexcmds.c): a later statement drops it by that name."""

from collections.abc import Container
from dataclasses import dataclass
from itertools import count
from typing import Literal

from sqlglot import exp

from runbooks.ddl.statements import name_of

_BYTES = 63  # of a name
KeyLabel = Literal["pkey", "key", "excl", "idx"]


@dataclass(frozen=True)
class Index:
    """``columns`` are the key's; empty text for an expression. ``label``: a primary key's, a unique constraint's, an
    exclusion's, or none of a constraint. ``unique``: of whole rows, none left out by a WHERE. ``called_by``: what an
    unnamed one is called by; empty where that is not known. ``needs``: it goes where one of these columns goes."""

    columns: tuple[str, ...]
    label: KeyLabel
    unique: bool
    called_by: tuple[str, ...] = ()
    needs: frozenset[str] = frozenset()

    @classmethod
    def over(cls, columns: tuple[str, ...], label: KeyLabel, *, beside: tuple[str, ...] = ()) -> "Index":
        """A constraint's; ``beside`` are the columns that it includes and that are no part of the key."""
        every = (*columns, *beside)
        return cls(columns, label, label != "excl", every, frozenset(every))

    @property
    def whole(self) -> bool:
        """Whether the catalog counts it: one over an expression is no key."""
        return bool(self.columns) and all(self.columns)

    def renamed(self, old: str, new: str) -> "Index":
        """With a column called otherwise; the index keeps its own name."""

        def of(names: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(new if name == old else name for name in names)

        needs = frozenset(of(tuple(self.needs)))
        return Index(of(self.columns), self.label, self.unique, of(self.called_by), needs)


def chosen(table: str, columns: tuple[str, ...], label: str, taken: Container[str]) -> str:
    """The name of an index or a constraint that has none; numbered where it is taken."""
    for number in count():
        name = _joined(table, "_".join(columns), f"{label}{number or ''}")
        if name not in taken:
            return name
    raise AssertionError("a name is free in the end")


def _joined(table: str, columns: str, label: str) -> str:
    """The longer of the two is cut until all of it fits."""
    first, second = table.encode(), columns.encode()[:_BYTES]
    room = _BYTES - len(label) - 1 - (1 if second else 0)
    while len(first) + len(second) > room:
        if len(first) > len(second):
            first = first[:-1]
        else:
            second = second[:-1]
    parts = (part.decode(errors="ignore") for part in (first, second))
    return "_".join((*(part for part in parts if part), label))


# -- as sqlglot has them


def inner(of: object) -> object:
    """The identifier of a column that stands alone, or in an order."""
    while isinstance(of, (exp.Column, exp.Ordered, exp.Opclass, exp.WithOperator)):
        of = of.this
    return of


def columns_of(listed: list[exp.Expr]) -> tuple[str, ...]:
    return tuple(name_of(inner(column)) for column in listed)


def included(constraint: exp.Expr) -> tuple[str, ...]:
    """The columns of its INCLUDE."""
    params = constraint.args.get("include")
    return columns_of(params.args.get("include") or []) if isinstance(params, exp.IndexParameters) else ()


def mentioned(of: exp.Expr) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name_of(column.this) for column in of.find_all(exp.Column)))


def index_of(params: exp.IndexParameters, *, unique: bool) -> Index:
    """What Postgres calls an expression by is its own to say."""
    columns, beside = columns_of(params.args.get("columns") or []), columns_of(params.args.get("include") or [])
    called_by = (*columns, *beside) if all(columns) else ()
    return Index(columns, "idx", unique, called_by, frozenset((*columns, *beside, *mentioned(params))) - {""})
