"""The jobs of the queue ``talk``: handle what somebody sent, publish what a message should show.

Each takes one row's number and never raises: what fails is stored or logged, and a sweep rings again.
"""

from bot import handling, publishing
from bot.context import context
from config.log import logger

_log = logger("bot")


def inbox(number: int) -> None:
    """Handle one delivery, once; then ring for all that follows from it."""
    try:
        handling.handle(context(), number)
    except Exception as exc:  # noqa: BLE001  # the door of a job: whatever it is, the row stays and is tried again
        _log.error("a delivery was not handled", inbox=number, error=f"{type(exc).__name__}: {exc}")


def publish(number: int) -> None:
    """Bring one message up to date on Slack, if it is behind."""
    try:
        publishing.publish(context(), number)
    except Exception as exc:  # noqa: BLE001  # the door of a job: the message stays behind and is rung again
        _log.error("a message was not published", message=number, error=f"{type(exc).__name__}: {exc}")
