"""How it stands in the end, asked of the systems and of the ledger, never of what the bot says."""

from collections import Counter
from dataclasses import dataclass

from ledger import audit
from ledger.connection import connect
from tests.support.drive import Drive
from tests.support.sandbox import Json, Sandbox

COPIES_OF_MEMBERS = {"members_sorted_copy_pipe": "members_sorted"}
SINK = "members_sink"
# What asks and changes nothing, though it is a POST
_ASKS = ("/v0/sql",)


@dataclass
class Ending:
    sandbox: Sandbox
    drive: Drive

    def changes(self, *, after: int = 0) -> list[str]:
        """Every call that changed something in a system and was answered as done, in order."""
        entries = self.sandbox.log.entries(after=after)
        return [f"{e['system']} {e['method']} {e['path']}" for e in entries if _changes(e)]

    def had(self, *, after: int = 0) -> Counter[str]:
        """The same, counted; tables by their names. Sequin's refresh leaves nothing to look for, so that one whose
        answer was lost is done again, which does no harm (runbooks/steps/postgres_migrate.py): it is not counted."""
        names = {row["id"]: row["name"] for row in self.sandbox.tinybird.get("/v0/datasources").json()["datasources"]}
        named = ["/".join(names.get(part, part) for part in call.split("/")) for call in self.changes(after=after)]
        return Counter(call for call in named if not call.endswith("/refresh_tables"))

    def running(self) -> dict[str, str]:
        """Whether changes flow."""
        return {
            "sink": self.sandbox.sink(SINK)["status"],
            "connector": self.sandbox.connector()["connector"]["state"],
        }

    def nothing_is_paused(self) -> None:
        assert self.running() == {"sink": "active", "connector": "RUNNING"}
        for pipe in COPIES_OF_MEMBERS:
            assert self.schedule(pipe) == "running"

    def schedule(self, pipe: str) -> str:
        return self.sandbox.tinybird.get(f"/v0/pipes/{pipe}").json()["schedule"]["status"]

    def same_rows(self, *columns: str) -> None:
        """Every person of Postgres is in Tinybird with these columns' values, and nobody else."""
        named = ", ".join(f'"{column}"' for column in columns)
        here = {row.pop("id"): row for row in self.sandbox.pg(f"SELECT id::text AS id, {_texts(columns)} FROM members")}
        there = {row.pop("id"): row for row in self.sandbox.tb(f"SELECT id, {named} FROM members FINAL")}
        assert there == here

    def the_ledger_is_sound(self, run: int) -> None:
        """The chain of audit lines holds, nothing is left to be put back or locked, every effect was answered."""
        with connect(self.sandbox.ready["ledger"], name="tests") as conn:
            assert isinstance(audit.verify(conn), audit.Sound)
        view = self.drive.view(run)
        assert {entry.state for entry in view.restore} <= {"struck", "done"}, self.drive.thread(run)
        assert not view.locks
        open_intents = "SELECT key FROM ledger.intent WHERE run = %s AND answered_at IS NULL"
        assert self.sandbox.ledger(open_intents, [run]) == []

    def it_succeeded(self, run: int) -> None:
        assert self.drive.state(run) == "succeeded", self.drive.thread(run)
        self.nothing_is_paused()
        self.same_rows("displayName", "nickname")
        self.the_ledger_is_sound(run)


def _texts(columns: tuple[str, ...]) -> str:
    return ", ".join(f'coalesce("{column}"::text, \'\') AS "{column}"' for column in columns)


def _changes(entry: Json) -> bool:
    if entry["method"] == "GET" or entry["system"] in ("slack", "kafka") or entry["path"] in _ASKS:
        return False
    if entry["path"].endswith("/alter") and "dry=true" in entry["body"] + entry["query"]:
        return False
    if entry["path"].startswith("/v0/events"):
        return False  # the connector's own
    return entry["status"] is None or entry["status"] < 400 or entry["fault"] == "drop_after"
