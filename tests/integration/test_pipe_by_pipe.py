"""A table that endpoints read is replaced while they read a mirror of it: no read fails (facts/procedures.md §4)."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest

from tests.support import activities
from tests.support.drive import Drive
from tests.support.ending import Ending
from tests.support.people import People
from tests.support.sandbox import Json, Sandbox


class Outsider:
    """Somebody who reads endpoints all the time, and keeps what each answered."""

    def __init__(self, sandbox: Sandbox, *endpoints: str) -> None:
        self.answers: dict[str, list[Json]] = {name: [] for name in endpoints}
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


@pytest.fixture
def ending(sandbox: Sandbox, drive: Drive) -> Ending:
    return Ending(sandbox, drive)


def nodes(sandbox: Sandbox, pipe: str) -> list[str]:
    return [node["sql"] for node in sandbox.tinybird.get(f"/v0/pipes/{pipe}").json()["nodes"]]


def strays(sandbox: Sandbox, name: str) -> set[str]:
    """What runs left beside the table."""
    found = [*sandbox.tinybird.get("/v0/datasources").json()["datasources"]]
    found += sandbox.tinybird.get("/v0/pipes").json()["pipes"]
    return {each["name"] for each in found if each["name"].startswith(f"{name}__")}


def test_a_replicated_table_is_replaced_while_its_page_is_read(
    drive: Drive, sandbox: Sandbox, people: People, ending: Ending
) -> None:
    before = nodes(sandbox, "collections_filtered")
    run = drive.run("/tb migrate collections sort by slug, id", approve=False)
    plan = drive.view(run).run.plan or {}
    assert plan["strategy"]["name"] == "pipe-by-pipe"
    assert "FROM collections__mirror_run_{run} AS collections FINAL" in plan["diffs"]["collections_filtered"]
    assert "collections__mirror_run_{run} AS collections" in drive.card(run).words
    drive.approve(run)
    with reading(sandbox, "collections_list") as outsider:
        drive.until(run, "succeeded")
    assert outsider.failed == []
    assert len(outsider.answers["collections_list"]) > 20
    assert {str(answer) for answer in outsider.answers["collections_list"]} == {str(outsider.answers["collections_list"][0])}
    assert nodes(sandbox, "collections_filtered") == before
    assert strays(sandbox, "collections") == {f"collections__before_run_{run}"}
    engine = sandbox.tinybird.get("/v0/datasources/collections").json()["engine"]
    assert engine["sorting_key"] == "slug, id"
    ending.nothing_is_paused()
    ending.the_ledger_is_sound(run)
    said = drive.thread(run)
    assert "collections_list answers the same 10 rows" in said
