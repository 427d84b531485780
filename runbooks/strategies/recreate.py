"""A replicated table made anew and filled from Postgres (facts/procedures.md §4): for what cannot be altered."""

from collections.abc import Iterator
from dataclasses import dataclass

from runbooks.budget import sink_budget
from runbooks.facts.model import Facts, Sink
from runbooks.plan import Estimate
from runbooks.proof.claims import Provable
from runbooks.questions import Count
from runbooks.step import Step
from runbooks.steps.backfills import AwaitBackfill, CreateBackfill
from runbooks.steps.connectors import PauseConnector, ResumeConnector
from runbooks.steps.create import CheckReferences, CreateDatasource, RestoreScopes
from runbooks.steps.delivery import COUNTS_APART_S, QUIET_S, AwaitDelivery, Drain
from runbooks.steps.ghosts import DeleteGhosts
from runbooks.steps.postgres_migrate import RefreshTables
from runbooks.steps.postgres_rewrite import CheckValues
from runbooks.steps.set_aside import DeleteDatasource, SetAside
from runbooks.steps.sinks import PauseSink, ResumeSink
from runbooks.steps.standing import Standing
from runbooks.strategies import Assessment, Hold, PlannedChange, register
from runbooks.strategies.enclosing import ALONE, Enclosing
from runbooks.strategies.parts import (
    MISFITS,
    REWRITE_BYTES_PER_S,
    alteration,
    backfill_s,
    contracted,
    migrations,
    proof,
    proven,
    rewritten,
    standing,
    tagged_again,
)
from runbooks.strategies.paused import paused, read_again

_SWITCH_S = 15  # connector paused, table set aside and made, scopes, connector resumed


@dataclass(frozen=True)
class Recreate:
    name: str = "recreate"

    def assess(self, change: PlannedChange, facts: Facts) -> Assessment:
        hindrance = _hindrance(change, facts)
        if hindrance:
            return Assessment(eligible=False, reason=hindrance)
        hold, filling = _hold(change, facts), backfill_s(change, facts)
        broken = tuple(reader.name for reader in change.endpoints)
        empty = Estimate(
            seconds=_SWITCH_S + filling[0], formula=f"{_SWITCH_S} s for the switch + a backfill of {filling[1]}"
        )
        stale = Estimate(seconds=hold.seconds + filling[0], formula=f"the hold + a backfill of {filling[1]}")
        return Assessment(
            eligible=True,
            reason=f"{change.name} is filled again from Postgres",
            reasons=(
                "every row is written anew, so every value is Postgres's own, and what is gone from there disappears",
                f"ingestion is held for {hold.seconds} s",
            ),
            costs=(f"a backfill of {filling[1]}", *(f"{name} reads an empty table meanwhile" for name in broken)),
            downtime=empty
            if broken
            else Estimate(seconds=0, formula="no endpoint reads it: copies keep their last good rows"),
            hold=hold,
            stale=stale if change.copies or broken else Estimate(seconds=0, formula="nothing reads it"),
            took=Estimate(
                seconds=hold.seconds + filling[0] + 60, formula=f"{stale.formula} + a minute for proof and copies"
            ),
            breaks_reads=bool(broken),
        )

    def steps(self, change: PlannedChange, facts: Facts, around: Enclosing = ALONE) -> Iterator[Step]:
        sink, connector, table = change.sink, facts.connector, standing(change, facts)
        hold = _hold(change, facts)
        found = proof(change, tuple(column.name for column in change.target.after.columns))
        if sink is None or connector is None:
            return  # not eligible
        for target in change.targets:
            yield alteration(target)
        yield from migrations(change)  # expand first, nothing held yet
        yield RefreshTables(database=sink.database)
        yield from _checked(change)
        with Hold(sink_budget(change.table, facts)):
            yield from paused(change, facts, hold, table)  # a replace copy would empty a good table
            yield PauseSink(sink=sink.name, table=table)
            yield Drain(sink=sink.name, topic=sink.topic, table=change.name)
            if change.retype and change.table:
                yield rewritten(change.retype, change.table, change.sql[0], table)
                yield RefreshTables(database=sink.database)
            yield PauseConnector(connector=connector.name, table=table)
            yield from around.still()
            yield _away(change, facts, table)
            yield CreateDatasource.of(table, change.target.after)
            yield RestoreScopes(table=change.name, grants=table.grants)
            yield CheckReferences(table=table)
            yield ResumeConnector(connector=connector.name)
            yield CreateBackfill(sink=sink.name, table=sink.table)  # created before the sink resumes, awaited after:
            yield ResumeSink(sink=sink.name)  # on a paused sink it would wait for ever
        yield AwaitBackfill(sink=sink.name, table=sink.table)
        yield AwaitDelivery(topic=sink.topic)
        yield from proven(found)
        yield from _swept(found, sink)  # behind a proof: both sides were seen to write keys alike
        yield from around.proven()
        yield from read_again(change, facts, hold)
        yield from proven(found)  # an old shape delivered again would have won meanwhile (facts/procedures.md §1)
        yield from tagged_again(change)
        yield from contracted(change)


def _swept(found: Provable | str, sink: Sink) -> Iterator[Step]:
    """Rows that were deleted from Postgres while the table was filled: their deletes came as rows (§2.10)."""
    if not isinstance(found, str):
        yield DeleteGhosts(claim=found.claim, span=found.span, topic=sink.topic)


def _checked(change: PlannedChange) -> Iterator[Step]:
    """Values that came since the plan was made."""
    sql = next((q.sql for q in change.questions if isinstance(q, Count) and q.key == MISFITS), None)
    if change.retype and change.table and sql:
        of = change.retype
        yield CheckValues(table=change.table.name, column=of.column, type=of.after, sql=sql)


def _away(change: PlannedChange, facts: Facts, table: Standing) -> Step:
    """Set aside where the workspace can rename, as far as is known; deleted where it is known that it cannot."""
    topic = change.sink.topic if change.sink else change.name
    copies = tuple(copy.name for copy in change.copies)
    if facts.capabilities.get("rename") == "refused":
        return DeleteDatasource(table=table, topic=topic, copies=copies)
    return SetAside(table=table, topic=topic, copies=copies)


def _hindrance(change: PlannedChange, facts: Facts) -> str | None:
    """Why the table cannot be made anew from Postgres; None if it can."""
    if not change.replicated or change.sink is None:
        return f"{change.name} is not replicated: nothing could fill it again"
    if facts.connector is None:
        return "the connector was not asked"
    found = proof(change, tuple(column.name for column in change.target.after.columns))
    if isinstance(found, str) and not (change.table is None and not facts.live):  # a folder's plan is only looked at
        return f"what it does could not be proven: {found}"
    seconds, formula = backfill_s(change, facts)
    if seconds > facts.limits.backfill_max_s:
        return f"its backfill would take {seconds / 3600:.0f} h ({formula}), longer than is allowed"
    return None


def _hold(change: PlannedChange, facts: Facts) -> Estimate:
    quiet = round(max(QUIET_S, 2 * facts.limits.slot_restart_s))
    total = quiet + round(COUNTS_APART_S) + _SWITCH_S
    formula = f"{quiet} s without a message + {COUNTS_APART_S:.0f} s + {_SWITCH_S} s to switch"
    if change.retype is None or change.table is None:
        return Estimate(seconds=total, formula=formula)
    rewrite = 1 + (change.table.bytes or 0) // REWRITE_BYTES_PER_S
    return Estimate(seconds=total + rewrite, formula=f"{formula} + {rewrite} s to rewrite {change.table.name}")


register(Recreate())
