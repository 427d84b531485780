"""The proof's questions to Tinybird, built without ``bitShift*``, which small ClickHouse builds lack.

No WHERE on the version: a skip index on it could bring stale rows back under FINAL.
"""

from collections.abc import Sequence

from runbooks.proof.claim import FLOOR_S, SEPARATOR, Claim, Range, numbers
from runbooks.proof.fields import ch_literal, ch_name


def digest(claim: Claim, cut: int, span: Range | None) -> str:
    """Rows ``{b, n, d}``."""
    within = f"_v <= {cut} AND _v > {FLOOR_S * claim.units}"
    return (
        f"SELECT _b AS b, toString(countIf({within})) AS n, toString(sumIf(_h, {within})) AS d FROM "
        f"({_rows(claim, span)}) GROUP BY _b HAVING countIf({within}) > 0"
    )


def rows(claim: Claim, span: Range | None, buckets: Sequence[int]) -> str:
    """Rows ``{b, k, v, h}`` of some buckets, whatever their version."""
    return (
        f"SELECT _b AS b, _k AS k, toString(_v) AS v, toString(_h) AS h FROM ({_rows(claim, span)}) "
        f"WHERE _b IN ({numbers(buckets)})"
    )


def of_keys(claim: Claim, span: Range | None, keys: Sequence[str], newest: int) -> str:
    """Rows of these keys up to a version, as a condition: what of them comes later is no part of it."""
    named = ", ".join(ch_literal(key) for key in keys)
    return " AND ".join([*_within(span), f"{keys_of(claim)} IN ({named})", f"{claim.version_ch} <= {newest}"])


def _rows(claim: Claim, span: Range | None) -> str:
    fields, where = _joined([c.clickhouse for c in claim.fields]), _within(span)
    condition = f" WHERE {' AND '.join(where)}" if where else ""
    row = f"concat(_k, char({SEPARATOR}), toString(_v), char({SEPARATOR}), {fields})"
    return (
        f"SELECT {keys_of(claim)} AS _k, {claim.version_ch} AS _v, intDiv({_half_md5('_k')}, 4503599627370496) AS _b, "
        f"intDiv({_half_md5(row)}, 16) AS _h FROM {ch_name(claim.datasource)} FINAL{condition}"
    )


def keys_of(claim: Claim) -> str:
    """The key as one text."""
    return _joined([c.clickhouse for c in claim.key])


def _within(span: Range | None) -> list[str]:
    if span is None:
        return []
    column = ch_name(span.ch_column)
    low = [f"{column} >= {ch_literal(span.low)}"] if span.low is not None else []
    return low + ([f"{column} < {ch_literal(span.high)}"] if span.high is not None else [])


def _half_md5(text: str) -> str:
    """The first 64 bits of the MD5, as ``halfMD5`` gives them at three to four times the cost [measured on 26.5]."""
    return f"reinterpretAsUInt64(reverse(substring(MD5({text}), 1, 8)))"


def _joined(expressions: Sequence[str]) -> str:
    if len(expressions) < 2:
        return expressions[0] if expressions else "''"
    return f"concat({f', char({SEPARATOR}), '.join(expressions)})"
