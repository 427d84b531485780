"""What a rename has to do with: the data source as it is, the way that the new one gets, and the readers between them;
or why it cannot be done safely, in one sentence that says what to do."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from runbooks.errors import Refused
from runbooks.facts.model import Datasource, Facts, Pipe, Sink
from runbooks.fields import nearest, root_of
from runbooks.guards import digest_of_schema
from runbooks.lineage import Lineage, NotMoved, reading
from runbooks.plan import Reader
from runbooks.proof.claims import provable
from runbooks.request import Rename
from runbooks.steps.moves import NodeSql
from runbooks.tables.derived import ROOT
from runbooks.tables.route import Route

_MOVED = ("endpoint", "pipe", "copy")


@dataclass(frozen=True)
class Moved:
    """A reader with the SQL that it has and gets, and the endpoints that answer by it."""

    pipe: Pipe
    nodes: tuple[NodeSql, ...]
    endpoints: tuple[str, ...]

    @property
    def after(self) -> Pipe:
        written = {node.node: node.after for node in self.nodes}
        return replace(self.pipe, nodes=tuple(replace(n, sql=written.get(n.name, n.sql)) for n in self.pipe.nodes))


@dataclass(frozen=True)
class Renaming:
    """``sink`` is the old one's; None where an earlier run has taken it away already and only the rest is left."""

    old: Datasource
    sink: Sink | None
    route: Route
    moved: tuple[Moved, ...]
    readers: tuple[Reader, ...]
    copies: tuple[str, ...]

    @property
    def new(self) -> str:
        return self.route.name


def renaming(job: Rename, facts: Facts) -> Renaming:
    """Raises ``Refused``."""
    old = _known(job, facts)
    lineage = Lineage.of(facts)
    _require_fed_by_sequin(old, facts, lineage)
    sink = _sink(old, job.to, facts)
    route = _route(old, sink, job.to, facts)
    _require_free(route, old, facts, lineage)
    return Renaming(
        old=old,
        sink=sink,
        route=route,
        moved=tuple(_moved(old.name, job.to, facts, lineage)),
        readers=lineage.readers(old.name),
        copies=tuple(pipe.name for pipe in lineage.copies_reaching(old.name)),
    )


# -- the old one


def _known(job: Rename, facts: Facts) -> Datasource:
    if job.datasource == job.to:
        raise Refused(f"`{job.to}` is its name already.", job.to)
    old = facts.datasources.get(job.datasource)
    if old is None:
        near = nearest(job.datasource, facts.datasources)
        hint = f" Did you mean `{near}`?" if near else ""
        if job.to in facts.datasources:
            hint = f" `{job.to}` is there: if it was renamed already, nothing is left to do."
        raise Refused(f"There is no data source `{job.datasource}`.{hint}", job.datasource, near)
    if not facts.live or facts.tables is None:
        raise Refused("Sequin and Postgres were not asked: a rename begins with how the data source is fed.")
    return old


def _require_fed_by_sequin(old: Datasource, facts: Facts, lineage: Lineage) -> None:
    """Whoever else writes to it does so by its name, and would make another data source of the old name, or fail."""
    name, beside = (
        old.name,
        f"Make a data source of the new name, let them write there, and move the readers of `{old.name}`.",
    )
    if old.shared:
        raise Refused(f"`{name}` is shared with other workspaces, whose readers cannot be moved from here.", name)
    if pipes := lineage.writers(name):
        raise Refused(f"`{name}` is written by {_listed(pipe.name for pipe in pipes)}. {beside}", name)
    if writers := facts.writers.get(name, ()):
        raise Refused(f"`{name}` is written by {_listed(each.where for each in writers)}, by its name. {beside}", name)
    if facts.sink_of(name) is None and root_of(old) != ROOT:
        raise Refused(f"`{name}` is not fed by Sequin, and who writes to it by its name is not known. {beside}", name)


def _sink(old: Datasource, new: str, facts: Facts) -> Sink | None:
    """The one whose topic has the data source's name, which is Kafka Connect's rule (facts/estate.md §5)."""
    found = [sink for sink in facts.sinks.values() if sink.topic == old.name]
    if len(found) > 1:
        raise Refused(
            f"{_listed(s.name for s in found)} all send to the topic `{old.name}`: leave one of them.", old.name
        )
    if found:
        if found[0].status != "active":
            raise Refused(f"The Sequin sink `{found[0].name}` is {found[0].status}: resume it first.", found[0].name)
        return found[0]
    stands = facts.datasources.get(new)
    if facts.sink_of(new) and stands and digest_of_schema(stands) == digest_of_schema(old):
        return None
    other = next((s for s in facts.sinks.values() if s.table.rpartition(".")[2] == old.name), None)
    said = f"`{other.name}` sends its table to `{other.topic}`" if other else "no change of Postgres reaches it"
    raise Refused(
        f"No Sequin sink has the topic `{old.name}`; {said}. A data source, its topic and what Kafka Connect posts to "
        f"have one name: have it fed first, by `/tb replicate <table> as {old.name}`.",
        old.name,
    )


# -- the new one


def _route(old: Datasource, sink: Sink | None, new: str, facts: Facts) -> Route:
    """As ``replicate`` would have it, with the old one's schema in place of the catalog's."""
    mine = _sink_of_new(new, facts)
    fed = sink or mine
    table = (facts.tables or {}).get(fed.table.rpartition(".")[2]) if fed else None
    if fed is None or table is None:
        raise Refused(f"Postgres has no table that feeds `{old.name}`: the new one could not be filled.", old.name)
    if mine and mine.table not in (fed.table, table.name):
        raise Refused(
            f"The Sequin sink `{mine.name}` sends `{mine.table}` to the topic `{new}`: take another name.", new
        )
    version = table.column(_source(old, old.version))
    whole = table.identity == "f" and table.published and table.granted and bool(table.primary_key)
    indexed = table.partitioned or any(index[:1] == (version.name,) for index in table.indexes if version)
    if version is None or not whole or not indexed:
        raise Refused(
            f"`{table.name}` is not wholly replicated: it needs a primary key, a version with an index, replica "
            f"identity FULL and its place in the publication. `/tb replicate {table.name} as {old.name}` brings what "
            "is lacking.",
            table.name,
        )
    made = replace(old, name=new, id="", rows=None, bytes=None, quarantine_rows=None)
    key = {_source(old, part) for part in old.sorting_key}
    if not any(set(unique) <= key for unique in table.unique):
        raise Refused(
            f"`{old.name}` is sorted by {', '.join(old.sorting_key)}, which rows of `{table.name}` may share, so that "
            f"the new one could not be proven by value. `/tb migrate {old.name} sort by …` first.",
            old.name,
        )
    proof = provable(made, table, (), tuple(column.name for column in made.columns))
    if isinstance(proof, str):
        raise Refused(f"What `{new}` takes from `{table.name}` could not be proven: {proof}.", new)
    return Route(
        table=table,
        name=new,
        key=table.primary_key,
        version=version,
        made=made,
        said=(f"{new} gets the columns, keys and engine of {old.name}",),
        proof=proof,
        standing=facts.datasources.get(new),
        sink=mine,
        like=sink or mine,
    )


def _sink_of_new(new: str, facts: Facts) -> Sink | None:
    found = facts.sink_of(new)
    named = facts.sinks.get(f"{new}_sink")
    if found is None and named is not None:
        raise Refused(f"There is a Sequin sink `{named.name}`, which sends to `{named.topic}`: take another name.", new)
    return found


def _require_free(route: Route, old: Datasource, facts: Facts, lineage: Lineage) -> None:
    """The new name is nobody\'s, or what an earlier run made for this very rename."""
    new, stands = route.name, route.standing
    if new in facts.pipes:
        raise Refused(f"There is a pipe `{new}`, and pipes and data sources share their names: take another one.", new)
    if new in (facts.tables or {}) and new != route.table.name:
        raise Refused(
            f"Postgres has another table `{new}`, whose changes would go to that name once it is replicated: take "
            "another one.",
            new,
        )
    if stands is None:
        listed = facts.connector is not None and new in facts.connector.topics
        if listed or facts.topics.get(new) is not None or route.sink:
            raise Refused(
                f"There is a topic `{new}` that is not of `{old.name}`: take another name, or delete it.", new
            )
    elif digest_of_schema(stands) != digest_of_schema(old) or lineage.writers(new) or stands.shared:
        raise Refused(f"There is a data source `{new}`, which is not like `{old.name}`: take another name.", new)


def _source(of: Datasource, name: str) -> str:
    """The column of Postgres that feeds a column; empty where none does."""
    column = of.column(name)
    return (column.jsonpath or "").removeprefix(ROOT) if column else ""


# -- the readers


def _moved(old: str, new: str, facts: Facts, lineage: Lineage) -> Iterator[Moved]:
    readers = lineage.readers(old)
    fixed = next((reader for reader in readers if reader.kind not in _MOVED), None)
    if fixed:
        what = "a materialized view hangs on its data source" if fixed.kind == "materialized" else "it exports its rows"
        raise Refused(
            f"`{fixed.name}` reads `{old}` and is a {fixed.kind} pipe, which is not moved: {what}. Remove it first, "
            "and make it anew afterwards.",
            fixed.name,
        )
    for reader in readers:
        if reader.direct:
            pipe = facts.pipes[reader.name]
            used = {use.node for use in lineage.uses(old) if use.pipe == reader.name}
            through = (r.name for r in readers if r.kind == "endpoint" and reader.name in lineage.inlined(r.name))
            yield Moved(pipe, tuple(_nodes(pipe, used, old, new)), tuple(through))


def _nodes(pipe: Pipe, used: set[str], old: str, new: str) -> Iterator[NodeSql]:
    try:
        for node in pipe.nodes:
            if node.name == new:
                raise Refused(f"`{pipe.name}` has a node `{new}`, which it would read then: take another name.", new)
            if node.name in used:
                yield NodeSql(node=node.name, before=node.sql, after=reading(node.sql, old, new))
    except NotMoved as exc:
        raise Refused(f"`{pipe.name}` cannot be moved: its SQL {exc}. Change it by hand first.", pipe.name) from exc


def _listed(names: Iterator[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
