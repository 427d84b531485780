"""A copy pipe's schedule, stopped for as long as people want, and started again: no step puts it back by itself."""

from typing import ClassVar

from runbooks.site import Site
from runbooks.step import Done, Failed, Seen, Step, Todo
from runbooks.steps.copy_jobs import scheduled


class _OfSchedule(Step):
    settle_s: ClassVar[float] = 5.0

    pipe: str

    def reads(self) -> tuple[str, ...]:
        return (f"tinybird/pipe/{self.pipe}/schedule",)

    def writes(self) -> tuple[str, ...]:
        return self.reads()

    def look(self, at: Site) -> Seen:
        if at.tinybird.pipe(self.pipe) is None:
            return Failed(f"there is no pipe {self.pipe} any more")
        return self._as(runs=scheduled(at, self.pipe))

    def _as(self, *, runs: bool) -> Seen:
        """What to do about a schedule that runs, or does not."""
        raise NotImplementedError


class StopSchedule(_OfSchedule):
    """A run that is under way goes on."""

    op: ClassVar[str] = "tinybird.copy.stop-schedule/1"

    def title(self) -> str:
        return f"Stop the schedule of the copy pipe {self.pipe}"

    def _as(self, *, runs: bool) -> Seen:
        return Todo() if runs else Done(f"{self.pipe} does not run by its schedule any more.")

    def act(self, at: Site) -> None:
        at.tinybird.copy_pause(self.pipe)


class StartSchedule(_OfSchedule):
    op: ClassVar[str] = "tinybird.copy.start-schedule/1"

    def title(self) -> str:
        return f"Start the schedule of the copy pipe {self.pipe} again"

    def _as(self, *, runs: bool) -> Seen:
        return Done(f"{self.pipe} runs by its schedule again.") if runs else Todo()

    def act(self, at: Site) -> None:
        at.tinybird.copy_resume(self.pipe)
