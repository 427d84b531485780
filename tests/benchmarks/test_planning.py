"""Planning at the estate's size and beyond, and the number of calls that reading the facts takes."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import pytest

from runbooks.facts import live
from runbooks.facts.model import Datasource, Facts, Limits, Pipe
from runbooks.lineage.sql import understand
from runbooks.lint import lint
from runbooks.planner import make_plan
from runbooks.request import AddFields, Migrate, NewField, Request
from runbooks.site import Site
from systems.connect import Connect
from systems.http import Wire
from systems.kafka import Kafka
from systems.permit import read_only
from systems.postgres import Postgres
from systems.sequin import Sequin
from systems.tinybird import Tinybird
from tests.benchmarks import report
from tests.support.estate import of_seed
from tests.support.ledger_server import ledger_server

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

SIZES = (1, 4, 20)
REQUEST = Request(  # the data source with the most readers: one pipe that reads it is inlined in most widgets
    text="migrate insightsProjects add field nickname text",
    job=Migrate(datasources=("insightsProjects",), change=AddFields(fields=(NewField(name="nickname", type="text"),))),
)


class Platform:
    """Answers in the shapes of the real APIs (facts/tinybird.md), and counts what it was asked."""

    def __init__(self, facts: Facts) -> None:
        self.asked: list[str] = []
        self.datasources = json.dumps({"datasources": [_datasource(d) for d in facts.datasources.values()]}).encode()
        self.pipes = json.dumps({"pipes": [_pipe(p) for p in facts.pipes.values()]}).encode()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.method} {request.url.path}")
        path = request.url.path
        if path.endswith("/status"):
            running = {"state": "RUNNING", "worker_id": "w"}
            return httpx.Response(200, json={"name": "c", "connector": running, "tasks": [{"id": 0, **running}]})
        bodies = {"/v0/datasources": self.datasources, "/v0/pipes": self.pipes}
        fixed: dict[str, Any] = {
            "/v0/workspace": {"id": "w", "name": "w"},
            "/v0/tokens": {"tokens": []},
            "/v0/sql": {"meta": [], "data": []},
            "/v0/jobs": {"jobs": []},
            "/api/sinks": {"data": []},
        }
        if path in bodies:
            return httpx.Response(200, content=bodies[path], headers={"content-type": "application/json"})
        return httpx.Response(200, json=fixed.get(path, {"topics": "people"}))

    @property
    def wire(self) -> Wire:
        return Wire(transport=httpx.MockTransport(self))

    def site(self, dsn: str) -> Site:
        return Site(
            environment="bench",
            run=0,
            now=datetime.now(UTC),
            tinybird=Tinybird("http://tb.example", "p.token", read_only, wire=self.wire),
            sequin=Sequin("http://sequin.example", "secret", read_only, wire=self.wire),
            connect=Connect("http://connect.example", read_only, wire=self.wire),
            kafka=Kafka("127.0.0.1:1"),
            postgres=Postgres(dsn, read_only),
            limits=Limits(message_bytes=1_000),
        )


def test_planning_grows_no_faster_than_the_estate() -> None:
    """From the answers' bytes to the plan: what a worker does between the last answer and the card."""
    for times in SIZES:
        facts = of_seed(times)
        platform = Platform(facts)
        site = platform.site("postgresql://nobody@127.0.0.1:1/none")
        floor = report.milliseconds(lambda p=platform: (json.loads(p.datasources), json.loads(p.pipes)), 5)
        read = report.milliseconds(lambda s=site: (s.tinybird.datasources(), s.tinybird.pipes()), 3)
        warm = report.milliseconds(lambda f=facts: make_plan(REQUEST, _anew(f)), 3)
        cold = report.milliseconds(lambda f=facts: make_plan(REQUEST, _first_time(f)), 3)
        whole = report.milliseconds(lambda f=facts: lint(_first_time(f)), 1)
        readers = len(make_plan(REQUEST, _anew(facts)).readers)
        size = f"{len(facts.pipes):,} pipes, {len(facts.datasources):,} datasources (×{times})"
        mega = (len(platform.datasources) + len(platform.pipes)) / 1e6
        goal = "≤ 1,000 ms" if times == 1 else "linear"
        base = report.p50(floor)
        report.show(f"plan, first time, {size}", goal=goal, floor=base, result=report.p50(read) + report.p50(cold))
        report.show(f"plan, SQL known, ×{times}", goal=goal, floor=base, result=report.p50(read) + report.p50(warm))
        report.show(f"hazards of every table (lint), ×{times}", goal="linear", floor=base, result=report.p50(whole))
        report.note(
            f"floor: JSON parse of the same {mega:.1f} MB; of the plan {report.p50(read):.1f} ms read the answers; "
            f"it names {readers} readers"
        )


def test_reading_the_facts_takes_as_many_calls_for_any_estate() -> None:
    asked: dict[int, list[str]] = {}
    with ledger_server() as server:
        dsn = server.empty()
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute("CREATE ROLE sequin; CREATE PUBLICATION sequin_pub")
        for times in SIZES:
            platform = Platform(of_seed(times))
            facts = live.read(platform.site(dsn))
            assert len(facts.pipes) == len(of_seed(times).pipes)
            asked[times] = sorted(platform.asked)
    assert asked[1] == asked[4] == asked[20]
    report.show(
        "API calls to read the facts, ×20", goal="O(1)", floor=len(asked[1]), result=len(asked[20]), unit="calls"
    )
    report.note(f"floor: ×1; {', '.join(asked[1])}")


def _anew(facts: Facts) -> Facts:
    """The same facts without what was derived from them; SQL texts that were parsed are still known."""
    return replace(facts)


def _first_time(facts: Facts) -> Facts:
    """As in a process that has never seen this estate."""
    understand.cache_clear()
    return replace(facts)


def _datasource(of: Datasource) -> dict[str, Any]:
    return {
        "id": f"t_{of.name}",
        "name": of.name,
        "description": "",
        "tags": {},
        "engine": {
            "engine": of.engine,
            "engine_sorting_key": ", ".join(of.sorting_key),
            "engine_partition_key": of.partition_key,
            "engine_ver": of.version or "",
        },
        "columns": [
            {
                "name": column.name,
                "type": column.type,
                "jsonpath": column.jsonpath,
                "default_value": f"DEFAULT {column.default}" if column.default else None,
                "nullable": column.type.startswith("Nullable"),
            }
            for column in of.columns
        ],
        "indexes": [],
    }


def _pipe(of: Pipe) -> dict[str, Any]:
    nodes = [
        {"id": f"n_{of.name}_{n}", "name": node.name, "sql": node.sql, "node_type": node.kind, "materialized": None}
        for n, node in enumerate(of.nodes)
    ]
    target = f"t_{of.output.target}"
    shown: dict[str, Any] = {"id": f"p_{of.name}", "name": of.name, "type": of.kind, "nodes": nodes}
    match of.kind:
        case "copy":
            copies = {"copy_mode": of.output.mode, "copy_target_datasource": target, "copy_node": nodes[-1]["id"]}
            return shown | copies
        case "materialized":
            nodes[-1]["materialized"] = target
            return shown
        case "endpoint":
            return shown | {"endpoint": nodes[-1]["id"]}
        case _:
            return shown
