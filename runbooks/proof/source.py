"""The proof's questions to Postgres."""

from collections.abc import Sequence

from runbooks.proof.claim import CEILING_S, FLOOR_S, SEPARATOR, Claim, Range, numbers
from runbooks.proof.fields import pg_literal, pg_name

_PREFIX = "left(md5(k), 3)"
_BUCKET = f"('x' || {_PREFIX})::bit(12)::int"
_ROW = f"('x' || left(md5(k || chr({SEPARATOR}) || v || chr({SEPARATOR}) || f), 15))::bit(60)::bigint"


def digest(claim: Claim, cut: int, span: Range | None) -> str:
    """Rows ``(bucket, n, digest as text)`` of what has a version up to ``cut``."""
    # OFFSET 0 keeps Postgres from computing the version anew at each place that names it, and the bucket's number
    # is made once a bucket, not once a row. With FILTER, not WHERE: Postgres takes a WHERE on a computed version to
    # leave one row in 200, and so would sort all rows where it can hash 4096 buckets
    within = f"FILTER (WHERE v <= {cut} AND v > {FLOOR_S * claim.units})"
    return (
        f"SELECT ('x' || g)::bit(12)::int, n, mod(d, 18446744073709551616)::text FROM "
        f"(SELECT {_PREFIX} AS g, count(*) {within} AS n, sum({_ROW}) {within} AS d "
        f"FROM ({_rows(claim, span)} OFFSET 0) s GROUP BY 1) t WHERE n > 0"
    )


def rows(claim: Claim, span: Range | None, buckets: Sequence[int]) -> str:
    """Rows ``(bucket, key, version, digest as text)`` of some buckets, whatever their version."""
    return (
        f"SELECT b, k, v, ({_ROW})::text FROM (SELECT *, {_BUCKET} AS b FROM ({_rows(claim, span)}) s) t"
        f" WHERE v IS NOT NULL AND b IN ({numbers(buckets)})"
    )


def without_version(claim: Claim) -> str:
    """One row: how many have no version, or one that ClickHouse cannot hold."""
    low, high = FLOOR_S * claim.units, CEILING_S * claim.units
    return (
        f"SELECT count(*) FROM (SELECT {claim.version_pg} AS v FROM {claim.table}) s "
        f"WHERE v IS NULL OR v <= {low} OR v > {high}"
    )


def now(claim: Claim, back_s: int) -> str:
    """One row: the version of ``back_s`` seconds ago, by the clock that versions are written with."""
    return f"SELECT floor((extract(epoch FROM clock_timestamp()) - {back_s}) * {claim.units})::bigint"


def bound(claim: Claim, span: Range, rows: int) -> str:
    """At most one row: the key that ends a range of so many rows, as text."""
    # With the table's name before it: a bare one in ORDER BY is the text that is selected, and 10 comes before 9
    column = f"t.{pg_name(span.pg_column)}"
    where = f"WHERE {column} >= {pg_literal(span.low)} " if span.low is not None else ""
    return f"SELECT {column}::text FROM {claim.table} t {where}ORDER BY {column} OFFSET {rows} LIMIT 1"


def _rows(claim: Claim, span: Range | None) -> str:
    key = f" || chr({SEPARATOR}) || ".join(c.postgres for c in claim.key)
    fields = f" || chr({SEPARATOR}) || ".join(c.postgres for c in claim.fields) or "''"
    where: list[str] = []
    if span:
        column = pg_name(span.pg_column)
        where += [f"{column} >= {pg_literal(span.low)}"] if span.low is not None else []
        where += [f"{column} < {pg_literal(span.high)}"] if span.high is not None else []
    condition = f" WHERE {' AND '.join(where)}" if where else ""
    return f"SELECT {key} AS k, {claim.version_pg} AS v, {fields} AS f FROM {claim.table}{condition}"
