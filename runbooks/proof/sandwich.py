"""Judging a round: Postgres, Tinybird, Postgres again (facts/procedures.md §5). Sound while writes go on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Digest = Mapping[int, tuple[int, str]]  # bucket -> rows and digest; a bucket without rows is missing


@dataclass(frozen=True)
class Judged:
    """``proven``: the same thrice. ``moving``: Postgres itself changed. ``open``: Tinybird differs."""

    proven: frozenset[int]
    moving: frozenset[int]
    open: frozenset[int]


def judge(todo: Iterable[int], before: Digest, tinybird: Digest, after: Digest) -> Judged:
    """The buckets of ``todo``, each in one of three states. A bucket once proven need not be asked again."""
    proven: set[int] = set()
    moving: set[int] = set()
    unequal: set[int] = set()
    for bucket in todo:
        first, there, last = before.get(bucket), tinybird.get(bucket), after.get(bucket)
        if first != last:
            moving.add(bucket)
        elif first == there:
            proven.add(bucket)
        else:
            unequal.add(bucket)
    return Judged(frozenset(proven), frozenset(moving), frozenset(unequal))


Row = tuple[int, str]  # version, digest of version and fields
_NOTHING: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Found:
    """What a drill found, by key. Ghosts are no fault: Sequin sends a delete as a row (facts/procedures.md §2.10).
    Those of faulty buckets are left for the round that settles the bucket, so that each is counted once."""

    missing: int = 0
    older: int = 0
    newer: int = 0
    other: int = 0
    ghosts: int = 0
    examples: tuple[str, ...] = ()  # keys at fault, a few
    faulty: frozenset[int] = field(default=_NOTHING)  # buckets with a fault

    @property
    def faults(self) -> int:
        return self.missing + self.older + self.newer + self.other

    def words(self) -> str:
        classes = {
            "missing in Tinybird": self.missing,
            "older in Tinybird": self.older,
            "newer in Tinybird": self.newer,
            "with another value": self.other,
        }
        return ", ".join(f"{count:,} {name}" for name, count in classes.items() if count)


EXAMPLES = 3


def unlike(tinybird: Mapping[tuple[int, str], Row], source: Mapping[tuple[int, str], Row], cut: int) -> Found:
    """Compare rows by (bucket, key). ``source`` was read after ``tinybird``: a key that is only there is gone from
    Postgres. A row whose version is beyond ``cut`` is no part of the claim."""
    counts = {"missing": 0, "older": 0, "newer": 0, "other": 0}
    examples: list[str] = []
    faulty: set[int] = set()
    for place, row in source.items():
        kind = _class(tinybird.get(place), row) if row[0] <= cut else None
        if kind:
            counts[kind] += 1
            faulty.add(place[0])
            if len(examples) < EXAMPLES:
                examples.append(place[1].replace("\x1f", "/")[:60])
    ghosts = sum(place not in source for place in tinybird if place[0] not in faulty)
    return Found(**counts, ghosts=ghosts, examples=tuple(examples), faulty=frozenset(faulty))


def _class(there: Row | None, here: Row) -> str | None:
    if there is None:
        return "missing"
    if there[0] < here[0]:
        return "older"
    if there[0] > here[0]:
        return "newer"
    return None if there[1] == here[1] else "other"
