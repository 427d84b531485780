"""Readers moved for good to the table that takes another's place, while both are fed; and back, as long as the first
one is. ``moves`` does the same with a mirror; this table has a name of its own and is written to by itself."""

import re
from datetime import datetime
from typing import Any, ClassVar

from runbooks.proof.fields import ch_name
from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo, Wait
from runbooks.steps.moves import MoveReader, NodeSql, ReturnReader, reading_node
from runbooks.steps.sink_create import DeleteSink
from runbooks.words import counted
from systems.tinybird_model import PipeInfo

LOOK_AGAIN_S = 3.0
PATIENCE_S = 30.0  # a change reaches the two tables by two topics, one a little later than the other


class LetRead(MoveReader):
    """Let a pipe read the new table. ``table`` is the old one, ``to`` the new one's name."""

    op: ClassVar[str] = "tinybird.pipe.let-read/1"

    to: str

    def title(self) -> str:
        others = self.endpoints if self.endpoints != (self.pipe,) else ()
        through = f", for {counted(len(others), 'endpoint')}" if others else ""
        return f"Let {self.pipe} read {self.to} instead of {self.table.name}{through}"

    def remember(self, at: Site) -> Step | None:
        return LetReadAgain(pipe=self.pipe, table=self.table, nodes=self.nodes, to=self.to)

    def _nodes(self, at: Site) -> tuple[NodeSql, ...]:
        return self.nodes

    def _other(self, at: Site) -> str:
        return self.to

    def _count(self, at: Site) -> int:
        """Of both: an answer may be another as soon as one of them took a row."""
        first, second = ch_name(self.table.name), ch_name(self.to)
        counts = f"(SELECT count() FROM {first}) + (SELECT count() FROM {second})"
        return int(at.tinybird.sql(f"SELECT toString({counts}) AS n")[0]["n"])

    def _unlike(self, at: Site, reason: str, memo: dict[str, Any]) -> Seen:
        """What is on its way to one of the two is waited for before an answer counts as another."""
        since = str(memo.get("since", at.now.isoformat()))
        if (at.now - datetime.fromisoformat(since)).total_seconds() >= PATIENCE_S:
            return self._put_up_with(reason, {key: value for key, value in memo.items() if key != "since"})
        return Wait(LOOK_AGAIN_S, reason, memo=memo | {"since": since})


class LetReadAgain(ReturnReader):
    """Let it read the old table again on a way out, as long as that one is fed. Once it is not, or is gone, the new one
    is the only one whose rows are those of now."""

    op: ClassVar[str] = "tinybird.pipe.let-read-again/1"

    to: str

    def look(self, at: Site) -> Seen:
        if not any(sink.topic == self.table.name for sink in at.sequin.sinks()):
            return Done(f"{self.pipe} goes on reading {self.to}: no Sequin sink feeds {self.table.name} any more.")
        return super().look(at)

    def _nodes(self, at: Site) -> tuple[NodeSql, ...]:
        return self.nodes

    def _other(self, at: Site) -> str:
        return self.to

    def _called(self) -> str:
        return self.to

    def _named_in(self, at: Site, pipe: PipeInfo) -> bool:
        word = re.compile(rf"(?<!\w){re.escape(self.to)}(?!\w)")
        return any(word.search(node.sql) for node in pipe.nodes)


class DeleteOldSink(DeleteSink):
    """Send a table's changes to the old topic no more, once nobody reads what they feed and the new one is fed. Days
    may lie between the last reader that was moved and the click on this."""

    op: ClassVar[str] = "sequin.sink.delete-old/1"

    to: str

    def look(self, at: Site) -> Seen:
        seen = super().look(at)
        if not isinstance(seen, Todo):
            return seen
        reader = next((pipe.name for pipe in at.tinybird.pipes() if reading_node(pipe, self.topic)), None)
        if reader:
            return Astray(f"the pipe {reader} reads {self.topic}, which would stand still: let it read {self.to} first")
        feeding = next((sink for sink in at.sequin.sinks() if sink.topic == self.to), None)
        if feeding is None or feeding.status != "active":
            how = f"the Sequin sink {feeding.name} is {feeding.status}" if feeding else "no Sequin sink sends to it"
            return Astray(f"{self.to} is not fed, as {how}: {self.topic} stays as it is until it is")
        return seen
