"""What a connector is made of: its configuration, the states it and its task are in, its errors."""

import threading
from dataclasses import dataclass, field
from typing import Any

WORKER_ID = "127.0.0.1:8083"


@dataclass
class TaskState:
    """The one task of a connector (``tasks.max=1``). Its own thread and the writers' threads tell it of themselves."""

    state: str = "RUNNING"
    trace: str | None = None
    _errors: dict[str, int] = field(default_factory=dict)  # since the last success
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def show(self, state: str) -> None:
        """RUNNING or PAUSED; a failure stays until a restart."""
        with self._lock:
            if self.state != "FAILED":
                self.state = state

    def fail(self, cause: str) -> None:
        with self._lock:
            self.state = "FAILED"
            self.trace = (
                "org.apache.kafka.connect.errors.ConnectException: Exiting WorkerSinkTask due to unrecoverable"
                f" exception.\n\tCaused by: {cause}"
            )

    def count_error(self, problem: str) -> int:
        """One more of this kind; how many there are since the last success."""
        with self._lock:
            self._errors[problem] = self._errors.get(problem, 0) + 1
            return self._errors[problem]

    def forget_errors(self) -> None:
        with self._lock:
            self._errors.clear()


@dataclass
class ConnectorState:
    name: str
    config: dict[str, str]
    state: str = "RUNNING"
    task: TaskState | None = field(default_factory=TaskState)  # None while stopped
    seen_topics: set[str] = field(default_factory=set)
    committed: dict[tuple[str, int], int] = field(default_factory=dict)

    @property
    def topics(self) -> list[str]:
        """The configured topics, each once, in the order of the list."""
        return list(dict.fromkeys(part.strip() for part in self.config["topics"].split(",") if part.strip()))

    def info(self) -> dict[str, Any]:
        tasks = [{"connector": self.name, "task": 0}] if self.task else []
        return {"name": self.name, "config": self.config, "tasks": tasks, "type": "sink"}

    def status(self) -> dict[str, Any]:
        tasks: list[dict[str, Any]] = []
        if self.task is not None:
            shown: dict[str, Any] = {"id": 0, "state": self.task.state, "worker_id": WORKER_ID}
            if self.task.trace:
                shown["trace"] = self.task.trace
            tasks.append(shown)
        return {
            "name": self.name,
            "connector": {"state": self.state, "worker_id": WORKER_ID},
            "tasks": tasks,
            "type": "sink",
        }
