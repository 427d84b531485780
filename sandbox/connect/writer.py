"""Posts one topic's records to the connector's endpoint, in order, with the Lenses HTTP sink's manners.

A batch is taken off the queue before its request: an answer that is not to be retried, or retries
used up, drop the batch, count one error and go on (facts/systems.md §4.3, "loss window").
"""

import contextlib
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.connect.endpoint import Endpoint, PostError

RETRIABLE = (408, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Record:
    partition: int
    offset: int
    value: bytes


class Writer:
    """One thread a topic, so that a topic's records stay in their order. The callbacks are called in that thread.

    ``failed`` is told why a batch was dropped, ``broke`` that the writer cannot go on: what it holds is not done.
    """

    def __init__(
        self,
        topic: str,
        config: dict[str, str],
        knobs: dict[str, Any],
        *,
        succeeded: Callable[[], None],
        failed: Callable[[str], None],
        broke: Callable[[Exception], None],
    ) -> None:
        self._url = config["connect.http.endpoint"].replace("{{topic}}", topic)
        self._headers = _headers(config.get("connect.http.request.headers", ""))
        self._knobs = knobs
        self._succeeded = succeeded
        self._failed = failed
        self._broke = broke
        self._records: queue.Queue[Record | None] = queue.Queue(maxsize=1_000)
        self._stopping = threading.Event()
        self._waiting = 0  # records put and not yet done
        self._count = threading.Lock()
        self.taken: dict[int, int] = {}  # partition: the offset behind what was put
        self.done: dict[int, int] = {}  # partition: the offset behind what was posted or dropped
        self._thread = threading.Thread(target=self._run, name=f"connect-{topic}", daemon=True)
        self._thread.start()

    @property
    def idle(self) -> bool:
        """Nothing queued, nothing in flight."""
        return self._waiting == 0

    def put(self, record: Record) -> None:
        """Blocks while the queue is full: then the topic waits, and with it the task."""
        with self._count:
            self._waiting += 1
        self.taken[record.partition] = record.offset + 1
        while not self._stopping.is_set():
            try:
                self._records.put(record, timeout=0.2)
                return
            except queue.Full:
                continue

    def halt(self) -> None:
        """Begin no other request. What is queued was not committed and comes again."""
        self._stopping.set()
        with contextlib.suppress(queue.Full):
            self._records.put_nowait(None)

    def stop(self) -> None:
        """``halt``, and wait for the request under way."""
        self.halt()
        self._thread.join(15)

    def _run(self) -> None:
        try:
            with contextlib.closing(Endpoint(self._url, self._headers, timeout_s=10.0)) as endpoint:
                while not self._stopping.is_set():
                    batch = self._batch()
                    if batch and not self._stopping.is_set():
                        self._post(endpoint, batch)
                    with self._count:
                        self._waiting -= len(batch)
        except Exception as exc:  # noqa: BLE001 - a thread that ended would look like a topic without records
            self._broke(exc)

    def _batch(self) -> list[Record]:
        """The next records, as many as are there, at most ``connect.batch_count``."""
        first = self._records.get()
        batch = [first] if first else []
        while batch and len(batch) < int(self._knobs["connect.batch_count"]):
            try:
                record = self._records.get_nowait()
            except queue.Empty:
                break
            if record is None:
                break
            batch.append(record)
        return batch

    def _post(self, endpoint: Endpoint, batch: list[Record]) -> None:
        problem = self._attempts(endpoint, b"\n".join(record.value for record in batch))
        if problem is None:
            self._succeeded()
        elif self._stopping.is_set():
            return  # it was not tried to the end
        else:
            self._failed(problem)
        for record in batch:
            self.done[record.partition] = record.offset + 1

    def _attempts(self, endpoint: Endpoint, body: bytes) -> str | None:
        """Post, again while it makes sense; None when it was accepted, else what was wrong."""
        problem = None
        for _ in range(1 + int(self._knobs["connect.retries"])):
            try:
                status, text = endpoint.post(body)
            except PostError as exc:
                problem = str(exc)
            else:
                if 200 <= status < 300:
                    return None
                problem = f"HTTP {status} from {endpoint.path}: {text[:300]}"
                if status not in RETRIABLE:
                    return problem
            if self._stopping.wait(float(self._knobs["connect.retry_pause_s"])):
                break
        return problem


def _headers(text: str) -> dict[str, str]:
    """``K: v,K: v`` as the connector's configuration has it."""
    pairs = (part.split(":", 1) for part in text.split(",") if ":" in part)
    return {key.strip(): value.strip() for key, value in pairs}
