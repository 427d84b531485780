"""The Kafka Connect connector: it carries all topics, so its pause is kept short."""

from typing import ClassVar

from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo, Wait
from runbooks.steps.standing import Standing

LOOK_AGAIN_S = 1.0


class PauseConnector(Step):
    """Pause the connector: no straggler can make the table anew while it is away (facts/systems.md §4.3)."""

    op: ClassVar[str] = "connect.connector.pause/1"
    settle_s: ClassVar[float] = 10.0  # accepted at once, done later; a rebalance may lie between

    connector: str
    table: Standing

    def title(self) -> str:
        return f"Pause the connector {self.connector}, which carries every topic"

    def reads(self) -> tuple[str, ...]:
        return (f"connect/connector/{self.connector}/state",)

    def writes(self) -> tuple[str, ...]:
        return self.reads()

    def locks(self) -> tuple[str, ...]:
        return (f"connector/{self.connector}",)

    def remember(self, at: Site) -> Step | None:
        running = at.connect.status(self.connector).state != "PAUSED"
        return RestoreConnector(connector=self.connector, table=self.table) if running else None

    def look(self, at: Site) -> Seen:
        status = at.connect.status(self.connector)
        if status.paused:
            return Done(f"The connector {self.connector} is paused.")
        if status.state == "PAUSED":
            return Wait(LOOK_AGAIN_S, "its tasks are still stopping")
        if status.state in ("FAILED", "STOPPED"):
            return Astray(f"the connector {self.connector} is {status.state}: {status.trouble or 'see its log'}")
        return Todo()

    def act(self, at: Site) -> None:
        at.connect.pause(self.connector)


class ResumeConnector(Step):
    op: ClassVar[str] = "connect.connector.resume/1"
    gated: ClassVar[bool] = False
    settle_s: ClassVar[float] = 10.0

    connector: str

    def title(self) -> str:
        return f"Resume the connector {self.connector}"

    def writes(self) -> tuple[str, ...]:
        return (f"connect/connector/{self.connector}/state",)

    def locks(self) -> tuple[str, ...]:
        return (f"connector/{self.connector}",)

    def look(self, at: Site) -> Seen:
        return _resumed(at, self.connector)

    def act(self, at: Site) -> None:
        at.connect.resume(self.connector)


class RestoreConnector(Step):
    """Resume the connector on a way out, if there is a table for what it would write."""

    op: ClassVar[str] = "connect.connector.restore/1"
    settle_s: ClassVar[float] = 10.0

    connector: str
    table: Standing

    def title(self) -> str:
        return f"Resume the connector {self.connector}, if {self.table.name} can take its rows"

    def writes(self) -> tuple[str, ...]:
        return (f"connect/connector/{self.connector}/state",)

    def locks(self) -> tuple[str, ...]:
        return (f"connector/{self.connector}",)

    def look(self, at: Site) -> Seen:
        seen = _resumed(at, self.connector)
        unfit = self.table.unfit_to_feed(at) if isinstance(seen, Todo) else None
        return Astray(f"the connector {self.connector} stays paused, with every topic: {unfit}") if unfit else seen

    def act(self, at: Site) -> None:
        at.connect.resume(self.connector)


def _resumed(at: Site, connector: str) -> Seen:
    status = at.connect.status(connector)
    if status.running:
        return Done(f"The connector {connector} runs.")
    if status.state == "FAILED" or "FAILED" in status.tasks:
        return Astray(f"the connector {connector} has failed: {status.trouble or 'see its log'}")
    if status.state == "RUNNING":
        return Wait(LOOK_AGAIN_S, "its tasks are still starting")
    return Todo()
