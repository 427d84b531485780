"""One graph of who reads what: data source → node → pipe → copy or materialized target → …

Nothing is parsed before it is asked for. A word search finds who might read a resource, at the cost of one pass
over the texts; only those texts are parsed. What cannot be parsed counts as a reader of every resource that it names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from runbooks.facts.model import Facts, Node, Pipe
from runbooks.lineage.sql import NotParsed, Understood, Use, computes, understand
from runbooks.plan import Reader

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class NodeUse:
    """One node that names a resource. ``use`` is None where the text could not be parsed: it is believed to read it."""

    pipe: str
    node: str
    use: Use | None


@dataclass(frozen=True)
class WildcardCopy:
    """A copy whose target must have every column of ``source``, because the SQL takes all of them."""

    copy: str
    source: str
    target: str


@dataclass(frozen=True)
class Link:
    """A materialized view that every row written into ``source`` goes through, into ``target``."""

    source: str
    pipe: str
    target: str


class Lineage:
    """The lineage of one set of facts; every answer is cheap after the first."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._pipes: Mapping[str, Pipe] = facts.pipes
        self._uses: dict[str, tuple[NodeUse, ...]] = {}
        self._readings: dict[str, tuple[set[str], set[str]]] = {}
        self._downstream: dict[str, tuple[str, ...]] = {}

    @classmethod
    def of(cls, facts: Facts) -> Lineage:
        return cls(facts)

    # --- who reads a resource -------------------------------------------------------------------------------

    def uses(self, resource: str) -> tuple[NodeUse, ...]:
        """The nodes that read the data source or pipe ``resource`` themselves."""
        if resource not in self._uses:
            found = (self._use(pipe, resource) for pipe in sorted(self._named_in.get(resource, ())))
            self._uses[resource] = tuple(use for uses in found for use in uses)
        return self._uses[resource]

    def readers(self, datasource: str) -> tuple[Reader, ...]:
        """Every pipe that reads ``datasource``, itself or through pipes, without passing a target."""
        direct, through = self._reading(datasource)
        names = [*sorted(direct), *sorted(through)]
        return tuple(self._reader(self._pipes[name], name in direct) for name in names)

    def reads(self, pipe: str) -> tuple[str, ...]:
        """The data sources and pipes that ``pipe`` reads itself, as far as it is understood; its own nodes left out."""
        known, own = self._facts.datasources.keys() | self._pipes.keys(), {n.name for n in self._pipes[pipe].nodes}
        found = {
            use.table
            for node, parsed in self.bounds(pipe)
            for use in parsed.uses
            if use.table not in own or use.table == node
        }
        return tuple(sorted(found & known))

    def copies_reaching(self, datasource: str) -> tuple[Pipe, ...]:
        """Every copy pipe that reaches ``datasource`` without passing a copy target, in the order to run them."""
        reading = [r.name for r in self.readers(datasource) if r.kind == "copy"]
        return tuple(self._pipes[name] for name in self.order_of_copies(reading))

    def not_understood(self, resource: str | None = None) -> dict[str, str]:
        """Pipes with SQL that could not be parsed and why; of those that name ``resource`` if it is given."""
        names = self._pipes if resource is None else self._named_in.get(resource, ())
        found: dict[str, str] = {}
        for name in sorted(names):
            for node in self._pipes[name].nodes:
                parsed = understand(node.sql)
                if isinstance(parsed, NotParsed) and (resource is None or resource in _words(node.sql)):
                    found.setdefault(name, f"node {node.name}: {parsed.why}")
        return found

    def not_understood_in(self, pipe: Pipe) -> Iterator[str]:
        """Why nodes of ``pipe`` could not be parsed, node by node."""
        for node in pipe.nodes:
            parsed = understand(node.sql)
            if isinstance(parsed, NotParsed):
                yield f"node {node.name}: {parsed.why}"

    def computed(self) -> tuple[str, ...]:
        """The pipes that read a table whose name is computed when they are called: it may be any."""
        return tuple(name for name in sorted(self._pipes) if any(computes(n.sql) for n in self._pipes[name].nodes))

    def emits(self, pipe: str, source: str) -> bool:
        """Whether all columns of ``source`` come out of ``pipe``, as far as it is understood."""
        return self._emits(self._pipes[pipe], self._pipes[pipe].output, source)

    # --- what follows ---------------------------------------------------------------------------------------

    def targets(self, pipe: str) -> tuple[str, ...]:
        """The data sources that a pipe writes: its copy target, its materialized targets."""
        return tuple(n.target for n in self._pipes[pipe].nodes if n.target) if pipe in self._pipes else ()

    def writers(self, datasource: str) -> tuple[Pipe, ...]:
        """The pipes whose copy or materialized node writes ``datasource``."""
        return tuple(self._pipes[name] for name in self._written_by.get(datasource, ()))

    def materialized_chain(self, datasource: str) -> tuple[Link, ...]:
        """The views that a row written into ``datasource`` triggers, to the end of every chain, nearest first."""
        found: dict[Link, None] = {}
        queue = [datasource]
        for source in queue:
            for reader in self.readers(source):
                triggers = self.triggers(reader.name) if reader.kind == "materialized" else frozenset[str]()
                if triggers is None or source in triggers:
                    links = [Link(source, reader.name, target) for target in self.targets(reader.name)]
                    queue += [link.target for link in links if link.target not in queue]
                    found.update(dict.fromkeys(links))
        return tuple(found)

    def triggers(self, pipe: str) -> frozenset[str] | None:
        """The data sources that the output of ``pipe`` begins with; None where that cannot be said."""
        found, queue = set[str](), [(self._pipes[pipe], self._pipes[pipe].output)]
        seen = {_key(*queue[0])}
        for at, node in queue:
            parsed = understand(node.sql)
            if isinstance(parsed, NotParsed):
                return None
            for name in parsed.first:
                inside = next((n for n in at.nodes if n.name == name and n is not node), None)
                other = self._pipes.get(name)
                step = (at, inside) if inside else (other, other.output) if other else None
                if step is None:
                    found.add(name)
                elif _key(*step) not in seen:
                    seen.add(_key(*step))
                    queue.append(step)
        return frozenset(found)

    def downstream(self, datasource: str) -> tuple[str, ...]:
        """Every data source that is made from ``datasource``, nearest first, itself left out."""
        if datasource not in self._downstream:
            seen, queue = {datasource}, [datasource]
            for name in queue:
                direct, through = self._reading(name)
                for target in sorted({t for pipe in (*direct, *through) for t in self.targets(pipe)} - seen):
                    seen.add(target)
                    queue.append(target)
            self._downstream[datasource] = tuple(queue[1:])
        return self._downstream[datasource]

    def order_of_copies(self, names: Iterable[str]) -> tuple[str, ...]:
        """``names`` so that a copy comes after those whose targets it reads, through other copies too."""
        left = sorted(names)
        reached = {name: set(self._after(name)) for name in left}
        ordered: list[str] = []
        while left:
            free = [n for n in left if not any(n in reached[other] for other in left if other != n)]
            chosen = free or left[:1]  # copies in a circle: any order is as good
            ordered += chosen
            left = [n for n in left if n not in chosen]
        return tuple(ordered)

    def copies_behind(self, pipe: str) -> tuple[str, ...]:
        """The copies that read, near or far, what ``pipe`` writes, each after those whose targets it reads."""
        return self.order_of_copies(set(self._after(pipe)))

    def wildcard_copies(self, datasource: str) -> tuple[WildcardCopy, ...]:
        """The copies whose targets must take a new column of ``datasource`` too, the most downstream first."""
        found: dict[str, WildcardCopy] = {}
        queue = [datasource]
        for source in queue:
            for pipe in self.copies_reaching(source):
                target = pipe.output.target
                if target and pipe.name not in found and target != source and self._emits(pipe, pipe.output, source):
                    found[pipe.name] = WildcardCopy(pipe.name, source, target)
                    queue.append(target)
        return tuple(reversed(found.values()))

    def bounds(self, pipe: str) -> Iterator[tuple[str, Understood]]:
        """The parsed nodes of ``pipe``: for those who ask how it bounds time."""
        for node in self._pipes[pipe].nodes:
            parsed = understand(node.sql)
            if isinstance(parsed, Understood):
                yield node.name, parsed

    def inlined(self, pipe: str) -> tuple[str, ...]:
        """``pipe`` and every pipe that it reads, near or far: one text when it runs."""
        seen = {pipe: None}
        queue = [pipe]
        for name in queue:
            tables = {use.table for _, parsed in self.bounds(name) for use in parsed.uses}
            for other in sorted(tables & self._pipes.keys() - seen.keys()):
                seen[other] = None
                queue.append(other)
        return tuple(seen)

    # --- within ---------------------------------------------------------------------------------------------

    @cached_property
    def _named_in(self) -> dict[str, set[str]]:
        """Resource -> pipes in whose SQL its name appears as a word: all who might read it."""
        known = self._facts.datasources.keys() | self._pipes.keys()
        found: dict[str, set[str]] = {}
        for pipe in self._pipes.values():
            for node in pipe.nodes:
                for word in _words(node.sql) & known:
                    found.setdefault(word, set()).add(pipe.name)
        return found

    @cached_property
    def _written_by(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in sorted(self._pipes):
            for target in self.targets(name):
                found.setdefault(target, []).append(name)
        return found

    def _use(self, pipe: str, resource: str) -> Iterator[NodeUse]:
        shadowed = any(node.name == resource for node in self._pipes[pipe].nodes)
        for node in self._pipes[pipe].nodes:
            if resource not in _words(node.sql) or (shadowed and node.name != resource):
                continue  # within the pipe the name is the node's, but for that node itself
            parsed = understand(node.sql)
            if isinstance(parsed, NotParsed):
                yield NodeUse(pipe, node.name, None)
            elif use := parsed.use(resource):
                yield NodeUse(pipe, node.name, use)

    def _reading(self, resource: str) -> tuple[set[str], set[str]]:
        """The pipes that read ``resource`` themselves, and those that do through other pipes."""
        if resource not in self._readings:
            self._readings[resource] = self._read_by(resource)
        return self._readings[resource]

    def _read_by(self, resource: str) -> tuple[set[str], set[str]]:
        direct = {use.pipe for use in self.uses(resource)}
        seen, queue = set(direct), sorted(direct)
        for pipe in queue:
            for use in self.uses(pipe):
                if use.pipe not in seen:
                    seen.add(use.pipe)
                    queue.append(use.pipe)
        return direct, seen - direct

    def _after(self, copy: str) -> Iterator[str]:
        """The copies that read, near or far, what ``copy`` writes; itself left out."""
        targets = self.targets(copy)
        tables = {t for target in targets for t in (target, *self.downstream(target))}
        for table in tables:
            direct, through = self._reading(table)
            yield from (p for p in (*direct, *through) if self._pipes[p].kind == "copy" and p != copy)

    def _emits(self, pipe: Pipe, node: Node, source: str, seen: frozenset[str] = frozenset()) -> bool:
        """Whether all columns of ``source`` come out of ``node``, through nodes and inlined pipes."""
        parsed = understand(node.sql)
        if isinstance(parsed, NotParsed) or _key(pipe, node) in seen:
            return False
        seen |= {_key(pipe, node)}
        inside = {n.name: n for n in pipe.nodes if n is not node}
        return any(
            self._emits_through(pipe, inside.get(use.table), use.table, source, seen)
            for use in parsed.uses
            if use.emitted
        )

    def _emits_through(self, pipe: Pipe, node: Node | None, table: str, source: str, seen: frozenset[str]) -> bool:
        if node is not None:
            return self._emits(pipe, node, source, seen)
        if table == source:
            return True
        other = self._pipes.get(table)
        return other is not None and self._emits(other, other.output, source, seen)

    def _reader(self, pipe: Pipe, direct: bool) -> Reader:
        output = pipe.output
        return Reader(
            name=pipe.name,
            kind=pipe.kind,
            direct=direct,
            schedule=output.schedule,
            mode=output.mode,
            called=self._facts.calls.get(pipe.name) if self._facts.calls is not None else None,
        )


def _words(sql: str) -> frozenset[str]:
    return frozenset(_WORD.findall(sql))


def _key(pipe: Pipe, node: Node) -> str:
    return f"{pipe.name}/{node.name}"
