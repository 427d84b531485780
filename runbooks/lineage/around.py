"""Both sides of a resource in one answer: for ``lineage``, which people ask before they change anything."""

from collections.abc import Iterator

from runbooks.around import Around, Flow
from runbooks.facts.model import Facts, Pipe
from runbooks.lineage.graph import Lineage


def around(facts: Facts, name: str) -> Around:
    """What feeds the data source or pipe ``name`` and what it feeds. Raises ``KeyError`` if there is none."""
    lineage = Lineage.of(facts)
    if name in facts.datasources:
        itself, feeds = Flow(name=name, kind="data source"), _written_by(facts, lineage, name)
    else:
        itself, feeds = _flow(facts, facts.pipes[name]), _read_by(facts, lineage, name)
    through = {other for reader in lineage.readers(name) for other in lineage.targets(reader.name)}
    own = () if name in facts.datasources else lineage.targets(name)
    near = sorted({*through, *own})
    far = (table for target in near for table in lineage.downstream(target))
    return Around(
        itself=itself,
        fed_by=tuple(feeds),
        readers=tuple(_readers(facts, lineage, name)),
        further=tuple(table for table in dict.fromkeys((*near, *far)) if table != name),
        not_understood=tuple(lineage.not_understood(name)),
    )


def _readers(facts: Facts, lineage: Lineage, name: str) -> Iterator[Flow]:
    readers = lineage.readers(name)
    direct = {reader.name for reader in readers if reader.direct}
    for reader in readers:
        via = () if reader.direct else tuple(sorted(direct.intersection(lineage.inlined(reader.name))))
        yield _flow(facts, facts.pipes[reader.name], via)


def _written_by(facts: Facts, lineage: Lineage, name: str) -> Iterator[Flow]:
    """Events and their way here, copies, views."""
    if sink := facts.sink_of(name):
        stopped = sink.status != "active"
        yield Flow(name=sink.name, kind="Sequin sink", target=sink.topic, stopped=stopped)
    elif writers := facts.writers.get(name, ()):
        yield from (Flow(name=each.where, kind="deployment") for each in writers)
    elif any(column.jsonpath for column in facts.datasources[name].columns):
        yield Flow(name="events", kind="events")
    for pipe in lineage.writers(name):
        yield _flow(facts, pipe).model_copy(update={"target": None})


def _read_by(facts: Facts, lineage: Lineage, name: str) -> Iterator[Flow]:
    """What a pipe reads itself, and the data sources behind the pipes among that."""
    direct = lineage.reads(name)
    for source in direct:
        yield _flow(facts, facts.pipes[source]) if source in facts.pipes else Flow(name=source, kind="data source")
    behind: dict[str, list[str]] = {}
    for pipe in (source for source in direct if source in facts.pipes):
        for table in {table for inner in lineage.inlined(pipe) for table in lineage.reads(inner)}:
            if table in facts.datasources and table not in direct:
                behind.setdefault(table, []).append(pipe)
    yield from (Flow(name=table, kind="data source", via=tuple(via)) for table, via in sorted(behind.items()))


def _flow(facts: Facts, pipe: Pipe, via: tuple[str, ...] = ()) -> Flow:
    output = pipe.output
    return Flow(
        name=pipe.name,
        kind=pipe.kind,
        via=via,
        target=output.target,
        mode=output.mode,
        schedule=output.schedule,
        stopped=pipe.schedule_status == "shutdown",
        called=facts.calls.get(pipe.name) if facts.calls is not None else None,
    )
