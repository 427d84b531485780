"""How a column is written as the same text in Postgres and in ClickHouse (facts/procedures.md §5).

A rule that is not certain is no rule: the column is then named as not proven.
"""

import re
import struct
from dataclasses import dataclass, replace

from runbooks.facts.model import Column, PgColumn

_PATH = re.compile(r"^\$\.record((?:\.\w+)+)(\[:\])?$")
_NULL = "chr(30)"
_TEXTS = ("text", "character varying", "character", "uuid", "citext", "name")
_INTEGERS = ("smallint", "integer", "bigint")
_UNITS = {"3": "Milli", "6": "Micro", "9": "Nano"}
_TIME = re.compile(r"^DateTime(?:64\((\d)(?:,.*)?\)|(?:\(.*\))?)$")
# ClickHouse takes what is earlier or later than it can hold for the first or last day that it can, and of a DateTime64
# leaves the time of day [measured on 26.5]: so its first day and its last are one value each, in seconds here
LOW, HIGH, HIGH_NANO = -2208902400, 10413705600, 9223286400  # 1900-01-02, 2299-12-31, 2262-04-11
_DAYS = {
    "Date": (("1970-01-01", 0), ("2149-06-06", 65_535)),
    "Date32": (("1900-01-01", -25_567), ("2299-12-31", 120_529)),
}
_DECIMAL = re.compile(r"^Decimal(?:32|64|128|256)?\((?:\d+, *)?(\d+)\)$")
_NUMERIC = re.compile(r"^numeric\(\d+,(\d+)\)$")
_NO_TEXT = r"^([[{]|-?[0-9]+([.][0-9]+|[eE][-+]?[0-9]+|[.][0-9]+[eE][-+]?[0-9]+)$)"  # of JSON
_INT = re.compile(r"^U?Int(8|16|32|64|128|256)$")


@dataclass(frozen=True)
class Compared:
    """One column as an expression on each side; both give the same text for the same value, never NULL.

    ``near``: another such pair; a row is equal by one of them. For numbers whose last bits may differ: those of one
    number may fall on two sides of where the texts change, of one pair or of the other, and hardly ever of both.
    """

    name: str
    postgres: str
    clickhouse: str
    near: tuple[str, str] | None = None

    @property
    def nearly(self) -> "Compared":
        return Compared(self.name, *self.near) if self.near else self


@dataclass(frozen=True)
class _Side:
    """A column's expression in Postgres, its type there, and the ClickHouse column without its wrappers."""

    pg: str
    pg_type: str
    name: str
    kind: str
    nullable: bool
    default: str | None

    def rule(self, pg: str, clickhouse: str, zero: str) -> Compared:
        """``zero`` is the text that an absent value has in a column that is not Nullable."""
        if self.nullable:
            return Compared(self.name, f"coalesce({pg}, {_NULL})", f"ifNull({clickhouse}, char(30))")
        return Compared(self.name, f"coalesce({pg}, {pg_literal(zero)})", clickhouse)


def comparable(column: Column, columns: dict[str, PgColumn]) -> Compared | None:
    """The rule for ``column``, which reads a path of the Postgres row ``columns``; None if there is none."""
    found = _PATH.match(column.jsonpath or "")
    if not found:
        return None
    name, *inside = found.group(1).strip(".").split(".")
    source = columns.get(name)
    if source is None:
        return None
    kind, nullable = _bare(column.type)
    if bool(found.group(2)) != kind.startswith("Array("):
        return None  # the path of an array ends in [:], and no other does
    pg, pg_type = pg_name(name), source.type
    if inside:
        if pg_type not in ("jsonb", "json") or kind != "String":
            return None  # a number or a boolean inside JSON is written in more ways than one
        return _inside(_Side(pg, pg_type, column.name, kind, nullable, column.default), inside)
    return _rule(_Side(pg, pg_type, column.name, kind, nullable, column.default))


def _inside(side: _Side, keys: list[str]) -> Compared | None:
    """A text within JSON. What is none there has no text of its own: objects and lists, whose keys and blanks stand as
    each side likes, and numbers with a point are equal to any such. A text that looks like one is ``near`` itself."""
    before = "".join([side.pg, *(f" -> {pg_literal(key)}" for key in keys[:-1])])
    value, text = f"{before} -> {pg_literal(keys[-1])}", f"{before} ->> {pg_literal(keys[-1])}"
    plain = _rule(replace(side, pg=text, pg_type="text"))
    if plain is None:
        return None
    kind = f"{side.pg_type}_typeof({value})"
    other = f"{kind} IN ('object', 'array') OR ({kind} = 'number' AND {text} ~ '[.eE]')"
    here = f"CASE WHEN {other} THEN chr(28) ELSE {plain.postgres} END"
    there = f"if(match({plain.clickhouse}, {ch_literal(_NO_TEXT)}), char(28), {plain.clickhouse})"
    return Compared(side.name, here, there, near=(plain.postgres, plain.clickhouse))


def compared_version(column: Column, columns: dict[str, PgColumn]) -> tuple[str, str, int] | None:
    """A version as whole numbers: Postgres expression, ClickHouse expression, units a second. NULL stays NULL."""
    found = _PATH.match(column.jsonpath or "")
    source = columns.get(found.group(1).strip(".")) if found else None
    time = _TIME.match(_bare(column.type)[0])
    if source is None or time is None or not source.type.startswith("timestamp"):
        return None
    found = _epoch(pg_name(source.name), ch_name(column.name), time.group(1))
    return (_finite(pg_name(source.name), found[0]), *found[1:]) if found else None


def _rule(side: _Side) -> Compared | None:
    for rule in (_text, _boolean, _integer, _numeric, _time, _date, _array, _float):
        compared = rule(side)
        if compared is not None:
            return compared
    return None


def _text(side: _Side) -> Compared | None:
    if side.pg_type.split("(")[0] not in _TEXTS or side.kind not in ("String", "UUID"):
        return None
    column = ch_name(side.name)
    zero = _string(side.default)
    if side.kind == "UUID":
        zero = "00000000-0000-0000-0000-000000000000" if side.default is None else None
    if zero is None:
        return None
    plain = side.kind == "String" and not side.nullable
    there = column if plain else f"toString({column})"
    if side.pg_type.startswith("character("):  # sent with the blanks that fill it up, which ::text takes away
        there = f"trimRight({there})"
    return side.rule(f"{side.pg}::text", there, zero)


def _boolean(side: _Side) -> Compared | None:
    if side.pg_type != "boolean" or side.kind not in ("UInt8", "Int8", "Bool"):
        return None
    zero = {None: "0", "0": "0", "false": "0", "1": "1", "true": "1"}.get(side.default)
    if zero is None:
        return None
    return side.rule(f"{side.pg}::int::text", f"toString(toUInt8({ch_name(side.name)}))", zero)


def _integer(side: _Side) -> Compared | None:
    if side.pg_type not in _INTEGERS or not _INT.match(side.kind):
        return None
    zero = _number(side.default)
    return side.rule(f"{side.pg}::text", f"toString({ch_name(side.name)})", zero) if zero is not None else None


def _numeric(side: _Side) -> Compared | None:
    """Fixed scale on both sides, so that nothing is rounded; zeros at the end are dropped by both."""
    here, there = _NUMERIC.match(side.pg_type), _DECIMAL.match(side.kind)
    if not here or not there or int(here.group(1)) > int(there.group(1)):
        return None
    zero = _number(side.default)
    return (
        side.rule(f"trim_scale({side.pg})::text", f"toString({ch_name(side.name)})", zero) if zero is not None else None
    )


def _time(side: _Side) -> Compared | None:
    found = _TIME.match(side.kind)
    if not found or not side.pg_type.startswith(("timestamp", "date")) or (side.default and "0" not in side.default):
        return None
    digits, column = found.group(1), ch_name(side.name)
    epoch = _epoch(side.pg, column, digits)
    if epoch is None:
        return None
    here, there, units = epoch
    if digits is None:  # too late a time comes round again as another one, which is no such time
        here = _finite(side.pg, _held(side.pg, here, ("1970-01-01", 0)))
        return side.rule(f"({here})::text", f"toString({there})", "0")
    low, high = LOW * units, (HIGH_NANO if digits == "9" else HIGH) * units
    last = "2262-04-11" if digits == "9" else "2299-12-31"
    here = _finite(side.pg, _held(side.pg, here, ("1900-01-02", low), (last, high)))
    there = f"multiIf({there} < {low}, toInt64({low}), {there} > {high}, toInt64({high}), {there})"
    return side.rule(f"({here})::text", f"toString({there})", "0")


def _held(pg: str, value: str, low: tuple[str, int], high: tuple[str, int] | None = None) -> str:
    """``value`` of a time or day as ClickHouse holds it: what is earlier than it can hold is its first, what is later
    its last. With ELSE, as NULL is neither."""
    late = f" WHEN {pg} > '{high[0]} 00:00+00' THEN {high[1]}" if high else ""
    return f"CASE WHEN {pg} < '{low[0]} 00:00+00' THEN {low[1]}{late} ELSE {value} END"


def _epoch(pg: str, clickhouse: str, digits: str | None) -> tuple[str, str, int] | None:
    """Cut by floor at the column's scale, as ClickHouse cuts."""
    if digits is None:
        return f"floor(extract(epoch FROM {pg}))::bigint", f"toInt64(toUnixTimestamp({clickhouse}))", 1
    if digits not in _UNITS:
        return None
    units = 10 ** int(digits)
    return (
        f"floor(extract(epoch FROM {pg}) * {units})::bigint",
        f"toUnixTimestamp64{_UNITS[digits]}({clickhouse})",
        units,
    )


def _finite(pg: str, rule: str) -> str:
    """The rule where the time is one: what Postgres calls infinite has no number, and comes to no row of Tinybird."""
    return f"CASE WHEN isfinite({pg}) THEN {rule} END"


def _date(side: _Side) -> Compared | None:
    if side.pg_type != "date" or side.kind not in ("Date", "Date32") or side.default:
        return None
    first, last = _DAYS[side.kind]
    days = _finite(side.pg, _held(side.pg, f"{side.pg} - date '1970-01-01'", first, last))
    zero = str(first[1])  # an absent Date32 is 1900-01-01
    return side.rule(f"({days})::text", f"toString(toInt32({ch_name(side.name)}))", zero)


def _array(side: _Side) -> Compared | None:
    if side.pg_type not in ("text[]", "character varying[]") or side.kind != "Array(String)":
        return None
    return side.rule(
        f"array_to_string({side.pg}, chr(29), '')", f"arrayStringConcat({ch_name(side.name)}, char(29))", ""
    )


def _float(side: _Side) -> Compared | None:
    """Bit by bit but for the last: ClickHouse reads one number in ten from text up to two units of the last bit off
    [measured on 26.5]. What is compared are some 9 digits of a Float64 and 4 of a Float32."""
    form = _FLOATS.get((side.pg_type, side.kind))
    value = _number(side.default)
    if form is None or value is None:
        return None
    here = f"('x' || encode({form.send}({side.pg}), 'hex'))::bit({form.bits})::{form.integer}::bigint"
    there = f"toInt64(reinterpretAsInt{form.bits}({ch_name(side.name)}))"
    (zero,) = struct.unpack(form.unpacked, struct.pack(form.packed, float(value)))
    near, rule = (
        side.rule(
            f"(({here} + {shift}) / {form.cut})::text",
            f"toString(intDiv({there} + {shift}, {form.cut}))",
            str(_divided(zero + shift, form.cut)),
        )
        for shift in (0, form.cut // 2)
    )
    return replace(rule, near=(near.postgres, near.clickhouse))


def _divided(number: int, by: int) -> int:
    """Towards zero, as both sides divide."""
    return number // by if number >= 0 else -(-number // by)


@dataclass(frozen=True)
class _Form:
    """How a number's bits are read as a whole number, and what is cut off it."""

    send: str
    integer: str
    bits: int
    cut: int
    packed: str
    unpacked: str


_FLOATS = {
    ("double precision", "Float64"): _Form("float8send", "bigint", 64, 2**20, ">d", ">q"),
    ("real", "Float32"): _Form("float4send", "int", 32, 2**10, ">f", ">i"),
}


def _bare(kind: str) -> tuple[str, bool]:
    """The type inside LowCardinality and Nullable, and whether it is Nullable."""
    kind = kind.strip()
    while found := re.fullmatch(r"LowCardinality\((.*)\)", kind):
        kind = found.group(1)
    found = re.fullmatch(r"Nullable\((.*)\)", kind)
    return (found.group(1), True) if found else (kind, False)


def _string(default: str | None) -> str | None:
    """The value of a string literal; '' without a default; None for an expression."""
    if default is None or default.upper() == "NULL":
        return ""
    found = re.fullmatch(r"'((?:[^'\\]|'')*)'", default.strip())
    return found.group(1).replace("''", "'") if found else None


def _number(default: str | None) -> str | None:
    if default is None or default.upper() == "NULL":
        return "0"
    return default.strip() if re.fullmatch(r"-?\d+(\.\d+)?", default.strip()) else None


def pg_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def ch_name(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def pg_literal(text: str) -> str:
    """A Postgres string; E'' so that a back-slash means the same whatever the session's settings."""
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def ch_literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
