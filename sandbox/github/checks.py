"""The project's CI: a check run on each head of a pull request that touches datafiles, which really reads them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.github.model import Check
from sandbox.tinybird import datafiles
from sandbox.tinybird.errors import ApiError
from sandbox.tinybird.schema import parse_columns
from sandbox.tinybird.template import declared

NAME = "Tinybird-CI"
WATCHED = "services/libs/tinybird/"
QUEUED_PART = 0.2  # of the time that a run takes
GREEN = ("success", "neutral", "skipped")
_KEYWORDS = (
    "DESCRIPTION SCHEMA SQL INDEXES TAGS TOKEN NODE TYPE ENGINE DATASOURCE TARGET_DATASOURCE COPY_MODE COPY_SCHEDULE "
    "VERSION TTL SHARED_WITH"
)
_WORDS = frozenset(_KEYWORDS.split())
_STARTS = ("ENGINE_", "EXPORT_", "KAFKA_", "IMPORT_", "#")


@dataclass(frozen=True)
class Seen:
    """A check run as it is now: ``status`` queued, in_progress or completed."""

    check: Check
    status: str
    conclusion: str | None
    started: float
    completed: float | None
    name: str = NAME


def seen(check: Check, now: float, knobs: Mapping[str, Any]) -> Seen | None:
    """None while GitHub knows nothing of it yet."""
    started = check.since + float(knobs["github.check_delay_s"])
    takes = float(knobs["github.check_takes_s"])
    if knobs["github.check_never"] or now < started:
        return None
    if now < started + takes:
        status = "queued" if now < started + takes * QUEUED_PART else "in_progress"
        return Seen(check, status, None, started, None)
    conclusion = str(knobs["github.check_conclusion"]) or ("failure" if check.trouble else "success")
    return Seen(check, "completed", conclusion, started, started + takes)


def trouble(files: Iterable[tuple[str, str]]) -> str:
    """What is wrong with the first of these datafiles (path, text) that does not parse."""
    for path, text in files:
        try:
            _read(path, text)
        except ApiError as exc:
            return f"{path}: {exc.text}"
    return ""


def _read(path: str, text: str) -> None:
    head, nodes = datafiles.read(text)
    for section in (head, *nodes):
        for word in section.keys:
            if word not in _WORDS and not word.startswith(_STARTS):
                raise ApiError(400, f"{word[:60]!r} is no keyword")
    if path.endswith(".datasource"):
        parse_columns(head.get("SCHEMA"))
    elif not nodes:
        raise ApiError(400, "it has no NODE")
    for node in nodes:
        if not node.get("SQL").strip():
            raise ApiError(400, f"node {node.get('NODE') or '?'} has no SQL")
        declared(node.get("SQL"))
