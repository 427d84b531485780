"""Copy pipes' schedules, changed in place: one after the other, and kept once all of them stand."""

from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar

from runbooks.schedules import runs_of
from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo, Wait

_STANDS = "timetable"  # what the check reports: the copies that keep their new times
_SLACK_S = 60.0  # a run does not begin on the exact second (facts/tinybird.md §4)


class SetSchedule(Step):
    """Start a copy pipe at other times of the same period, ``minutes`` later (earlier, where negative). An appending
    one is not changed between its old time and its new one: it would run twice in that period, or not at all."""

    op: ClassVar[str] = "tinybird.copy.schedule/1"
    settle_s: ClassVar[float] = 5.0

    pipe: str
    cron: str
    was: str
    mode: str  # append | replace
    minutes: int

    def title(self) -> str:
        return f"Set the schedule of {self.pipe} to {self.cron} (it is {self.was})"

    def reads(self) -> tuple[str, ...]:
        return (f"tinybird/pipe/{self.pipe}/schedule",)

    def writes(self) -> tuple[str, ...]:
        return (f"tinybird/pipe/{self.pipe}/schedule",)

    def remember(self, at: Site) -> Step | None:
        return RestoreSchedule(pipe=self.pipe, cron=self.was, was=self.cron, mode=self.mode, minutes=-self.minutes)

    def look(self, at: Site) -> Seen:
        found = at.tinybird.pipe(self.pipe)
        if found is None:
            return Astray(f"there is no pipe {self.pipe}")
        if found.cron == self.cron:
            return Done(f"{self.pipe} starts by {self.cron} UTC.")
        if found.cron != self.was:
            return Astray(f"the schedule of {self.pipe} is {found.cron or 'gone'} by now, and not {self.was}")
        left = self._between_s(at)
        if left is not None:
            return Wait(left + _SLACK_S, f"{self.pipe} appends, and this period's run is to come first")
        return Todo(f"its schedule is {found.cron}")

    def act(self, at: Site) -> None:
        found = at.tinybird.pipe(self.pipe)
        if found and found.copy_node:
            at.tinybird.set_copy_schedule(found.id, found.copy_node, cron=self.cron, mode=found.copy_mode or self.mode)

    def _between_s(self, at: Site) -> float | None:
        """How long it is until the later time, where the earlier one of this period is over."""
        if self.mode != "append":
            return None
        later = next(runs_of(self.cron if self.minutes > 0 else self.was, at.now))
        left = later - at.now
        return left.total_seconds() if left <= timedelta(minutes=abs(self.minutes)) else None


class RestoreSchedule(SetSchedule):
    """The old times again, unless the whole timetable was seen to stand."""

    op: ClassVar[str] = "tinybird.copy.restore-schedule/1"

    def remember(self, at: Site) -> Step | None:
        return None

    def look(self, at: Site) -> Seen:
        if self.pipe in at.found.get(_STANDS, ()):
            return Done(f"{self.pipe} keeps its new times.")
        if at.tinybird.pipe(self.pipe) is None:
            return Done(f"{self.pipe} was removed: it has no times to go back to.")
        return super().look(at)


class CheckSchedules(Step):
    """See that every copy of a timetable starts by its new time: from then on there is no way back."""

    op: ClassVar[str] = "tinybird.copy.check-schedules/1"
    gated: ClassVar[bool] = False

    schedules: Mapping[str, str]  # copy pipe -> cron

    def title(self) -> str:
        return "Check that all of them start by their new times"

    def look(self, at: Site) -> Seen:
        there = {pipe.name: pipe.cron for pipe in at.tinybird.pipes()}
        for name, cron in self.schedules.items():
            if there.get(name) != cron:
                return Astray(f"{name} starts by {there.get(name)}, and not by {cron}")
        return Done("All copies start by their new times.", found={_STANDS: sorted(self.schedules)})


class KeepSchedules(Step):
    """The end of a timetable: what would put the old times back is struck off."""

    op: ClassVar[str] = "tinybird.copy.keep-schedules/1"
    gated: ClassVar[bool] = False

    def title(self) -> str:
        return "Keep the new times"

    def look(self, at: Site) -> Seen:
        return Done("The new times are kept.")
