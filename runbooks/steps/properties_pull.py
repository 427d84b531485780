"""The connector's encrypted properties, with one topic more or less: what is opened lives in memory alone, and only the
``topics`` key is written again (facts/systems.md §7). The pull request shows ciphertext, so its words say what changed.
"""

import re
from typing import ClassVar

from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo, Wait
from runbooks.steps.pull_merge import LOOK_AGAIN_S, MergePull
from runbooks.steps.pull_request import TOPICS, DeleteBranch, OfBranch, pushed_key, short
from runbooks.tracked import TopicsError, topics_of, with_topic, without_topic
from systems.encrypted import EncryptedFile, Plain
from systems.errors import SystemsError
from systems.github_model import is_known_branch

BRANCH = TOPICS
SECOND = "tbops/run-{run}-topics-off"  # where one run puts a topic on the list and takes another one off it
_OF_A_RUN = re.compile(r"tbops/run-(\d+)-topics(?:-off)?")


def subject(topic: str, *, listed: bool) -> str:
    """What the commit and the pull request are called."""
    return f"topics: {'+' if listed else '-'}{topic}"


class OfProperties(OfBranch):
    """What each step of the file knows: where it is, and the topic that is to be on its list, or off it."""

    branch: str = BRANCH
    path: str
    topic: str
    listed: bool = True

    def _so(self, at: Site, ref: str) -> bool:
        """Whether the file is as it shall be there. Raises ``TopicsError``."""
        return (self.topic in topics_of(self._opened(at, ref))) == self.listed

    def _opened(self, at: Site, ref: str) -> str:
        found = self._there(at).file(self.path, ref)
        if found is None:
            raise TopicsError(f"{self.repository} has no such file at {ref}")
        return self._file(at).opened(found.content).reveal()

    def _file(self, at: Site) -> EncryptedFile:
        if at.encrypted is None:
            said = f"nothing was sent, as tbops.toml names no commands that open {self.path}"
            raise SystemsError("decrypt", self.path, said=said)
        return at.encrypted


class CommitTopic(OfProperties):
    """Commit the file with the topic on its list (``listed``) or off it, on what the base is now: what somebody wrote
    meanwhile stays."""

    op: ClassVar[str] = "github.properties.commit/1"
    gated: ClassVar[bool] = True

    def title(self) -> str:
        does = "Add" if self.listed else "Remove"
        to = "to" if self.listed else "from"
        return (
            f"{does} {self.topic} {to} the topics of {self.path.rpartition('/')[2]}, on a branch of {self.repository}"
        )

    def remember(self, at: Site) -> Step | None:
        return DeleteBranch(repository=self.repository, base=self.base, branch=self.branch)

    def look(self, at: Site) -> Seen:
        there, branch, key = self._there(at), self._branch(at), pushed_key(self.repository, self.branch)
        try:
            head = there.head(branch)
            if head is not None:
                if not self._so(at, head):
                    return Astray(f"{self.repository} has a branch {branch} of somebody else")
                return Done(f"The new list of topics is committed to {branch} as {short(head)}.", {key: head})
            if there.head(self.base) is None:
                return Astray(f"{self.repository} has no branch {self.base}")
            if self._so(at, self.base):
                return Done(f"{self.base} of {self.repository} has it so already.", {key: None})
            return self._ahead(at) or Todo()
        except TopicsError as error:
            return Astray(f"{self.path} was left as it is: {error}")

    def _ahead(self, at: Site) -> Wait | None:
        """Every change of ciphertext conflicts with every other: the request of another run is merged first."""
        for pull in self._there(at).open_pulls(self.base):
            of = _OF_A_RUN.fullmatch(pull.head)
            if of and int(of[1]) != at.run:
                return Wait(LOOK_AGAIN_S, f"run {of[1]} changes the file too: {pull.url} is merged or closed first")
        return None

    def act(self, at: Site) -> None:
        there = self._there(at)
        base = there.head(self.base)
        if base is None:
            return
        text = self._opened(at, base)
        changed = with_topic(text, self.topic) if self.listed else without_topic(text, self.topic)
        sealed = self._file(at).sealed(Plain(changed))
        message = subject(self.topic, listed=self.listed)
        try:
            there.commit_files(self._branch(at), base, {self.path: sealed}, message)
        except SystemsError as error:
            if not is_known_branch(error):  # an earlier try came after all: the next look knows whose it is
                raise


class MergeTopic(MergePull):
    """Merge that pull request. What is merged is not taken back by itself: people are told that the list has it."""

    op: ClassVar[str] = "github.properties.merge/1"

    branch: str = BRANCH
    path: str
    topic: str
    listed: bool = True

    def remember(self, at: Site) -> Step | None:
        return Unlist(
            repository=self.repository, base=self.base, branch=self.branch, path=self.path, topic=self.topic,
            listed=self.listed,
        )  # fmt: skip


class Unlist(OfProperties):
    """The way back of a merge, which is another pull request: people's to open, or this run's to go on from."""

    op: ClassVar[str] = "github.properties.unlist/1"

    def title(self) -> str:
        return f"Leave the topics of {self.path.rpartition('/')[2]} as they were"

    def look(self, at: Site) -> Seen:
        if self.topic in at.proven:
            return Done(f"{self.topic} is proven; the list stays.")
        if not self.listed and at.tinybird.datasource(self.topic) is None:
            return Done(f"There is no data source {self.topic} any more that the topic could feed.")
        try:
            if not self._so(at, self.base):
                return Done(f"{self.base} of {self.repository} has the topics of before.")
        except TopicsError as error:
            return Astray(f"{self.path} was left as it is: {error}")
        on = "lists" if self.listed else "does not list"
        return Astray(
            f"{self.path} {on} {self.topic} now, and the connector goes by it from its next restart on: ask for the "
            "same again to go on from there, or take it back by a pull request"
        )
