"""The end of a table's replication, in the order in which nothing is sent to what is gone: readers are gone before it;
then nothing is sent any more, nobody reads the topic, and only then topic and data source go."""

from collections.abc import Iterator
from dataclasses import dataclass

from runbooks import guards
from runbooks.errors import Refused
from runbooks.facts.model import Datasource, Facts, PgTable, Sink
from runbooks.fields import nearest
from runbooks.hazards import found
from runbooks.layout import laid_out_in_blocks
from runbooks.lineage import Lineage
from runbooks.plan import Choice, Estimate, Hazard, Plan
from runbooks.questions import Question, Shapes
from runbooks.request import Request, Unreplicate
from runbooks.step import Step
from runbooks.steps.append_scope import APPEND, RevokeAppend
from runbooks.steps.delivery import AwaitDelivery
from runbooks.steps.moves import CheckUnread
from runbooks.steps.new_datasource import DropReplica
from runbooks.steps.publication import Published, WithdrawTable
from runbooks.steps.sink_create import DeleteSink
from runbooks.steps.standing import Standing
from runbooks.steps.topics import DeleteTopic
from runbooks.tables.listing import not_reading, over, tidied
from runbooks.words import counted

NAME = "unreplicate"
_TOOK_S = 90


@dataclass(frozen=True)
class _There:
    """What of the table's way is there. ``name`` is the topic's and the data source's."""

    name: str
    table: PgTable | None
    sink: Sink | None
    datasource: Datasource | None
    tracked: bool
    scoped: bool
    topic: bool

    @property
    def published(self) -> bool:
        return self.table is not None and (self.alone or self.table.identity == "f")

    @property
    def alone(self) -> bool:
        """Whether it can be taken out of the publication: not so of one of all tables, or of a schema's."""
        return self.table is not None and self.table.published and not self.table.wholesale


def plan_of(request: Request, job: Unreplicate, facts: Facts) -> Plan:
    """Raises ``Refused`` where nothing of it is there, or something still reads it."""
    there = _there(job, facts)
    _require_unread(there, facts)
    wanted = list(_steps(there, facts))
    if not wanted:
        raise Refused(f"`{job.table}` is not replicated: there is nothing to do.", job.table)
    steps, _ = laid_out_in_blocks([(step, None) for step in (*wanted, *tidied(wanted))])
    return Plan(
        command=request.text,
        environment=facts.environment,
        target=there.name,
        request={"kind": NAME, "table": job.table, "datasource": there.name},
        strategy=Choice(name=NAME, reasons=tuple(_reasons(there))),
        readers=(),
        hazards=tuple(_hazards(there, facts)),
        steps=steps,
        holds=(),
        took=Estimate(seconds=_TOOK_S, formula="small steps and a restart of Kafka Connect"),
        sql=tuple(_published(there, facts).withdrawing(full=True, published=there.alone, granted=True))
        if there.published
        else (),
        guards={key: guards.digest_of(facts, key) for key in sorted({k for s in steps for k in (*s.reads, *s.writes)})},
        locks=(f"datasource/{there.name}", f"table/{job.table}"),
    )


def questions_of(job: Unreplicate, facts: Facts) -> tuple[Question, ...]:
    """Whether its topic is there. Raises ``Refused`` as the plan does."""
    return (Shapes("topics", (_there(job, facts).name,)),)


def _there(job: Unreplicate, facts: Facts) -> _There:
    tables = facts.tables or {}
    sending = [s for s in facts.sinks.values() if s.table.rpartition(".")[2] == job.table]
    if len(sending) > 1:
        first, second = sending[0].topic, sending[1].topic
        raise Refused(
            f"`{job.table}` is sent to more than one topic, `{first}` and `{second}`: withdrawing it would end both. "
            f"`/tb rename {first} to {second}` takes `{first}` away, and the other way round.",
            job.table,
        )
    fed_by = next((s.table.rpartition(".")[2] for s in facts.sinks.values() if s.topic == job.table), job.table)
    if not sending and fed_by != job.table:
        raise Refused(
            f"`{job.table}` is the data source that the table `{fed_by}` is sent to, and `unreplicate` takes the "
            f"table's name; did you mean `{fed_by}`?",
            job.table,
            fed_by,
        )
    sink = next(iter(sending), None)
    name = sink.topic if sink else job.table
    topics = facts.connector.topics if facts.connector else ()
    scopes = {scope for token in facts.tokens if token.name == facts.connect_token for scope in token.scopes}
    if job.table not in tables and sink is None and name not in topics:
        near = nearest(job.table, [*tables, *(s.topic for s in facts.sinks.values())])
        hint = f"; did you mean `{near}`?" if near else "."
        raise Refused(
            f"There is no table `{job.table}` in Postgres, and no sink or topic of that name{hint}", job.table
        )
    standing = facts.datasources.get(name)
    fed = sink is not None or name in topics or (APPEND, name) in scopes
    return _There(
        name=name,
        table=tables.get(job.table),
        sink=sink,
        datasource=standing if fed or _of_record(standing) else None,
        tracked=name in topics,
        scoped=(APPEND, name) in scopes,
        topic=facts.topics.get(name) is not None,
    )


def _of_record(datasource: Datasource | None) -> bool:
    return datasource is not None and any((c.jsonpath or "").startswith("$.record.") for c in datasource.columns)


def _require_unread(there: _There, facts: Facts) -> None:
    readers = Lineage.of(facts).readers(there.name) if there.datasource else ()
    if readers:
        names = ", ".join(dict.fromkeys(f"`{reader.name}`" for reader in readers))
        raise Refused(
            f"`{there.name}` is still read by {names}: they would stand still on old rows and then break. Move them to "
            "another data source, or remove them, first.",
            there.name,
        )


def _steps(there: _There, facts: Facts) -> Iterator[Step]:
    if there.datasource and (there.sink or there.published):
        yield CheckUnread(table=Standing(name=there.name, id=there.datasource.id, planned=""), known=())
    if there.sink:
        yield DeleteSink(sink=there.sink.name, table=there.sink.table, topic=there.name)
    if there.published:
        yield WithdrawTable(of=_published(there, facts))
    if there.tracked:
        yield AwaitDelivery(topic=there.name)
        yield from not_reading(there.name, facts)
    if there.scoped:
        yield RevokeAppend(token=facts.connect_token, datasource=there.name)
    if there.topic:
        yield DeleteTopic(topic=there.name)
        if there.tracked:
            yield from over(there.name, facts)
    if there.datasource:
        yield DropReplica(name=there.name, id=there.datasource.id)


def _published(there: _There, facts: Facts) -> Published:
    return Published(
        schema_name=there.table.schema if there.table else "public",
        table=there.table.name if there.table else there.name,
        feeds=there.name,
        publication=facts.names.publication,
        role=facts.names.sequin_role,
    )


def _reasons(there: _There) -> Iterator[str]:
    rows = there.datasource.rows if there.datasource else None
    yield "nothing reads it; nothing is sent before nobody takes it, and its rows in Postgres stay as they are"
    if rows:
        yield f"{there.name} goes with {counted(rows, 'row')}, which a replicate brings again from Postgres"


def _hazards(there: _There, facts: Facts) -> Iterator[Hazard]:
    if there.tracked and facts.connector:
        yield found(
            "connect-restarts",
            "warning",
            facts.names.connector,
            f"Kafka Connect is restarted with all {len(facts.connector.topics)} topics: each stands still for about a "
            "minute and goes on where it was.",
            "Choose a quiet moment.",
        )
    ghosts = there.datasource is not None and there.table is None
    if ghosts:
        yield found(
            "source-is-gone",
            "warning",
            there.name,
            f"Postgres has no table for {there.name}: its rows are nowhere else, and dropping it drops them for good.",
            "Copy what is still needed first.",
        )
