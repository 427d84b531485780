"""Somebody who reads endpoints all the time, beside whatever a test does, and keeps what each answered."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Thread

from tests.support.drive import Drive
from tests.support.sandbox import PATIENCE_S, GaveUp, Json, Sandbox


class Outsider:
    def __init__(self, sandbox: Sandbox, *endpoints: str) -> None:
        self.answers: dict[str, list[list[Json]]] = {name: [] for name in endpoints}
        self.failed: list[str] = []
        self._sandbox = sandbox
        self._rounds = 0
        self._over = False
        self._changed = Condition()

    def read(self) -> None:
        for name, seen in self.answers.items():
            answer = self._sandbox.tinybird.get(f"/v0/pipes/{name}.json")
            if answer.is_success:
                seen.append(answer.json()["data"])
            else:
                self.failed.append(answer.text)

    def go_on(self) -> None:
        while not self._over:
            self.read()
            with self._changed:
                self._rounds += 1
                self._changed.notify_all()

    def reads_again(self) -> None:
        """Until all was read once from now on."""
        with self._changed:
            wanted = self._rounds + 2  # one may be under way
            if not self._changed.wait_for(lambda: self._rounds >= wanted, PATIENCE_S):
                raise GaveUp(f"nobody has read {', '.join(self.answers)} for {PATIENCE_S} s")

    def stop(self) -> None:
        self._over = True


@contextmanager
def reading(drive: Drive, *endpoints: str) -> Iterator[Outsider]:
    """From here to the end of the block, in a thread of its own; once at least between two moves of the run, however
    quick they are and however slow the machine."""
    outsider = Outsider(drive.sandbox, *endpoints)
    thread = Thread(target=outsider.go_on)
    thread.start()
    drive.watches.append(outsider.reads_again)
    try:
        yield outsider
    finally:
        drive.watches.remove(outsider.reads_again)
        outsider.stop()
        thread.join()
