"""A page of somebody outside, which reads a table itself while it is replaced."""

from dataclasses import dataclass

from tests.support.outsider import Outsider
from tests.support.sandbox import Sandbox


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

    def shown(self, by: Outsider) -> list[int]:
        """What an outsider saw there, one answer after the other."""
        return [int(answer[0]["n"]) for answer in by.answers[self.name]]
