"""A page of somebody outside, which reads a table itself while it is replaced."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.support.sandbox import Sandbox


@dataclass
class Reading:
    """What a reader saw who asks again as soon as he is answered."""

    shown: list[int] = field(default_factory=list[int])
    broken: list[str] = field(default_factory=list[str])


@dataclass(frozen=True)
class Page:
    """An endpoint that counts the rows of ``table``, each id once."""

    sandbox: Sandbox
    table: str

    @property
    def name(self) -> str:
        return f"{self.table}_page"

    def publish(self) -> None:
        pipe = {"name": self.name, "sql": f"SELECT toString(uniqExact(id)) AS n FROM {self.table}"}
        assert self.sandbox.tinybird.post("/v0/pipes", params=pipe).is_success
        assert self.sandbox.tinybird.post(f"/v0/pipes/{self.name}/nodes/{self.name}_0/endpoint").is_success

    @contextmanager
    def read_on_and_on(self) -> Iterator[Reading]:
        """By a thread with a connection of its own, until the end of the ``with``."""
        seen, enough = Reading(), threading.Event()
        reader = threading.Thread(target=self._read, args=(seen, enough))
        reader.start()
        try:
            yield seen
        finally:
            enough.set()
            reader.join()

    def _read(self, seen: Reading, enough: threading.Event) -> None:
        ready = self.sandbox.ready["tinybird"]
        headers = {"Authorization": f"Bearer {ready['token']}"}
        with httpx.Client(base_url=ready["url"], headers=headers, timeout=30.0, trust_env=False) as client:
            while not enough.is_set():
                answer = client.get(f"/v0/pipes/{self.name}.json")
                if answer.is_success:
                    seen.shown.append(int(answer.json()["data"][0]["n"]))
                else:
                    seen.broken.append(answer.text)
