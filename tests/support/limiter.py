"""The bot's own limiter, which keeps within Slack's: tests that do much in seconds let it rest."""

from redis import Redis

from tests.support.sandbox import Sandbox


def unhurried(sandbox: Sandbox) -> None:
    """As if time had passed: Slack's limiter counts so many cards at once. Redis holds nothing that cannot be lost."""
    with Redis.from_url(sandbox.ready["redis"]) as redis:
        redis.flushall()
