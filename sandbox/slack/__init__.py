"""A Slack to talk to: Web API, Socket Mode, signed HTTP, and a page where people type and press buttons.

Behaves as facts/slack.md records of the real one. Never scaled by the platform clock.
"""

from sandbox.slack.standin import Slack
from sandbox.standin import World


def create(world: World) -> Slack:
    """The stand-in; its ``bot_token``, ``app_token`` and ``signing_secret`` are made anew each time."""
    return Slack(world)


__all__ = ["Slack", "create"]
