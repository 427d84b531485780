"""What the proof costs beside reading the same rows: ClickHouse and Postgres, with their memory."""

import asyncio
import os
import tempfile
from pathlib import Path

import psycopg
import pytest

from runbooks.proof import source, target
from runbooks.proof.claim import Claim
from runbooks.proof.fields import Compared
from sandbox.clickhouse import READ, ClickHouse
from tests.benchmarks import processes, report
from tests.support.ledger_server import ledger_server

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

ROWS_CH, ROWS_PG, TIMES = 1_500_000, 500_000, 5
CUT = 4_102_444_800_000  # 2100, in ms
CLAIM = Claim(
    datasource="members",
    table='"public"."members"',
    key=(Compared("id", "coalesce(\"id\"::text, E'')", "`id`"),),
    version_pg='floor(extract(epoch FROM "updatedAt") * 1000)::bigint',
    version_ch="toUnixTimestamp64Milli(`updatedAt`)",
    units=1000,
    fields=(Compared("nickname", "coalesce(\"nickname\"::text, E'')", "`nickname`"),),
)
WIDE = ", ".join(f"lower(hex(sipHash64(number, {n}))) AS c{n}" for n in range(12))


def test_clickhouse_digest() -> None:
    asyncio.run(_clickhouse())


async def _clickhouse() -> None:
    with tempfile.TemporaryDirectory(prefix="tbops-bench-", dir="/tmp") as folder:
        server = ClickHouse(Path(folder))
        await server.start()
        try:
            await _fill(server)
            pid = next(p for p in processes.children(os.getpid()) if "sandbox.clickhouse" in processes.command(p))
            digest = target.digest(CLAIM, CUT, None)
            reading = "SELECT id, updatedAt, nickname FROM members FINAL"
            bare: list[float] = []
            own: list[float] = []
            for _ in range(TIMES):
                bare.append((await server.run(reading, lane=READ, format="Null")).elapsed_s * 1000)
                own.append((await server.run(digest, lane=READ, format="Null")).elapsed_s * 1000)
            whole = (await server.run("SELECT * FROM members FINAL", lane=READ, format="Null")).elapsed_s * 1000
            processes.forget_peak(pid)
            before = processes.peak_mb(pid)
            answer = await server.run(digest, lane=READ, format="TSV")
            grown = processes.peak_mb(pid) - before
        finally:
            await server.stop()
    report.show(
        f"proof: ClickHouse digest, {ROWS_CH:,} rows, p50",
        goal="≤ 1.3 × floor",
        floor=report.p50(bare),
        result=report.p50(own),
    )
    report.show("proof: the same beside reading every column", goal="–", floor=whole, result=report.p50(own))
    report.note(
        f"floors: the same three columns with FINAL; all 15. Memory: {grown:.1f} MB above the peak before; "
        f"the answer is {len(answer.data) / 1024:,.0f} kB"
    )
    assert answer.data.count(b"\n") == 4096


async def _fill(server: ClickHouse) -> None:
    """Every tenth row stands twice, so that FINAL has something to do."""
    await server.run(
        "CREATE TABLE members ENGINE = ReplacingMergeTree(updatedAt) ORDER BY id AS SELECT toString(number) AS id, "
        "toDateTime64('2026-01-01 00:00:00', 3, 'UTC') + number AS updatedAt, "
        f"concat('nick', toString(number % 1000)) AS nickname, {WIDE} FROM numbers(0)"
    )
    for part in range(10):
        low = part * ROWS_CH // 10
        row = (
            f"SELECT lower(hex(MD5(toString(number)))) AS id, toDateTime64('2026-01-01 00:00:00', 3, 'UTC') + number, "
            f"concat('nick', toString(number % 1000)), {WIDE} FROM numbers({{}}, {{}})"
        )
        await server.run("INSERT INTO members " + row.format(low, ROWS_CH // 10))
        await server.run("INSERT INTO members " + row.format(low, ROWS_CH // 100))


def test_postgres_digest() -> None:
    with ledger_server() as server, psycopg.connect(server.empty(), autocommit=True) as conn:
        conn.execute("SET max_parallel_workers_per_gather = 0; SET jit = off")
        conn.execute('CREATE TABLE members (id uuid PRIMARY KEY, nickname text, "updatedAt" timestamptz NOT NULL)')
        conn.execute(
            "INSERT INTO members SELECT md5(n::text)::uuid, 'nick' || n %% 1000,"
            " timestamptz '2026-01-01' + n * interval '1 s' FROM generate_series(1, %s::int) n",
            [ROWS_PG],
        )
        conn.execute("VACUUM ANALYZE members")
        row = source._ROW
        inside = source._rows(CLAIM, None)
        digest = source.digest(CLAIM, CUT, None)
        floors = {
            "one": f"SELECT sum({row}) FROM ({inside}) s",
            "both": f"SELECT sum({row}), sum({source._BUCKET}) FROM ({inside}) s",
            "scan": f"SELECT max(k), max(v), max(f) FROM ({inside}) s",
        }
        took: dict[str, list[float]] = {"own": [], **{name: [] for name in floors}}
        for _ in range(TIMES):
            for name, query in {"own": digest, **floors}.items():
                took[name] += report.milliseconds(lambda q=query: conn.execute(q.encode()).fetchall(), 1)
        rows = report.milliseconds(lambda: [hash(r) for r in conn.execute(inside.encode())], 1)
        answer = conn.execute(digest.encode()).fetchall()
        plan = "\n".join(str(line[0]) for line in conn.execute(f"EXPLAIN (ANALYZE) {digest}".encode()))
    own = report.p50(took["own"])
    report.show(
        f"proof: Postgres digest, {ROWS_PG:,} rows, p50",
        goal="≤ 1.2 × floor",
        floor=report.p50(took["both"]),
        result=own,
    )
    report.show(
        "proof: the same beside a sum of the row's md5 alone", goal="–", floor=report.p50(took["one"]), result=own
    )
    report.show("proof: the same beside every row fetched and hashed", goal="–", floor=report.p50(rows), result=own)
    memory = [line.strip() for line in plan.splitlines() if "Memory" in line]
    report.note(
        f"floor: a bare sum of the same md5s; a scan alone {report.p50(took['scan']):,.0f} ms; {'; '.join(memory)}"
    )
    assert sum(n for _, n, _ in answer) == ROWS_PG
    assert "Sort" not in plan, plan  # it would hold every row, not every bucket
