"""What planning asks of the systems about one change: counts of rows, and whether Tinybird would take an alter.

The facts are the same for every plan; these are of the one at hand, so they are asked once it is resolved
and put beside the facts as ``Facts.answers``. Everything is asked before anything is touched, and changes nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from runbooks.facts.model import Facts
from systems.errors import SystemsError
from systems.kafka_model import TopicShape

if TYPE_CHECKING:
    from systems.kafka import Kafka
    from systems.postgres import Postgres
    from systems.tinybird import Tinybird

TAKEN = "taken"
_TOO_LONG = 408  # Tinybird's own limit of 10 s for a query (facts/tinybird.md §1, §6)


@dataclass(frozen=True)
class Count:
    """One whole number: the only value of the only row of a SELECT."""

    key: str
    system: Literal["postgres", "tinybird"]
    sql: str


@dataclass(frozen=True)
class Rehearsal:
    """An alter as a dry run: ``TAKEN``, or the words of the refusal."""

    key: str
    datasource: str
    schema: str
    indexes: str | None = None


@dataclass(frozen=True)
class Shapes:
    """What each of these topics is like in Kafka, or that there is none."""

    key: str
    topics: tuple[str, ...]


Question = Count | Rehearsal | Shapes


def answered(
    facts: Facts,
    questions: tuple[Question, ...],
    postgres: "Postgres | None",
    tinybird: "Tinybird | None",
    kafka: "Kafka | None",
) -> Facts:
    """The facts with the answers of those who could be asked. None is an answer that did not come in time: a hazard,
    where it matters. Raises ``SystemsError`` where a system is away."""
    answers: dict[str, int | str | None] = {}
    shapes: dict[str, TopicShape | None] = {}
    for question in questions:
        match question:
            case Count(system="postgres") if postgres is not None:
                answers[question.key] = _counted(question, lambda sql: postgres.read(sql)[0][0])
            case Count(system="tinybird") if tinybird is not None:
                answers[question.key] = _counted(question, lambda sql: tinybird.sql(sql)[0]["n"])
            case Rehearsal() if tinybird is not None:
                answers[question.key] = _rehearsed(question, tinybird)
            case Shapes() if kafka is not None:
                there = kafka.topics()
                shapes |= {name: kafka.topic_shape(name) if name in there else None for name in question.topics}
            case _:
                pass
    return replace(facts, answers=answers, topics=shapes)


def count_of(answers: Mapping[str, int | str | None], key: str) -> int | None:
    """The number, where it was asked for and came."""
    found = answers.get(key)
    return found if isinstance(found, int) else None


def _counted(question: Count, ask: Callable[[str], object]) -> int | None:
    try:
        return int(str(ask(question.sql)))
    except SystemsError as error:
        if error.retryable and not _too_long(error):
            raise
        return None


def _too_long(error: SystemsError) -> bool:
    """A statement's own time was over: the system is there, the table is too large to be counted."""
    return "57014" in error.said or error.status == _TOO_LONG


def _rehearsed(question: Rehearsal, tinybird: "Tinybird") -> str:
    try:
        tinybird.alter(question.datasource, schema=question.schema, dry=True, indexes=question.indexes)
    except SystemsError as error:
        if error.retryable or (error.status or 500) >= 500:
            raise
        return error.said or "it was refused"
    return TAKEN
