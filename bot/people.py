"""Who people are: the names they go by and the user groups they are in, asked of Slack and remembered in Redis.

Membership decides who may approve, so it carries the time it was read; how old it may be is the policy's to say.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from bot.cards.words import slack_user
from bot.limiter import Limiter
from bot.slack import Slack, SlackTrouble
from config.log import logger
from ledger.policy import Actor

NAME_LIFE_S = 24 * 3600
GROUP_FRESH_S = 60  # asked again when older; an answer that cannot be had leaves the older one, with its time
GROUP_LIFE_S = 24 * 3600

_log = logger("bot")


class Directory:
    def __init__(self, slack: Slack, limiter: Limiter, redis_url: str) -> None:
        self._slack = slack
        self._limiter = limiter
        self._redis: Any = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]  # redis-py types its kwargs as unknown
            redis_url, socket_connect_timeout=0.2, socket_timeout=0.5, retry=Retry(NoBackoff(), 0)
        )
        self._own: dict[str, str] = {}  # what this process asked while Redis was away

    def names(self, actors: Iterable[str]) -> dict[str, str]:
        """The names of Slack's actors; one whose name cannot be had is left out and shown by its id."""
        found: dict[str, str] = {}
        for actor in set(actors):
            user = slack_user(actor)
            if user and (name := self._name(user)):
                found[actor] = name
        return found

    def actor(self, team: str, user: str, groups: Iterable[str]) -> Actor:
        """Somebody as the policy sees them: which of ``groups`` they are in, as of the oldest answer."""
        inside: set[str] = set()
        oldest: datetime | None = None
        for group in sorted(set(groups)):
            members = self._members(group)
            if members is None:
                return Actor(f"slack:{team}:{user}")  # nothing is known for certain, and the policy says so
            users, at = members
            oldest = at if oldest is None else min(oldest, at)
            if user in users:
                inside.add(group)
        return Actor(f"slack:{team}:{user}", frozenset(inside), oldest)

    def _name(self, user: str) -> str | None:
        key = f"tbops:name:{user}"
        if known := self._get(key):
            return known
        if self._limiter.take("users.info") > 0:
            return None
        try:
            name = self._slack.user_name(user)
        except SlackTrouble as exc:
            _log.warning("a name could not be asked", error=str(exc))
            return None
        self._put(key, name, NAME_LIFE_S)
        return name

    def _members(self, group: str) -> tuple[frozenset[str], datetime] | None:
        key = f"tbops:group:{group}"
        known = _group(self._get(key))
        now = datetime.now(UTC)
        if known and abs((now - known[1]).total_seconds()) < GROUP_FRESH_S:
            return known
        if self._limiter.take("usergroups.users.list") > 0:
            return known
        try:
            users = self._slack.group_members(group)
        except SlackTrouble as exc:
            _log.warning("a user group could not be asked", group=group, error=str(exc))
            return known
        self._put(key, json.dumps({"users": users, "at": now.isoformat()}), GROUP_LIFE_S)
        return frozenset(users), now

    def _get(self, key: str) -> str | None:
        try:
            found = self._redis.get(key)
        except (RedisError, OSError):
            return self._own.get(key)
        return found.decode() if isinstance(found, bytes) else None

    def _put(self, key: str, value: str, life_s: int) -> None:
        try:
            self._redis.set(key, value, ex=life_s)
        except (RedisError, OSError):
            self._own[key] = value


def _group(text: str | None) -> tuple[frozenset[str], datetime] | None:
    if text is None:
        return None
    stored = json.loads(text)
    return frozenset(stored["users"]), datetime.fromisoformat(stored["at"])
