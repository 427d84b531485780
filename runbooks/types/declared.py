"""A type as SQL declares it, written as Postgres' ``format_type`` writes it in the catalog."""

from sqlglot import exp

SERIAL = {"SMALLSERIAL": "smallint", "SERIAL": "integer", "BIGSERIAL": "bigint"}
_NAMES = {
    **SERIAL,
    "SMALLINT": "smallint",
    "INT": "integer",
    "BIGINT": "bigint",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "DECIMAL": "numeric",
    "VARCHAR": "character varying",
    "CHAR": "character",
    "VARBINARY": "bytea",
    "TIMESTAMP": "timestamp without time zone",
    "TIMESTAMPTZ": "timestamp with time zone",
    "TIME": "time without time zone",
    "TIMETZ": "time with time zone",
}
_SHORT = {"varbit": "bit varying"}  # of those that sqlglot takes for somebody's own
_NEVER_PLAIN = ("char",)  # without quotes it is another type
_ALONE = {"CHAR": "1", "BIT": "1"}  # the size of one that gives none
_SINGLE_BITS = 24  # float(n) up to it is real


def format_type(kind: exp.DataType) -> str:
    """``timestamptz(3)[]`` is ``timestamp(3) with time zone[]``. A type of somebody's own goes without its schema."""
    if kind.this == exp.DataType.Type.ARRAY:
        inner = kind.expressions[0] if kind.expressions else None
        return f"{format_type(inner).removesuffix('[]')}[]" if isinstance(inner, exp.DataType) else "[]"
    if kind.this == exp.DataType.Type.USERDEFINED:
        return _own(kind)
    known = str(kind.this.value) if isinstance(kind.this, exp.DataType.Type) else ""
    if known not in _NAMES and known not in _ALONE:
        return kind.sql("postgres").lower()
    sizes = [each.sql("postgres") for each in kind.expressions] or ([_ALONE[known]] if known in _ALONE else [])
    if known == "DOUBLE" and sizes:
        return "real" if int(sizes[0]) <= _SINGLE_BITS else "double precision"
    if known == "DECIMAL" and len(sizes) == 1:
        sizes.append("0")
    first, between, rest = _NAMES.get(known, known.lower()).partition(" with")
    return f"{first}({','.join(sizes)}){between}{rest}" if sizes else f"{first}{between}{rest}"


def serial(kind: exp.DataType) -> bool:
    """Whether it is an integer that counts up and is never NULL."""
    return isinstance(kind.this, exp.DataType.Type) and kind.this.value in SERIAL


def _own(kind: exp.DataType) -> str:
    named = kind.args.get("kind")
    last = named.expression if isinstance(named, exp.Dot) else named
    if not isinstance(last, exp.Identifier):
        return kind.sql("postgres").lower()
    name = last.name if last.args.get("quoted") else last.name.lower()
    plain = name.replace("_", "a").isalnum() and name == name.lower() and name not in _NEVER_PLAIN
    sizes = ",".join(each.sql("postgres") for each in kind.expressions)
    return _SHORT.get(name, name if plain else f'"{name}"') + (f"({sizes})" if sizes else "")
