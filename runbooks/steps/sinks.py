"""Sequin sinks: held, let go, put back."""

from typing import ClassVar

from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo, Wait
from runbooks.steps.standing import Standing

LOOK_AGAIN_S = 1.0


class PauseSink(Step):
    """Hold one Sequin sink. Changes queue up in Sequin and none is lost, but past its buffer every sink on the
    slot stops (facts/systems.md §1.5): hence the hold's budget."""

    op: ClassVar[str] = "sequin.sink.pause/1"
    settle_s: ClassVar[float] = 5.0

    sink: str
    table: Standing

    def title(self) -> str:
        return f"Pause the Sequin sink {self.sink}"

    def reads(self) -> tuple[str, ...]:
        return (f"sequin/sink/{self.sink}/status",)

    def writes(self) -> tuple[str, ...]:
        return self.reads()

    def locks(self) -> tuple[str, ...]:
        return ("slot",)  # every PATCH of a sink restarts the slot, with all sinks on it

    def remember(self, at: Site) -> Step | None:
        status = at.sequin.sink(self.sink).status
        return RestoreSink(sink=self.sink, table=self.table) if status == "active" else None

    def look(self, at: Site) -> Seen:
        sink = at.sequin.sink(self.sink)
        match sink.status, sink.health:
            case "disabled", _:
                return Astray(f"the Sequin sink {self.sink} is disabled: it drops changes instead of keeping them")
            case "paused", "paused":
                return Done(f"The Sequin sink {self.sink} is paused; changes queue up in Sequin.")
            case "paused", health:
                return Wait(LOOK_AGAIN_S, f"the sink is still {health}")
            case _:
                return Todo()

    def act(self, at: Site) -> None:
        at.sequin.set_status(self.sink, "paused")


class ResumeSink(Step):
    """Let a held sink go: what queued up is delivered, then the backfill."""

    op: ClassVar[str] = "sequin.sink.resume/1"
    gated: ClassVar[bool] = False
    settle_s: ClassVar[float] = 5.0

    sink: str

    def title(self) -> str:
        return f"Resume the Sequin sink {self.sink}"

    def writes(self) -> tuple[str, ...]:
        return (f"sequin/sink/{self.sink}/status",)

    def locks(self) -> tuple[str, ...]:
        return ("slot",)

    def look(self, at: Site) -> Seen:
        sink = at.sequin.sink(self.sink)
        if sink.status != "active":
            return Todo()
        if sink.health == "paused":
            return Wait(LOOK_AGAIN_S, "the sink is still starting")
        return Done(f"The Sequin sink {self.sink} is active again.")

    def act(self, at: Site) -> None:
        at.sequin.set_status(self.sink, "active")


class RestoreSink(Step):
    """Let a held sink go on a way out, if there is a table for its rows."""

    op: ClassVar[str] = "sequin.sink.restore/1"
    settle_s: ClassVar[float] = 5.0

    sink: str
    table: Standing

    def title(self) -> str:
        return f"Resume the Sequin sink {self.sink}, if {self.table.name} can take its rows"

    def writes(self) -> tuple[str, ...]:
        return (f"sequin/sink/{self.sink}/status",)

    def locks(self) -> tuple[str, ...]:
        return ("slot",)

    def look(self, at: Site) -> Seen:
        if at.sequin.sink(self.sink).status == "active":
            return Done(f"The Sequin sink {self.sink} is active.")
        unfit = self.table.unfit_to_feed(at)
        return Astray(f"the Sequin sink {self.sink} stays paused: {unfit}") if unfit else Todo()

    def act(self, at: Site) -> None:
        at.sequin.set_status(self.sink, "active")
