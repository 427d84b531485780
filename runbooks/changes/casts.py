"""How Postgres makes a value of one type of another, and which values do not fit.

A value goes by its text wherever that says all of it: what a type's own reading refuses does not fit, instead of being
rounded or cut as a cast would do. ``pg_input_is_valid`` is of Postgres 16; before that nothing can be counted, and an
answer that is not there forbids the change.
"""

import re

from runbooks.proof.fields import pg_literal, pg_name
from runbooks.types import clickhouse, postgres
from runbooks.types.clickhouse import Type

_WHOLE = ("smallint", "integer", "bigint")
_NUMBERS = (*_WHOLE, "real", "double precision", "numeric")
_ZONED, _PLAIN, _DAY = "timestamp with time zone", "timestamp without time zone", "date"
_TIMES = (_ZONED, _PLAIN, _DAY)
_LABEL = re.compile(r"\s*'((?:[^'\\]|'')*)'\s*(?:=\s*-?\d+\s*)?")
_CONSTANT = re.compile(r"\(?('(?:[^']|'')*'|-?[\d.]+|true|false)\)?(?:::[\w\s.\"\[\](),]+)?")


def carries(pg_type: str, kind: Type) -> bool:
    """Whether what Sequin sends of the Postgres type is what the ClickHouse type takes; narrower numbers do too, as
    far as their values fit (facts/estate.md §8)."""
    core, plain = kind.core, _plain(pg_type)
    if pg_type.endswith("[]"):
        return core.name == "Array" and carries(pg_type[:-2], clickhouse.parse(core.arguments[0]))
    if plain in _WHOLE:
        return core.is_integer or core.is_float or core.name.startswith("Decimal")
    if plain == "boolean":
        return core.name in ("UInt8", "Int8", "Bool")
    if plain in ("real", "double precision"):
        return core.is_float
    if plain in _TIMES:
        return core.is_time
    if plain == "uuid":
        return core.is_text or core.name == "UUID"
    return core.is_text or core.name.startswith("Enum")


def using(column: str, before: str, after: str) -> str | None:
    """The expression that makes the new value of the old; None where there is no way."""
    name, was, will = pg_name(column), _plain(before), _plain(after)
    if before.endswith("[]") != after.endswith("[]"):
        return None
    if was == "boolean" and will in _NUMBERS:
        return f"{name}::int::{after}"
    if was in _TIMES and will in _TIMES:
        utc = {_ZONED: f"{name} AT TIME ZONE 'UTC'", _PLAIN: name, _DAY: f"{name}::timestamp"}[was]
        return {_ZONED: f"({utc}) AT TIME ZONE 'UTC'", _PLAIN: utc, _DAY: f"({utc})::date"}[will]
    return f"{name}::text::{after}"


def back(column: str, after: str, before: str) -> str:
    """The way back to the old type; types of which none leads back are not let through by ``using``."""
    return using(column, after, before) or f"{pg_name(column)}::text::{before}"


def misfits(column: str, before: str, after: str | None, kind: Type) -> str | None:
    """The condition on rows whose value neither side's new type can hold; None where every value fits."""
    name = pg_name(column)
    if after is None:
        outside = _outside(name, before, kind)
        return f"{name} IS NOT NULL AND {outside}" if outside else None
    made = using(column, before, after) or name
    was, will = _plain(before), _plain(after)
    tests: list[str] = []
    if was in _TIMES and will in _TIMES:
        if will == _DAY:
            tests.append(f"({back(column, after, before).replace(name, f'({made})')}) IS DISTINCT FROM {name}")
    elif was != "boolean" or will not in _NUMBERS:
        tests.append(f"NOT pg_input_is_valid({name}::text, {pg_literal(after)})")
        if was in _NUMBERS and will in _NUMBERS:
            tests.append(f"({made})::{before} IS DISTINCT FROM {name}")
    outside = _outside(f"({made})", after, kind)
    tests += [outside] if outside else []
    cases = " ".join(f"WHEN {test} THEN true" for test in tests)
    return f"CASE WHEN {name} IS NULL THEN false {cases} ELSE false END" if tests else None


def kept_in(default: str | None, after: str) -> str | None:
    """A constant default of Postgres as one of the new type; what is computed stays as it is written."""
    if default is None:
        return None
    found = _CONSTANT.fullmatch(default)
    if not found:
        return default
    literal = found.group(1)
    return f"{literal if literal.startswith(chr(39)) else pg_literal(literal)}::{after}"


def _outside(value: str, pg_type: str, kind: Type) -> str | None:
    """Values of the Postgres type that the ClickHouse type does not take."""
    if kind.is_integer and (span := postgres.integer_span(pg_type)):
        least, most = kind.span()
        return f"{value} NOT BETWEEN {least} AND {most}" if span[0] < least or span[1] > most else None
    if kind.core.name == "DateTime" and _plain(pg_type) in _TIMES:
        return f"{value} NOT BETWEEN '1970-01-01' AND '2106-02-07'"
    if kind.core.name == "Date" and _plain(pg_type) in _TIMES:
        return f"{value} NOT BETWEEN '1970-01-01' AND '2149-06-06'"
    if kind.core.name == "FixedString":
        return f"octet_length({value}::text) > {kind.core.arguments[0]}"
    if kind.core.name.startswith("Enum") and (names := [_LABEL.fullmatch(one) for one in kind.core.arguments]):
        held = ", ".join(pg_literal(name.group(1).replace("''", "'")) for name in names if name)
        return f"{value}::text NOT IN ({held})" if all(names) else None
    return None


def _plain(pg_type: str) -> str:
    return re.sub(r"\(.*?\)", "", pg_type.removesuffix("[]")).strip()
