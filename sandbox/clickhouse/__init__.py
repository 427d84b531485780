"""ClickHouse (chDB) in a process of its own, spoken to over a Unix socket."""

from sandbox.clickhouse.client import Answer, ClickHouse, ClickHouseError

__all__ = ["Answer", "ClickHouse", "ClickHouseError"]
