"""A replicated data source under another name (facts/estate.md §5: its name is its topic\'s and Kafka Connect\'s).

The new one is brought beside the old one, as ``replicate`` does it, and proven; readers are moved to it one by one
while both are fed; then the old one\'s way is taken away in the order of ``unreplicate``. The table stays in the
publication: the new Sequin sink sends it.
"""

import difflib
from collections.abc import Iterator

from runbooks import gone, guards
from runbooks.datafile import write_datasource, write_pipe
from runbooks.facts.model import Facts
from runbooks.hazards import found
from runbooks.layout import laid_out_in_blocks
from runbooks.lineage import Lineage
from runbooks.plan import Choice, Estimate, Hazard, Plan
from runbooks.proof.claims import provable
from runbooks.questions import Question, Shapes
from runbooks.request import Rename, Request
from runbooks.step import Step
from runbooks.steps.append_scope import APPEND, RevokeAppend
from runbooks.steps.copies import AwaitBegun
from runbooks.steps.create import GiveScopes
from runbooks.steps.delivery import AwaitDelivery
from runbooks.steps.moves import CheckUnread, NodeSql
from runbooks.steps.new_datasource import DropReplica
from runbooks.steps.properties_pull import SECOND
from runbooks.steps.readers import DeleteOldSink, LetRead
from runbooks.steps.standing import Grant, Standing
from runbooks.steps.tags import RestoreTags
from runbooks.steps.topics import DeleteTopic
from runbooks.strategies.parts import filling, grants, prove
from runbooks.tables import hazards
from runbooks.tables.listing import RESTART_S, not_reading, over, tidied
from runbooks.tables.renaming import Renaming, renaming
from runbooks.tables.replicate import filled, lacking
from runbooks.tables.route import tracked
from runbooks.words import counted

NAME = "rename"
_MOVE_S = 10
_LEVELS = ("error", "warning", "note")


def plan_of(request: Request, job: Rename, facts: Facts) -> Plan:
    """Raises ``Refused`` where it cannot be renamed safely."""
    of = renaming(job, facts)
    wanted = list(_steps(of, facts))
    steps, _ = laid_out_in_blocks([(step, None) for step in (*wanted, *tidied(wanted))])
    rows = of.route.table.rows or 0
    seconds, formula = filling(rows, facts) if of.sink else (0, "nothing to fill")
    moving = _MOVE_S * len(of.moved)
    number = gone.counted_by(facts, of.old.rows, of.route.table.rows)
    return Plan(
        command=request.text,
        environment=facts.environment,
        target=of.old.name,
        request={"kind": NAME, "datasource": of.old.name, "to": of.new, "table": of.route.table.name},
        strategy=Choice(name=NAME, reasons=tuple(_reasons(of))),
        readers=of.readers,
        hazards=_hazards(of, facts),
        steps=steps,
        holds=(),
        took=Estimate(
            seconds=seconds + moving + 2 * RESTART_S,
            formula=f"{formula} + {len(of.moved)} × {_MOVE_S} s to move readers + 2 × {RESTART_S} s for Kafka Connect "
            "to restart",
        ),
        datafiles={
            f"{of.new}.datasource": write_datasource(of.route.made),
            **{f"{each.pipe.name}.pipe": write_pipe(each.after) for each in of.moved},
        },
        diffs={
            f"{each.pipe.name}.pipe": "".join(_diff(n, of.old.name, of.new) for n in each.nodes) for each in of.moved
        },
        guards={key: guards.digest_of(facts, key) for key in sorted({k for s in steps for k in (*s.reads, *s.writes)})},
        inferred=of.route.said,
        ghosts=f"rows that are in {of.old.name} and no longer in Postgres: {number}; they do not come along"
        if of.sink
        else "",
        locks=tuple(_locks(of)),
    )


def questions_of(job: Rename, facts: Facts) -> tuple[Question, ...]:
    """Both topics, and how many keys either side has. Raises ``Refused`` as the plan does."""
    of = renaming(job, facts)
    shapes = Shapes(
        "topics", tuple(dict.fromkeys((of.new, of.old.name, *((of.route.like.topic,) if of.route.like else ()))))
    )
    proof = provable(of.old, of.route.table, (), ())
    return (shapes, *(() if isinstance(proof, str) else gone.counts(proof)))


# -- steps


def _steps(of: Renaming, facts: Facts) -> Iterator[Step]:
    if of.sink:
        yield from lacking(of.route, facts)
        yield from filled(of.route, facts.names.connector)
    else:
        yield prove(of.route.proof)
    given = tuple(_grants(of, facts))
    if given:
        yield GiveScopes(table=of.new, grants=given, of=of.old.name)
    if of.old.tags:
        yield RestoreTags(table=of.new, tags=of.old.tags)
    table = Standing(name=of.old.name, id=of.old.id, planned="")
    for each in of.moved:
        yield LetRead(pipe=each.pipe.name, table=table, nodes=each.nodes, endpoints=each.endpoints, to=of.new)
    yield CheckUnread(table=table, known=())
    if of.copies:
        yield AwaitBegun(table=of.old.name, pipes=of.copies)
    if of.sink:
        yield prove(of.route.proof)  # days may lie between the first proof and the last reader that people let move
    yield from _old_way(of, facts)


def _old_way(of: Renaming, facts: Facts) -> Iterator[Step]:
    """Nothing is sent any more, nobody reads the topic, and only then topic and data source go."""
    name = of.old.name
    if of.sink:
        yield DeleteOldSink(sink=of.sink.name, table=of.sink.table, topic=name, to=of.new)
    tracked_still = facts.connector is not None and name in facts.connector.topics
    if tracked_still:
        yield AwaitDelivery(topic=name)
        yield from not_reading(name, facts, SECOND)
    held = {scope for token in facts.tokens if token.name == facts.connect_token for scope in token.scopes}
    if (APPEND, name) in held:
        yield RevokeAppend(token=facts.connect_token, datasource=name)
    if facts.topics.get(name) is not None:
        yield DeleteTopic(topic=name)
        if tracked_still:
            yield from over(name, facts)
    yield DropReplica(name=name, id=of.old.id)


def _grants(of: Renaming, facts: Facts) -> Iterator[Grant]:
    """What tokens may do on the old one, on the new one; Kafka Connect's own right to append has its step."""
    for grant in grants(of.old.name, facts):
        kind, resource = _scope(grant)
        if not (grant.token == facts.connect_token and kind == APPEND):
            rest = resource.removeprefix(of.old.name)  # a filter, with its colon
            yield Grant(token=grant.token, scope=f"{kind}:{of.new}{rest}")


def _scope(grant: Grant) -> tuple[str, str]:
    first, second, resource = grant.scope.split(":", 2)
    return f"{first}:{second}", resource


def _locks(of: Renaming) -> Iterator[str]:
    yield f"datasource/{of.old.name}"
    yield f"datasource/{of.new}"
    yield f"table/{of.route.table.name}"
    yield from (f"copy/{each.pipe.name}" for each in of.moved if each.pipe.kind == "copy")


# -- what people read


def _reasons(of: Renaming) -> Iterator[str]:
    if of.sink:
        yield f"{of.new} is brought beside {of.old.name} and proven; both are fed until nobody reads the old one"
    else:
        yield f"{of.new} stands and is fed: what an earlier run left of {of.old.name} goes"
    if of.moved:
        are = "is" if len(of.moved) == 1 else "are"
        yield f"no read is broken: {counted(len(of.moved), 'reader')} {are} moved, one approved step each"
    yield f"the table {of.route.table.name} stays as it is, and in the publication"


def _diff(node: NodeSql, old: str, new: str) -> str:
    before, after = node.before.strip().splitlines(), node.after.strip().splitlines()
    names = (f"{node.node}, reading {old}", f"{node.node}, reading {new}")
    return "\n".join(difflib.unified_diff(before, after, *names, lineterm="", n=1)) + "\n"


def _hazards(of: Renaming, facts: Facts) -> tuple[Hazard, ...]:
    """The gravest first."""
    of_new = (h for h in hazards.of_route(of.route, facts, "") if h.slug != "connect-restarts") if of.sink else ()
    every = [*of_new, *_of_restarts(of, facts), *_of_readers(of, facts), *_of_writers(of, facts)]
    return tuple(sorted(every, key=lambda hazard: (_LEVELS.index(hazard.level), hazard.slug, hazard.resource)))


def _of_restarts(of: Renaming, facts: Facts) -> Iterator[Hazard]:
    topics = facts.connector.topics if facts.connector else ()
    times = (of.sink is not None and not tracked(of.route, facts)) + (of.old.name in topics)
    if times:
        yield found(
            "connect-restarts",
            "warning",
            facts.names.connector,
            f"Kafka Connect is restarted {'twice' if times == 2 else 'once'} with all {len(topics)} topics: each "
            "stands still for about a minute and goes on where it was.",
            "Choose a quiet moment.",
        )


def _of_readers(of: Renaming, facts: Facts) -> Iterator[Hazard]:
    lineage = Lineage.of(facts)
    without = {use.pipe for use in lineage.uses(of.old.name) if use.use and not use.use.final}
    for name in sorted(without):
        yield found(
            "reader-without-final",
            "warning",
            name,
            f"{name} reads {of.old.name} without FINAL: the two do not hold the same versions of a row, so that it may "
            "answer something else once it is moved.",
            f"Read {of.old.name} FINAL there first.",
        )
    for name in lineage.computed():
        yield found(
            "pipe-not-understood",
            "warning",
            name,
            f"{name} reads a table whose name is computed when it is called. It may be {of.old.name}: it is not moved.",
            f"See that nobody calls it with {of.old.name}.",
        )


def _of_writers(of: Renaming, facts: Facts) -> Iterator[Hazard]:
    for grant in grants(of.old.name, facts):
        if _scope(grant)[0] == APPEND and grant.token != facts.connect_token:
            yield found(
                "unknown-writer",
                "warning",
                grant.token,
                f"The token {grant.token} may append to {of.old.name}: who writes with it does so by that name.",
                "See that nobody does, or that it is told the new name.",
            )
