"""trigger_ids: good for three seconds and for one use (facts/slack.md §3.1)."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.slack.errors import SlackRefusal
from sandbox.slack.people import TEAM

LIFE_S = 3.0


@dataclass
class _Trigger:
    user: str
    view_id: str | None  # the modal it was pressed in: only such a trigger may push
    at: float
    used: bool = False


class Triggers:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._triggers: dict[str, _Trigger] = {}

    def issue(self, user: str, view_id: str | None = None) -> str:
        trigger_id = f"{len(self._triggers) + 1}.{TEAM}.{secrets.token_hex(16)}"
        self._triggers[trigger_id] = _Trigger(user, view_id, self._clock())
        return trigger_id

    def look(self, trigger_id: str) -> tuple[str, str | None]:
        """(user, view id) of a trigger that can still be used; refuses as Slack does otherwise."""
        trigger = self._triggers.get(trigger_id)
        if trigger is None:
            raise SlackRefusal("invalid_trigger_id")
        if trigger.used:
            raise SlackRefusal("exchanged_trigger_id")
        if self._clock() - trigger.at > LIFE_S:
            raise SlackRefusal("expired_trigger_id")
        return trigger.user, trigger.view_id

    def exchange(self, trigger_id: str) -> None:
        self._triggers[trigger_id].used = True
