"""What a run left, finished by another one (facts/procedures.md §2.3): planned from the facts as they are now.

The steps are the first run's own where it still has to do them, so that the end is the end that was approved. Each
looks before it acts, so that what people did by hand meanwhile is found done.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from runbooks import guards
from runbooks.earlier import Rest
from runbooks.errors import Refused
from runbooks.facts.model import Facts
from runbooks.guards import digest_of_schema
from runbooks.layout import in_one_block, laid_out_in_blocks
from runbooks.left import caught_up, copies_started, loaded, planned, runs, to_do
from runbooks.lineage import Lineage
from runbooks.numbered import numbered_by
from runbooks.plan import Choice, Estimate, HoldLimit, Plan, PlannedStep
from runbooks.proof.claims import provable
from runbooks.request import Finish, Migrate, Rename, Replicate, Request, Timetable, Unreplicate, parse_stored
from runbooks.step import Step
from runbooks.steps.backfills import AwaitBackfill, CreateBackfill
from runbooks.steps.beside import DropBeside
from runbooks.steps.connectors import PauseConnector, ResumeConnector
from runbooks.steps.copies import PauseCopy, ResumeCopy, RunCopy
from runbooks.steps.create import CheckReferencesTo, CreateDatasource, RestoreScopes
from runbooks.steps.delivery import AwaitDelivery
from runbooks.steps.exchange import Exchange
from runbooks.steps.ghosts import DeleteGhosts
from runbooks.steps.mirror import EndFeed
from runbooks.steps.moves import ReturnReader
from runbooks.steps.postgres_migrate import MigratePostgres
from runbooks.steps.prove import Prove
from runbooks.steps.set_aside import PutBack, kept_name
from runbooks.steps.sinks import PauseSink, ResumeSink
from runbooks.steps.standing import Standing
from runbooks.steps.switch import Replacing
from runbooks.steps.tags import RestoreTags
from runbooks.steps.writers import AwaitWriterReady, RestoreWriter, StartWriter
from runbooks.strategies.parts import filling

NAME = "finish"

_Kind = TypeVar("_Kind", bound=Step)


def what_is_left(request: Request, job: Finish, facts: Facts) -> Plan | Request:
    """The plan that finishes the run, or the request to plan anew where nothing of it stands. Raises ``Refused``."""
    if job.rest is None:
        raise Refused("What a run left is known to the ledger alone: ask for it in Slack.")
    first = parse_stored(job.rest.request)
    again = first.model_copy(update={"text": request.text, "note": request.note, "at": request.at})
    if isinstance(first.job, Replicate | Unreplicate | Rename | Timetable):
        return again  # it does what is lacking, whoever began
    made = next(iter(planned(job.rest, CreateDatasource)), None)
    if made is None:
        return _altered(request, job, job.rest, again, facts)
    rebuilt = _Rebuilt(job.run, job.rest, made.table, facts)
    way = rebuilt.way()
    return again if way is None else rebuilt.plan(request, way)


@dataclass(frozen=True)
class _Way:
    """``reasons`` are what people read; ``fills``: the table is written anew, which takes the time that takes."""

    reasons: tuple[str, ...]
    steps: tuple[Step, ...]
    fills: bool = False


@dataclass(frozen=True)
class _Rebuilt:
    """A run that made a table anew: where it stands now, and the way from there to its end."""

    run: int
    rest: Rest
    table: Standing
    facts: Facts

    def way(self) -> _Way | None:
        """None: everything is as before the run, so what it was for is planned anew."""
        stands = self.facts.datasources.get(self.table.name)
        if not self.rest.touched or (stands and stands.id == self.table.id and not self._left(PutBack)):
            started = tuple(self._start())
            return (
                _Way((f"{self.table.name} is the table it was: only what was stopped is started",), started)
                if (started)
                else None
            )
        if stands is None:
            return self._missing()
        if stands.id == self.table.id:
            return _Way(
                (f"the old {self.table.name} stands again, and what came while it was away is brought to it",),
                (*self._refilled(),),
                fills=True,
            )
        if digest_of_schema(stands) != self.table.planned:
            raise Refused(
                f"`{self.table.name}` is there with a schema that is neither the old nor the planned one: an event or "
                f"somebody made it. Delete or rename it, then retry run {self.run}.",
                self.table.name,
            )
        if self.table.name in self.rest.proven:
            return self._proven()
        return _Way(
            (f"the new {self.table.name} stands, but it was not proven: it is filled, proven and then read again",),
            (*self._unread(), *self._fitted(), *self._filled(self._proof()), *self._read_again()),
            fills=True,
        )

    def plan(self, request: Request, way: _Way) -> Plan:
        seconds, formula = self._time() if way.fills else (30, "some small steps")
        stale = any(isinstance(step, ResumeCopy | RunCopy) for step in way.steps)
        return _plan(
            request, self.run, self.rest, self.facts, self.table.name, way.reasons, (in_one_block(way.steps), ()),
            took=Estimate(seconds=seconds, formula=formula),
            stale=Estimate(seconds=seconds, formula=f"until the copies run: {formula}") if stale else None,
        )  # fmt: skip

    # -- ways

    def _missing(self) -> _Way:
        kept = next((d for d in self.facts.datasources.values() if d.id == self.table.id), None)
        if kept is None:
            reason = f"there is no {self.table.name}: it is made with the planned schema, filled and proven"
            made = (*self._of(CreateDatasource)[:1], *self._of(RestoreScopes)[:1])
            around = (*self._unread(), *made, *self._references())
            return _Way((reason,), (*around, *self._filled(self._proof()), *self._read_again()), fills=True)
        back = PutBack(table=self.table, kept=kept.name, topic=self._of(AwaitDelivery)[0].topic)
        reason = f"{kept.name} is put back as {self.table.name}; ask for the migration itself again afterwards"
        if self._sink_held() and self._connector_held():  # nothing was refused meanwhile: all of it waits
            return _Way((reason,), (back, *self._start()))
        return _Way((reason,), (*self._unread(), back, *self._refilled()), fills=True)

    def _proven(self) -> _Way:
        started, swept = tuple(self._start()), self._swept()
        if swept:
            reason = f"{self.table.name} is proven, and only what Postgres no longer has is still to go from it"
            return _Way((reason,), (*swept, *self._of(Prove)[:1], *started))
        if not started:
            raise Refused(
                f"Nothing of run {self.run} is left to finish: {self.table.name} is proven, and all that was stopped "
                "runs."
            )
        return _Way((f"{self.table.name} is proven already: only what was stopped is started",), started)

    def _refilled(self) -> Iterator[Step]:
        """The old table under its old name, brought up to Postgres."""
        old = next(d for d in self.facts.datasources.values() if d.id == self.table.id)
        source = self.facts.table_of(self.table.name)
        columns = tuple(column.name for column in old.columns)
        found = provable(replace(old, name=self.table.name), source, (), columns) if source else "Postgres has it not"
        if isinstance(found, str):
            raise Refused(f"What would be filled into {self.table.name} could not be proven: {found}.", self.table.name)
        yield from self._filled((Prove(claim=found.claim, span=found.span, not_proven=found.not_proven),))
        yield from self._read_again(proven_once_more=False)

    # -- parts

    def _proof(self) -> tuple[Prove | DeleteGhosts, ...]:
        return (*self._of(Prove)[:1], *self._of(DeleteGhosts))

    def _swept(self) -> tuple[DeleteGhosts, ...]:
        """Rows that came as deletes while the table was filled, if the run did not come to them."""
        return tuple(loaded(tuple(past for past in self.rest.steps if not past.done), DeleteGhosts))

    def _unread(self) -> Iterator[Step]:
        """Copies that somebody resumed by hand would copy a table that is not proven."""
        resumed = {step.pipe for step in self._of(ResumeCopy)}
        for copy in self._of(PauseCopy):
            if copy.pipe in resumed and runs(copy.pipe, self.facts):
                yield copy

    def _fitted(self) -> Iterator[Step]:
        """What the connector needs of a new table."""
        held = {t.name: {f"{kind}:{on}" if on else kind for kind, on in t.scopes} for t in self.facts.tokens}
        for step in self._of(RestoreScopes)[:1]:
            if any({g.scope, "ADMIN"}.isdisjoint(held.get(g.token, set())) for g in step.grants):
                yield step
        yield from self._references()

    def _references(self) -> Iterator[Step]:
        kept = kept_name(self.table.name, self.rest.made_by)
        if any(kept in node.sql for pipe in self.facts.pipes.values() for node in pipe.nodes):
            yield CheckReferencesTo(table=self.table, kept=kept)

    def _filled(self, proof: tuple[Prove | DeleteGhosts, ...]) -> Iterator[Step]:
        """Connector first, and the backfill before the sink: on a paused sink it would wait for ever."""
        if self._connector_held():
            yield from (ResumeConnector(connector=step.connector) for step in self._of(PauseConnector)[:1])
        awaited = self._of(AwaitBackfill)[:1]
        for step in awaited:
            sink = self.facts.sinks.get(step.sink)
            if sink is None:
                raise Refused(f"The Sequin sink {step.sink} is gone, so nothing can fill {self.table.name}.", step.sink)
            if not any(b.state in ("active", "paused") and b.table in (step.table, "") for b in sink.backfills):
                yield CreateBackfill(sink=step.sink, table=step.table)
        if self._sink_held():
            yield from (ResumeSink(sink=step.sink) for step in self._of(PauseSink)[:1])
        yield from awaited
        yield from self._of(AwaitDelivery)[:1]
        yield from proof

    def _read_again(self, *, proven_once_more: bool = True) -> Iterator[Step]:
        yield from self._moved_back()
        copies = [step for step in self._of(ResumeCopy) if step.pipe in self.facts.pipes]
        yield from (step for step in self._of(RunCopy) if step.pipe in self.facts.pipes)
        for copy in copies:
            yield from caught_up(copy.pipe, self.rest)
        yield from copies
        if proven_once_more:
            yield from self._of(Prove)[1:2]
            yield from self._of(RestoreTags)

    def _start(self) -> Iterator[Step]:
        """What is left of the stops, last in first out."""
        if self._connector_held():
            yield from (ResumeConnector(connector=step.connector) for step in self._of(PauseConnector)[:1])
        if self._sink_held():
            yield from (ResumeSink(sink=step.sink) for step in self._of(PauseSink)[:1])
        yield from self._moved_back()  # a copy may read through a pipe that was moved
        yield from copies_started(self.rest, self.facts)

    def _moved_back(self) -> Iterator[Step]:
        """Readers that read a mirror still, and the mirror with what fed it."""
        for reader in self._left(ReturnReader):
            if reader.pipe in self.facts.pipes:
                yield reader
        yield from self._left(EndFeed)
        yield from (drop for drop in self._left(DropBeside) if drop.beside in self.facts.datasources)

    # -- facts

    def _of(self, kind: type[_Kind]) -> tuple[_Kind, ...]:
        return planned(self.rest, kind)

    def _left(self, kind: type[_Kind]) -> list[_Kind]:
        return loaded(self.rest.left, kind)

    def _sink_held(self) -> bool:
        names = [step.sink for step in self._of(PauseSink)]
        return any(sink.status != "active" for name, sink in self.facts.sinks.items() if name in names)

    def _connector_held(self) -> bool:
        return self.facts.connector is not None and self.facts.connector.state != "RUNNING"

    def _time(self) -> tuple[int, str]:
        table = self.facts.table_of(self.table.name)
        seconds, formula = filling((table.rows if table else None) or 0, self.facts)
        return seconds + 60, f"{formula} + a minute for proof and copies"


def _altered(request: Request, job: Finish, rest: Rest, again: Request, facts: Facts) -> Plan | Request:
    """A run that changed tables where they stand: it goes on where it ended, or begins anew if nothing is there yet."""
    target = again.job.datasources[0] if isinstance(again.job, Migrate) else ""
    unfinished = [past for past in rest.steps if not past.done]
    if len(unfinished) == len(rest.steps) or not (_begun_on(target, rest) or _switched(rest, facts)):
        started = tuple(_started(rest, facts))
        reasons = ("only what it stopped is started; ask for the migration itself again afterwards",)
        return _plan(request, job.run, rest, facts, target, reasons, (in_one_block(started), ())) if started else again
    if not unfinished:
        raise Refused(f"Nothing of run {job.run} is left to finish: every step of it is done.")
    todo = [numbered_by(step, rest.made_by) for step in to_do(unfinished, rest)]
    if not todo:
        raise Refused(f"Nothing of run {job.run} is left to finish: what is not done of it needs no doing any more.")
    first = todo[0].title()
    reasons = (f"run {job.run} ended before this was done; what it did is kept: {first[:1].lower()}{first[1:]}",)
    if not any(step.gated for step in todo):  # looks and starts alone: without a click the run would never begin
        return _plan(request, job.run, rest, facts, target, reasons, (in_one_block(todo), ()))
    return _plan(request, job.run, rest, facts, target, reasons, laid_out_in_blocks([(step, None) for step in todo]))


def _started(rest: Rest, facts: Facts) -> Iterator[Step]:
    """The writers that the run could not start again, with the pods that they had, and the copies."""
    known = {writer.where: writer.replicas for writers in facts.writers.values() for writer in writers}
    left = [each for each in loaded(rest.left, RestoreWriter) if known.get(each.where, 0) < each.replicas]
    for each in left:
        yield StartWriter(namespace=each.namespace, deployment=each.deployment, replicas=each.replicas)
    for each in left:
        yield AwaitWriterReady(namespace=each.namespace, deployment=each.deployment)
    yield from copies_started(rest, facts)


def _begun_on(target: str, rest: Rest) -> bool:
    """Whether the target itself has changed: then the same request would find its own work there and refuse."""
    return any(past.done and past.params.get("name") == target for past in rest.steps)


def _switched(rest: Rest, facts: Facts) -> bool:
    """Whether the table that was copied beside stands under the name: else all of it was put back. An exchange may
    leave ids where they were: its tables are known by their schemas."""
    switched = next(iter(planned(rest, Replacing)), None)
    stands = facts.datasources.get(switched.table.name) if switched else None
    if switched is None or stands is None:
        return False
    if isinstance(switched, Exchange):
        return digest_of_schema(stands) == switched.table.planned
    return stands.id != switched.table.id


def _plan(
    request: Request, run: int, rest: Rest, facts: Facts, target: str, reasons: tuple[str, ...],
    laid_out: tuple[tuple[PlannedStep, ...], tuple[HoldLimit, ...]], *,
    took: Estimate | None = None, stale: Estimate | None = None,
) -> Plan:  # fmt: skip
    laid, holds = laid_out
    keys = {key for step in laid for key in (*step.reads, *step.writes)}
    return Plan(
        command=request.text,
        environment=facts.environment,
        target=target,
        request={"kind": NAME, "run": run},
        strategy=Choice(name=NAME, reasons=reasons),
        readers=Lineage.of(facts).readers(target),
        steps=laid,
        holds=holds,
        stale=stale or Estimate(seconds=0, formula="nothing gets stale"),
        took=took or Estimate(seconds=10 * len(laid), formula=f"{len(laid)} small steps of about 10 s"),
        sql=rest.sql if any(step.op == MigratePostgres.op for step in laid) else (),
        datafiles=rest.datafiles,
        guards={key: guards.digest_of(facts, key) for key in sorted(keys)},
        locks=rest.locks,
    )
