"""Kafka Connect's REST API, for one connector (facts/systems.md §4)."""

from dataclasses import dataclass

from systems.http import Http, Manner, Wire, segment
from systems.permit import Permit
from systems.shapes import Shape

SYSTEM = "connect"
# 409 is a rebalance, no leader, or a stale config: "Cannot complete request momentarily" (§4.1).
_REBALANCE = frozenset({409})


@dataclass(frozen=True)
class ConnectorStatus:
    """``state`` says nothing of the tasks: ask ``running``."""

    name: str
    state: str  # RUNNING | PAUSED | STOPPED | FAILED | UNASSIGNED | RESTARTING
    tasks: tuple[str, ...]
    trouble: str  # the first line of a failed task's trace

    @property
    def running(self) -> bool:
        """The connector and every task of it, and there is one."""
        return self.state == "RUNNING" and bool(self.tasks) and all(task == "RUNNING" for task in self.tasks)

    @property
    def paused(self) -> bool:
        return self.state == "PAUSED" and all(task == "PAUSED" for task in self.tasks)


class Connect:
    """One worker or cluster. ``token`` is for a proxy in front of it; Connect itself has none."""

    def __init__(self, url: str, permit: Permit, *, token: str | None = None, wire: Wire | None = None) -> None:
        manner = Manner(later=_REBALANCE, again=frozenset({409, 429, 502, 503, 504}))
        self._http = Http(SYSTEM, url, token, permit, manner=manner, wire=wire)

    def permitted(self, permit: Permit) -> "Connect":
        other = object.__new__(Connect)
        other._http = self._http.permitted(permit)
        return other

    def close(self) -> None:
        self._http.close()

    def status(self, connector: str) -> ConnectorStatus:
        path = f"/connectors/{segment(connector)}/status"
        shape = Shape(SYSTEM, f"GET {path}", self._http.get(path))
        tasks = shape.each("tasks")
        traces = [shape.inside("connector").text("trace"), *(task.text("trace") for task in tasks)]
        trouble = next((trace.splitlines()[0] for trace in traces if trace), "")
        states = tuple(task.text("state") for task in tasks)
        return ConnectorStatus(shape.text("name"), shape.inside("connector").text("state"), states, trouble[:200])

    def topics(self, connector: str) -> tuple[str, ...]:
        """The topics it is configured for. The rest of the configuration holds secrets and is dropped here."""
        path = f"/connectors/{segment(connector)}/config"
        listed = Shape(SYSTEM, f"GET {path}", self._http.get(path)).text("topics")
        return tuple(dict.fromkeys(topic.strip() for topic in listed.split(",") if topic.strip()))

    def pause(self, connector: str) -> None:
        """Accepted at once, done later: look at ``status``."""
        self._http.change("PUT", f"/connectors/{segment(connector)}/pause")

    def resume(self, connector: str) -> None:
        self._http.change("PUT", f"/connectors/{segment(connector)}/resume")

    def offsets(self, connector: str, topic: str) -> dict[int, int]:
        """Committed offsets of one topic by partition; a partition never committed is missing."""
        path = f"/connectors/{segment(connector)}/offsets"
        found: dict[int, int] = {}
        for entry in Shape(SYSTEM, f"GET {path}", self._http.get(path)).each("offsets"):
            partition, offset = entry.inside("partition"), entry.inside("offset").number("kafka_offset")
            number = partition.number("kafka_partition")
            if partition.text("kafka_topic") == topic and number is not None and offset is not None:
                found[number] = offset
        return found
