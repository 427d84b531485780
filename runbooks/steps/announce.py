"""People beside the run are told of what its steps do to their alarms: before, and when it is over."""

from typing import ClassVar

from runbooks.announcing import Over, Unread, over_key, unread_key
from runbooks.site import Site
from runbooks.step import Done, Seen, Step, Todo, Wait
from runbooks.steps.tracking import away, read_topics

LOOK_AGAIN_S = 1.0


class AnnounceUnread(Step):
    """Say in Slack that a topic will have no consumer for a while, for which an alarm calls people every 30 minutes
    (facts/estate.md §6). The topic waits until it was sent; a channel that Slack refuses for ever stops nobody."""

    op: ClassVar[str] = "slack.announce.unread/1"
    gated: ClassVar[bool] = False
    leads: ClassVar[bool] = True

    topic: str
    seconds: int  # about so long
    merge: bool = False  # and as long as people take to merge a pull request

    def title(self) -> str:
        return f"Say in Slack that the topic {self.topic} has no consumer for a while"

    def remember(self, at: Site) -> Step | None:
        return AnnounceOver(topic=self.topic)

    def look(self, at: Site) -> Seen:
        if at.announcer is None:
            return Done("Nobody is told: tbops.toml names no channel for it any more.")
        told = at.announcer.told(unread_key(self.topic))
        if told is None:
            return Todo()
        if told.refused:
            return Done(f"Slack does not take it ({told.refused}): tell those who watch for {self.topic} yourself.")
        if told.sent:
            return Done(f"It is said that the topic {self.topic} has no consumer for a while.")
        return Wait(LOOK_AGAIN_S, "Slack has not taken the message yet")

    def act(self, at: Site) -> None:
        if at.announcer:
            at.announcer.tell(Unread(self.topic, at.now, self.seconds, self.merge))


class AnnounceOver(Step):
    """Say what became of it, below the first message. It waits for nobody: Slack catches up by itself."""

    op: ClassVar[str] = "slack.announce.over/1"
    gated: ClassVar[bool] = False

    topic: str

    def title(self) -> str:
        return f"Say in Slack what became of the topic {self.topic}"

    def look(self, at: Site) -> Seen:
        if at.announcer is None or at.announcer.told(unread_key(self.topic)) is None:
            return Done("Nobody was told, so that nothing is to be said.")
        if at.announcer.told(over_key(self.topic)) is not None:
            return Done(f"It is said what became of the topic {self.topic}.")
        read = read_topics(at)
        if read is None:
            return away()
        there = self.topic in at.kafka.topics()
        return Todo(memo={"became": "gone" if not there else "read" if self.topic in read else "unread"})

    def act(self, at: Site) -> None:
        if at.announcer:
            at.announcer.tell(Over(self.topic, at.memo["became"]))
