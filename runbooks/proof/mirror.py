"""A table and its mirror, which both take rows: the SQL by which they are compared, a digest a bucket of keys.

Judged like Postgres and Tinybird (``proof.sandwich``): the table, its mirror, the table again. Both sides are
ClickHouse, so the hash is its own, which costs a fraction of an MD5.
"""

from dataclasses import dataclass

from runbooks.proof.chunks import Copied, Keys, within
from runbooks.proof.claim import BUCKETS
from runbooks.proof.fields import ch_name


@dataclass(frozen=True)
class Mirrored:
    """``copy`` says how the mirror is filled, column by column as it is; ``key`` is the sorting key, as SQL."""

    copy: Copied
    key: tuple[str, ...]


def digest(of: Mirrored, table: str, keys: Keys) -> str:
    """Rows ``{b, n, d}``: of each bucket of keys in the range how many rows it has and their digest."""
    columns = [ch_name(column.name) for column in of.copy.columns]
    named = ", ".join(columns)
    grouped = (
        f"SELECT toUInt16(cityHash64(tuple({', '.join(of.key)})) % {BUCKETS}) AS _b, count() AS _n, "
        f"sum(cityHash64(tuple({named}))) AS _d FROM {ch_name(table)} FINAL WHERE {within(of.copy, keys)} GROUP BY _b"
    )
    return f"SELECT _b AS b, toString(_n) AS n, toString(_d) AS d FROM ({grouped})"
