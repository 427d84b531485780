"""What can go wrong when a table is brought to Tinybird."""

from collections.abc import Iterator

from runbooks.facts.model import Facts
from runbooks.hazards import found
from runbooks.hazards.postgres_sql import judged
from runbooks.hazards.source import unhealthy
from runbooks.plan import Hazard
from runbooks.proof.fields import pg_literal, pg_name
from runbooks.questions import Count, count_of
from runbooks.strategies.parts import filling
from runbooks.tables.route import Route, tracked

UNVERSIONED = "rows without a version"
FILLED = "whether Postgres has rows that an empty data source lacks"
BY_PARTITION = "whether partitions are published under their own names"
_LEVELS = ("error", "warning", "note")
_BUILT = ("postgres/require-concurrent-index-creation",)  # beside writers by the run; in the file it is there already


def of_route(route: Route, facts: Facts, migration: str) -> tuple[Hazard, ...]:
    """The gravest first."""
    every = [
        *_of_table(route),
        *standstill(route),
        *_of_security(route, facts),
        *_of_version(route, facts),
        *_of_partitions(route, facts),
        *_of_twins(route, facts),
        *_of_platform(route, facts),
        *_of_time(route, facts),
    ]
    if facts.live:
        every += unhealthy(facts.slot)
    every += (hazard for hazard in judged(migration, route.table.name) if hazard.slug not in _BUILT)
    return tuple(sorted(every, key=lambda hazard: (_LEVELS.index(hazard.level), hazard.slug, hazard.resource)))


def _of_table(route: Route) -> Iterator[Hazard]:
    table = route.table
    if route.given:
        yield route.given.hazard()
    if route.lacks_version:
        yield found(
            "version-column-missing",
            "warning",
            table.name,
            f"{table.name} gets a column {route.version.name}, and nothing moves it when a row changes: such a change "
            "would not win over the row that is there.",
            f"Have whatever updates {table.name} set {route.version.name} too, or a trigger do it.",
        )


def standstill(route: Route) -> Iterator[Hazard]:
    """What somebody made of the way by hand, and keeps rows or columns back: the run would not see it, as a backfill
    and a proof by value go past it."""
    table, sink = route.table, route.sink
    quoted = f"{pg_name(table.schema)}.{pg_name(table.name)}"
    if sink is not None and sink.status != "active":
        yield found(
            "sink-paused-already",
            "error",
            sink.name,
            f"The Sequin sink {sink.name} is {sink.status} by somebody else's hand: no change of {table.name} is sent.",
            "Find out who stopped it and why, and resume it first.",
        )
    if table.published_columns is not None:
        yield found(
            "publication-column-list",
            "error",
            table.name,
            f"The publication lists columns of {table.name} ({', '.join(table.published_columns)}): others are not "
            "sent, and with whole rows as its identity Postgres refuses every UPDATE and DELETE of it.",
            f"Publish it without a column list: DROP TABLE {quoted} from the publication, and ask again.",
        )
    if table.heirs:
        yield found(
            "inherited-table",
            "error",
            table.name,
            f"Rows of {', '.join(table.heirs)} are rows of {table.name} too, as it inherits from it, but their changes "
            "are sent under their own table's name: nobody would take them, though a backfill brings them once.",
            "Replicate the tables that hold the rows, each by itself, or partition the table.",
        )
    if table.row_filter:
        yield found(
            "publication-row-filter",
            "error",
            table.name,
            f"The publication sends only such rows of {table.name}: {table.row_filter}. Changes of others never "
            "arrive, though a backfill brings them once.",
            f"Publish it without a condition: DROP TABLE {quoted} from the publication, and ask again.",
        )
    if table.unsent and table.refuses_unsent:
        many = len(table.unsent) > 1
        yield found(
            "generated-column",
            "error",
            table.name,
            f"Postgres generates {', '.join(table.unsent)}, and the publication does not send "
            f"{'them' if many else 'it'}: with whole rows as its identity it refuses every UPDATE and DELETE of "
            f"{table.name}.",
            "ALTER PUBLICATION … SET (publish_generated_columns = stored) where they are stored; virtual ones are "
            "never sent: drop them, or store them.",
        )


def counts(route: Route, facts: Facts) -> tuple[Count, ...]:
    """What is counted in Postgres before a plan: rows that Tinybird would not take or never got, and whether the
    publication sends a partition's changes under its name."""
    return (*_version_counts(route), *_filled_counts(route), *_partition_counts(route, facts))


def _filled_counts(route: Route) -> tuple[Count, ...]:
    if route.given or route.standing is None or route.standing.rows != 0:
        return ()
    table = f"{pg_name(route.table.schema)}.{pg_name(route.table.name)}"
    return (Count(FILLED, "postgres", f"SELECT count(*) FROM (SELECT FROM {table} LIMIT 1) s"),)


def unfilled(route: Route, facts: Facts) -> bool:
    """Whether the data source stands empty beside a table with rows: nobody backfilled it."""
    return bool(_filled_counts(route)) and bool(count_of(facts.answers, FILLED))


def _partition_counts(route: Route, facts: Facts) -> tuple[Count, ...]:
    if not route.table.partitioned or route.table.published:
        return ()
    by_partition = f"pubname = {pg_literal(facts.names.publication)} AND NOT pubviaroot"
    return (Count(BY_PARTITION, "postgres", f"SELECT count(*) FROM pg_publication WHERE {by_partition}"),)


def _of_partitions(route: Route, facts: Facts) -> Iterator[Hazard]:
    if not _partition_counts(route, facts) or not count_of(facts.answers, BY_PARTITION):
        return
    publication = facts.names.publication
    yield found(
        "publication-by-partition",
        "error",
        publication,
        f"{route.table.name} is partitioned, and {publication} sends changes under the names of partitions: nobody "
        "would take them.",
        f"ALTER PUBLICATION {pg_name(publication)} SET (publish_via_partition_root = true).",
    )


def _version_counts(route: Route) -> tuple[Count, ...]:
    """How many rows have no version, where there may be such: Tinybird takes none of them."""
    if route.given or route.lacks_version or not route.version.nullable:
        return ()
    table = f"{pg_name(route.table.schema)}.{pg_name(route.table.name)}"
    return (
        Count(UNVERSIONED, "postgres", f"SELECT count(*) FROM {table} WHERE {pg_name(route.version.name)} IS NULL"),
    )


def _of_version(route: Route, facts: Facts) -> Iterator[Hazard]:
    if not _version_counts(route):
        return
    name, version = route.table.name, route.version.name
    rows = count_of(facts.answers, UNVERSIONED)
    if not rows and route.version.default:
        return
    now = f"{rows:,} {'row has' if rows == 1 else 'rows have'} none" if rows else "a row may come to have none"
    yield found(
        "version-column-missing",
        "error" if rows else "warning",
        name,
        f"{version} of {name} may be NULL, and {now}: such rows go to quarantine and are never seen.",
        f"Give each a value, then: ALTER TABLE {pg_name(name)} ALTER COLUMN {pg_name(version)} SET NOT NULL.",
    )


def _of_twins(route: Route, facts: Facts) -> Iterator[Hazard]:
    table = f"{route.table.schema}.{route.table.name}"
    for sink in facts.sinks.values():
        if sink.table in (table, route.table.name) and sink.topic != route.name:
            yield found(
                "table-sent-twice",
                "warning",
                route.table.name,
                f"{sink.name} sends {route.table.name} to the topic {sink.topic} already: this makes a second one.",
                f"Read {sink.topic}, unless both are wanted; `rename` moves it to another name.",
            )


def _of_platform(route: Route, facts: Facts) -> Iterator[Hazard]:
    connector = facts.connector
    if facts.live and (connector is None or connector.state != "RUNNING" or set(connector.tasks) != {"RUNNING"}):
        state = connector.state if connector else "gone"
        yield found(
            "connector-not-running",
            "error",
            facts.names.connector,
            f"The connector {facts.names.connector} does not run ({state}): nothing that is sent would arrive.",
            "Mend or resume it first.",
        )
    if route.sink is None and route.like is None:
        yield found(
            "no-sink-to-copy",
            "error",
            route.name,
            "There is no active Sequin sink that the new one could be made like: where Kafka is, nobody says.",
            "Make the first sink by hand.",
        )
    if tracked(route, facts):
        return
    if facts.live and not facts.names.connect_restart:
        yield found(
            "connect-restart-unknown",
            "error",
            facts.names.connector,
            "tbops.toml does not say how the connector comes to read another topic.",
            "Set connect.restart to a deployment (<namespace>/<name>) or to rest.",
        )
    told = facts.names.announces
    yield found(
        "topic-without-consumer",
        "note",
        route.name,
        f"Until Kafka Connect is restarted nobody reads the topic {route.name}, and alarms that watch for that may "
        "call people.",
        "The run says so in Slack beforehand." if told else "Tell them that it lasts until the restart of this run.",
    )
    if facts.connector and facts.connector.topics:
        yield found(
            "connect-restarts",
            "warning",
            facts.names.connector,
            f"Kafka Connect is restarted with all {len(facts.connector.topics)} topics: each stands still for about a "
            "minute and goes on where it was.",
            "Choose a quiet moment.",
        )


def _of_security(route: Route, facts: Facts) -> Iterator[Hazard]:
    table = route.table
    if table.veiled:
        yield found(
            "row-security",
            "error",
            table.name,
            f"Row security chooses which rows of {table.name} the role of tbops sees: what it does not see would be "
            "proven without being there.",
            "Let its owner be exempt (ALTER TABLE … NO FORCE ROW LEVEL SECURITY), or give the role BYPASSRLS.",
        )
    elif table.veiled_there:
        yield found(
            "row-security",
            "warning",
            table.name,
            f"Row security chooses which rows of {table.name} {facts.names.sequin_role} sees: a backfill brings no "
            "others, though changes of all are sent.",
            f"Give {facts.names.sequin_role} BYPASSRLS, or a policy that shows it every row.",
        )


def _of_time(route: Route, facts: Facts) -> Iterator[Hazard]:
    seconds, formula = filling(route.table.rows or 0, facts)
    if seconds > facts.limits.backfill_max_s:
        yield found(
            "backfill-too-long",
            "error",
            route.table.name,
            f"Its backfill would take {seconds / 3600:.0f} h ({formula}), longer than is allowed.",
            "Raise limits.backfill_max_s for it.",
        )
