"""A new field, worked out on both sides: types, default, JSON path; what was inferred is said in plain sentences."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from runbooks.errors import Refused
from runbooks.expressions import BadExpression, columns_in
from runbooks.facts.model import Column, Datasource, Facts, PgColumn, PgTable
from runbooks.request import NewField
from runbooks.strategies.change import PlannedField
from runbooks.types import clickhouse, literals, postgres
from runbooks.types.clickhouse import Type, UnknownType

_BOOLEAN_NAME = re.compile(r"(?:is|has|can|was)[A-Z]\w*")
_TIME_NAME = re.compile(r"\w+(?:At|_at)")
LOW_CARDINALITY = frozenset({"type", "platform", "status", "label", "maturity"})  # facts/estate.md §8
_BRACKETS = re.compile(r"\.?\['([^']*)'\]")
_PATH = re.compile(r"\$(?:\.[A-Za-z_][A-Za-z0-9_]*)+(?:\[:\])?")


@dataclass(frozen=True)
class Where:
    """Where a new field lands: its data source, and its table in Postgres if there is one and it was asked for."""

    datasource: Datasource
    table: PgTable | None
    replicated: bool
    root: str  # "$.record." | "$." | "" for a data source without JSON paths


def where(datasource: Datasource, facts: Facts) -> Where:
    """Replicated: a sink feeds it, or its paths lie under ``record`` (facts/estate.md §2). A table of the same
    name alone says nothing: a copy's target may have it too."""
    root = root_of(datasource)
    replicated = facts.sink_of(datasource.name) is not None or root == "$.record."
    return Where(datasource, facts.table_of(datasource.name) if replicated else None, replicated, root)


def root_of(datasource: Datasource) -> str:
    """The root that most JSON paths of the data source have; empty where there are no paths."""
    paths = [dotted(c.jsonpath) for c in datasource.columns if c.jsonpath and c.jsonpath != "$"]
    if not paths:
        return ""
    if any(path.startswith("$.record.") for path in paths):
        paths = [path for path in paths if not beside_the_record(path)] or paths
    under = sum(path.startswith("$.record.") for path in paths)
    return "$.record." if under * 2 > len(paths) else "$."


def dotted(path: str) -> str:
    """``$['a-b']`` as ``$.a-b``: a name in brackets is a step like any other."""
    return _BRACKETS.sub(r".\1", path)


def beside_the_record(path: str) -> bool:
    """What a message of Sequin holds next to the row, and the whole message (facts/estate.md §5)."""
    return path in ("$", "$.action", "$.changes") or path.startswith(("$.metadata.", "$.changes."))


def plan_field(field: NewField, place: Where) -> tuple[PlannedField, list[str]]:
    """The field on both sides and what was inferred. Raises ``Refused``."""
    inferred: list[str] = []
    if computed(field, place):
        return _derived(field, place, inferred), inferred
    _check_source(field, place)
    inside = _jsonb_of(field, place)
    source = _column_of(field, place) if inside is None else field.name
    existing = place.table.column(source) if place.table else None
    kind, pg_type = _types(field, place, existing, inferred)
    default = _default(field, kind, pg_type, inferred)
    path = _path(field, place, kind)
    if field.source is None and path:
        inferred.append(f"{field.name}: read from {path}, as its neighbours are")
    column = Column(name=field.name, type=str(kind), jsonpath=path or None, default=default.clickhouse)
    if not place.replicated:
        return PlannedField(column), inferred
    if inside is not None:
        inferred.append(f"{field.name}: lies inside the column {inside} of Postgres, which gets no new column")
        return PlannedField(column, in_postgres=True), inferred
    if existing is not None:
        return PlannedField(column, existing.type, existing.default, in_postgres=True), inferred
    if source != field.name:
        inferred.append(f"{field.name}: the column {source} of Postgres, which it is read from, is taken to be there")
        return PlannedField(column, in_postgres=True), inferred
    return PlannedField(column, pg_type, default.postgres), inferred


def computed(field: NewField, place: Where) -> bool:
    """Whether ``from`` is SQL over the data source's own columns, and no JSON path."""
    return field.source is not None and not field.source.startswith("$") and not place.replicated


def _derived(field: NewField, place: Where, inferred: list[str]) -> PlannedField:
    """A field whose value other columns give: its default is that expression, so that rows that come later without
    it have it too; a default that is asked for stands in its place."""
    expression = _unquoted(field.source or "")
    known = {c.name for c in place.datasource.columns}
    try:
        named = columns_in(expression, f"`from` of `{field.name}`")
    except BadExpression as exc:
        raise Refused(f"That cannot be computed: {shown(str(exc))}.", expression) from exc
    if strange := sorted(named - known):
        near = nearest(strange[0], known)
        raise Refused(
            f"`{place.datasource.name}` has no column `{strange[0]}`" + (f"; did you mean `{near}`?" if near else "."),
            strange[0],
            near,
        )
    kind, _ = _types(field, place, None, inferred)
    default = _default(field, kind, None, []).clickhouse if field.default is not None else expression
    path = f"{place.root}{field.name}{'[:]' if kind.is_array else ''}" if place.root else ""
    if default == expression:
        inferred.append(f"{field.name}: {expression} for every row" + (f", unless {path} gives it" if path else ""))
    else:
        without = f" without {path}" if path else ""
        later = f"those that come later{without} hold {'NULL' if default is None else default}"
        inferred.append(f"{field.name}: {expression} for the rows that are there; {later}")
    column = Column(name=field.name, type=str(kind), jsonpath=path or None, default=default)
    return PlannedField(column, expression=expression)


def _unquoted(typed: str) -> str:
    """``"score / 2"``, typed in quotes because it holds spaces; ``"score"`` means the column either way."""
    inner = typed.strip().removeprefix('"').removesuffix('"')
    return inner.strip() if typed.strip() == f'"{inner}"' and '"' not in inner else typed.strip()


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like ``word``; None when none is."""
    by_lower = {k.lower(): k for k in sorted(known)}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def _types(field: NewField, place: Where, existing: PgColumn | None, inferred: list[str]) -> tuple[Type, str | None]:
    if field.type is not None:
        kind, pg_type = typed(field)
    else:
        kind, pg_type = _inferred(field, place, existing, inferred)
    if existing is not None:
        return kind, existing.type
    if place.replicated and pg_type is None and _jsonb_of(field, place) is None:
        raise Refused(
            f"`{field.name}` cannot be {kind}: Postgres has no type for it; choose a type that it has.",
            str(kind),
            untyped=None if field.type else field.name,
        )
    return kind, pg_type


def typed(field: NewField) -> tuple[Type, str | None]:
    """The type that was asked for, on both sides; None where Postgres has none for it. Raises ``Refused``."""
    words = field.type or ""
    try:
        kind = clickhouse.parse(words)
    except UnknownType as exc:
        if pg_type := postgres.normal(words):
            return _from_postgres(field, pg_type), pg_type
        raise _unknown_type(exc.word) from exc
    except ValueError as exc:
        if pg_type := postgres.normal(words):
            return _from_postgres(field, pg_type), pg_type
        raise Refused(f"The type `{shown(words)}` is not understood: {exc}.", words) from exc
    pg_type = postgres.from_clickhouse(kind)
    if kind.core.name == "UInt8" and _BOOLEAN_NAME.fullmatch(field.name):
        pg_type = "boolean"
    return kind, pg_type


def _from_postgres(field: NewField, pg_type: str) -> Type:
    given = field.default is not None and field.default.strip().upper() != "NULL"
    wants_null = field.default is not None and not given
    kind = postgres.to_clickhouse(pg_type, default=given)
    if wants_null and not kind.nullable and not kind.is_array:
        return Type("Nullable", (str(kind),))
    return kind


def _unknown_type(word: str) -> Refused:
    if word.lower() in postgres.NOT_ADDED:
        return Refused(
            f"A field of the type `{shown(word)}` is not added here: take `text`, or add the column to Postgres by a "
            "migration of its own and ask for the field without a type.",
            word,
            "text",
        )
    near = nearest(word, clickhouse.NAMES | postgres.WORDS)
    hint = f"; did you mean `{near}`?" if near else ", neither in ClickHouse nor in Postgres."
    return Refused(f"There is no type `{shown(word)}`{hint}", word, near)


def _inferred(field: NewField, place: Where, existing: PgColumn | None, inferred: list[str]) -> tuple[Type, str | None]:
    if existing is not None:
        kind = postgres.to_clickhouse(existing.type, default=field.default is not None)
        inferred.append(f"{field.name}: {kind}, because the column is {existing.type} in Postgres")
        return kind, existing.type
    if pg_type := literals.type_of(field.default or ""):
        inferred.append(f"{field.name}: {pg_type}, because the default is {field.default}")
        return _from_postgres(field, pg_type), pg_type
    for known, pg_type in ((_BOOLEAN_NAME, "boolean"), (_TIME_NAME, "timestamp with time zone")):
        if known.fullmatch(field.name):
            inferred.append(f"{field.name}: {pg_type}, because of its name")
            return _from_postgres(field, pg_type), pg_type
    if field.name in LOW_CARDINALITY:
        inferred.append(f"{field.name}: few different texts, because of its name")
        return Type("LowCardinality", ("String",)), "text"
    raise Refused(
        f"The type of `{field.name}` cannot be inferred: {_unasked(place)}, and neither its name nor its default "
        "says it. Please choose a type.",
        field.name,
        untyped=field.name,
    )


def _unasked(place: Where) -> str:
    if not place.replicated:
        return "its table is not in Postgres"
    return "Postgres has no such column" if place.table else "Postgres was not asked"


def _default(field: NewField, kind: Type, pg_type: str | None, inferred: list[str]) -> literals.Default:
    try:
        found = literals.resolve(kind, field.default, pg_type)
    except literals.BadDefault as exc:
        raise Refused(f"The default of `{field.name}` does not fit: {shown(str(exc))}.", field.default or "") from exc
    if field.default is None:
        value = "NULL" if found.clickhouse is None else found.clickhouse
        inferred.append(f"{field.name}: {value} where there is no value")
    return found


def _path(field: NewField, place: Where, kind: Type) -> str:
    if field.source is not None:
        return field.source
    array = "[:]" if kind.is_array else ""
    return f"{place.root}{field.name}{array}" if place.root else ""


def _check_source(field: NewField, place: Where) -> None:
    if field.source is None:
        return
    if not _PATH.fullmatch(field.source):
        why = "; values of a replicated table come from Postgres, so compute it there." if place.replicated else "."
        raise Refused(
            f"`from {shown(field.source)}` is not a JSON path like `{place.root or '$.'}{field.name}`" + why,
            field.source,
        )
    if place.root and not field.source.startswith(place.root):
        raise Refused(
            f"The path `{field.source}` does not begin with `{place.root}`, as every path of "
            f"`{place.datasource.name}` does; did you mean `{place.root}{field.source.removeprefix('$.')}`?",
            field.source,
            place.root + field.source.removeprefix("$."),
        )


def _column_of(field: NewField, place: Where) -> str:
    """The column of Postgres that the field's values come from: its own, or the one that ``from`` names, which must
    be there already."""
    if field.source is None or not place.replicated:
        return field.name
    name = field.source.removeprefix(place.root).removesuffix("[:]")
    if name != field.name and place.table and place.table.column(name) is None:
        near = nearest(name, (c.name for c in place.table.columns))
        raise Refused(
            f"`{field.source}` names a column that {place.table.name} does not have in Postgres"
            + (f"; did you mean `{place.root}{near}`?" if near else "."),
            field.source,
            near,
        )
    return name


def _jsonb_of(field: NewField, place: Where) -> str | None:
    """The jsonb column that the field's path goes into; known from Postgres, or taken from the path's depth."""
    if field.source is None or not place.replicated:
        return None
    parts = field.source.removeprefix(place.root).removesuffix("[:]").split(".")
    if len(parts) < 2:
        return None
    column = place.table.column(parts[0]) if place.table else None
    if place.table and (column is None or column.type not in ("jsonb", "json")):
        raise Refused(
            f"`{field.source}` goes into `{parts[0]}`, which is not a jsonb column of {place.table.name} in Postgres.",
            parts[0],
            nearest(parts[0], (c.name for c in place.table.columns if c.type in ("jsonb", "json"))),
        )
    return parts[0]


def shown(text: str) -> str:
    """``text`` made harmless for a sentence: no control characters, no markup of a chat, not endless."""
    clean = "".join(c if c.isprintable() else "?" for c in text).replace("`", "'")
    return clean.replace("<", "(").replace(">", ")")[:120]
