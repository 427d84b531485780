"""Guards: what a plan relies on, as ``key -> digest`` (facts/procedures.md §1). No counts, no times.

Keys, by the name of the thing:
    tinybird/datasource/<name>/schema       columns with types, paths and defaults, engine, keys, indexes
    tinybird/datasource/<name>/id
    tinybird/pipe/<name>/definition         kind, nodes with their SQL, target, mode
    tinybird/pipe/<name>/schedule           cron and whether it runs
    sequin/sink/<name>/status
    postgres/table/<name>/columns           names, types, nullability, defaults
    sequin/sink/<name>/source               its table and its topic
    postgres/table/<name>/replication       identity FULL, in the publication, readable for Sequin
    connect/connector/<name>/state
    connect/connector/<name>/topics         those that it reads, in whatever order
    kafka/topic/<name>/partitions           how many; a snapshot knows the topics that were asked for
    tinybird/token/<name>/scopes
    kubernetes/deployment/<namespace>/<name>/replicas       how many are wanted
    github/file/<path>/blob                 of the project's datafiles and migrations: its sha on the branch
"""

from collections.abc import Callable, Mapping
from typing import Any

from runbooks.facts import live
from runbooks.facts.model import Datasource, Facts, PgColumn, Pipe
from runbooks.plan import digest
from runbooks.site import Site

ABSENT = "absent"


def digest_of(reader: Facts | Site, key: str) -> str:
    """The digest of what stands behind ``key``: the same from a snapshot and, one call or two, from the live systems.

    Raises ``KeyError`` for a key of no known kind and ``SystemsError`` when a system does not answer.
    """
    parts = key.split("/")
    kind = (parts[0], parts[1], parts[-1]) if len(parts) >= 4 else ("", "", "")
    name = "/".join(parts[2:-1])
    known = _FROM_FACTS if isinstance(reader, Facts) else _FROM_SITE
    read: Callable[[Any, str], Any] | None = known.get(kind)  # pyright: ignore[reportArgumentType, reportAssignmentType]
    if read is None:
        raise KeyError(f"no such guard: {key}")
    found = read(reader, name)
    if found is None:
        return ABSENT
    return str(found) if kind in _AS_THEY_ARE else digest(found)


def of_table(key: str) -> bool:
    """Whether the key is about a table's shape or which one it is: no other run changes these, as the locks on tables
    are held from the beginning to the end."""
    return key.startswith("tinybird/datasource/") or (key.startswith("postgres/table/") and key.endswith("/columns"))


def digest_of_schema(datasource: Datasource) -> str:
    """The digest that ``tinybird/datasource/<name>/schema`` will have once a data source like this one stands."""
    return digest(_schema(datasource))


def _schema(of: Datasource) -> Any:
    """Columns by name: an alter puts a new one last, a datafile may have it anywhere."""
    columns = [[c.name, _squeezed(c.type), c.jsonpath, _default(c.default), c.codec] for c in of.columns]
    indexes = [[i.name, _squeezed(i.expression), _squeezed(i.type), i.granularity] for i in of.indexes]
    keys = [[_squeezed(key) for key in of.sorting_key], _squeezed(of.partition_key), of.version, _squeezed(of.ttl)]
    return {
        "columns": sorted(columns, key=_name),
        "engine": of.engine,
        "keys": keys,
        "indexes": sorted(indexes, key=_name),
    }


def _definition(of: Pipe) -> Any:
    nodes = [[n.name, n.kind, n.sql.strip(), n.target, n.mode] for n in of.nodes]
    return {"kind": of.kind, "nodes": nodes}


def _schedule(of: Pipe) -> Any:
    crons = [n.schedule for n in of.nodes if n.kind in ("copy", "sink")]
    return [crons, of.schedule_status]


def _columns(columns: Mapping[str, PgColumn]) -> Any:
    return sorted(([c.name, c.type, c.nullable, c.default] for c in columns.values()), key=_name)


def _name(row: list[Any]) -> str:
    return str(row[0])


def _squeezed(text: str) -> str:
    return "".join(text.replace("`", "").split())


def _default(text: str | None) -> str | None:
    """NULL as a default of a nullable column says nothing."""
    return None if text is None or text.strip().upper() == "NULL" else text.strip()


# -- from a snapshot


def _facts_schema(facts: Facts, name: str) -> Any:
    found = facts.datasources.get(name)
    return _schema(found) if found else None


def _facts_id(facts: Facts, name: str) -> Any:
    found = facts.datasources.get(name)
    return found.id if found else None


def _facts_definition(facts: Facts, name: str) -> Any:
    found = facts.pipes.get(name)
    return _definition(found) if found else None


def _facts_schedule(facts: Facts, name: str) -> Any:
    found = facts.pipes.get(name)
    return _schedule(found) if found else None


def _facts_sink(facts: Facts, name: str) -> Any:
    found = facts.sinks.get(name)
    return found.status if found else None


def _facts_columns(facts: Facts, name: str) -> Any:
    found = (facts.tables or {}).get(name)
    return _columns({c.name: c for c in found.columns}) if found else None


def _facts_replication(facts: Facts, name: str) -> Any:
    found = (facts.tables or {}).get(name)
    return [found.identity == "f", found.published, found.granted] if found else None


def _facts_connector(facts: Facts, name: str) -> Any:
    return facts.connector.state if facts.connector and facts.connector.name == name else None


def _facts_sink_source(facts: Facts, name: str) -> Any:
    found = facts.sinks.get(name)
    return [found.table, found.topic] if found else None


def _facts_topics(facts: Facts, name: str) -> Any:
    return sorted(facts.connector.topics) if facts.connector and facts.connector.name == name else None


def _facts_partitions(facts: Facts, name: str) -> Any:
    found = facts.topics.get(name)
    return found.partitions if found else None


def _facts_scopes(facts: Facts, name: str) -> Any:
    found = next((token for token in facts.tokens if token.name == name), None)
    return sorted(":".join(part for part in scope if part) for scope in found.scopes) if found else None


def _facts_replicas(facts: Facts, name: str) -> Any:
    known = (deployment for writers in facts.writers.values() for deployment in writers)
    return next((d.replicas for d in known if d.where == name and not d.trouble), None)


def _facts_blob(facts: Facts, path: str) -> Any:
    names, project = facts.names.project, facts.project
    if names is None or project is None:
        return facts.history.shas.get(path) if facts.history else None
    return project.files.get(path.removeprefix(f"{names.datafiles.strip('/')}/"))


# -- from the live systems


def _live_datasource(site: Site, name: str) -> Datasource | None:
    found = site.tinybird.datasource(name)
    return live.datasource(found) if found else None


def _live_pipe(site: Site, name: str) -> Pipe | None:
    found = site.tinybird.pipe(name)
    if found is None:
        return None
    ids = {target for target in (found.copy_target, *(n.materialized for n in found.nodes)) if target}
    targets = [site.tinybird.datasource(target) for target in sorted(ids)]
    return live.pipe(found, {t.id: t.name for t in targets if t})


def _site_schema(site: Site, name: str) -> Any:
    found = _live_datasource(site, name)
    return _schema(found) if found else None


def _site_id(site: Site, name: str) -> Any:
    found = _live_datasource(site, name)
    return found.id if found else None


def _site_definition(site: Site, name: str) -> Any:
    found = _live_pipe(site, name)
    return _definition(found) if found else None


def _site_schedule(site: Site, name: str) -> Any:
    found = _live_pipe(site, name)
    return _schedule(found) if found else None


def _site_sink(site: Site, name: str) -> Any:
    found = site.sequin.find_sink(name)
    return found.status if found else None


def _site_sink_source(site: Site, name: str) -> Any:
    found = site.sequin.find_sink(name)
    return [found.tables[0] if found.tables else "", found.topic] if found else None


def _site_topics(site: Site, name: str) -> Any:
    return sorted(site.connect.topics(name))


def _site_partitions(site: Site, name: str) -> Any:
    return site.kafka.topics().get(name)


def _site_scopes(site: Site, name: str) -> Any:
    found = next((token for token in site.tinybird.tokens() if token.name == name), None)
    return sorted(str(scope) for scope in found.scopes) if found else None


def _site_columns(site: Site, name: str) -> Any:
    found = site.postgres.columns(name)
    return (
        _columns({c.name: PgColumn(c.name, c.type, c.nullable, c.default) for c in found.values()}) if found else None
    )


def _site_replication(site: Site, name: str) -> Any:
    found = site.postgres.replication(name, publication=site.names.publication, role=site.names.sequin_role)
    return [found.full and not found.partitions, found.published, found.granted] if found else None


def _site_connector(site: Site, name: str) -> Any:
    return site.connect.status(name).state


def _site_replicas(site: Site, name: str) -> Any:
    namespace, _, deployment = name.partition("/")
    return site.cluster.scale(namespace, deployment).replicas


def _site_blob(site: Site, path: str) -> Any:
    names = site.names.project
    found = site.hub.repository(names.repository).file(path, names.branch) if names else None
    return found.sha if found else None


_SCHEMA = ("tinybird", "datasource", "schema")
_ID = ("tinybird", "datasource", "id")
_DEFINITION = ("tinybird", "pipe", "definition")
_SCHEDULE = ("tinybird", "pipe", "schedule")
_SINK = ("sequin", "sink", "status")
_COLUMNS = ("postgres", "table", "columns")
_REPLICATION = ("postgres", "table", "replication")
_CONNECTOR = ("connect", "connector", "state")
_REPLICAS = ("kubernetes", "deployment", "replicas")
_SINK_SOURCE = ("sequin", "sink", "source")
_TOPICS = ("connect", "connector", "topics")
_PARTITIONS = ("kafka", "topic", "partitions")
_SCOPES = ("tinybird", "token", "scopes")
_BLOB = ("github", "file", "blob")
_AS_THEY_ARE = frozenset(
    {_REPLICAS, _PARTITIONS, _BLOB}
)  # short enough that people may read what was expected and what was found

_FROM_FACTS: Mapping[tuple[str, str, str], Callable[[Facts, str], Any]] = {
    _SCHEMA: _facts_schema,
    _ID: _facts_id,
    _DEFINITION: _facts_definition,
    _SCHEDULE: _facts_schedule,
    _SINK: _facts_sink,
    _COLUMNS: _facts_columns,
    _REPLICATION: _facts_replication,
    _CONNECTOR: _facts_connector,
    _REPLICAS: _facts_replicas,
    _SINK_SOURCE: _facts_sink_source,
    _TOPICS: _facts_topics,
    _PARTITIONS: _facts_partitions,
    _SCOPES: _facts_scopes,
    _BLOB: _facts_blob,
}
_FROM_SITE: Mapping[tuple[str, str, str], Callable[[Site, str], Any]] = {
    _SCHEMA: _site_schema,
    _ID: _site_id,
    _DEFINITION: _site_definition,
    _SCHEDULE: _site_schedule,
    _SINK: _site_sink,
    _COLUMNS: _site_columns,
    _REPLICATION: _site_replication,
    _CONNECTOR: _site_connector,
    _REPLICAS: _site_replicas,
    _SINK_SOURCE: _site_sink_source,
    _TOPICS: _site_topics,
    _PARTITIONS: _site_partitions,
    _SCOPES: _site_scopes,
    _BLOB: _site_blob,
}
