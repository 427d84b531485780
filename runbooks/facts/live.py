"""Facts from the live systems: a fixed number of calls, however many pipes there are (DESIGN §4)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from runbooks.facts import copy_figures, model
from runbooks.site import Site
from systems import postgres_model, sequin_model, tinybird_model
from systems.errors import SystemsError

if TYPE_CHECKING:
    from systems.connect import ConnectorStatus
    from systems.tinybird import Tinybird

_NOT_THERE = 404
RATE_WINDOW_S = 1.2  # Postgres publishes a session's counters about once a second

_KINDS: Mapping[str, model.PipeKind] = {
    "copy": "copy",
    "materialized": "materialized",
    "endpoint": "endpoint",
    "sink": "sink",
}
_NODE_KINDS = frozenset({"copy", "materialized", "endpoint", "sink"})


def read(site: Site, *, window_s: float = RATE_WINDOW_S) -> model.Facts:
    """The facts of one environment. Raises ``SystemsError``; a Forward workspace is refused with a plain sentence.

    ``window_s`` is how long, by the machine's clock, the writes are watched for their rate.
    """
    site.tinybird.require_classic()
    began, before = time.monotonic(), site.postgres.changes()
    datasources = site.tinybird.datasources()
    pipes = site.tinybird.pipes()
    tokens = site.tinybird.tokens()
    tags = _tags(site.tinybird)
    sinks = site.sequin.sinks()
    status, topics = site.connect.status(site.names.connector), site.connect.topics(site.names.connector)
    calls = _calls(site)
    slot = site.postgres.slot(site.names.slot)
    time.sleep(max(0.0, began + window_s - time.monotonic()))  # else the rate is a guess from noise
    catalog = site.postgres.catalog(publication=site.names.publication, role=site.names.sequin_role)
    seconds = time.monotonic() - began
    named = {d.id: d.name for d in datasources}
    return model.Facts(
        environment=site.environment,
        now=site.now,
        datasources={d.name: replace(datasource(d), tags=tags.get(d.id, d.tags)) for d in datasources},
        pipes={p.name: replace(pipe(p, named), tags=tags.get(p.id, p.tags)) for p in pipes},
        sinks={s.name: sink(s) for s in sinks},
        tables={
            name: _rated(table(t), t.changes - before.get(name, t.changes), seconds) for name, t in catalog.items()
        },
        slot=model.Slot(slot.name, slot.active, slot.wal_status, slot.lag_bytes, slot.retained_bytes) if slot else None,
        connector=connector(status, topics),
        tokens=tuple(token(t) for t in tokens),
        connect_token=site.names.connect_token,
        names=site.names,
        limits=_sampled(site),
        capabilities=dict(site.capabilities),
        calls=calls,
        in_flight=_in_flight(site),
        writers=_writers(site),
    )


def of_copies(site: Site) -> model.Facts:
    """The workspace alone, and how its copies ran: six calls to Tinybird, and nobody else need answer. Raises
    ``SystemsError``."""
    return with_copy_figures(read_workspace(site), site.tinybird)


def read_workspace(site: Site) -> model.Facts:
    """Tinybird's part of the facts, which is all that running a copy needs: whether Sequin or Kafka Connect answer has
    nothing to do with it. Raises as ``read`` does."""
    site.tinybird.require_classic()
    datasources, pipes = site.tinybird.datasources(), site.tinybird.pipes()
    named = {d.id: d.name for d in datasources}
    return model.Facts(
        environment=site.environment,
        now=site.now,
        datasources={d.name: datasource(d) for d in datasources},
        pipes={p.name: pipe(p, named) for p in pipes},
        names=site.names,
        limits=site.limits,
        in_flight=_in_flight(site),
    )


def with_copy_figures(facts: model.Facts, workspace: Tinybird) -> model.Facts:
    """The facts with the figures of all copies, in two calls. Raises ``SystemsError``."""
    named = {p.id: p.name for p in facts.pipes.values()}
    figures = {named[known]: found for known, found in copy_figures.read(workspace).items() if known in named}
    return replace(facts, copy_figures=figures)


def _in_flight(site: Site) -> dict[str, str]:
    return {j.pipe_name: j.status for j in site.tinybird.jobs(kind="copy") if j.pipe_name and j.live}


def _writers(site: Site) -> dict[str, tuple[model.Deployment, ...]]:
    """A deployment that cannot be read spoils only the plans that would stop it. A cluster that does not answer for
    one is not asked for the others: each would be waited for as long."""
    found: dict[tuple[str, str], model.Deployment] = {}
    away = ""
    for namespace, name in sorted({writer for listed in site.names.writers.values() for writer in listed}):
        read = model.Deployment(namespace, name, trouble=away) if away else _writer(site, namespace, name)
        if isinstance(read, SystemsError):
            away = str(read) if read.retryable else ""
            read = model.Deployment(namespace, name, trouble=str(read))
        found[namespace, name] = read
    return {table: tuple(found[writer] for writer in listed) for table, listed in site.names.writers.items()}


def _writer(site: Site, namespace: str, name: str) -> model.Deployment | SystemsError:
    try:
        read = site.cluster.deployment(namespace, name)
    except SystemsError as error:
        return error
    return model.Deployment(namespace, name, read.replicas, read.ready)


def datasource(info: tinybird_model.DatasourceInfo) -> model.Datasource:
    return model.Datasource(
        name=info.name,
        columns=tuple(model.Column(c.name, c.type, c.jsonpath, c.default, c.codec) for c in info.columns),
        engine=info.engine or "MergeTree",
        sorting_key=_split(info.sorting_key),
        partition_key=info.partition_key,
        version=info.version,
        ttl=info.ttl,
        settings=info.settings,
        indexes=tuple(model.Index(i.name, i.expression, i.type, i.granularity) for i in info.indexes),
        description=info.description,
        tags=info.tags,
        id=info.id,
        rows=info.rows,
        bytes=info.bytes,
        quarantine_rows=info.quarantine_rows,
        shared=info.shared,
    )


def pipe(info: tinybird_model.PipeInfo, named: Mapping[str, str]) -> model.Pipe:
    """``named`` gives the name of a data source by its id: targets come as ids."""
    return model.Pipe(
        name=info.name,
        nodes=tuple(_node(n, info, named) for n in info.nodes),
        kind=_KINDS.get(info.kind, "pipe"),
        description=info.description,
        tags=info.tags,
        id=info.id,
        schedule_status=info.schedule_status,
    )


def _node(node: tinybird_model.NodeInfo, of: tinybird_model.PipeInfo, named: Mapping[str, str]) -> model.Node:
    kind = node.kind if node.kind in _NODE_KINDS else "standard"
    target: str | None = None
    if kind == "copy" or node.id == of.copy_node:
        target = named.get(of.copy_target or "", of.copy_target)
        return _as(node, "copy", target, of.copy_mode or node.mode or "append", of.cron)
    if kind == "materialized" and node.materialized:
        target = named.get(node.materialized, node.materialized)
    return _as(node, kind, target, None, of.cron if kind == "sink" else None)


def _as(node: tinybird_model.NodeInfo, kind: str, target: str | None, mode: str | None, cron: str | None) -> model.Node:
    return model.Node(
        name=node.name,
        sql=node.sql,
        kind=kind,  # pyright: ignore[reportArgumentType]  # one of the literals: see _NODE_KINDS
        description=node.description,
        id=node.id,
        target=target,
        mode=mode,
        schedule=cron or ("@on-demand" if kind == "copy" else None),
    )


def sink(info: sequin_model.SinkInfo) -> model.Sink:
    return model.Sink(
        name=info.name,
        table=info.tables[0] if info.tables else "",
        topic=info.topic,
        status=info.status,
        health=info.health,
        database=info.database,
        batch_size=info.batch_size,
        backfills=tuple(backfill(b) for b in info.active_backfills),
    )


def backfill(info: sequin_model.BackfillInfo) -> model.Backfill:
    return model.Backfill(info.id, info.state, info.table, info.rows_total, info.rows_done)


def table(info: postgres_model.TableInfo) -> model.PgTable:
    return model.PgTable(
        schema=info.schema,
        name=info.name,
        columns=tuple(model.PgColumn(c.name, c.type, c.nullable, c.default, c.generated) for c in info.columns),
        primary_key=info.primary_key,
        unique=info.unique,
        indexes=info.indexes,
        identity=info.identity,
        published=info.published,
        published_columns=info.published_columns,
        granted=info.granted,
        rows=info.rows,
        bytes=info.bytes,
        owned=info.owned,
        partitioned=info.partitioned,
        heirs=info.heirs,
        wholesale=info.wholesale,
        row_filter=info.row_filter,
        unsent=info.unsent,
        refuses_unsent=info.refuses_unsent,
        veiled=info.veiled,
        veiled_there=info.veiled_there,
    )


def connector(status: ConnectorStatus, topics: tuple[str, ...]) -> model.Connector:
    return model.Connector(status.name, status.state, status.tasks, topics)


def token(info: tinybird_model.TokenInfo) -> model.Token:
    return model.Token(info.name, tuple((s.type, _resource(s)) for s in info.scopes))


def _resource(scope: tinybird_model.Scope) -> str | None:
    """What a scope is on, with its filter: given back without it, a token could read more than before."""
    return ":".join(part for part in (scope.resource, scope.filter) if part) or None


def _rated(of: model.PgTable, changes: int, seconds: float) -> model.PgTable:
    return replace(of, writes_per_s=max(changes, 0) / seconds)


def _sampled(site: Site) -> model.Limits:
    """The limits with the mean size of a message, from the first tracked topic that has any."""
    if site.limits.message_bytes is not None:
        return site.limits
    try:
        topics = site.connect.topics(site.names.connector)
        sizes = (site.kafka.mean_message_bytes(topic) for topic in topics[:1])
        return replace(site.limits, message_bytes=next((size for size in sizes if size), None))
    except SystemsError:
        return site.limits  # a budget by messages alone is still a budget


def resources(workspace: Tinybird) -> dict[str, model.Datasource | model.Pipe]:
    """The resources of a workspace by file name, in three calls. Raises ``SystemsError``."""
    datasources, pipes, tags = workspace.datasources(), workspace.pipes(), _tags(workspace)
    named = {d.id: d.name for d in datasources}
    found: dict[str, model.Datasource | model.Pipe] = {
        f"{d.name}.datasource": replace(datasource(d), tags=tags.get(d.id, d.tags)) for d in datasources
    }
    return found | {f"{p.name}.pipe": replace(pipe(p, named), tags=tags.get(p.id, p.tags)) for p in pipes}


def _tags(workspace: Tinybird) -> dict[str, tuple[str, ...]]:
    """The filtering tags of each resource, by its id; they order a workspace and nothing depends on them."""
    found: dict[str, tuple[str, ...]] = {}
    try:
        for tag in sorted(workspace.tags(), key=lambda tag: tag.name):
            for known, _, _ in tag.resources:
                found[known] = (*found.get(known, ()), tag.name)
    except SystemsError as error:
        if error.status != _NOT_THERE:
            raise
    return found


def _calls(site: Site) -> dict[str, int] | None:
    """Requests by endpoint in the last 7 days; None where the log cannot be read."""
    try:
        rows = site.tinybird.sql(
            "SELECT pipe_name AS pipe, toString(count()) AS calls FROM tinybird.pipe_stats_rt GROUP BY pipe"
        )
    except SystemsError:
        return None
    return {str(row["pipe"]): int(row["calls"]) for row in rows}


def _split(key: str) -> tuple[str, ...]:
    """``id, toDate(createdAt)`` at its top-level commas; ``tuple()`` is no key."""
    parts: list[str] = [""]
    depth = 0
    for char in key.strip().removeprefix("tuple()"):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return _cleaned(parts)


def _cleaned(parts: Iterable[str]) -> tuple[str, ...]:
    return tuple(part.strip().strip("`\"'") for part in parts if part.strip())
