"""Readers moved out of the way one by one, so that none of them is broken (facts/procedures.md §4).

What feeds a table goes by its name, so that a table beside it is fed by nobody: readers are moved to a mirror of it,
the table itself, which no endpoint reads then, is replaced by whatever strategy is best, and they are moved back.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from runbooks.facts.model import Facts
from runbooks.guards import digest_of_schema
from runbooks.lineage import NotMoved, reading
from runbooks.plan import Estimate, Reader
from runbooks.proof.chunks import copied
from runbooks.proof.mirror import Mirrored
from runbooks.step import Step
from runbooks.steps.mirror import CreateMirror, DropMirror, EndRunsFeed, FeedMirror, mirror_name
from runbooks.steps.mirror_copy import CopyMirror, CreateMirrorPipe, ProveMirror, RemoveMirrorPipe
from runbooks.steps.moves import RUN, CheckUnread, MoveReader, NodeSql, ReturnReader
from runbooks.strategies import Assessment, PlannedChange, register, strategies
from runbooks.strategies.beside import not_copyable, times
from runbooks.strategies.enclosing import Enclosed, Enclosing
from runbooks.strategies.parts import standing
from runbooks.words import counted

WITHIN = ("recreate", "swap", "rename")  # what may replace a table that no endpoint reads
MOVE_S = 10  # one reader, with its answers asked before and after


@dataclass(frozen=True)
class PipeByPipe:
    name: str = "pipe-by-pipe"

    def assess(self, change: PlannedChange, facts: Facts) -> Assessment:
        moved = _Moved(change, facts)
        if moved.hindrance:
            return Assessment(eligible=False, reason=moved.hindrance)
        within, best = moved.within
        copy = times(change.target.before).copy
        readers = counted(len(moved.readers), "reader")
        are = "is" if len(moved.readers) == 1 else "are"
        seconds = best.took.seconds + copy.seconds + 2 * MOVE_S * len(moved.readers)
        return Assessment(
            eligible=True,
            reason=f"{readers} of {change.name} {are} moved to a mirror of it while it is replaced",
            reasons=(
                f"no read is broken: {readers} {are} moved to a mirror of {change.name}, one approved step each, and "
                f"back when the new one is proven; {within} replaces it meanwhile",
                "the mirror has the rows and the schema that readers know, proven by value; answers are compared",
            ),
            costs=(f"a mirror, a copy of {copy.formula}", f"{readers} moved there and back", *best.costs[:1]),
            hold=best.hold,
            stale=Estimate(
                seconds=best.stale.seconds or best.hold.seconds,
                formula=f"the mirror stands still meanwhile: {best.stale.formula or best.hold.formula}",
            ),
            took=Estimate(
                seconds=seconds,
                formula=f"a mirror, a copy of {copy.formula} + {len(moved.readers)} × 2 × {MOVE_S} s to move readers + "
                f"{within}: {best.took.formula}",
            ),
            within=within,
        )

    def steps(self, change: PlannedChange, facts: Facts) -> Iterator[Step]:
        moved = _Moved(change, facts)
        if moved.hindrance:
            return  # not eligible
        yield from moved.mirrored()
        yield from moved.away()
        yield from _replacing(moved.within[0]).steps(change, facts, moved)

    def diffs(self, change: PlannedChange, facts: Facts) -> Mapping[str, str]:
        return _Moved(change, facts).diffs()


@dataclass(frozen=True)
class _Moved(Enclosing):
    """One change carried out pipe by pipe: who is moved, and what stands around the replacement."""

    change: PlannedChange
    facts: Facts

    @cached_property
    def hindrance(self) -> str | None:
        """Why readers cannot be moved, or nothing could replace the table meanwhile; None if it can be done."""
        change = self.change
        if not change.endpoints:
            return "no endpoint reads it, so that there is none to move"
        if why := not_copyable((change.target.before,), change.readers):
            return why
        fixed = next((r for r in self.needed if r.kind not in ("endpoint", "pipe")), None)
        if fixed:
            return f"endpoints read {change.name} through {fixed.name}, a {fixed.kind} pipe, which cannot be moved"
        try:
            for reader in self.readers:
                self._nodes(reader)
        except NotMoved as exc:
            return str(exc)
        assessed = {name: _replacing(name).assess(change, self.facts) for name in WITHIN}
        if not any(each.eligible for each in assessed.values()):
            return "nothing could replace it meanwhile; " + "; ".join(f"{n}: {a.reason}" for n, a in assessed.items())
        return None

    @cached_property
    def within(self) -> tuple[str, Assessment]:
        """What replaces the table while no endpoint reads it: the shortest hold, then the least work."""
        able = {name: _replacing(name).assess(self.change, self.facts) for name in WITHIN}
        return min(
            ((name, each) for name, each in able.items() if each.eligible),
            key=lambda pair: (pair[1].hold.seconds, pair[1].took.seconds),
        )

    @cached_property
    def needed(self) -> tuple[Reader, ...]:
        """The pipes through which endpoints read the table, those that read it themselves."""
        inlined = {name for endpoint in self.change.endpoints for name in self.change.lineage.inlined(endpoint.name)}
        return tuple(reader for reader in self.change.readers if reader.direct and reader.name in inlined)

    @property
    def readers(self) -> tuple[Reader, ...]:
        return tuple(reader for reader in self.needed if reader.kind in ("endpoint", "pipe"))

    # -- before the table is replaced

    def mirrored(self) -> Iterator[Step]:
        """The mirror, fed before it is filled."""
        before = self.change.target.before
        table = standing(self.change, self.facts)
        same = table.model_copy(update={"planned": digest_of_schema(before)})
        of = copied(before, before, {})
        rows = self.facts.limits.copy_chunk_rows
        yield CreateMirror.of(same, before)
        yield FeedMirror(source=before.name, columns=tuple(column.name for column in before.columns))
        yield CreateMirrorPipe(of=of)
        yield CopyMirror(of=of, rows=rows)
        yield ProveMirror(of=Mirrored(of, before.sorting_key), rows=rows)
        yield RemoveMirrorPipe(source=before.name)

    def away(self) -> Iterator[Step]:
        table = standing(self.change, self.facts)
        for reader in self.readers:
            yield MoveReader(
                pipe=reader.name, table=table, nodes=self._nodes(reader), endpoints=self._endpoints(reader)
            )
        yield self._unread()

    # -- around the replacement

    def still(self) -> Iterator[Step]:
        yield EndRunsFeed(source=self.change.name)
        yield self._unread()

    def proven(self) -> Iterator[Step]:
        table = standing(self.change, self.facts)
        for reader in self.readers:
            yield ReturnReader(
                pipe=reader.name, table=table, nodes=self._nodes(reader), endpoints=self._endpoints(reader)
            )
        yield DropMirror(source=self.change.name)

    # -- parts

    def diffs(self) -> Mapping[str, str]:
        """By pipe what changes in its SQL, as people read it."""
        return {} if self.hindrance else {r.name: "".join(map(_diff, self._nodes(r))) for r in self.readers}

    def _unread(self) -> CheckUnread:
        moved = {reader.name for reader in self.readers}
        known = tuple(sorted(r.name for r in self.change.readers if r.direct and r.name not in moved))
        return CheckUnread(table=standing(self.change, self.facts), known=known)

    def _endpoints(self, reader: Reader) -> tuple[str, ...]:
        lineage = self.change.lineage
        return tuple(each.name for each in self.change.endpoints if reader.name in lineage.inlined(each.name))

    def _nodes(self, reader: Reader) -> tuple[NodeSql, ...]:
        """Raises ``NotMoved`` with a whole sentence."""
        name, pipe = self.change.name, self.facts.pipes[reader.name]
        used = {use.node for use in self.change.lineage.uses(name) if use.pipe == reader.name}
        numbered, plain = mirror_name(name, 0), mirror_name(name, RUN)
        try:
            return tuple(
                NodeSql(
                    node=node.name,
                    before=node.sql,
                    after=reading(node.sql, name, numbered).replace(numbered, plain),
                )
                for node in pipe.nodes
                if node.name in used
            )
        except NotMoved as exc:
            raise NotMoved(f"{reader.name} cannot be moved: its SQL {exc}") from exc


def _replacing(name: str) -> Enclosed:
    found = strategies()[name]
    assert isinstance(found, Enclosed)
    return found


def _diff(node: NodeSql) -> str:
    lines = difflib.unified_diff(
        node.before.strip().splitlines(),
        node.after.strip().splitlines(),
        f"{node.node}, now",
        f"{node.node}, reading the mirror",
        lineterm="",
        n=1,
    )
    return "\n".join(lines) + "\n"


register(PipeByPipe())
