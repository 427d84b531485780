"""Sequin sinks: made like another one, deleted."""

from typing import ClassVar

from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo
from systems.errors import SystemsError
from systems.sequin_model import SinkInfo, is_name_taken


class CreateSink(Step):
    """Have Sequin send a table's changes to its topic, as ``like`` does for its own table. It comes last: before that
    nothing is sent, and whatever a missing topic, data source or scope would lose is not there yet."""

    op: ClassVar[str] = "sequin.sink.create/1"
    settle_s: ClassVar[float] = 5.0

    sink: str
    table: str  # "public.repositories"
    topic: str
    like: str

    def title(self) -> str:
        return f"Create the Sequin sink {self.sink}, which sends {self.table} to the topic {self.topic}"

    def reads(self) -> tuple[str, ...]:
        return (f"sequin/sink/{self.sink}/source",)

    def writes(self) -> tuple[str, ...]:
        return (f"sequin/sink/{self.sink}/source", f"sequin/sink/{self.sink}/status")

    def locks(self) -> tuple[str, ...]:
        return ("slot",)  # a new sink restarts the slot, with all sinks on it

    def remember(self, at: Site) -> Step | None:
        return RemoveSink(sink=self.sink, table=self.table, topic=self.topic)

    def look(self, at: Site) -> Seen:
        found = at.sequin.find_sink(self.sink)
        if found is not None:
            other = _other(found, self.table, self.topic)
            if other:
                return Astray(f"there is a Sequin sink {self.sink} that {other}")
            if found.status != "active":
                return Astray(f"the Sequin sink {self.sink} is {found.status}: somebody stopped it")
            return Done(f"The Sequin sink {self.sink} sends {self.table} to the topic {self.topic}.")
        return self._unready(at) or Todo()

    def act(self, at: Site) -> None:
        spec = at.sequin.sink(self.like).like(self.sink, self.table, self.topic)
        try:
            at.sequin.create_sink(spec)
        except SystemsError as error:
            if not is_name_taken(error):  # else the next look says whose it is
                raise

    def _unready(self, at: Site) -> Seen | None:
        like = at.sequin.find_sink(self.like)
        if like is None:
            return Astray(f"there is no Sequin sink {self.like} to make {self.sink} like")
        if like.kind != "kafka" or not like.target.hosts:
            return Astray(f"the Sequin sink {self.like} does not write to Kafka, so that {self.sink} cannot be like it")
        if like.functions:
            said = f"the Sequin sink {self.like} changes its messages ({', '.join(like.functions)})"
            return Astray(f"{said}: whether {self.sink} must too is for people to say")
        if not at.names.creates_topics and self.topic not in at.kafka.topics():
            return Astray(f"there is no Kafka topic {self.topic}: create it first")
        rival = next((s.name for s in at.sequin.sinks() if s.topic == self.topic), None)
        return Astray(f"the Sequin sink {rival} writes to the topic {self.topic} already") if rival else None


class DeleteSink(Step):
    """Send a table's changes no more. What the sink has not sent yet goes with it, and what changes from now on is
    known to nobody: a sink made anew needs a backfill."""

    op: ClassVar[str] = "sequin.sink.delete/1"
    destructive: ClassVar[bool] = True
    settle_s: ClassVar[float] = 5.0

    sink: str
    table: str
    topic: str

    def title(self) -> str:
        return f"Delete the Sequin sink {self.sink}, which sends {self.table}"

    def reads(self) -> tuple[str, ...]:
        return (f"sequin/sink/{self.sink}/source",)

    def writes(self) -> tuple[str, ...]:
        return (f"sequin/sink/{self.sink}/source", f"sequin/sink/{self.sink}/status")

    def locks(self) -> tuple[str, ...]:
        return ("slot",)

    def look(self, at: Site) -> Seen:
        found = at.sequin.find_sink(self.sink)
        if found is None:
            return Done(f"There is no Sequin sink {self.sink}.")
        other = _other(found, self.table, self.topic)
        return Astray(f"the Sequin sink {self.sink} {other}: it is not the one that was meant") if other else Todo()

    def act(self, at: Site) -> None:
        at.sequin.delete_sink(self.sink)


class RemoveSink(DeleteSink):
    """The same on a way out, for a sink that the run made. Nothing is lost by it: the table was not replicated. Once it
    is, and proven, there is nothing to put back."""

    op: ClassVar[str] = "sequin.sink.remove/1"
    destructive: ClassVar[bool] = False

    def title(self) -> str:
        return f"Delete the new Sequin sink {self.sink}"

    def look(self, at: Site) -> Seen:
        if self.topic in at.proven:
            return Done(f"{self.topic} is replicated and proven; its Sequin sink stays.")
        return super().look(at)


def _other(found: SinkInfo, table: str, topic: str) -> str:
    """How it is not the sink of that table and that topic; empty if it is."""
    if found.tables != (table,):
        return f"sends {', '.join(found.tables) or 'every table'}, not {table}"
    return "" if found.topic == topic else f"writes to the topic {found.topic}, not {topic}"
