"""ClickHouse (chDB) in a process of its own, spoken to over a Unix socket."""

from sandbox.clickhouse.client import Answer, ClickHouse, ClickHouseError
from sandbox.clickhouse.frames import LANES, LONG, READ, WRITE

__all__ = ["LANES", "LONG", "READ", "WRITE", "Answer", "ClickHouse", "ClickHouseError"]
