"""A table brought from Postgres to Tinybird (facts/procedures.md, facts/systems.md §8): what is lacking of its way,
in the order in which nothing is sent before everything that takes it is there, and the proof at its end."""

import difflib
from collections.abc import Iterator

from runbooks import guards
from runbooks.changes.postgres import migration
from runbooks.datafile import write_datasource
from runbooks.errors import Refused
from runbooks.facts.model import Facts
from runbooks.guards import digest_of_schema
from runbooks.layout import laid_out_in_blocks
from runbooks.plan import Choice, Estimate, Plan
from runbooks.proof.fields import pg_literal, pg_name
from runbooks.questions import Question, Shapes
from runbooks.request import Replicate, Request
from runbooks.step import Step
from runbooks.steps.append_scope import GrantAppend
from runbooks.steps.backfills import AwaitBackfill, CreateBackfill
from runbooks.steps.delivery import AwaitDelivery
from runbooks.steps.flow import CheckFlow
from runbooks.steps.new_datasource import CreateNew
from runbooks.steps.postgres_index import AddPrimaryKey, CreateIndex, index_name
from runbooks.steps.postgres_migrate import MigratePostgres, PgField, RefreshTables
from runbooks.steps.postgres_partitions import CreatePartitionedIndex
from runbooks.steps.publication import Published, PublishTable
from runbooks.steps.sink_create import CreateSink
from runbooks.steps.standing import Standing
from runbooks.steps.topics import CreateTopic
from runbooks.strategies.parts import filling, prove
from runbooks.tables import given, hazards
from runbooks.tables.listing import RESTART_S, announced, over, reading, tidied
from runbooks.tables.route import Route, may_append, route_of, tracked

NAME = "replicate"


def plan_of(request: Request, job: Replicate, facts: Facts) -> Plan:
    """Raises ``Refused`` where the table cannot be replicated, or is."""
    route = route_of(job, facts)
    missing = list(lacking(route, facts))
    if not missing and facts.live and not hazards.unfilled(route, facts):
        for still in hazards.standstill(route):
            raise Refused(f"All of the way of `{route.table.name}` is there. {still.message} {still.fix}", job.table)
        raise Refused(
            f"`{route.table.name}` is replicated already: Postgres publishes it, {route.sink_name} sends it, the "
            f"connector takes it and `{route.name}` holds it. There is nothing to do.",
            job.table,
        )
    steps, _ = laid_out_in_blocks(
        [(step, None) for step in (*missing, *filled(route, facts.names.connector), *tidied(missing))]
    )
    seconds, formula = filling(route.table.rows or 0, facts)
    waited = " + the time until the deploy" if route.given and route.given.waits else ""
    file = migration(f"replicate_{route.table.name}", _history(route, facts))
    made = write_datasource(route.made)
    return Plan(
        command=request.text,
        environment=facts.environment,
        target=route.name,
        request=_asked(route),
        strategy=Choice(name=NAME, reasons=_reasons(route, facts)),
        readers=(),
        hazards=hazards.of_route(route, facts, file.text),
        steps=steps,
        holds=(),
        took=Estimate(
            seconds=seconds + RESTART_S,
            formula=f"{formula} + {RESTART_S} s for Kafka Connect to restart{waited}",
        ),
        sql=tuple(_statements(route, facts)),
        datafiles={f"{route.name}.datasource": made, file.name: file.text},
        diffs={} if route.standing else {f"{route.name}.datasource": _diff(f"{route.name}.datasource", made)},
        guards={key: guards.digest_of(facts, key) for key in sorted({k for s in steps for k in (*s.reads, *s.writes)})},
        inferred=route.said,
        locks=(f"datasource/{route.name}", f"table/{route.table.name}"),
    )


def questions_of(job: Replicate, facts: Facts) -> tuple[Question, ...]:
    """The migrations that may make the table, where Postgres has none; then the topic itself, and the one that it would
    be made like. Raises ``Refused`` as the plan does."""
    if of_git := given.questions(job.table, facts):
        return of_git
    route = route_of(job, facts)
    topics = (route.name, *((route.like.topic,) if route.like else ()))
    return (Shapes("topics", topics), *hazards.counts(route, facts))


def lacking(route: Route, facts: Facts) -> Iterator[Step]:
    """What of the way is not there. The data source comes before the connector knows of the topic: else the first
    message would make one with a guessed schema, or be refused and lost."""
    names, table = facts.names, route.table
    if route.given:
        yield route.given.step()
    if route.lacks_version:
        new = PgField(name=route.version.name, type=route.version.type)
        yield MigratePostgres(table=table.name, fields=(new,), sql=(_version_sql(route),))
    if route.lacks_key:
        yield AddPrimaryKey(schema_name=table.schema, table=table.name, columns=route.key)
    if route.lacks_index:
        yield _index(route)
    if not route.published:
        yield PublishTable(of=_published(route, facts))
    new = tuple(_topic(route, facts))
    if new and not tracked(route, facts):
        yield from announced(route.name, facts, merge=names.properties is not None)
    yield from new
    if route.standing is None:
        yield CreateNew.of(_standing(route), route.made)
    if not may_append(route, facts):
        yield GrantAppend(token=facts.connect_token, datasource=route.name)
    if not tracked(route, facts):
        yield from reading(route.name, facts)
        if new:
            yield from over(route.name, facts)
    if route.sink is None:
        yield RefreshTables(database=names.sequin_database)
        yield CreateSink(
            sink=route.sink_name,
            table=f"{table.schema}.{table.name}",
            topic=route.name,
            like=route.like.name if route.like else "",
        )


def _topic(route: Route, facts: Facts) -> Iterator[Step]:
    """Made like a neighbour, where Kafka makes none by itself (facts/estate.md §5)."""
    like = facts.topics.get(route.like.topic) if route.like else None
    if not facts.names.creates_topics and facts.topics.get(route.name) is None and route.like and like:
        yield CreateTopic.of(route.name, route.like.topic, like)


def filled(route: Route, connector: str) -> Iterator[Step]:
    """What was there before the sink: by a backfill, proven by value against Postgres."""
    table = f"{route.table.schema}.{route.table.name}"
    yield CreateBackfill(sink=route.sink_name, table=table)
    yield AwaitBackfill(sink=route.sink_name, table=table)
    yield AwaitDelivery(topic=route.name)
    yield prove(route.proof)
    yield CheckFlow(sink=route.sink_name, connector=connector, datasource=route.name)


def _standing(route: Route) -> Standing:
    return Standing(name=route.name, id="", planned=digest_of_schema(route.made))


def _published(route: Route, facts: Facts) -> Published:
    return Published(
        schema_name=route.table.schema,
        table=route.table.name,
        feeds=route.name,
        publication=facts.names.publication,
        role=facts.names.sequin_role,
    )


def _index(route: Route) -> CreateIndex | CreatePartitionedIndex:
    columns = tuple(dict.fromkeys((route.version.name, *route.key)))
    if route.table.partitioned:
        return CreatePartitionedIndex(table=route.table.name, columns=columns, feeds=route.name)
    return CreateIndex(schema_name=route.table.schema, table=route.table.name, columns=columns, feeds=route.name)


# -- what people read


def _reasons(route: Route, facts: Facts) -> tuple[str, ...]:
    source = route.given.named if route.given else "Postgres's catalog"
    there = f"its data source is made from {source}" if route.standing is None else "its data source is there"
    topic = (
        f"Kafka makes the topic {route.name} by itself in {facts.environment}"
        if facts.names.creates_topics
        else f"the topic {route.name} is made like {route.like.topic if route.like else 'its neighbours'}, as Kafka "
        f"makes none by itself in {facts.environment}"
    )
    return (f"{there}; nothing is sent before all that takes it is there, and nothing that runs is held", topic)


def _diff(name: str, made: str) -> str:
    """What decides: the schema and the engine. Its description says the same in words."""
    made = made[made.index("SCHEMA >") :]
    return "\n".join(difflib.unified_diff([], made.splitlines(), "/dev/null", name, lineterm=""))


def _asked(route: Route) -> dict[str, object]:
    return {
        "kind": NAME,
        "table": route.table.name,
        "datasource": route.name,
        "key": list(route.key),
        "version": route.version.name,
    }


# -- SQL


def _on(route: Route) -> str:
    return f"{pg_name(route.table.schema)}.{pg_name(route.table.name)}"


def _version_sql(route: Route) -> str:
    """A default that is the same for all rows of one statement: nothing is written anew (facts/systems.md §2.2)."""
    return (
        f"ALTER TABLE {_on(route)} ADD COLUMN IF NOT EXISTS {pg_name(route.version.name)} timestamptz NOT NULL "
        "DEFAULT now();"
    )


def _statements(route: Route, facts: Facts) -> Iterator[str]:
    """What is run now."""
    if route.given and not route.given.waits:
        yield from (f"{text};" for text in route.given.sql)
    if route.lacks_version:
        yield _version_sql(route)
    if route.lacks_key:
        yield f"ALTER TABLE {_on(route)} ADD PRIMARY KEY USING INDEX …;  -- the unique one over {', '.join(route.key)}"
    if route.lacks_index:
        index = _index(route)
        yield index.statement if isinstance(index, CreateIndex) else _in_parts(route, index)
    table = route.table
    yield from _published(route, facts).publishing(
        full=table.identity == "f", published=table.published, granted=table.granted
    )


def _in_parts(route: Route, index: CreatePartitionedIndex) -> str:
    name, listed = index_name(route.table.name, index.columns), ", ".join(pg_name(column) for column in index.columns)
    return (
        f"CREATE INDEX IF NOT EXISTS {pg_name(name)} ON ONLY {_on(route)} ({listed});  -- then CONCURRENTLY on each "
        "partition, each by ALTER INDEX … ATTACH PARTITION"
    )


def _history(route: Route, facts: Facts) -> tuple[str, ...]:
    """The same for the project's migrations: it runs where all of it was done, and where nothing was (§2.14)."""
    of, table = _published(route, facts), route.table
    columns = tuple(dict.fromkeys((route.version.name, *route.key)))
    add = next(of.publishing(full=True, published=False, granted=True))
    lines = [_version_sql(route)] if route.lacks_version else []
    listed = ", ".join(pg_name(column) for column in columns)
    lines.append(f"CREATE INDEX IF NOT EXISTS {pg_name(index_name(table.name, columns))} ON {_on(route)} ({listed});")
    lines += [*of.publishing(full=False, published=True, granted=False)]
    member = (
        f"SELECT FROM pg_publication_tables WHERE pubname = {pg_literal(of.publication)} AND schemaname = "
        f"{pg_literal(table.schema)} AND tablename = {pg_literal(table.name)}"
    )
    lines.append(f"DO $$ BEGIN\n    IF NOT EXISTS ({member}) THEN\n        {add}\n    END IF;\nEND $$;")
    return tuple(lines)
