"""Pipes brought to what a datafile says: by one node's SQL where nothing else differs, else whole, as ``tb push
--force`` does (facts/tinybird.md §10). What was there before can be put back until the push is seen to hold."""

import textwrap
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from runbooks.facts import live
from runbooks.facts.model import Node, Pipe
from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo
from runbooks.steps import answers
from runbooks.words import counted
from systems.tinybird_model import PipeInfo

HOLDS = "pushed/holds"  # in the run's record, once all that was pushed is seen to hold: then nothing is put back
_ON_DEMAND = "@on-demand"


class NodeText(BaseModel):
    """A node as a datafile has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sql: str
    kind: str = "standard"  # standard | copy | materialized | sink; which one is published is the pipe's to say
    description: str = ""
    target: str | None = None
    mode: str | None = None
    schedule: str | None = None

    @property
    def plain(self) -> str:
        """Its SQL without layout that a push does not keep."""
        return textwrap.dedent("\n".join(line.rstrip() for line in self.sql.splitlines() if line.strip()))


class PipeText(BaseModel):
    """A pipe as a datafile has it. ``published`` is the node that is an endpoint; None for a pipe of another kind, and
    for one that is no endpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    nodes: tuple[NodeText, ...]
    published: str | None = None
    description: str = ""

    @classmethod
    def of(cls, pipe: Pipe) -> Self:
        """A pipe without a type publishes its last node (facts/tinybird.md §3)."""
        typed = [node.name for node in pipe.nodes if node.kind == "endpoint"]
        other = any(node.kind in ("copy", "materialized", "sink") for node in pipe.nodes)
        last = pipe.nodes[-1].name if pipe.kind == "endpoint" and not other else None
        return cls(
            name=pipe.name,
            nodes=tuple(_node(node) for node in pipe.nodes),
            published=typed[-1] if typed else last,
            description=pipe.description,
        )

    @property
    def shape(self) -> list[Any]:
        """What cannot be changed by one node's SQL."""
        return [[n.name, n.kind, n.target] for n in self.nodes]

    @property
    def settings(self) -> list[Any]:
        return [[n.mode or "append", n.schedule or _ON_DEMAND] for n in self.nodes if n.kind == "copy"]

    def changed(self, other: "PipeText") -> list[NodeText]:
        """Its nodes whose SQL is another than the other's, of the same shape."""
        return [mine for mine, theirs in zip(self.nodes, other.nodes, strict=True) if mine.plain != theirs.plain]

    def alike(self, other: "PipeText") -> bool:
        return self.shape == other.shape and not self.changed(other)

    def body(self) -> dict[str, Any]:
        """As ``tb push`` posts it; a schedule follows by another call."""
        copies = [n for n in self.nodes if n.kind == "copy"]
        nodes = [
            {
                "name": n.name,
                "type": n.kind,
                "sql": n.sql,
                "description": n.description,
                "target_datasource": n.target if n.kind == "copy" else None,
                "copy_schedule": n.schedule if n.kind == "copy" else None,
                "mode": n.mode or "append",
                "export_params": None,
                **({"datasource": n.target} if n.kind == "materialized" else {}),
            }
            for n in self.nodes
        ]
        target = copies[0].target if copies else None
        return {
            "name": self.name,
            "description": self.description,
            "nodes": nodes,
            "target_datasource": target,
            "schedule_cron": None,
        }


class _Write(Step):
    """Bring a pipe from ``known`` (None: there is none) to ``wanted``, an effect a look."""

    settle_s: ClassVar[float] = 5.0

    def _look(self, at: Site, wanted: PipeText, known: PipeText | None) -> Seen:
        info = at.tinybird.pipe(wanted.name)
        if info is None:
            return Todo("it is made") if known is None else Astray(f"there is no pipe {wanted.name} any more")
        there = _live(at, info)
        if not there.alike(wanted):
            if known is None or not _between(there, wanted, known):
                return Astray(f"{wanted.name} is neither what the plan knows nor what it wants: somebody changed it")
            return Todo(f"{counted(len(wanted.nodes), 'node')} are written")
        if wanted.published and there.published != wanted.published:
            return Todo(f"node {wanted.published} is published")
        if there.settings != wanted.settings:
            return Todo("its mode and schedule are set")
        return Done(f"{wanted.name} is what the datafile says.")

    def _act(self, at: Site, wanted: PipeText) -> None:
        info = at.tinybird.pipe(wanted.name)
        there = _live(at, info) if info else None
        if info is None or there is None or there.shape != wanted.shape:
            at.tinybird.put_pipe(wanted.body())
            return
        changed, ids = wanted.changed(there), {node.name: node.id for node in info.nodes}
        if len(changed) == 1:
            at.tinybird.put_node_sql(info.id, ids[changed[0].name], changed[0].sql)
        elif changed:
            at.tinybird.put_pipe(wanted.body())
        elif wanted.published and there.published != wanted.published:
            at.tinybird.publish_node(info.id, ids[wanted.published])
        elif there.settings != wanted.settings:
            copy = next(node for node in wanted.nodes if node.kind == "copy")
            cron = None if copy.schedule in (None, _ON_DEMAND) else copy.schedule
            at.tinybird.set_copy_schedule(info.id, ids[copy.name], cron=cron, mode=copy.mode or "append")


class WritePipe(_Write):
    """Make a pipe what its datafile says; ``before`` is what it was when the plan was made."""

    op: ClassVar[str] = "tinybird.pipe.write/1"

    after: PipeText
    before: PipeText | None = None

    def title(self) -> str:
        return f"{'Create' if self.before is None else 'Change'} the pipe {self.after.name}"

    def reads(self) -> tuple[str, ...]:
        return (f"tinybird/pipe/{self.after.name}/definition",)

    def writes(self) -> tuple[str, ...]:
        return self.reads()

    def remember(self, at: Site) -> Step | None:
        if self.before is None:
            return RemovePipe(pipe=self.after)
        return PutPipeBack(before=self.before, after=self.after)

    def look(self, at: Site) -> Seen:
        return self._look(at, self.after, self.before)

    def act(self, at: Site) -> None:
        self._act(at, self.after)


class PutPipeBack(_Write):
    """Give a pipe the SQL that it had, unless the push holds."""

    op: ClassVar[str] = "tinybird.pipe.put-back/1"

    before: PipeText
    after: PipeText

    def title(self) -> str:
        return f"Give the pipe {self.before.name} its own SQL again"

    def writes(self) -> tuple[str, ...]:
        return (f"tinybird/pipe/{self.before.name}/definition",)

    def look(self, at: Site) -> Seen:
        if at.found.get(HOLDS):
            return Done(f"{self.before.name} holds: it stays as pushed.")
        return self._look(at, self.before, self.after)

    def act(self, at: Site) -> None:
        self._act(at, self.before)


class RemovePipe(Step):
    """Delete a pipe that the run made, unless the push holds. One that somebody changed since stays."""

    op: ClassVar[str] = "tinybird.pipe.remove/1"
    settle_s: ClassVar[float] = 5.0

    pipe: PipeText

    def title(self) -> str:
        return f"Delete the new pipe {self.pipe.name}"

    def writes(self) -> tuple[str, ...]:
        return (f"tinybird/pipe/{self.pipe.name}/definition",)

    def look(self, at: Site) -> Seen:
        if at.found.get(HOLDS):
            return Done(f"{self.pipe.name} holds: it stays.")
        info = at.tinybird.pipe(self.pipe.name)
        if info is None:
            return Done(f"There is no pipe {self.pipe.name}, as before.")
        if not _live(at, info).alike(self.pipe):
            return Astray(f"{self.pipe.name} is not what the run made: somebody changed it, and it stays")
        return Todo("its view goes first" if _view(info) else "")

    def act(self, at: Site) -> None:
        info = at.tinybird.pipe(self.pipe.name)
        if info and (node := _view(info)):
            at.tinybird.unlink_view(info.id, node)
        elif info:
            at.tinybird.delete_pipe(self.pipe.name)


class AskPushed(Step):
    """See that pushed pipes are what their datafiles say and that the endpoints among them answer. From then on they
    stay, whatever comes."""

    op: ClassVar[str] = "tinybird.pipe.ask-pushed/1"
    gated: ClassVar[bool] = False

    pipes: tuple[PipeText, ...]

    def title(self) -> str:
        return "See that what was pushed stands and answers"

    def look(self, at: Site) -> Seen:
        for wanted in self.pipes:
            info = at.tinybird.pipe(wanted.name)
            if info is None or not _live(at, info).alike(wanted):
                return Astray(f"{wanted.name} is not what was pushed: somebody changed it meanwhile")
        said = answers.asked(at, tuple(pipe.name for pipe in self.pipes if pipe.published))
        good = [name for name, answer in said.items() if "said" not in answer]
        asked = f"; {len(good)} of {counted(len(said), 'endpoint')} answer without parameters" if said else ""
        return Done(f"What was pushed stands: {counted(len(self.pipes), 'pipe')}{asked}.", {HOLDS: True})


class CheckPushed(Step):
    """See, with what could be put back struck off, that the workspace says what git says."""

    op: ClassVar[str] = "tinybird.pipe.check-pushed/1"
    gated: ClassVar[bool] = False

    names: tuple[str, ...]

    def title(self) -> str:
        return "See that the workspace holds what git says"

    def look(self, at: Site) -> Seen:
        there = {pipe.name for pipe in at.tinybird.pipes()} | {d.name for d in at.tinybird.datasources()}
        gone = [name for name in self.names if name not in there]
        if gone:
            return Astray(f"{gone[0]} is gone again: somebody removed it")
        return Done(f"{at.environment} holds {counted(len(self.names), 'resource')} as git has them.")


def _node(node: Node) -> NodeText:
    copies = node.kind == "copy"
    return NodeText(
        name=node.name,
        sql=node.sql,
        kind="standard" if node.kind == "endpoint" else node.kind,
        description=node.description,
        target=node.target,
        mode=node.mode if copies else None,
        schedule=node.schedule if copies else None,
    )


def _live(at: Site, info: PipeInfo) -> PipeText:
    ids = {target for target in (info.copy_target, *(n.materialized for n in info.nodes)) if target}
    targets = [at.tinybird.datasource(target) for target in sorted(ids)]
    pipe = live.pipe(info, {target.id: target.name for target in targets if target})
    # what is published is known here, and not to be guessed from the last node
    published = next((node.name for node in pipe.nodes if node.kind == "endpoint"), None)
    return PipeText.of(pipe).model_copy(update={"published": published})


def _between(there: PipeText, wanted: PipeText, known: PipeText) -> bool:
    """Whether each node is as the one or the other has it: a change that is under way, or has not begun."""
    return there.alike(known) or (
        there.shape == wanted.shape == known.shape
        and all(
            here.plain in (one.plain, other.plain)
            for here, one, other in zip(there.nodes, wanted.nodes, known.nodes, strict=True)
        )
    )


def _view(info: PipeInfo) -> str | None:
    return next((node.id for node in info.nodes if node.materialized), None)
