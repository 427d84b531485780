"""Pipes that take every column: what comes in, goes or changes its type reaches them unasked."""

import re
from collections.abc import Iterator

from runbooks.hazards import Context, found, on_pipe, on_plan
from runbooks.lineage import Understood, understand
from runbooks.plan import Hazard, Reader

_SOME_COLUMNS = re.compile(r"\b(?:EXCEPT|COLUMNS|REPLACE|APPLY)\b", re.IGNORECASE)


@on_plan
def wildcard_reader(at: Context) -> Iterator[Hazard]:
    change = at.planned
    for reader in change.readers:
        if _takes_all(at, reader, change.name):
            if change.target.added:
                yield from _more_columns(at, reader, change.name)
            yield from _fewer_columns(at, reader)
    for table in (altered.before.name for altered in change.targets):
        for reader in change.lineage.readers(table):
            if _takes_all(at, reader, table):
                yield from _more_columns(at, reader, table)


def _takes_all(at: Context, reader: Reader, table: str) -> bool:
    return any(use.use and use.use.wildcard for use in at.planned.lineage.uses(table) if use.pipe == reader.name)


def _more_columns(at: Context, reader: Reader, table: str) -> Iterator[Hazard]:
    change, takes = at.planned, f"{reader.name} takes every column of {table}"
    altered = {target.before.name for target in change.targets}
    reached = altered.intersection(change.lineage.targets(reader.name))
    if reader.kind == "copy" and reached:
        message = f"{takes}: its target gets the new ones first."
        yield found("wildcard-reader", "note", reader.name, message, "Nothing to do.")
    elif reader.kind == "copy":
        yield from _target_unknown(at, reader, table)
    elif reader.kind != "materialized" and not change.lineage.emits(reader.name, table):
        message = f"{takes} inside; its answers stay as they are."
        yield found("wildcard-reader", "note", reader.name, message, "Nothing to do.")
    elif reader.kind in ("endpoint", "pipe", "sink"):
        message = f"{takes}: its answers get the new ones too."
        yield found("wildcard-reader", "warning", reader.name, message, "Name the columns, if callers mind.")
    elif reached:
        message = f"{takes}, and its target gets the new ones from a copy: look whether the view fills them too."
        yield found("wildcard-reader", "warning", reader.name, message, "Push the view again after the run.")
    else:
        message = f"{takes}, and its target has no place for new ones."
        yield found("wildcard-reader", "warning", reader.name, message, "Name the columns in the view first.")


def _fewer_columns(at: Context, reader: Reader) -> Iterator[Hazard]:
    """What a removed column leaves behind where all were taken."""
    gone = [c.name for c in at.planned.target.before.columns if at.planned.target.after.column(c.name) is None]
    if not gone or not at.planned.lineage.emits(reader.name, at.planned.name):
        return
    takes = f"{reader.name} takes every column of {at.planned.name}"
    for target in at.planned.lineage.targets(reader.name):
        table = at.facts.datasources.get(target)
        kept = [name for name in gone if table and table.column(name)]
        if kept:
            message = f"{takes}: {', '.join(kept)} of {target} is no longer filled, new rows have the default there."
            yield found("wildcard-reader", "warning", reader.name, message, f"Remove it from {target} afterwards.")
    if reader.kind in ("endpoint", "pipe", "sink"):
        message = f"{takes}: {', '.join(gone)} is no longer among its answers."
        yield found("wildcard-reader", "warning", reader.name, message, "Ask its callers first.")


def _target_unknown(at: Context, reader: Reader, table: str) -> Iterator[Hazard]:
    """A wildcard copy whose target nobody knows: it fails from the first run with a column more."""
    target = at.facts.pipes[reader.name].output.target or "its target"
    if target not in at.facts.datasources and at.planned.lineage.emits(reader.name, table):
        message = f"{reader.name} takes every column of {table}, and its target {target} is not known here."
        yield found("wildcard-reader", "error", reader.name, message, f"Bring {target} in, or name the columns.")


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
