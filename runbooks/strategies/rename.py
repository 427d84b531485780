"""A table that lives in Tinybird alone, copied beside itself and switched by name (facts/procedures.md §4): copied
first, while its writers run, and stopped last, so that they are held for minutes, not for the length of the copy."""

from collections.abc import Iterator
from dataclasses import dataclass

from runbooks.facts.model import Deployment, Facts
from runbooks.plan import Estimate
from runbooks.step import Step
from runbooks.steps.beside import CreateBeside, CreateCopyPipe, RemoveRunsCopyPipe
from runbooks.steps.catch_up import CatchUp
from runbooks.steps.chunks import CopyChunks, ProveCopy
from runbooks.steps.connectors import PauseConnector, ResumeConnector
from runbooks.steps.create import CheckReferences, RestoreScopes
from runbooks.steps.delivery import COUNTS_APART_S, QUIET_S, AwaitDelivery
from runbooks.steps.still import AwaitStill
from runbooks.steps.writers import AwaitWriterGone, AwaitWriterReady, StartWriter, StopWriter
from runbooks.strategies import Assessment, Hold, PlannedChange, register
from runbooks.strategies.beside import LEAST_BUDGET_S, SWITCH_S, copying, hindrance, times
from runbooks.strategies.enclosing import ALONE, Enclosing
from runbooks.strategies.parts import alteration, standing, tagged_again
from runbooks.strategies.paused import paused, read_again
from runbooks.strategies.switching import RENAMES, Switching
from runbooks.words import counted

PODS_S = 30  # pods have so long to end (facts/systems.md §5)


@dataclass(frozen=True)
class Rename:
    name: str = "rename"
    switching: Switching = RENAMES

    def assess(self, change: PlannedChange, facts: Facts) -> Assessment:
        hindered = _hindrance(change, facts) or self.switching.hindrance(change, facts)
        if hindered:
            return Assessment(eligible=False, reason=hindered)
        spent, hold = times(change.target.before), _hold(change)
        writers = facts.writers[change.name]
        broken = self.switching.broken(change)
        return Assessment(
            eligible=True,
            reason=f"{change.name} is copied beside itself while it is written to, then the names are switched",
            reasons=(
                *self.switching.reasons(change),
                "it is copied first and its writers stop last: they are held for "
                f"{hold.seconds} s, however long the copy takes",
                "every range of the copy is proven by value before the switch, and the old table is kept",
            ),
            costs=(
                f"a copy of {spent.copy.formula}",
                f"{counted(len(writers), 'writer')} stopped for {hold.seconds} s",
                *(f"{name} finds no table between the two renames" for name in broken),
            ),
            downtime=self.switching.downtime(change),
            hold=hold,
            stale=Estimate(seconds=hold.seconds, formula=f"the hold: {hold.formula}"),
            took=Estimate(
                seconds=spent.copy.seconds + hold.seconds + 60,
                formula=f"a copy of {spent.copy.formula} + the hold + a minute for copies",
            ),
            breaks_reads=bool(broken),
        )

    def steps(self, change: PlannedChange, facts: Facts, around: Enclosing = ALONE) -> Iterator[Step]:
        connector, table, of = facts.connector, standing(change, facts), copying(change)
        hold = _hold(change)
        if connector is None:
            return  # not eligible
        for target in change.targets:  # a wildcard copy would bring a column that its target does not take
            yield alteration(target)
        yield CreateBeside.of(table, change.target.after)
        yield CreateCopyPipe(of=of)
        yield CopyChunks(of=of, rows=facts.limits.copy_chunk_rows)
        with Hold(_budget(change)):
            yield from paused(change, facts, hold, table)  # none may be under way when tables change places
            yield from _stop(facts.writers[change.name])
            yield AwaitStill(topic=change.name, table=change.name)
            yield CatchUp(of=of)
            yield ProveCopy(of=of, rows=facts.limits.copy_chunk_rows)
            yield RemoveRunsCopyPipe(source=change.name)  # before the switch: it would copy the table into itself
            yield PauseConnector(connector=connector.name, table=table)  # an event between would make the table anew
            yield from around.still()
            yield from self.switching.steps(change, facts, change.name)
            yield CheckReferences(table=table)
            yield RestoreScopes(table=change.name, grants=table.grants)
            yield ResumeConnector(connector=connector.name)
            for each in facts.writers[change.name]:
                yield StartWriter(namespace=each.namespace, deployment=each.name, replicas=each.replicas)
        for each in facts.writers[change.name]:
            yield AwaitWriterReady(namespace=each.namespace, deployment=each.name)
        yield AwaitDelivery(topic=change.name)
        yield from around.proven()
        yield from read_again(change, facts, hold)
        yield from tagged_again(change)


def _stop(writers: tuple[Deployment, ...]) -> Iterator[Step]:
    for each in writers:
        yield StopWriter(namespace=each.namespace, deployment=each.name, replicas=each.replicas)
    for each in writers:
        yield AwaitWriterGone(namespace=each.namespace, deployment=each.name)


def _hindrance(change: PlannedChange, facts: Facts) -> str | None:
    if change.replicated:
        return f"{change.name} is replicated: its topic has its name, so a table beside it is fed by nobody"
    writers = facts.writers.get(change.name)
    if not writers:
        return f"nobody named the deployments that write {change.name}, which must be stopped for the switch"
    silent = next((each for each in writers if each.trouble), None)
    if silent:
        return f"of its writer {silent.where} nothing is known: {silent.trouble}"
    return hindrance(change, facts)


def _hold(change: PlannedChange) -> Estimate:
    spent = times(change.target.before).caught_up
    still = PODS_S + round(QUIET_S) + round(COUNTS_APART_S)
    return Estimate(
        seconds=still + spent.seconds + SWITCH_S,
        formula=f"{PODS_S} s for pods to end + {QUIET_S:.0f} s without a message + {COUNTS_APART_S:.0f} s + "
        f"{spent.formula} + {SWITCH_S} s to switch",
    )


def _budget(change: PlannedChange) -> Estimate:
    """Nothing overflows while writers are stopped: what they would write waits where they read it."""
    seconds = max(LEAST_BUDGET_S, -(-4 * _hold(change).seconds // LEAST_BUDGET_S) * LEAST_BUDGET_S)
    return Estimate(seconds=seconds, formula="four times the hold in whole hours, so that people are called in time")


register(Rename())
