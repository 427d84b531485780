"""What is to be proven.

A bucket is the top 12 bits of md5(key); a row's digest 60 bits of md5(key, version, fields); a bucket's the
sum mod 2^64. Sums of ranges add up, so each side may be asked in parts (facts/procedures.md §5).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from runbooks.proof.fields import Compared

BUCKETS = 4096
SEPARATOR = 31  # between parts of a key and fields; 30 stands for NULL, 29 between items of an array
FLOOR_S = -2208902400  # 1900-01-02: ClickHouse clamps older versions to the day before; they are counted apart
CEILING_S = 10413791999  # 2299-12-31


@dataclass(frozen=True)
class Claim:
    """What is to be proven: which table of which side, by what key, up to what version, which values.

    ``units``: versions a second (1000: milliseconds).
    """

    datasource: str
    table: str  # schema.table, quoted
    key: tuple[Compared, ...]
    version_pg: str
    version_ch: str
    units: int
    fields: tuple[Compared, ...]

    @property
    def nearly(self) -> "Claim":
        """The same with the last bits of numbers cut elsewhere; itself where there are none."""
        return replace(self, fields=tuple(field.nearly for field in self.fields))

    @property
    def of_keys(self) -> "Claim":
        """The same of keys alone: any version and any values, NULL too. Its rows all have the version 0."""
        return replace(self, version_pg="0", version_ch="0", fields=())


@dataclass(frozen=True)
class Range:
    """Keys from ``low`` up to but not including ``high``, as literals of both sides; None: unbounded.

    ``pg_column`` and ``ch_column`` are columns whose order is the same on both sides.
    """

    pg_column: str
    ch_column: str
    low: str | None = None
    high: str | None = None


def numbers(buckets: Sequence[int]) -> str:
    """Bucket numbers for an IN list; no bucket has -1."""
    return ", ".join(str(bucket) for bucket in buckets) or "-1"


def packed(buckets: Iterable[int]) -> str:
    """A set of buckets as hex digits: about a kB, whatever the set."""
    return f"{sum(1 << bucket for bucket in buckets):x}"


def unpacked(digits: str) -> list[int]:
    bits = int(digits, 16)
    return [bucket for bucket in range(BUCKETS) if bits >> bucket & 1]
