"""Somebody who reads endpoints all the time, beside whatever a test does, and keeps what each answered."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from tests.support.sandbox import Json, Sandbox


class Outsider:
    def __init__(self, sandbox: Sandbox, *endpoints: str) -> None:
        self.answers: dict[str, list[list[Json]]] = {name: [] for name in endpoints}
        self.failed: list[str] = []
        self._sandbox = sandbox

    def read(self) -> None:
        for name, seen in self.answers.items():
            answer = self._sandbox.tinybird.get(f"/v0/pipes/{name}.json")
            if answer.is_success:
                seen.append(answer.json()["data"])
            else:
                self.failed.append(answer.text)


@contextmanager
def reading(sandbox: Sandbox, *endpoints: str) -> Iterator[Outsider]:
    """From here to the end of the block, in a thread of its own."""
    outsider, over = Outsider(sandbox, *endpoints), Event()

    def go_on() -> None:
        while not over.is_set():
            outsider.read()

    thread = Thread(target=go_on)
    thread.start()
    try:
        yield outsider
    finally:
        over.set()
        thread.join()
