"""Those who read a table, and what a change does to them (facts/procedures.md §2.4, §2.5, §2.11)."""

import re
from collections.abc import Iterator

from runbooks.facts.model import Datasource
from runbooks.hazards import Context, found, on_datasource, on_pipe, on_plan
from runbooks.lineage import NodeUse, Understood, understand
from runbooks.plan import Hazard, Reader

_SOME_COLUMNS = re.compile(r"\b(?:EXCEPT|COLUMNS|REPLACE|APPLY)\b", re.IGNORECASE)


@on_plan
def wildcard_reader(at: Context) -> Iterator[Hazard]:
    change, handled = at.planned, {altered.copy for altered in at.planned.targets}
    for reader in change.readers:
        if not any(use.use and use.use.wildcard for use in change.lineage.uses(change.name) if use.pipe == reader.name):
            continue
        if reader.name in handled:
            message = f"{reader.name} takes every column of {change.name}: its target gets the new ones first."
            yield found("wildcard-reader", "note", reader.name, message, "Nothing to do.")
        elif reader.kind == "copy":
            yield from _target_unknown(at, reader)
        elif reader.kind != "materialized" and not change.lineage.emits(reader.name, change.name):
            message = f"{reader.name} takes every column of {change.name} inside; its answers stay as they are."
            yield found("wildcard-reader", "note", reader.name, message, "Nothing to do.")
        elif reader.kind in ("endpoint", "pipe", "sink"):
            message = f"{reader.name} takes every column of {change.name}: its answers get the new ones too."
            yield found("wildcard-reader", "warning", reader.name, message, "Name the columns, if callers mind.")
        elif reader.kind == "materialized":
            message = f"{reader.name} takes every column of {change.name}, and its target has no place for new ones."
            yield found("wildcard-reader", "warning", reader.name, message, "Name the columns in the view first.")


def _target_unknown(at: Context, reader: Reader) -> Iterator[Hazard]:
    """A wildcard copy whose target nobody knows: it fails from the first run with a column more."""
    target = at.facts.pipes[reader.name].output.target or "its target"
    if target not in at.facts.datasources and at.planned.lineage.emits(reader.name, at.planned.name):
        message = f"{reader.name} takes every column of {at.planned.name}, and its target {target} is not known here."
        yield found("wildcard-reader", "error", reader.name, message, f"Bring {target} in, or name the columns.")


@on_plan
def materialized_reader(at: Context) -> Iterator[Hazard]:
    change = at.planned
    for reader in _of_kind(change.readers, "materialized"):
        if at.rebuilds:
            yield found(
                "materialized-reader",
                "error",
                reader.name,
                f"{reader.name} is fed by {change.name}: a table that triggers a materialized view cannot be deleted.",
                "Use alter, or unlink the view first.",
            )
        else:
            yield found(
                "materialized-reader",
                "note",
                reader.name,
                f"{reader.name} is fed by {change.name} and goes on writing the columns that it wrote before.",
                "Change the view in a change of its own, if it is to carry the new ones.",
            )


@on_plan
def reader_without_final(at: Context) -> Iterator[Hazard]:
    change = at.planned
    if not (at.reinserts or at.rebuilds) or not _replacing(change.target.before):
        return
    for reader in change.readers:
        uses = [u.use for u in change.lineage.uses(change.name) if u.pipe == reader.name and u.use]
        if uses and not all(use.final for use in uses):
            error = at.reinserts and reader.kind == "endpoint"
            yield found(
                "reader-without-final",
                "error" if error else "warning",
                reader.name,
                f"{reader.name} reads {change.name} without FINAL: it counts rows twice while they are written again.",
                f"Read {change.name} FINAL there first.",
            )


@on_pipe
def raw_read_without_final(at: Context) -> Iterator[Hazard]:
    pipe = at.pipe
    if pipe is None or pipe.kind == "materialized":
        return
    for node, parsed in at.lineage.bounds(pipe.name):
        for use in parsed.uses:
            table = at.facts.datasources.get(use.table)
            if table and _replacing(table) and not use.final and not use.prefixed and not at.lineage.writers(use.table):
                yield found(
                    "reader-without-final",
                    "warning",
                    pipe.name,
                    f"Node {node} reads {use.table} without FINAL: it may see several versions of a row.",
                    f"Write {use.table} FINAL, or read a deduplicated copy.",
                )


@on_plan
def backfill_double_counts(at: Context) -> Iterator[Hazard]:
    change = at.planned
    if not (at.reinserts or at.rebuilds):
        return
    for reader in _of_kind(change.readers, "materialized"):
        for target in change.lineage.targets(reader.name):
            table = at.facts.datasources.get(target)
            if table and _replacing(table) and table.sorting_key == change.target.before.sorting_key:
                continue
            yield found(
                "backfill-double-counts",
                "error",
                target,
                f"{reader.name} writes {target} again for every row of the backfill: what it sums is wrong for ever.",
                f"Unlink {reader.name}, backfill, rebuild {target}, and link it again.",
            )


@on_plan
def endpoint_reads_raw(at: Context) -> Iterator[Hazard]:
    if not at.rebuilds:
        return
    for reader in at.planned.endpoints:
        yield found(
            "endpoint-reads-raw",
            "warning",
            reader.name,
            f"{reader.name} reads {at.planned.name} {'itself' if reader.direct else 'through other pipes'}: "
            "it fails or answers short while the table is made anew.",
            "Use alter, or let it read a copy.",
        )


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


@on_datasource
def column_still_used(at: Context) -> Iterator[Hazard]:
    """A reader that names a column which the table does not have."""
    if at.change is not None:
        return
    known = {c.name for c in at.subject.columns}
    for use in at.lineage.uses(at.subject.name):
        named = use.use.qualified | _alone(at, use) if use.use else frozenset[str]()
        missing = sorted(c for c in named - known if not c.startswith("_"))  # _part and kin are ClickHouse's own
        for column in missing:
            yield found(
                "column-still-used",
                "error",
                f"{at.subject.name}.{column}",
                f"{use.pipe} reads {column} of {at.subject.name}, which has no such column.",
                f"Change {use.pipe}, or add the column.",
            )


def _alone(at: Context, use: NodeUse) -> frozenset[str]:
    """Columns without a table's name, where the node reads nothing else."""
    sql = next(n.sql for n in at.facts.pipes[use.pipe].nodes if n.name == use.node)
    parsed = understand(sql)
    return parsed.alone if isinstance(parsed, Understood) and not (use.use and use.use.prefixed) else frozenset()


@on_pipe
def wildcard_overflows(at: Context) -> Iterator[Hazard]:
    """A copy that takes every column of a table, into a target that has not all of them: it fails at its next run."""
    pipe = at.pipe
    target = at.facts.datasources.get(pipe.output.target or "") if pipe and pipe.kind == "copy" else None
    parsed = understand(pipe.output.sql) if pipe else None
    if pipe is None or target is None or not isinstance(parsed, Understood) or _SOME_COLUMNS.search(pipe.output.sql):
        return
    for use in parsed.uses:
        source = at.facts.datasources.get(use.table) if use.emitted and not use.prefixed else None
        inside = any(node.name == use.table for node in pipe.nodes)
        lacking = [c.name for c in source.columns if target.column(c.name) is None] if source and not inside else []
        if lacking:
            yield found(
                "wildcard-reader",
                "error",
                pipe.name,
                f"{pipe.name} takes every column of {use.table}, and its target {target.name} has no "
                f"{', '.join(lacking)}.",
                f"Add them to {target.name}, or name the columns.",
            )


def _of_kind(readers: tuple[Reader, ...], kind: str) -> Iterator[Reader]:
    return (r for r in readers if r.kind == kind)


def _replacing(table: Datasource) -> bool:
    return table.engine.endswith("ReplacingMergeTree")
