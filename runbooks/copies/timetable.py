"""New times for copies that collide: what reads waits for what is read, and a copy slot stays free.

A copy is only ever moved later, within its own period and its own day: what it read before it still reads, and SQL that
asks for today means the same day. Schedules of other shapes than a minute, or an hour and a minute, stay.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from runbooks.copies.day import MINUTES, Load, later, starts
from runbooks.copies.day import lag as minutes_between
from runbooks.copies.feeds import Feeds, Timed
from runbooks.schedules import period_s

_DEEPEST = 64  # no estate has so many copies that read one another in a row
FREE = 1  # copy slots that are left to runs by hand
_SIMPLE = re.compile(r"(\d{1,2}) (\*|\*/\d{1,2}|\d{1,2}) \* \* \*")


@dataclass(frozen=True)
class Move:
    """One pipe's new schedule, so many ``minutes`` later than the old one, and why: a clause."""

    pipe: str
    old: str
    new: str
    minutes: int
    why: str


@dataclass(frozen=True)
class Clash:
    """``pipe`` starts while ``reads``, which writes ``table`` that it reads, still runs."""

    pipe: str
    reads: str
    table: str


@dataclass(frozen=True)
class Timetable:
    """``moves`` with those first that others read. ``most_before`` and ``most`` are how many run at once in the fullest
    minute; ``clashes_before`` and ``clashes`` what reads too early, then and now."""

    moves: tuple[Move, ...]
    most_before: int
    most: int
    clashes_before: tuple[Clash, ...]
    clashes: tuple[Clash, ...]


def furthest(schedule: str) -> int:
    """How many minutes later it may begin; 0 where it stays."""
    shape = _SIMPLE.fullmatch(schedule)
    if shape is None:
        return 0
    minute, hour = int(shape[1]), shape[2]
    if hour == "*":
        return 59
    return 59 - minute if hour.startswith("*") else MINUTES - 1 - int(hour) * 60 - minute


def moved(schedule: str, by: int) -> str:
    """The schedule ``by`` minutes later, of the same period. ``by`` is at most ``furthest``."""
    shape = _SIMPLE.fullmatch(schedule)
    if shape is None or by == 0:
        return schedule
    minute, hour = int(shape[1]) + by, shape[2]
    if hour.isdigit():
        return f"{minute % 60} {int(hour) + minute // 60} * * *"
    return f"{minute % 60} {hour} * * *"


def clashes(copies: Mapping[str, Timed], feeds: Feeds) -> tuple[Clash, ...]:
    """Every copy that starts in a minute in which one that it reads still runs."""
    return tuple(
        Clash(name, up, table)
        for name in sorted(copies)
        for up, table in sorted(feeds.get(name, {}).items())
        if copies[name].starts & copies[up].running
    )


def propose(copies: Mapping[str, Timed], feeds: Feeds, quota: int, movable: Collection[str]) -> Timetable:
    """The timetable that moves few of ``movable`` by few minutes: the same for the same values, and nothing more to do
    once it stands. Where not all can be had, fewer at once than the quota comes before what is read."""
    now, why = dict(copies), dict[str, str]()
    while better := _better(now, feeds, quota, movable):  # each has fewer troubles, so that there is a last one
        now, why = better[0], {**why, **better[1]}
    moves = (
        Move(name, old, new, _between(old, new), why[name])
        for name, _ in sorted(_depths(feeds).items(), key=lambda item: (item[1], item[0]))
        if (old := copies[name].schedule) != (new := now[name].schedule)
    )
    return Timetable(tuple(moves), _most(copies), _most(now), clashes(copies, feeds), clashes(now, feeds))


_Better = tuple[dict[str, Timed], dict[str, str]]


def _better(copies: Mapping[str, Timed], feeds: Feeds, quota: int, movable: Collection[str]) -> _Better | None:
    """The copies as they would be placed, and why each moves; None where that is no better than it is."""
    best, fewest = None, _troubles(copies, feeds, quota)
    for most in dict.fromkeys((quota - FREE, max(quota - FREE, _most(copies)))):
        making = _Making(copies, feeds, most, movable)
        made = {
            name: replace(copies[name], schedule=moved(copies[name].schedule, by))
            for name, by in making.shifts().items()
        }
        if (troubles := _troubles(made, feeds, quota)) < fewest:
            best, fewest = (made, {name: making.why[name] for name in made if made[name] != copies[name]}), troubles
    return best


def _troubles(copies: Mapping[str, Timed], feeds: Feeds, quota: int) -> tuple[int, int]:
    """How many too many run at once, then how many read too early."""
    return max(0, _most(copies) - (quota - FREE)), len(clashes(copies, feeds))


def _most(copies: Mapping[str, Timed]) -> int:
    return Load(copy.running for copy in copies.values()).most


def _between(old: str, new: str) -> int:
    return minutes_between(starts(old), starts(new)) or 0


@dataclass(frozen=True)
class _Edge:
    """``up`` is read by ``down``. ``lag`` is how long after it ``down`` starts, where both have one period: it reads
    that very run, and must go on doing so."""

    up: Timed
    down: Timed
    lag: int | None

    def holds(self, up_by: int, down_by: int) -> bool:
        if later(self.down.starts, down_by) & later(self.up.running, up_by):
            return False
        return self.lag is None or self.lag + down_by >= up_by + self.up.lasting


class _Making:
    """Placed one after the other: what stays where it is, then what is read before what reads it, the long before the
    short. Each is put at the first minute where all holds with those that have a place."""

    def __init__(self, copies: Mapping[str, Timed], feeds: Feeds, most: int, movable: Collection[str]) -> None:
        self._copies = copies
        self._most = most
        self._movable = {n for n in copies if n in movable and furthest(copies[n].schedule)}
        self._edges: dict[str, list[_Edge]] = {name: [] for name in copies}
        for edge in _edges(copies, feeds):
            self._edges[edge.up.pipe].append(edge)
            self._edges[edge.down.pipe].append(edge)
        depth = _depths(feeds)
        self._order = sorted(
            copies, key=lambda name: (name in self._movable, depth.get(name, 0), -copies[name].lasting, name)
        )
        self._load = Load()
        self._by: dict[str, int] = {}
        self.why: dict[str, str] = {}

    def shifts(self) -> dict[str, int]:
        """By how many minutes each is moved, in the order of reading."""
        for name in self._order:
            by = self._first(self._copies[name]) if name in self._movable else 0
            self._load.add(later(self._copies[name].running, by))
            self._by[name] = by
        return dict(self._by)

    def _first(self, copy: Timed) -> int:
        """The first minute in which a slot is free and as much as can be holds."""
        placed = [e for e in self._edges[copy.pipe] if _other(e, copy).pipe in self._by]
        broken = [e for e in placed if not self._holds(e, copy, 0)]
        # one that reads this too early today is mended by moving the reader, not by passing it
        edges = [e for e in placed if e.down.pipe == copy.pipe or e not in broken]
        self.why[copy.pipe] = self._said(copy, broken)
        every = range(furthest(copy.schedule) + 1)
        full = self._load.over(self._most - 1)
        free = [by for by in every if not later(copy.running, by) & full]
        best, fewest = 0, len(edges) + 1
        for by in free or every:
            fails = sum(not self._holds(e, copy, by) for e in edges)
            if fails < fewest:
                best, fewest = by, fails
            if not fails:
                break
        return best

    def _holds(self, edge: _Edge, copy: Timed, by: int) -> bool:
        if edge.up.pipe == copy.pipe:
            return edge.holds(by, self._by[edge.down.pipe])
        return edge.holds(self._by[edge.up.pipe], by)

    def _said(self, copy: Timed, broken: list[_Edge]) -> str:
        above = [e for e in broken if e.down.pipe == copy.pipe]
        if not above:
            return f"so that no more than {self._most} run at once"
        longest = max(above, key=lambda e: (e.up.lasting, e.up.pipe)).up
        return f"{longest.pipe}, which it reads, takes up to {longest.lasting} min"


def _other(edge: _Edge, copy: Timed) -> Timed:
    return edge.down if edge.up.pipe == copy.pipe else edge.up


def _edges(copies: Mapping[str, Timed], feeds: Feeds) -> Iterator[_Edge]:
    for name in sorted(copies):
        for above in sorted(feeds.get(name, {})):
            up, down = copies[above], copies[name]
            same = period_s(up.schedule) == period_s(down.schedule)
            yield _Edge(up, down, minutes_between(up.starts, down.starts) if same else None)


def _depths(feeds: Feeds) -> dict[str, int]:
    """How many copies stand above each, one reading the other; a circle is cut."""
    found = dict.fromkeys(feeds, 0)
    for _ in range(_DEEPEST):
        deeper = {name: 1 + max((found.get(up, 0) for up in above), default=-1) for name, above in feeds.items()}
        if deeper == found:
            break
        found = deeper
    return found
