"""Those who read a table, and what a change does to them (facts/procedures.md §2.4, §2.5, §2.11)."""

from collections.abc import Iterator

from runbooks import twice
from runbooks.hazards import Context, found, on_pipe, on_plan
from runbooks.plan import Hazard
from runbooks.twice import replacing
from runbooks.words import counted


@on_plan
def reader_without_final(at: Context) -> Iterator[Hazard]:
    """Of the table itself, and of what views fill from it: rows that come again stand there twice until they merge."""
    if not (at.reinserts or at.rebuilds or at.mirrored):
        return
    for doubled in twice.readers(at.planned, at.facts):
        reader, table = doubled.reader, doubled.table
        others = len(set(doubled.pages) - {reader})
        through = f", and {counted(others, 'endpoint')} through it" if others else ""
        yield found(
            "reader-without-final",
            "error" if at.reinserts and doubled.pages else "warning",
            reader,
            f"{reader} reads {table} without FINAL{through}: it counts rows twice {_while(at)}.",
            f"Read {table} FINAL there first.",
        )


def _while(at: Context) -> str:
    return "in the mirror, or once those of which the table has more" if at.mirrored else "while they are backfilled"


@on_pipe
def raw_read_without_final(at: Context) -> Iterator[Hazard]:
    pipe = at.pipe
    if pipe is None or pipe.kind == "materialized":
        return
    for node, parsed in at.lineage.bounds(pipe.name):
        for use in parsed.uses:
            table = at.facts.datasources.get(use.table)
            if table and replacing(table) and not use.final and not use.prefixed and not at.lineage.writers(use.table):
                yield found(
                    "reader-without-final",
                    "warning",
                    pipe.name,
                    f"Node {node} reads {use.table} without FINAL: it may see several versions of a row.",
                    f"Write {use.table} FINAL, or read a deduplicated copy.",
                )


@on_plan
def endpoint_reads_raw(at: Context) -> Iterator[Hazard]:
    """Those that read through a pipe are told with it: most widgets of the estate inline the same one."""
    if not at.rebuilds or at.mirrored:
        return
    change, through = at.planned, dict[tuple[str, ...], list[str]]()
    direct = {reader.name for reader in change.readers if reader.direct}
    for reader in change.endpoints:
        via = () if reader.direct else tuple(sorted(direct.intersection(change.lineage.inlined(reader.name))))
        through.setdefault(via or (reader.name,), []).append(reader.name)
    for via, names in sorted(through.items()):
        yield found(
            "endpoint-reads-raw",
            "warning",
            ", ".join(via),
            f"{_who(via, names)} {change.name}: it fails or answers short while the table is made anew.",
            "Use alter, or let it read a copy.",
        )


def _who(via: tuple[str, ...], names: list[str]) -> str:
    """Of one endpoint its name; of those that read through ``via`` their number."""
    others = counted(len(set(names) - set(via)), "endpoint")
    if names == [*via]:
        return f"{via[0]} reads"
    return f"{via[0]}, and {others} through it, reads" if via[0] in names else f"{', '.join(via)}, for {others}, reads"


@on_plan
def sink_pipe_replays(at: Context) -> Iterator[Hazard]:
    for name in at.planned.sink_pipes:
        if at.rebuilds:
            yield found(
                "sink-pipe-replays",
                "error",
                name,
                f"{name} exports {at.planned.name}: after the rebuild it would export every row again.",
                "Use alter, or stop the export for the time of the run.",
            )


@on_plan
def not_understood(at: Context) -> Iterator[Hazard]:
    reading, name = {r.name for r in at.planned.readers}, at.planned.name
    for pipe, why in at.planned.lineage.not_understood(name).items():
        if pipe in reading:
            yield found(
                "pipe-not-understood",
                "warning",
                pipe,
                f"{pipe} is not understood ({at.facts.broken.get(f'{pipe}.pipe', why)}). It names {name} and is taken "
                "for a reader.",
                "Look at it yourself before approving.",
            )
    for pipe in at.planned.lineage.computed():
        if pipe not in reading:
            yield found(
                "pipe-not-understood",
                "note",
                pipe,
                f"Which table {pipe} reads is computed when it is called: {name} could be one.",
                "Look at it yourself, if callers may name the table.",
            )


@on_pipe
def not_understood_pipe(at: Context) -> Iterator[Hazard]:
    if at.pipe is None or f"{at.pipe.name}.pipe" in at.facts.broken:
        return  # a broken file is a finding of its own
    for why in at.lineage.not_understood_in(at.pipe):
        yield found(
            "pipe-not-understood",
            "warning",
            at.pipe.name,
            f"Its SQL is not understood ({why}): it is taken for a reader of everything that it names.",
            "Look at it yourself when a plan lists it.",
        )
