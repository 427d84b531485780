"""Label and field selectors: ``app=x,tier!=y,z in (a,b),!w``."""

import re

from sandbox.kubernetes.cluster import ClusterError

_SET = re.compile(r"^(?P<key>[\w./-]+)\s+(?P<how>in|notin)\s+\((?P<values>[^)]*)\)$")
_EQUAL = re.compile(r"^(?P<key>[\w./-]+)\s*(?P<how>!=|==?)\s*(?P<value>[\w.-]*)$")
_THERE = re.compile(r"^(?P<not>!?)\s*(?P<key>[\w./-]+)$")
_COMMA = re.compile(r",(?![^(]*\))")


def matches(selector: str, labels: dict[str, str]) -> bool:
    """Whether all requirements hold; an empty selector holds for everything. Raises ``ClusterError`` 400."""
    return all(_holds(part.strip(), labels) for part in _COMMA.split(selector) if part.strip())


def _holds(part: str, labels: dict[str, str]) -> bool:
    if found := _SET.match(part):
        values = {value.strip() for value in found["values"].split(",")}
        return (labels.get(found["key"]) in values) == (found["how"] == "in")
    if found := _EQUAL.match(part):
        return (labels.get(found["key"]) == found["value"]) != (found["how"] == "!=")
    if found := _THERE.match(part):
        return (found["key"] in labels) != bool(found["not"])
    raise ClusterError(400, "BadRequest", f"unable to parse requirement: {part!r}")
