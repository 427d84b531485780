"""``lineage`` in words: what feeds a resource, who reads it and through what, what is made of it."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from bot.cards.blocks import Block, Card, context, section, sections
from bot.cards.words import code, count, prose, some
from runbooks.around import Around, Flow

MOST_LINES = 12  # of copies and views, a line each with target and schedule
MOST_NAMES = 20  # of those that only have a name
_KINDS = ("copy", "materialized", "sink", "endpoint", "pipe")
_CALLED = {
    "copy": "copy pipes",
    "materialized": "materialized views",
    "sink": "sink pipes",
    "endpoint": "endpoints",
    "pipe": "pipes that are not published",
    "data source": "data sources",
    "deployment": "deployments",
}
_ONE = {"pipe": "pipe that is not published"}


def lineage(where: str, around: Around) -> Card:
    """The answer as one message. What has no room is counted, never left out in silence."""
    name, readers = code(around.itself.name), len(around.readers)
    said = f"{prose(around.itself.name)} in {where} is read by {_some(readers, 'pipes')}"
    text = f"{said}, and {_some(len(around.further), 'data sources')} {_are(around.further)} made of it."
    blocks: list[Block] = [section(f"*{name} in {where}*{_itself(around.itself)}")]
    blocks += _part("Fed by", around.fed_by, "Nothing that is known feeds it.")
    blocks += _part("Read by", around.readers, "Nobody reads it.")
    if around.further:
        made = some([code(table) for table in around.further], MOST_NAMES)
        blocks += sections(["*Made of it, near and far*", f"• {count(len(around.further), 'data sources')}: {made}"])
    if around.not_understood:
        named = some([code(pipe) for pipe in around.not_understood], MOST_NAMES)
        blocks.append(context(f"⚠️ Not understood, so counted as readers: {named}"))
    return Card(text, tuple(blocks))


def _part(title: str, flows: Sequence[Flow], nobody: str) -> list[Block]:
    return sections([f"*{title}*", *(_lines(flows) if flows else [nobody])])


def _lines(flows: Sequence[Flow]) -> Iterator[str]:
    """Those that do something of their own first, then names by what they are and through what they come."""
    told = [flow for flow in flows if flow.target or flow.kind == "events"]
    yield from (f"• {_told(flow)}" for flow in told[:MOST_LINES])
    if more := told[MOST_LINES:]:
        names = some([code(flow.name) for flow in more], MOST_NAMES)
        yield f"• and {len(more)} more that write elsewhere: {names}"
    named = sorted((flow for flow in flows if flow not in told), key=_group)
    for (_, via), group in groupby(named, key=_group):
        members = list(group)
        through = f" through {some([code(pipe) for pipe in via], 4)}" if via else ""
        names = some([code(flow.name) for flow in members], MOST_NAMES)
        yield f"• {_kinds(members)}{through}: {names}"


def _group(flow: Flow) -> tuple[int, tuple[str, ...]]:
    return _KINDS.index(flow.kind) if flow.kind in _KINDS else len(_KINDS), flow.via


def _kinds(members: Sequence[Flow]) -> str:
    kind = members[0].kind
    return f"1 {_ONE[kind]}" if len(members) == 1 and kind in _ONE else count(len(members), _CALLED[kind])


def _told(flow: Flow) -> str:
    through = f", through {some([code(pipe) for pipe in flow.via], 4)}" if flow.via else ""
    match flow.kind:
        case "events":
            return "events, sent by whoever has a token for it"
        case "Sequin sink":
            stopped = ", *not active*" if flow.stopped else ""
            return f"Sequin sink {code(flow.name)}, topic {code(flow.target or '')}{stopped}"
        case _:
            return f"{_CALLED[flow.kind][:-1]} {code(flow.name)}{_does(flow)}{through}"


def _itself(flow: Flow) -> str:
    return f", a {_CALLED[flow.kind][:-1]}{_does(flow)}" if flow.kind in ("copy", "materialized", "sink") else ""


def _does(flow: Flow) -> str:
    """`` → `target` (replace, `8 * * * *` UTC)``"""
    target = f" → {code(flow.target)}" if flow.target else ""
    how = [flow.mode or "", _when(flow), "*paused*" if flow.stopped else ""]
    said = ", ".join(word for word in how if word)
    return f"{target} ({said})" if said else target


def _when(flow: Flow) -> str:
    if flow.kind != "copy" and not flow.schedule:
        return ""
    return f"{code(flow.schedule)} UTC" if flow.schedule and not flow.schedule.startswith("@") else "by hand"


def _some(number: int, unit: str) -> str:
    return count(number, unit) if number else f"no {unit[:-1]}"


def _are(things: Sequence[str]) -> str:
    return "are" if len(things) > 1 else "is"
