"""Readers moved to the mirror of a table and back again, each by new SQL of its own nodes and nothing else.

What its endpoints answer is asked before and after. Where the table took rows in between, or the answer is another
each time, the two say nothing of each other; that the mirror holds the same rows was proven before.
"""

import re
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from runbooks.lineage.sql import NotParsed, understand
from runbooks.proof.fields import ch_name
from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo
from runbooks.steps import answers
from runbooks.steps.mirror import feed_name, mirror_name
from runbooks.steps.standing import Standing
from runbooks.words import counted
from systems.tinybird_model import PipeInfo

RUN = "{run}"  # stands for the run's number in SQL that is shown before there is one

Memo = dict[str, Any]


class NodeSql(BaseModel):
    """A node's SQL as it is and as it reads the mirror, whose name holds ``{run}``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    node: str
    before: str
    after: str


class _Move(Step):
    """What both ways share: the pipe's nodes as they are, and what its endpoints answer."""

    settle_s: ClassVar[float] = 5.0

    pipe: str
    table: Standing
    nodes: tuple[NodeSql, ...]
    endpoints: tuple[str, ...] = ()  # those that the pipe is, or is inlined in

    def reads(self) -> tuple[str, ...]:
        return (f"tinybird/pipe/{self.pipe}/definition",)

    def writes(self) -> tuple[str, ...]:
        return (f"tinybird/pipe/{self.pipe}/definition",)

    def _nodes(self, at: Site) -> tuple[NodeSql, ...]:
        return numbered(self.nodes, self.table.name, at.run)

    def _other(self, at: Site) -> str:
        """What the pipe reads once it is moved."""
        return mirror_name(self.table.name, at.run)

    def _called(self) -> str:
        """The same in a sentence."""
        return "the mirror"

    def _count(self, at: Site) -> int:
        """Rows of the table with all their versions: grows with whatever is written."""
        return int(at.tinybird.sql(f"SELECT toString(count()) AS n FROM {ch_name(self.table.name)}")[0]["n"])


class MoveReader(_Move):
    """Let a pipe read the mirror. What it answers stays the same; if not, people decide."""

    op: ClassVar[str] = "tinybird.pipe.move/1"

    def title(self) -> str:
        through = f", for {counted(len(self.endpoints), 'endpoint')}" if self.endpoints != (self.pipe,) else ""
        return f"Let {self.pipe} read the mirror of {self.table.name}{through}"

    def remember(self, at: Site) -> Step | None:
        return ReturnReader(
            pipe=self.pipe, table=self.table, nodes=numbered(self.nodes, self.table.name, at.run)
        )  # without endpoints: on a way out nothing waits for an answer

    def look(self, at: Site) -> Seen:
        pipe = at.tinybird.pipe(self.pipe)
        nodes = self._nodes(at)
        if pipe is None:
            return Astray(f"there is no pipe {self.pipe} any more")
        if strange := _strange(pipe, nodes):
            return Astray(f"node {strange} of {self.pipe} is neither what the plan knows nor what it wants")
        todo = [each.node for each in nodes if _sql(pipe, each.node) != each.after.strip()]
        if todo:
            memo = dict(at.memo) or self._before(at)
            return Todo(f"node {todo[0]} reads {self._other(at)} then", memo)
        return self._compared(at, dict(at.memo))

    def act(self, at: Site) -> None:
        _put(at, self.pipe, {each.node: (each.before, each.after) for each in self._nodes(at)})

    def _before(self, at: Site) -> Memo:
        rows = self._count(at)
        first = answers.asked(at, self.endpoints)
        again = answers.asked(at, self.endpoints)
        settled = [name for name in first if first[name] == again[name]]
        return {"rows": rows, "answers": again, "settled": settled}

    def _compared(self, at: Site, memo: Memo) -> Seen:
        now = answers.asked(at, self.endpoints)
        before: Memo = memo.get("answers", {})
        if (broken := answers.silenced(before, now)) and not memo.get("accepted"):
            return self._put_up_with(f"{broken} does not answer any more since: {now[broken]['said']}", memo)
        still = memo.get("rows") == self._count(at)
        other = [name for name in memo.get("settled", ()) if now.get(name) != before[name]]
        if other and still and not memo.get("accepted"):
            since, was = answers.words(now[other[0]]), answers.words(before[other[0]])
            what = f"{other[0]} answers something else since ({since}; before: {was})"
            return self._unlike(at, f"{what}, though {self.table.name} took no row meanwhile", memo)
        reads = f"{self.pipe} reads {self._other(at)}"
        return Done(f"{reads}{answers.compared(before, now, self.endpoints)}.")

    def _unlike(self, at: Site, reason: str, memo: Memo) -> Seen:
        return self._put_up_with(reason, memo)

    def _put_up_with(self, reason: str, memo: Memo) -> Astray:
        return Astray(
            f"{reason}. Resuming takes it as it is; restoring lets {self.pipe} read {self.table.name} again",
            memo | {"accepted": True},
        )


class ReturnReader(_Move):
    """Let a pipe read the table again, by the SQL that it had, once the table is proven or was never touched."""

    op: ClassVar[str] = "tinybird.pipe.return/1"
    gated: ClassVar[bool] = False

    def title(self) -> str:
        return f"Let {self.pipe} read {self.table.name} again"

    def undone(self, at: Site) -> bool:
        """It reads the mirror while the table is away: that somebody made it read the table is found before that."""
        return False

    def look(self, at: Site) -> Seen:
        pipe = at.tinybird.pipe(self.pipe)
        if pipe is None:
            return Done(f"{self.pipe} was removed: there is nothing to move back.")
        todo = [each.node for each in self._nodes(at) if _sql(pipe, each.node) == each.after.strip()]
        if not todo:
            strange = _strange(pipe, self._nodes(at))
            if strange and self._named_in(at, pipe):
                return Astray(f"node {strange} of {self.pipe} was changed by somebody and reads {self._called()} still")
            return self._compared(at)
        unfit = self.table.unfit_to_read(at)
        if unfit:
            return Astray(f"{self.pipe} goes on reading {self._called()}: {unfit}")
        return Todo(
            f"node {todo[0]} gets its own SQL again", dict(at.memo) or {"answers": answers.asked(at, self.endpoints)}
        )

    def act(self, at: Site) -> None:
        _put(at, self.pipe, {each.node: (each.after, each.before) for each in self._nodes(at)})

    def _named_in(self, at: Site, pipe: PipeInfo) -> bool:
        mirrors = {name for each in self._nodes(at) for name in re.findall(r"\w+__mirror_run_\d+", each.after)}
        return any(name in node.sql for node in pipe.nodes for name in mirrors)

    def _compared(self, at: Site) -> Seen:
        now, before = answers.asked(at, self.endpoints), dict(at.memo.get("answers", {}))
        if (broken := answers.silenced(before, now)) and not at.memo.get("accepted"):
            reason = f"{broken} does not answer any more since it reads {self.table.name}: {now[broken]['said']}"
            return Astray(reason, dict(at.memo) | {"accepted": True})
        return Done(f"{self.pipe} reads {self.table.name} again{answers.compared(before, now, self.endpoints)}.")


class CheckUnread(Step):
    """See that nothing reads the table but the copies that stand still: whoever came to read it since would find it
    gone."""

    op: ClassVar[str] = "tinybird.pipe.check-unread/1"
    gated: ClassVar[bool] = False

    table: Standing
    known: tuple[str, ...]  # pipes that may: paused copies, and what no endpoint reads

    def title(self) -> str:
        return f"Prove that no endpoint reads {self.table.name}"

    def look(self, at: Site) -> Seen:
        known = {*self.known, feed_name(self.table.name, at.run)}
        for pipe in at.tinybird.pipes():
            if pipe.name not in known and (node := reading_node(pipe, self.table.name)):
                return Astray(
                    f"{pipe.name}, node {node}, reads {self.table.name}: it came since the plan was made, or somebody "
                    f"pushed it again; {self.table.name} was not touched"
                )
        return Done(f"No endpoint reads {self.table.name}.")


def reading_node(pipe: PipeInfo, table: str) -> str | None:
    """The first node that reads the table, or whose SQL names it and is not understood."""
    own = {node.name for node in pipe.nodes}
    word = re.compile(rf"(?<!\w){re.escape(table)}(?!\w)")
    for node in pipe.nodes:
        if not word.search(node.sql) or (table in own and node.name != table):
            continue
        parsed = understand(node.sql)
        if isinstance(parsed, NotParsed) or parsed.use(table):
            return node.name
    return None


def numbered(nodes: tuple[NodeSql, ...], table: str, run: int) -> tuple[NodeSql, ...]:
    """The mirror's name with the run's number. SQL may have ``{run}`` of its own: only the name is touched."""
    named, plain = mirror_name(table, run), mirror_name(table, RUN)
    return tuple(each.model_copy(update={"after": each.after.replace(plain, named)}) for each in nodes)


def _sql(pipe: PipeInfo, node: str) -> str:
    return next((each.sql.strip() for each in pipe.nodes if each.name == node), "")


def _strange(pipe: PipeInfo, nodes: tuple[NodeSql, ...]) -> str | None:
    return next((n.node for n in nodes if _sql(pipe, n.node) not in (n.before.strip(), n.after.strip())), None)


def _put(at: Site, pipe: str, wanted: dict[str, tuple[str, str]]) -> None:
    """The first node that still has the first of its two texts gets the second."""
    found = at.tinybird.pipe(pipe)
    for node in found.nodes if found else ():
        there, then = wanted.get(node.name, ("", ""))
        if found and then and node.sql.strip() == there.strip():
            at.tinybird.put_node_sql(found.id, node.id, then)
            return
