"""The connector's list of topics, changed in its file by a pull request, and the connector brought to go by it."""

from collections.abc import Iterable, Iterator

from runbooks.facts.model import Facts
from runbooks.step import Step
from runbooks.steps.announce import AnnounceOver, AnnounceUnread
from runbooks.steps.connect_restart import REST, AwaitTracked, AwaitUntracked, RestartConnect, TrackTopic, UntrackTopic
from runbooks.steps.properties_pull import BRANCH, CommitTopic, MergeTopic, subject
from runbooks.steps.pull_request import DeleteBranch, OpenPull

_BODY = "By run {run} of tbops, which restarts Kafka Connect once this is merged. Nothing else of the file has changed."


RESTART_S = 60  # about so long Connect takes


def announced(topic: str, facts: Facts, *, merge: bool = False) -> Iterator[Step]:
    """Before a topic has no consumer for a while, those whose alarms watch for that hear of it."""
    if facts.names.announces:
        yield AnnounceUnread(topic=topic, seconds=RESTART_S, merge=merge)


def over(topic: str, facts: Facts) -> Iterator[Step]:
    """And when it is over."""
    if facts.names.announces:
        yield AnnounceOver(topic=topic)


def reading(topic: str, facts: Facts) -> Iterator[Step]:
    """The connector reads the topic afterwards."""
    connector = facts.names.connector
    yield from listed(topic, facts, wanted=True)
    if facts.names.connect_restart == REST:
        yield TrackTopic(connector=connector, topic=topic)
    else:
        yield RestartConnect(connector=connector, topics_with=topic)
    yield AwaitTracked(connector=connector, topic=topic)


def not_reading(topic: str, facts: Facts, branch: str = BRANCH) -> Iterator[Step]:
    """The connector reads it no more."""
    connector = facts.names.connector
    yield from listed(topic, facts, wanted=False, branch=branch)
    if facts.topics.get(topic) is not None:
        yield from announced(topic, facts)
    if facts.names.connect_restart == REST:
        yield UntrackTopic(connector=connector, topic=topic)
    else:
        yield RestartConnect(connector=connector, topics_without=topic)
    yield AwaitUntracked(connector=connector, topic=topic)


def listed(topic: str, facts: Facts, *, wanted: bool, branch: str = BRANCH) -> Iterator[Step]:
    """The topic on the list that the connector starts with, or off it, by a pull request that people merge. A run that
    brings two gives each a branch of its own."""
    file = facts.names.properties
    if file is None:
        return
    repository, base = file.repository, file.branch
    yield CommitTopic(repository=repository, base=base, branch=branch, path=file.path, topic=topic, listed=wanted)
    heading = subject(topic, listed=wanted)
    yield OpenPull(repository=repository, base=base, branch=branch, heading=heading, body=_BODY)
    yield MergeTopic(repository=repository, base=base, branch=branch, path=file.path, topic=topic, listed=wanted)


def tidied(steps: Iterable[Step]) -> Iterator[Step]:
    """The run's own branches, once what they brought is merged."""
    for opened in (step for step in steps if isinstance(step, OpenPull)):
        yield DeleteBranch(repository=opened.repository, base=opened.base, branch=opened.branch)
