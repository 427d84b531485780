"""Whether what Sequin gave to Kafka has come to Tinybird (facts/procedures.md §3)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

from runbooks.site import Site
from runbooks.step import Astray, Done, Progress, Seen, Step, Wait
from runbooks.words import counted
from systems.errors import SystemsError

QUIET_S = 30.0  # end offsets unchanged for this long, or twice a slot's restart
COUNTS_APART_S = 10.0
LOOK_AGAIN_S = 1.0
RESTLESS_S = 120.0  # a full buffer of Sequin is sent in a minute
RESTART_S = 300.0  # a connector that was resumed runs sooner


class Drain(Step):
    """Wait until nothing is on its way to the table any more. The fifth condition, offsets looked at again with
    the connector paused, is SetAside's: it holds right before the table goes."""

    op: ClassVar[str] = "stream.drain/1"
    gated: ClassVar[bool] = False
    long: ClassVar[bool] = True

    sink: str
    topic: str
    table: str

    def title(self) -> str:
        return f"Wait until everything already sent has arrived in {self.table}"

    def look(self, at: Site) -> Seen:
        if at.sequin.sink(self.sink).health != "paused":
            return Astray(f"the Sequin sink {self.sink} is not paused any more: somebody or a restart undid it")
        ends = at.kafka.end_offsets(self.topic)
        memo = _quiet_since(at, ends)
        quiet = _lasted(at, memo["since"])
        needed = max(QUIET_S, 2.0 * at.limits.slot_restart_s)
        if quiet < needed:
            why = f"nothing new has been sent for {quiet:.0f} s; {needed:.0f} s are waited for"
            return Wait(min(needed - quiet, 5.0), why, memo=memo)
        behind = undelivered(at, self.topic, ends)
        if isinstance(behind, str):
            return Wait(LOOK_AGAIN_S, behind, memo=memo)
        return self._counted(at, memo)

    def _counted(self, at: Site, memo: dict[str, Any]) -> Seen:
        """Raw rows and quarantine, twice the same, far enough apart."""
        counts = [raw_count(at, self.table), raw_count(at, f"{self.table}_quarantine")]
        if memo.get("counts") != counts:
            again = memo | {"counts": counts, "counted": at.now.isoformat()}
            so_far = counted(counts[0], "row")
            why = f"{so_far} so far; counted again after {COUNTS_APART_S:.0f} s, to see that no more come"
            return Wait(COUNTS_APART_S, why, memo=again)
        left = datetime.fromisoformat(memo["counted"]) + timedelta(seconds=COUNTS_APART_S) - at.now
        if left > timedelta():
            return Wait(left.total_seconds(), "the rows are counted once more, to see that no more come", memo=memo)
        arrived = f"{counted(counts[0], 'row')}, {counted(counts[1], 'row')} in quarantine"
        return Done(f"Everything that was sent has arrived in {self.table}: {arrived}.")


class AwaitDelivery(Step):
    """Wait until the connector has delivered what was in the topic when this began; writes go on meanwhile."""

    op: ClassVar[str] = "stream.await-delivery/1"
    gated: ClassVar[bool] = False
    long: ClassVar[bool] = True

    topic: str

    def title(self) -> str:
        return f"Wait until Kafka Connect has delivered what is in the topic {self.topic} now"

    def look(self, at: Site) -> Seen:
        recorded: Mapping[str, int] | None = at.memo.get("ends")
        ends = (
            {int(p): end for p, end in recorded.items()} if recorded is not None else at.kafka.end_offsets(self.topic)
        )
        memo = {"ends": {str(partition): end for partition, end in ends.items()}}
        status = at.connect.status(at.names.connector)
        if status.state == "FAILED" or "FAILED" in status.tasks:
            return Astray(f"the connector {at.names.connector} has failed: {status.trouble or 'see its log'}")
        behind = undelivered(at, self.topic, ends)
        if behind is None:
            return Done(f"Everything that was in the topic {self.topic} is delivered.")
        return Wait(LOOK_AGAIN_S, behind, _delivered(at, self.topic, ends), memo)


class AwaitHeld(Step):
    """Wait until what was held back in Sequin or Kafka has come, once all of that runs again. Writes go on meanwhile,
    so that a topic which never rests is taken as it is after a while."""

    op: ClassVar[str] = "stream.await-held/1"
    gated: ClassVar[bool] = False
    long: ClassVar[bool] = True

    topic: str

    def title(self) -> str:
        return f"Wait until what was held back of the topic {self.topic} is delivered"

    def look(self, at: Site) -> Seen:
        memo: dict[str, Any] = {"first": at.now.isoformat(), **at.memo}
        status = at.connect.status(at.names.connector)
        if not status.running:
            said = f"the connector {at.names.connector} does not run, and holds back what comes"
            late = status.paused or _lasted(at, memo["first"]) > RESTART_S
            return Astray(said) if late else Wait(LOOK_AGAIN_S, said, memo=memo)
        if "until" not in memo:
            ends = at.kafka.end_offsets(self.topic)
            memo |= _quiet_since(replace(at, memo=memo), ends)
            needed = max(QUIET_S, 2.0 * at.limits.slot_restart_s)
            quiet, all_in_all = _lasted(at, memo["since"]), _lasted(at, memo["first"])
            if quiet < needed and all_in_all < RESTLESS_S:
                why = f"nothing more has been sent for {quiet:.0f} s; {needed:.0f} s are waited for"
                return Wait(min(needed - quiet, 5.0), why, memo=memo)
            memo |= {"until": memo["ends"]}
        until: Mapping[str, int] = memo["until"]
        ends = {int(partition): end for partition, end in until.items()}
        behind = lagging(at, self.topic, ends)
        if behind:
            return Wait(LOOK_AGAIN_S, behind, _delivered(at, self.topic, ends), memo)
        return Done(f"What was held back of the topic {self.topic} is delivered.")


def _quiet_since(at: Site, ends: Mapping[int, int]) -> dict[str, Any]:
    """The end offsets, and since when they have been so."""
    stored = {str(partition): end for partition, end in ends.items()}
    if at.memo.get("ends") == stored:
        return dict(at.memo)
    return {"ends": stored, "since": at.now.isoformat()}


def _lasted(at: Site, since: str) -> float:
    return (at.now - datetime.fromisoformat(since)) / timedelta(seconds=1)


def undelivered(at: Site, topic: str, ends: Mapping[int, int]) -> str | None:
    """Why not all up to ``ends`` is delivered; None if it is. A partition that has records and was never
    committed is unknown, not delivered."""
    if not at.connect.status(at.names.connector).running:
        return f"the connector {at.names.connector} or a task of it does not run"
    return lagging(at, topic, ends)


def lagging(at: Site, topic: str, ends: Mapping[int, int]) -> str | None:
    """The same without asking whether the connector runs."""
    committed = at.kafka.committed(at.names.connect_group, topic)
    starts = at.kafka.start_offsets(topic)
    with_records = {p: end for p, end in ends.items() if end > starts.get(p, 0)}
    unknown = [p for p in with_records if p not in committed]
    if unknown:
        return f"the connector has not said yet how far it is in {len(unknown)} of {len(ends)} partitions of {topic}"
    lag = sum(max(end - committed[p], 0) for p, end in with_records.items())
    return f"{counted(lag, f'message of the topic {topic}')} still to be delivered to Tinybird" if lag else None


def _delivered(at: Site, topic: str, ends: Mapping[int, int]) -> Progress:
    committed = at.kafka.committed(at.names.connect_group, topic)
    return Progress(sum(min(committed.get(p, 0), end) for p, end in ends.items()), sum(ends.values()), "messages")


def raw_count(at: Site, table: str) -> int:
    """Rows without FINAL; 0 for a quarantine that does not exist yet (facts/tinybird.md §7)."""
    try:
        return int(at.tinybird.sql(f"SELECT toString(count()) AS n FROM `{table}`")[0]["n"])
    except SystemsError as error:
        if table.endswith("_quarantine") and error.status in (400, 404):
            return 0
        raise
