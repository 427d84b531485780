"""Kafka Connect's REST API, for one connector (facts/systems.md §4)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from systems.errors import NotPermitted, SystemsError
from systems.http import Http, Manner, Wire, segment
from systems.permit import Permit
from systems.redact import redact
from systems.shapes import Shape

SYSTEM = "connect"
# 409 is a rebalance, no leader, or a stale config: "Cannot complete request momentarily"; for a few seconds after its
# start a worker knows of no connector and answers 404 (facts/systems.md §4.1).
_LATER = frozenset({404, 409})
_SECRET_LIKE = re.compile(r"[^\s,;:=\"']{8,}")


@dataclass(frozen=True)
class TaskInfo:
    """``trouble`` is the first line of a failed task's trace, made fit for people."""

    id: int
    state: str
    trouble: str


@dataclass(frozen=True)
class ConnectorStatus:
    """``state`` says nothing of the tasks: ask ``running``."""

    name: str
    state: str  # RUNNING | PAUSED | STOPPED | FAILED | UNASSIGNED | RESTARTING
    tasks: tuple[str, ...]
    trouble: str  # the first line of a failed task's trace
    told: tuple[TaskInfo, ...] = ()  # of each task

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
        manner = Manner(later=_LATER, again=frozenset({409, 429, 502, 503, 504}))
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
        tasks = [TaskInfo(t.number("id") or 0, t.text("state"), _first_line(t)) for t in shape.each("tasks")]
        own = _first_line(shape.inside("connector"))
        return ConnectorStatus(
            name=shape.text("name"),
            state=shape.inside("connector").text("state"),
            tasks=tuple(task.state for task in tasks),
            trouble=own or next((task.trouble for task in tasks if task.trouble), ""),
            told=tuple(tasks),
        )

    def topics(self, connector: str) -> tuple[str, ...]:
        """The topics it is configured for. The rest of the configuration holds secrets and is dropped here."""
        path = f"/connectors/{segment(connector)}/config"
        return _listed(Shape(SYSTEM, f"GET {path}", self._http.get(path)).text("topics"))

    def set_topics(self, connector: str, topics: Sequence[str]) -> None:
        """Have it read these topics and no others. Connect takes the whole configuration only, so that the rest of it,
        secrets too, is read and sent back here and nowhere kept. Its tasks start again."""
        path = f"/connectors/{segment(connector)}/config"
        call = f"PUT {path}"
        asked: object = self._http.get(path)
        before = cast(Mapping[str, Any], asked if isinstance(asked, dict) else {})
        if not before.get("topics") or before.get("topics.regex"):
            said = f"nothing was sent: the connector {connector} is not configured by a list of topics"
            raise SystemsError(SYSTEM, call, said=said)
        if not topics:
            raise SystemsError(SYSTEM, call, said=f"nothing was sent: the connector {connector} must keep one topic")
        wanted = {**before, "topics": ",".join(dict.fromkeys(topics))}
        try:
            answer = Shape(SYSTEM, call, self._http.change("PUT", path, body=wanted))
        except NotPermitted:
            raise
        except SystemsError as error:
            said = redact(error.said, _secrets(before))
            raise SystemsError(SYSTEM, call, status=error.status, retryable=error.retryable, said=said) from None
        after = answer.inside("config")
        other = sorted(key for key, value in wanted.items() if after.get(key) != value)
        if other:
            said = f"the connector {connector} took the topics, but its configuration differs now in {', '.join(other)}"
            raise SystemsError(SYSTEM, call, said=said)

    def restart(self, connector: str, *, only_failed: bool = False) -> None:
        """Start the connector and its tasks again, or those that have failed. Accepted at once, done later."""
        asked = {"includeTasks": "true", "onlyFailed": "true" if only_failed else "false"}
        self._http.change("POST", f"/connectors/{segment(connector)}/restart", params=asked)

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


def _first_line(of: Shape) -> str:
    lines = of.text("trace").splitlines()
    return redact(lines[0], limit=200) if lines else ""


def _listed(topics: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(topic.strip() for topic in topics.split(",") if topic.strip()))


def _secrets(config: Mapping[str, Any]) -> list[str]:
    """What of a configuration Connect's own words may not bring to people: every value but the topics, and each longer
    part of one, as a header's token."""
    values = [str(value) for key, value in config.items() if key not in ("topics", "name")]
    return sorted((part for value in values for part in (value, *_SECRET_LIKE.findall(value))), key=len, reverse=True)
