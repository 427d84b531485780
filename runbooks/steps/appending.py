"""An appending copy that looks back, paused and brought back: what it misses meanwhile is copied first
(facts/procedures.md §2.7)."""

from dataclasses import replace
from typing import Any, ClassVar

from runbooks.proof.gap import Gap
from runbooks.site import Site
from runbooks.step import Astray, Done, Failed, Seen, Step, Todo, Wait
from runbooks.steps.copies import PauseCopy, RestoreCopy, ResumeCopy
from runbooks.steps.copy_jobs import scheduled
from runbooks.steps.delivery import AwaitHeld
from runbooks.steps.gap import gap_key, steps_of

_COPY, _REMOVE = 2, 3  # of its stages

Memo = dict[str, Any]


class PauseAppending(PauseCopy):
    """Pause it as any copy, and record when: from then on it misses rows."""

    op: ClassVar[str] = "tinybird.copy.pause-appending/1"

    gap: Gap

    def remember(self, at: Site) -> Step | None:
        if not scheduled(at, self.pipe):
            return None
        return RestoreAppending(pipe=self.pipe, table=self.table, gap=self.gap, paused=self._since(at))

    def look(self, at: Site) -> Seen:
        seen = super().look(at)
        memo = {"paused": self._since(at)}
        match seen:
            case Done():
                return replace(seen, found={gap_key(self.pipe): memo["paused"]})
            case Todo() | Wait():
                return replace(seen, memo=memo)
            case Astray() | Failed():
                return seen

    def _since(self, at: Site) -> str:
        """When it was first looked at: no later than it was paused."""
        return str(at.memo.get("paused") or at.now.isoformat())


class RestoreAppending(RestoreCopy):
    """Start it again as any copy, but with what it missed copied before: it looks back no further than it always did.
    One effect a look, as the steps of a plan have them; where the copying fails, it stays paused."""

    op: ClassVar[str] = "tinybird.copy.restore-appending/1"
    long: ClassVar[bool] = True
    settle_s: ClassVar[float] = 10.0

    gap: Gap
    paused: str

    def title(self) -> str:
        return f"Copy what {self.pipe} missed and resume it, if {self.table.name} may be read"

    def undone(self, at: Site) -> bool:
        return scheduled(at, self.pipe)

    def look(self, at: Site) -> Seen:
        seen = super().look(at)
        match seen:
            case Done() if at.memo:  # somebody was faster; the run's pipe goes all the same
                gone = self._stages()[_REMOVE].look(self._within(at, {}))
                return replace(gone, memo={"at": _REMOVE}) if isinstance(gone, Todo | Wait) else seen
            case Todo():
                return self._onward(at) if at.memo else Wait(0.0, "what it missed is copied first", memo={"at": 0})
            case _:
                return seen

    def act(self, at: Site) -> None:
        self._stages()[int(at.memo["at"])].act(self._within(at, dict(at.memo)))

    def _stages(self) -> tuple[Step, ...]:
        return (AwaitHeld(topic=self.table.name), *steps_of(self.gap, self.paused), ResumeCopy(pipe=self.pipe))

    def _onward(self, at: Site) -> Seen:
        """The first stage that is not done; a worker that dies between two finds the last one done again."""
        memo: Memo = dict(at.memo)
        stages = self._stages()
        for number in range(memo["at"], len(stages)):
            memo = memo if number == memo["at"] else {**_failed(memo), "at": number}
            if number > _REMOVE and "failed" in memo:
                return Astray(f"{self.pipe} stays paused: {memo['failed']}")
            seen = stages[number].look(self._within(at, memo))
            match seen:
                case Todo() | Wait():
                    inner = memo.get("inner", {}) if seen.memo is None else dict(seen.memo)
                    return replace(seen, memo=memo | {"inner": inner})
                case Astray() | Failed() if number == _COPY:  # the run's pipe goes all the same
                    memo = memo | {"failed": seen.reason}
                case Astray() | Failed():
                    return replace(seen, reason=f"{self.pipe} stays paused: {seen.reason}")
                case Done():
                    pass
        return Done(f"{self.pipe} runs on its schedule, and what it missed is copied.")

    def _within(self, at: Site, memo: Memo) -> Site:
        return replace(at, memo=memo.get("inner", {}))


def _failed(memo: Memo) -> Memo:
    return {"failed": memo["failed"]} if "failed" in memo else {}
