"""Kafka Connect, and how it comes to read another list of topics."""

from typing import Annotated

from pydantic import AfterValidator

from config.kubernetes import DEPLOYMENT
from config.section import Section, Url


def _a_restart(value: str) -> str:
    if value != "rest" and not DEPLOYMENT.fullmatch(value):
        raise ValueError('must be <namespace>/<deployment>, or "rest"')
    return value


class ConnectSettings(Section):
    """``restart`` says how the connector comes to read another list of topics: by a new start of the deployment, whose
    pods read it from a file (a standalone worker), or by its REST interface, where it lives (a distributed one)."""

    url: Url
    connector: str = "tinybird-sink"
    tinybird_token: str = "connect"  # noqa: S105  # the name of the token that the connector posts with, not its value
    restart: Annotated[str, AfterValidator(_a_restart)] | None = None
