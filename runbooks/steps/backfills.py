"""Sequin backfills: created while the sink is held, awaited once it is let go."""

from datetime import datetime, timedelta
from typing import ClassVar

from runbooks.site import Site
from runbooks.step import Astray, Done, Progress, Seen, Step, Todo, Wait
from runbooks.words import counted
from systems.errors import SystemsError
from systems.sequin_model import BackfillInfo, is_open_backfill

LOOK_AGAIN_S = 2.0
STALLED_S = 900.0  # a sweep starts a reader within 20 s; a batch takes seconds


class CreateBackfill(Step):
    """Have Sequin send every row of the table. On a paused sink it waits, so it is created before the sink
    resumes and awaited after (facts/systems.md §1.5). One made since the first look is adopted."""

    op: ClassVar[str] = "sequin.backfill.create/1"
    settle_s: ClassVar[float] = 5.0

    sink: str
    table: str  # "public.members"

    def title(self) -> str:
        return f"Start a backfill of {self.table} on {self.sink}"

    def remember(self, at: Site) -> Step | None:
        return CancelBackfill(sink=self.sink, table=self.table)

    def look(self, at: Site) -> Seen:
        mine = _of(at, self.sink, self.table)
        if "known" not in at.memo:
            earlier = next((b for b in mine if b.open), None)
            if earlier:
                return Astray(f"a backfill of {self.table} is open already ({earlier.state}): await or cancel it first")
            return Todo(memo={"known": [b.id for b in mine]})
        new = next((b for b in mine if b.id not in at.memo["known"]), None)
        return Done(f"A backfill of {self.table} is under way.", {"backfill": new.id}) if new else Todo()

    def act(self, at: Site) -> None:
        try:
            at.sequin.create_backfill(self.sink, self.table)
        except SystemsError as error:
            if not is_open_backfill(error):  # else the next look adopts it
                raise


class AwaitBackfill(Step):
    """Wait until Sequin has handed over every row. That is not yet in Kafka nor in Tinybird: see AwaitDelivery."""

    op: ClassVar[str] = "sequin.backfill.await/1"
    gated: ClassVar[bool] = False
    long: ClassVar[bool] = True

    sink: str
    table: str

    def title(self) -> str:
        return f"Wait for the backfill of {self.table}"

    def look(self, at: Site) -> Seen:
        mine = _of(at, self.sink, self.table)
        backfill = next((b for b in mine if b.id == at.memo.get("id", mine[0].id)), None) if mine else None
        if backfill is None:
            return Astray(f"there is no backfill of {self.table} on {self.sink}")
        if backfill.state == "completed":
            return Done(f"The backfill of {self.table} has sent {counted(backfill.rows_done, 'row')}.")
        if not backfill.open:
            return Astray(
                f"the backfill of {self.table} is {backfill.state} after {counted(backfill.rows_done, 'row')}"
            )
        return self._patient(at, backfill)

    def _patient(self, at: Site, backfill: BackfillInfo) -> Seen:
        sink = at.sequin.sink(self.sink)
        moved = at.memo.get("done") != backfill.rows_done or "since" not in at.memo
        since = at.now.isoformat() if moved else str(at.memo["since"])
        if at.now - datetime.fromisoformat(since) > timedelta(seconds=STALLED_S):
            trouble = f"; Sequin says: {sink.trouble}" if sink.trouble else f"; the sink is {sink.health}"
            anew = {"id": backfill.id}
            return Astray(f"the backfill of {self.table} has sent nothing for {STALLED_S / 60:.0f} min{trouble}", anew)
        memo = {"id": backfill.id, "done": backfill.rows_done, "since": since}
        why = f"the sink is {sink.health}" if sink.health != "healthy" else "Sequin is sending rows"
        return Wait(LOOK_AGAIN_S, why, Progress(backfill.rows_done, backfill.rows_total), memo)


class CancelBackfill(Step):
    """Cancel what is open, on a way out (facts/procedures.md §2.3)."""

    op: ClassVar[str] = "sequin.backfill.cancel/1"
    settle_s: ClassVar[float] = 5.0

    sink: str
    table: str

    def title(self) -> str:
        return f"Cancel the backfill of {self.table} if it is still open"

    def look(self, at: Site) -> Seen:
        return Todo() if any(b.open for b in _of(at, self.sink, self.table)) else Done("No backfill is open.")

    def act(self, at: Site) -> None:
        for backfill in _of(at, self.sink, self.table):
            if backfill.open:
                at.sequin.cancel_backfill(self.sink, backfill.id)
                return


def _of(at: Site, sink: str, table: str) -> list[BackfillInfo]:
    """The table's backfills, the newest first."""
    return [b for b in at.sequin.backfills(sink) if b.table in (table, "")]
