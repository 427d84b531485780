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


def _rows(claim: Claim, span: Range | None) -> str:
    key = _joined([c.clickhouse for c in claim.key])
    fields = _joined([c.clickhouse for c in claim.fields])
    where: list[str] = []
    if span:
        column = ch_name(span.ch_column)
        where += [f"{column} >= {ch_literal(span.low)}"] if span.low is not None else []
        where += [f"{column} < {ch_literal(span.high)}"] if span.high is not None else []
    condition = f" WHERE {' AND '.join(where)}" if where else ""
    row = f"concat(_k, char({SEPARATOR}), toString(_v), char({SEPARATOR}), {fields})"
    return (
        f"SELECT {key} AS _k, {claim.version_ch} AS _v, intDiv({_half_md5('_k')}, 4503599627370496) AS _b, "
        f"intDiv({_half_md5(row)}, 16) AS _h FROM {ch_name(claim.datasource)} FINAL{condition}"
    )


def _half_md5(text: str) -> str:
    """The first 64 bits of the MD5, as ``halfMD5`` gives them at three to four times the cost [measured on 26.5]."""
    return f"reinterpretAsUInt64(reverse(substring(MD5({text}), 1, 8)))"


def _joined(expressions: Sequence[str]) -> str:
    if len(expressions) < 2:
        return expressions[0] if expressions else "''"
    return f"concat({f', char({SEPARATOR}), '.join(expressions)})"
