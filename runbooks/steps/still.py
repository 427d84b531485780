"""That nothing writes to a table any more, once all who are known to write are stopped (facts/procedures.md §3, §4)."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Wait
from runbooks.steps.delivery import COUNTS_APART_S, LOOK_AGAIN_S, QUIET_S, raw_count, undelivered
from runbooks.words import counted

UNKNOWN_S = 120.0  # producers send what they still hold when they end, within seconds

Memo = dict[str, Any]


def still_key(table: str) -> str:
    """Under which name the rows and offsets found at rest enter the run's record."""
    return f"still/{table}"


class AwaitStill(Step):
    """Wait until the topic gets no message, all of it is delivered and the table does not grow. What grows all the
    same has a writer that nobody named: who goes on would lose its rows."""

    op: ClassVar[str] = "stream.still/1"
    gated: ClassVar[bool] = False
    long: ClassVar[bool] = True

    topic: str
    table: str

    def title(self) -> str:
        return f"Wait until all that was written has arrived in {self.table} and nothing more comes"

    def look(self, at: Site) -> Seen:
        memo: Memo = {"first": at.now.isoformat(), **at.memo}
        ends = at.kafka.end_offsets(self.topic)
        stored = {str(partition): end for partition, end in ends.items()}
        if memo.get("ends") != stored:
            memo |= {"ends": stored, "since": at.now.isoformat()}
            if _lasted(at, memo["first"]) > UNKNOWN_S:
                return self._unknown(f"the topic {self.topic} still gets messages")
        quiet = _lasted(at, memo["since"])
        if quiet < QUIET_S:
            why = f"nothing new has come into the topic for {quiet:.0f} s; {QUIET_S:.0f} s are waited for"
            return Wait(min(QUIET_S - quiet, 5.0), why, memo=memo)
        behind = undelivered(at, self.topic, ends)
        if behind:
            return Wait(LOOK_AGAIN_S, behind, memo=memo)
        return self._counted(at, memo)

    def _counted(self, at: Site, memo: Memo) -> Seen:
        rows = [raw_count(at, self.table), raw_count(at, f"{self.table}_quarantine")]
        memo = {"delivered": at.now.isoformat(), **memo}
        if memo.get("rows") != rows:
            grew = "rows" in memo and sum(rows) > sum(memo["rows"])
            if grew and _lasted(at, memo["delivered"]) > UNKNOWN_S:
                return self._unknown(f"{self.table} still grows, to {counted(rows[0], 'row')}")
            again = memo | {"rows": rows, "counted": at.now.isoformat()}
            so_far = counted(rows[0], "row")
            return Wait(COUNTS_APART_S, f"{so_far} so far; counted again, to see that no more come", memo=again)
        left = COUNTS_APART_S - _lasted(at, memo["counted"])
        if left > 0:
            return Wait(left, "the rows are counted once more, to see that no more come", memo=memo)
        found = {still_key(self.table): {"rows": rows[0], "ends": memo["ends"]}}
        return Done(f"Nothing writes to {self.table} any more: {counted(rows[0], 'row')}.", found)

    def _unknown(self, what: str) -> Astray:
        return Astray(
            f"unknown-writer: {what}, {UNKNOWN_S / 60:.0f} min after the last pod that is known to write was gone; "
            "find and stop who does, or abort: nothing of the table was touched",
            memo={},
        )


class AwaitSettled(Step):
    """Wait until what the connector posted before its pause is all to be seen: Tinybird says 202 before it is
    (facts/tinybird.md §7). What comes now waits in Kafka."""

    op: ClassVar[str] = "tinybird.datasource.settled/1"
    gated: ClassVar[bool] = False

    table: str

    def title(self) -> str:
        return f"Wait until all that was posted to {self.table} is to be seen"

    def look(self, at: Site) -> Seen:
        if not at.connect.status(at.names.connector).paused:
            return Astray(f"the connector {at.names.connector} is not paused any more: somebody or a restart undid it")
        rows = raw_count(at, self.table)
        if at.memo.get("rows") != rows:
            why = f"{counted(rows, 'row')} so far; counted again, to see that no more come"
            return Wait(COUNTS_APART_S, why, memo={"rows": rows, "counted": at.now.isoformat()})
        left = COUNTS_APART_S - _lasted(at, at.memo["counted"])
        if left > 0:
            return Wait(left, "the rows are counted once more, to see that no more come")
        return Done(f"{self.table} stands still with {counted(rows, 'row')}.")


def grown(at: Site, table: str, topic: str) -> str | None:
    """What has come since the table was found at rest; None if nothing has."""
    found: Memo = at.found.get(still_key(table)) or {}
    ends = {str(partition): end for partition, end in at.kafka.end_offsets(topic).items()}
    if ends != found.get("ends"):
        return f"unknown-writer: messages came into the topic {topic} after everything had been found at rest"
    rows = raw_count(at, table)
    if rows > int(found.get("rows", 0)):
        more = counted(rows - int(found.get("rows", 0)), "row")
        return f"unknown-writer: {more} came into {table} after everything had been found at rest"
    return None


def _lasted(at: Site, since: str) -> float:
    return (at.now - datetime.fromisoformat(since)) / timedelta(seconds=1)
