"""The way from Postgres to Tinybird: publication, identity, grants, slot, Sequin sink, tokens."""

from collections.abc import Iterator

from runbooks.budget import sink_budget
from runbooks.facts.model import Column, PgTable, Slot
from runbooks.hazards import Context, found, on_datasource, on_plan
from runbooks.plan import Hazard

SLOT_LAG_BYTES = 64 * 10**6  # more than a restart of the slot leaves behind


@on_datasource
def replica_identity(at: Context) -> Iterator[Hazard]:
    if (table := _replicated(at)) and table.identity != "f":
        yield found(
            "replica-identity",
            "error",
            table.name,
            f"The replica identity of {table.name} is not FULL: an update that leaves a wide column alone sends the "
            "words unchanged_toast instead of its value.",
            f"ALTER TABLE {_quoted(table)} REPLICA IDENTITY FULL; then a backfill.",
        )


@on_datasource
def grant_missing(at: Context) -> Iterator[Hazard]:
    if (table := _replicated(at)) and not table.granted:
        yield found(
            "grant-missing",
            "error",
            table.name,
            f"Sequin's role may not SELECT from {table.name}: a backfill reads nothing.",
            f"GRANT SELECT ON {_quoted(table)} TO sequin;",
        )


@on_datasource
def publication_column_list(at: Context) -> Iterator[Hazard]:
    table = _replicated(at)
    if table is None:
        return
    if not table.published:
        yield found(
            "publication-column-list",
            "error",
            table.name,
            f"{table.name} is not in the publication: no change of it reaches Tinybird.",
            f"ALTER PUBLICATION sequin_pub ADD TABLE {_quoted(table)};",
        )
        return
    listed = table.published_columns
    new = (
        [_read_from(f.column) for f in at.change.fields if f.pg_type] if at.change else [c.name for c in table.columns]
    )
    left_out = [name for name in new if listed is not None and name not in listed]
    if left_out:
        yield found(
            "publication-column-list",
            "error" if at.change else "warning",
            table.name,
            f"The publication lists the columns of {table.name}, and {', '.join(left_out)} is not among them.",
            "Publish the table without a column list.",
        )


@on_datasource
def generated_column(at: Context) -> Iterator[Hazard]:
    table = _replicated(at)
    for column in at.columns if table else ():
        if table and _read_from(column) in table.unsent:
            yield found(
                "generated-column",
                "error" if at.change else "warning",
                f"{at.subject.name}.{column.name}",
                f"Postgres generates {_read_from(column)} of {table.name}, and no change brings it: a row would have "
                "it after a backfill, and lose it with its next change.",
                "Compute it where it is read, or have it be a plain column that whatever writes the row fills.",
            )


@on_datasource
def backfill_index_missing(at: Context) -> Iterator[Hazard]:
    table, version = _replicated(at), at.subject.version
    if table is None or not version or (at.change is not None and not (at.reinserts or at.rebuilds)):
        return
    path = (at.subject.column(version) or at.subject.columns[0]).jsonpath or version
    column = path.rpartition(".")[2]
    if not any(index[:1] == (column,) for index in table.indexes):
        yield found(
            "backfill-index-missing",
            "warning",
            table.name,
            f"No index of {table.name} begins with {column}: a backfill sorts the whole table for every page.",
            f'CREATE INDEX CONCURRENTLY ON {_quoted(table)} ("{column}", {", ".join(table.primary_key) or "id"});',
        )


@on_plan
def slot_unhealthy(at: Context) -> Iterator[Hazard]:
    if at.facts.live and at.planned.replicated:
        yield from unhealthy(at.facts.slot)


def unhealthy(slot: Slot | None) -> Iterator[Hazard]:
    """A slot that nobody reads for a moment is daily life: Sequin lets go of it whenever a sink changes."""
    name = slot.name if slot else "the replication slot"
    if slot is None or slot.wal_status in ("unreserved", "lost"):
        state = "does not exist" if slot is None else f"is {slot.wal_status}"
        message = f"{name} {state}: changes of Postgres do not reach Sequin."
        yield found("slot-unhealthy", "error", name, message, "Mend the replication first.")
    elif not slot.active and (slot.lag_bytes or 0) > SLOT_LAG_BYTES:
        lag = (slot.lag_bytes or 0) / 1e6
        message = f"Nobody reads {name}, and {lag:,.0f} MB wait in it: what the run adds arrives after them."
        yield found("slot-unhealthy", "warning", name, message, "See that Sequin runs.")


@on_plan
def sink_paused_already(at: Context) -> Iterator[Hazard]:
    sink = at.planned.sink
    if sink and sink.status != "active":
        yield found(
            "sink-paused-already",
            "error" if at.rebuilds or at.reinserts else "warning",
            sink.name,
            f"The Sequin sink {sink.name} is {sink.status} already, by somebody else's hand: nothing arrives.",
            "Find out who paused it and why, and resume it first.",
        )


@on_plan
def name_is_not_topic(at: Context) -> Iterator[Hazard]:
    change = at.planned
    if not (at.facts.live and at.facts.sinks and change.replicated and change.sink is None):
        return
    table = change.table.name if change.table else change.name
    others = [s for s in at.facts.sinks.values() if s.table.rpartition(".")[2] == table]
    topic = others[0].topic if others else ""
    yield found(
        "name-is-not-topic",
        "error",
        change.name,
        f"No Sequin sink has the topic {change.name}"
        + (f"; {others[0].name} sends {table} to {topic}." if topic else ": no change of Postgres reaches it."),
        "The topic, the data source and the table must have one name (facts/estate.md §5).",
    )


_SINK_RUNS = ("swap", "rename", "exchange")  # what waits while they hold waits in Kafka, or with the writers


@on_plan
def sink_buffer(at: Context) -> Iterator[Hazard]:
    hold = at.assessment.hold if at.assessment else None
    if hold is None or not hold.seconds or at.way in _SINK_RUNS:
        return
    budget = sink_budget(at.planned.table, at.facts)
    if hold.seconds * 2 > budget.seconds:
        yield found(
            "sink-buffer",
            "error",
            at.planned.sink.name if at.planned.sink else at.planned.name,
            f"The hold would take about {hold.seconds} s, more than half of what the Sequin sink's buffer takes "
            f"({budget.seconds} s: {budget.formula}).",
            "Use alter, or wait for a quieter hour.",
        )


@on_plan
def token_scope(at: Context) -> Iterator[Hazard]:
    if not at.rebuilds:
        return
    name = at.planned.name
    scoped = sorted(
        {t.name for t in at.facts.tokens for _, resource in t.scopes if (resource or "").partition(":")[0] == name}
    )
    if scoped:
        whose = f"The token {scoped[0]} has" if len(scoped) == 1 else f"The tokens {', '.join(scoped)} have"
        yield found(
            "token-scope",
            "warning",
            name,
            f"{whose} scopes on {name}, which deleting it may take away: they are given back before the connector "
            "resumes.",
            "Nothing to do, unless a token is made while the run goes on.",
        )


def _replicated(at: Context) -> PgTable | None:
    return at.table if at.place.replicated else None


def _read_from(column: Column) -> str:
    return (column.jsonpath or column.name).removesuffix("[:]").rpartition(".")[2]


def _quoted(table: PgTable) -> str:
    return f'{table.schema}."{table.name}"'
