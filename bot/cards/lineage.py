"""``lineage`` in words: what feeds a resource, who reads it and through what, what is made of it."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from bot.cards.blocks import Block, Card, context, section, sections
from bot.cards.families import families, named
from bot.cards.words import code, count, prose
from runbooks.around import Around, Flow

MOST_LINES = 12  # of copies and views, a line each with target and schedule
MOST_NAMES = 20  # of those that only have a name
_KINDS = ("copy", "materialized", "sink", "endpoint", "pipe")
_TOLD = ("copy", "materialized", "Sequin sink", "events")  # a line each: they have more to say than a name
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
        made = named(around.further, MOST_NAMES)
        blocks += sections(["*Made of it, near and far*", f"• {count(len(around.further), 'data sources')}: {made}"])
    if around.not_understood:
        pipes = named(around.not_understood, MOST_NAMES)
        blocks.append(context(f"⚠️ Not understood, so counted as readers: {pipes}"))
    return Card(text, tuple(blocks))


def _part(title: str, flows: Sequence[Flow], nobody: str) -> list[Block]:
    return sections([f"*{title}*", *(_lines(flows) if flows else [nobody])])


def _lines(flows: Sequence[Flow]) -> Iterator[str]:
    """Those that do something of their own first, then names by what they are and through what they come."""
    told = [flow for flow in flows if flow.kind in _TOLD]
    by_name = {flow.name: flow for flow in told}
    kin = [[by_name[name] for name in members] for members in families(by_name).values()]
    yield from (f"• {_told(members)}" for members in kin[:MOST_LINES])
    if more := [flow.name for members in kin[MOST_LINES:] for flow in members]:
        yield f"• and {len(more)} more: {named(more, MOST_NAMES)}"
    others = sorted((flow for flow in flows if flow.name not in by_name), key=_group)
    for (_, via), group in groupby(others, key=_group):
        members = list(group)
        through = f" through {named(via, 4)}" if via else ""
        yield f"• {_kinds(members)}{through}: {named([flow.name for flow in members], MOST_NAMES)}"


def _group(flow: Flow) -> tuple[int, tuple[str, ...]]:
    return _KINDS.index(flow.kind) if flow.kind in _KINDS else len(_KINDS), flow.via


def _kinds(members: Sequence[Flow]) -> str:
    kind = members[0].kind
    return f"1 {_ONE[kind]}" if len(members) == 1 and kind in _ONE else count(len(members), _CALLED[kind])


def _told(kin: Sequence[Flow]) -> str:
    """One, or several that differ in their numbers: what they do is told of all if they do it alike."""
    flow, name = kin[0], named([flow.name for flow in kin], 1)
    match flow.kind:
        case "events":
            return "events, sent by whoever has a token for it"
        case "Sequin sink":
            stopped = ", *not active*" if flow.stopped else ""
            return f"Sequin sink {name}, topic {code(flow.target or '')}{stopped}"
        case _:
            what = _CALLED[flow.kind] if len(kin) > 1 else _CALLED[flow.kind][:-1]
            through = f", through {named(flow.via, 4)}" if flow.via else ""
            return f"{what} {name}{_does(kin)}{through}"


def _itself(flow: Flow) -> str:
    return f", a {_CALLED[flow.kind][:-1]}{_does([flow])}" if flow.kind in ("copy", "materialized", "sink") else ""


def _does(kin: Sequence[Flow]) -> str:
    """`` → `target` (replace, `8 * * * *` UTC)``"""
    targets = [flow.target for flow in kin if flow.target]
    target = f" → {named(list(dict.fromkeys(targets)), 2)}" if targets else ""
    modes, times = {flow.mode or "" for flow in kin}, {_when(flow) for flow in kin}
    paused = sum(flow.stopped for flow in kin)
    how = [
        " or ".join(sorted(modes)),
        times.pop() if len(times) == 1 else f"at {len(times)} different times",
        "" if not paused else "*paused*" if paused == len(kin) else f"*{paused} of them paused*",
    ]
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
