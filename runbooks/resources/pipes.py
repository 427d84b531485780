"""Which pipes a push can bring about, and by what."""

from dataclasses import dataclass

from runbooks.facts.model import Facts, Pipe
from runbooks.lineage.sql import NotParsed, understand
from runbooks.resources.alike import plain_sql
from runbooks.resources.differences import Difference
from runbooks.steps.pipe_text import PipeText
from runbooks.steps.pipe_write import WritePipe

_OUTPUTS = ("copy", "materialized", "sink")
_CHANGEABLE = ("copy", "endpoint")  # into each other


@dataclass(frozen=True)
class Unwritable:
    """Why a push does not bring a pipe about, and what does."""

    said: str
    instead: str


def unwritable(one: Difference) -> Unwritable | None:
    """None for a pipe that is brought about by a push, or of which nothing need be written."""
    if not isinstance(one.git, Pipe):
        return None
    before, after = kind_of(one.live) if isinstance(one.live, Pipe) else "", kind_of(one.git)
    if before and before != after and not {before, after} <= set(_CHANGEABLE):
        said = f"it is of the kind {before} in the workspace and of the kind {after} in git"
        return Unwritable(said, "Push it by another name, move its readers, and remove the old one by hand.")
    if after == "sink":
        return _export(one.git, one.live)
    if after == "materialized" and isinstance(one.live, Pipe) and _queries(one.git) != _queries(one.live):
        into = " and ".join(node.target or "" for node in one.live.nodes if node.kind == "materialized")
        return Unwritable(
            f"its view would be made anew, what is written meanwhile would be lacking in {into}, and the rows that are "
            "there were made by the old SQL",
            "Push it as a new pipe into a new data source, fill that by `tb pipe populate`, move the readers of "
            f"{into} there, and remove this one by hand.",
        )
    return None


def _export(git: Pipe, live: object) -> Unwritable | None:
    """The SQL of a sink is written node by node. What it exports by is not: the API's words for a connection are not
    known (facts/tinybird.md §4)."""
    if not isinstance(live, Pipe):
        said = "it exports by a connection, and that cannot be set here"
        return Unwritable(said, f"Make it by `tb push {git.name}.pipe`; its SQL can be pushed from then on.")
    if _exports(git) != _exports(live):
        said = "what it exports by, or its nodes, are another in git, and that cannot be set here"
        return Unwritable(said, f"Bring that by `tb push {git.name}.pipe --force`; then its SQL can be pushed.")
    return None


def write_of(one: Difference, facts: Facts) -> WritePipe | None:
    """None where nothing of the pipe itself is to be written, or where that cannot be: see ``unwritable``."""
    if not isinstance(one.git, Pipe) or unwritable(one):
        return None
    after, there = PipeText.of(one.git), facts.pipes.get(one.name)
    if there is None:
        return WritePipe(after=after)
    before = PipeText.of(there)
    same = before.alike(after) and before.settings == after.settings
    if same and (silent(one) or before.said == after.said) and after.published in (None, before.published):
        return None
    return WritePipe(after=after, before=before)


def silent(one: Difference) -> bool:
    """Whether its descriptions cannot be written: they come with the whole pipe."""
    return isinstance(one.live, Pipe) and kind_of(one.git) in ("materialized", "sink")


def written_whole(write: WritePipe) -> bool:
    """Whether all of it is written at once, so that a copy has no schedule for a moment."""
    before, after = write.before, write.after
    if before is None or before.shape != after.shape:
        return True
    return len(after.changed(before)) > 1 or before.said != after.said


def kind_of(resource: object) -> str:
    """What comes out of a pipe: copy, materialized, sink, or what an endpoint answers."""
    nodes = resource.nodes if isinstance(resource, Pipe) else ()
    return next((node.kind for node in nodes if node.kind in _OUTPUTS), "endpoint")


def reads(pipe: object, name: str) -> bool:
    """Whether the SQL of a pipe reads what has that name; one that is not understood may."""
    if not isinstance(pipe, Pipe) or name in {node.name for node in pipe.nodes}:
        return False
    for node in pipe.nodes:
        if name in node.sql:
            parsed = understand(node.sql)
            if isinstance(parsed, NotParsed) or parsed.use(name):
                return True
    return False


def _queries(pipe: Pipe) -> list[tuple[str, str, str, str | None]]:
    return [(node.name, node.kind, plain_sql(node.sql), node.target) for node in pipe.nodes]


def _exports(pipe: Pipe) -> list[tuple[object, ...]]:
    return [(node.name, node.kind, sorted(node.directives)) for node in pipe.nodes]
