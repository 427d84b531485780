"""From facts to a claim: which key, which version, which columns can be compared."""

from collections.abc import Iterable
from dataclasses import dataclass

from runbooks.facts.model import Datasource, PgColumn, PgTable
from runbooks.proof.claim import Claim, Range
from runbooks.proof.fields import Compared, comparable, compared_version, pg_name

_PATH = "$.record."
_INTEGERS = ("smallint", "integer", "bigint")


@dataclass(frozen=True)
class Provable:
    """``not_proven`` are the columns asked for that cannot be compared by value."""

    claim: Claim
    span: Range | None
    not_proven: tuple[str, ...]


def provable(
    datasource: Datasource, table: PgTable, added: Iterable[PgColumn], columns: Iterable[str]
) -> Provable | str:
    """What can be proven of ``columns``, once Postgres has the ``added`` ones; or why nothing can."""
    source = {c.name: c for c in (*table.columns, *added)}
    key: list[Compared] = []
    for part in datasource.sorting_key:
        column = datasource.column(part)
        rule = comparable(column, source) if column else None
        if column is None or rule is None or (rule.near and "Float" in column.type):
            return f"its key {part} cannot be compared with Postgres"  # last bits left out tell no two rows apart
        key.append(rule.nearly)
    version_column = datasource.column(datasource.version)
    version = compared_version(version_column, source) if version_column else None
    if not key or version is None:
        return "it has no key or no version that Postgres has too"
    wanted = [c for c in datasource.columns if c.name in set(columns)]
    rules = {c.name: comparable(c, source) for c in wanted}
    claim = Claim(
        datasource=datasource.name,
        table=f"{pg_name(table.schema)}.{pg_name(table.name)}",
        key=tuple(key),
        version_pg=version[0],
        version_ch=version[1],
        units=version[2],
        fields=tuple(rule for rule in rules.values() if rule),
    )
    return Provable(claim, _span(datasource, table), tuple(name for name, rule in rules.items() if rule is None))


def _span(datasource: Datasource, table: PgTable) -> Range | None:
    """Ranges of the first key column, where it is indexed and both sides order it alike: numbers, and uuids as text."""
    first = datasource.column(datasource.sorting_key[0])
    name = (first.jsonpath or "").removeprefix(_PATH) if first else ""
    column = table.column(name)
    if first is None or column is None or not any(index[0] == name for index in table.indexes if index):
        return None
    numbers = column.type in _INTEGERS and "Int" in first.type and "Nullable" not in first.type
    uuids = column.type == "uuid" and first.type == "String"
    return Range(pg_column=name, ch_column=first.name) if numbers or uuids else None
