"""The connector's ``topics`` in its properties file: which tables are tracked (facts/systems.md §7).

Pure: text in, text out. Only the ``topics`` key is written again; every other byte stays. What is said of the file
names keys and topics, never a value.
"""

import re
from io import StringIO

from javaproperties import KeyValue, PropertiesElement, parse  # pyright: ignore[reportUnknownVariableType]

KEY = "topics"
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")  # what Kafka takes
_START = re.compile(rf"[ \t\f]*{KEY}[ \t\f]*[=:]?[ \t\f]*")
_CONTINUED = re.compile(r"\\(\r\n|\r|\n)[ \t\f]*")


class TopicsError(Exception):
    """The file is not one whose topics can be edited; the sentence says why."""


def topics_of(text: str) -> tuple[str, ...]:
    """The topics in their order, each once. Raises ``TopicsError``."""
    return tuple(dict.fromkeys(_listed(_value(text))))


def with_topic(text: str, topic: str) -> str:
    """The file with one topic more, at the end; the same text if it is there. Raises ``TopicsError``."""
    if not _TOPIC.fullmatch(topic) or topic in (".", ".."):
        raise TopicsError(f"{topic!r} is no name of a Kafka topic")
    known = topics_of(text)
    return text if topic in known else _written(text, (*known, topic))


def without_topic(text: str, topic: str) -> str:
    """The file with one topic less; the same text if it is not there. Raises ``TopicsError``."""
    known = topics_of(text)
    if topic not in known:
        return text
    left = tuple(other for other in known if other != topic)
    if not left:
        raise TopicsError(f"{topic} is the only topic: a connector without one cannot start")
    return _written(text, left)


def _value(text: str) -> str:
    """The value of the one ``topics`` key."""
    entries = [element for element in _elements(text) if isinstance(element, KeyValue)]
    if any(entry.key == "topics.regex" for entry in entries):
        raise TopicsError("the file has topics.regex, beside which topics means nothing")
    found = [entry.value for entry in entries if entry.key == KEY]
    if not found:
        raise TopicsError("the file has no topics")
    if len(found) > 1:
        raise TopicsError(f"the file has topics {len(found)} times, and only the last one counts: leave one")
    return found[0]


def _listed(value: str) -> list[str]:
    return [name.strip() for name in value.split(",") if name.strip()]


def _written(text: str, topics: tuple[str, ...]) -> str:
    """The text with these topics, laid out as before if that can be, else on one line. Raises ``TopicsError``."""
    at, source = _place(text)
    line = source.rstrip("\r\n")
    ending = source[len(line) :]
    for laid_out in (_as_before(line, topics), f"{KEY}={','.join(topics)}"):
        made = text[:at] + laid_out + ending + text[at + len(source) :]
        if _holds(made, topics) and _others(made) == _others(text):
            return made
    raise TopicsError("writing topics would change something else of the file: nothing was changed")


def _as_before(line: str, topics: tuple[str, ...]) -> str:
    """The line, or the lines with their continuations, with those names left out and added that it takes."""
    start = _START.match(line)
    prefix = start.group() if start else f"{KEY}="
    kept: list[str] = []
    left = list(topics)
    for piece in line[len(prefix) :].split(","):
        name = _CONTINUED.sub("", piece).strip()
        if name in left:
            left.remove(name)
            kept.append(piece)
    return prefix + ",".join((*kept, *left))


def _holds(text: str, topics: tuple[str, ...]) -> bool:
    try:
        return topics_of(text) == topics
    except TopicsError:
        return False


def _place(text: str) -> tuple[int, str]:
    """Where the ``topics`` key stands, and the lines it has."""
    at = 0
    for element in _elements(text):
        if isinstance(element, KeyValue) and element.key == KEY:
            return at, element.source
        at += len(element.source)
    raise TopicsError("the file has no topics")


def _others(text: str) -> list[str]:
    """Every other line, as it is: remarks and empty ones too."""
    elements = _elements(text)
    return [element.source for element in elements if not (isinstance(element, KeyValue) and element.key == KEY)]


def _elements(text: str) -> list[PropertiesElement]:
    try:
        return list(parse(StringIO(text, newline="")))  # pyright: ignore[reportUnknownMemberType]
    except ValueError:  # its words would hold a piece of the file
        raise TopicsError("the file has a \\u that names no character") from None
