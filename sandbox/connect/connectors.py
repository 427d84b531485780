"""The connectors of the one worker: made, changed, paused, restarted; each with its task."""

import threading
import time
from typing import Any

from sandbox.connect.state import ConnectorState, TaskState
from sandbox.connect.task import Task
from sandbox.standin import World

_NEEDED = ("connector.class", "topics", "connect.http.endpoint")


class ConnectError(Exception):
    """An answer that is not 2xx; the message goes into Connect's error body."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Connector:
    """One connector and, unless it is stopped, its running task."""

    def __init__(self, world: World, state: ConnectorState) -> None:
        self._world = world
        self.state = state
        self._task: Task | None = None
        if state.task is not None:
            self._start_task()

    def _start_task(self, *, restarted: bool = False) -> None:
        self.state.task = TaskState()
        if restarted and self._world.knobs["connect.task_fails_on_restart"]:
            self.state.task.fail("org.apache.kafka.common.errors.TopicAuthorizationException: Not authorized to access")
        self._task = Task(self._world, self.state, self.state.task)

    def shut_down(self) -> None:
        """End the task's threads; the state stays as it is."""
        if self._task is not None:
            self._task.stop()
            self._task = None

    def settled(self, wait_s: float) -> bool:
        """As its task's; nothing moves without one."""
        return self._task is None or self._task.settled(wait_s)

    def pause(self) -> None:
        if self.state.state != "STOPPED":
            self.state.state = "PAUSED"

    def resume(self) -> None:
        self.state.state = "RUNNING"
        if self._task is None:
            self._start_task()

    def halt(self) -> None:
        self.shut_down()
        self.state.state, self.state.task = "STOPPED", None

    def restart(self, *, tasks: bool, only_failed: bool) -> dict[str, Any]:
        """Restart; the answer shows the states while it happens. A pause survives, unless a knob says otherwise."""
        if self._world.knobs["connect.pause_lost_on_restart"] and self.state.state == "PAUSED":
            self.state.state = "RUNNING"
        task = self.state.task
        restarted = tasks and task is not None and (not only_failed or task.state == "FAILED")
        shown = self.state.status()
        if not only_failed:
            shown["connector"]["state"] = "RESTARTING"
        if restarted:
            shown["tasks"][0]["state"] = "RESTARTING"
            self.shut_down()
            self._start_task(restarted=True)
        return shown

    def begin_again(self) -> None:
        """In another worker: a task of its own, the offsets from Kafka."""
        if self._world.knobs["connect.pause_lost_on_restart"] and self.state.state == "PAUSED":
            self.state.state = "RUNNING"
        if self.state.task is not None:
            self._start_task(restarted=True)

    def configure(self, config: dict[str, str]) -> None:
        """A new configuration; running tasks start again with it."""
        self.shut_down()
        self.state.config = config
        if self.state.task is not None:
            self._start_task()


class Connectors:
    """All connectors by name. Whoever works on them holds ``lock``."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.lock = threading.RLock()
        self.all: dict[str, Connector] = {}

    def get(self, name: str) -> Connector:
        try:
            return self.all[name]
        except KeyError:
            raise ConnectError(404, f"Connector {name} not found") from None

    def create(self, name: str, config: dict[str, Any], initial_state: str) -> Connector:
        if name in self.all:
            raise ConnectError(409, f"Connector {name} already exists")
        state = ConnectorState(name, checked(name, config), state=initial_state)
        if initial_state == "STOPPED":
            state.task = None
        self.all[name] = Connector(self._world, state)
        return self.all[name]

    def configure(self, name: str, config: dict[str, Any]) -> Connector:
        connector = self.get(name)
        connector.configure(checked(name, config))
        return connector

    def begin_again(self, properties: dict[str, str] | None) -> None:
        """In another worker: with the connector that ``properties`` describe and no other, or with None as they were.
        What was committed lies in Kafka."""
        with self.lock:
            if properties is None:
                for connector in self.all.values():
                    connector.begin_again()
                return
            known = {name: connector.state.committed for name, connector in self.all.items()}
            self.all.clear()
            name = properties["name"]
            made = self.create(name, properties, "STOPPED")
            made.state.committed.update(known.get(name, {}))
            made.state.state, made.state.task = "RUNNING", TaskState()
            made.begin_again()

    def delete(self, name: str) -> None:
        self.get(name).shut_down()
        del self.all[name]

    def shut_down(self) -> None:
        """End every thread."""
        with self.lock:
            for connector in self.all.values():
                connector.shut_down()

    def settled(self, wait_s: float) -> bool:
        """Whether all that the topics hold is posted, as far as it may be; waits for it."""
        deadline = time.monotonic() + wait_s
        with self.lock:
            connectors = list(self.all.values())
        return all(connector.settled(max(0.0, deadline - time.monotonic())) for connector in connectors)

    def maybe_rebalancing(self) -> None:
        """Answer 409 as often as the knob ``connect.rebalance_409`` says."""
        left = int(self._world.knobs["connect.rebalance_409"])
        if left > 0:
            self._world.knobs["connect.rebalance_409"] = left - 1
            raise ConnectError(
                409,
                "Cannot complete request momentarily due to stale configuration"
                " (typically caused by a concurrent config change)",
            )


def checked(name: str, config: dict[str, Any]) -> dict[str, str]:
    """The configuration with its name, or 400 with Connect's sentence."""
    if config.get("name", name) != name:
        raise ConnectError(
            400, f"Connector name configuration ({config['name']}) doesn't match connector name in the URL ({name})"
        )
    if config.get("topics") and config.get("topics.regex"):
        raise ConnectError(400, "topics and topics.regex are mutually exclusive options, but both are set.")
    missing = [key for key in _NEEDED if not config.get(key)]
    if missing:
        listed = "\n".join(f'Missing required configuration "{key}" which has no default value.' for key in missing)
        raise ConnectError(
            400, f"Connector configuration is invalid and contains the following {len(missing)} error(s):\n{listed}"
        )
    return {**{key: str(value) for key, value in config.items()}, "name": name}
