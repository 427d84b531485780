"""From what is wrong now to what is news: which incidents open, change, close, open again, and on whose card.

Pure. A channel hears of root incidents only. Under another one's card goes what fails downstream of it, what wants a
copy slot when others do, and what begins with many others at once (a storm). A card closes when all that it lists is
over.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ledger.incidents import Detail, Found, Incident, Kind
from workers.watch.faults import ONE_OF, outranks
from workers.watch.seen import SKEW_S
from workers.watch.storms import head_of, named

Key = tuple[Kind, str]  # kind and subject
Under = int | Key | None  # an open incident's number, or one that this very look opens

_SKEW = timedelta(seconds=SKEW_S)
_TOGETHER = timedelta(hours=2)  # who finds no copy slot so soon after another is short of the same ones
_HEADS: tuple[Kind, ...] = ("failed", "few")
_FOLLOW: tuple[Kind, ...] = ("failed", "few", "stale")
# What is found out after an incident is told, and is not forgotten when the rest of it changes
_ADDED = ("target", "endpoints", "copies", "offers", "why_not", "rows_now")


@dataclass(frozen=True)
class Opened:
    found: Found
    under: Under = None


@dataclass(frozen=True)
class Reopened:
    incident: Incident
    found: Found
    under: Under = None


@dataclass(frozen=True)
class Became:
    """The pipe's trouble has grown: the same incident, of another kind."""

    incident: Incident
    found: Found


@dataclass(frozen=True)
class Updated:
    incident: Incident
    name: str
    detail: Detail


@dataclass(frozen=True)
class Closed:
    incident: Incident
    ended: datetime | None
    said: str


@dataclass(frozen=True)
class Alone:
    """It outlives what it was listed under: it gets a card of its own."""

    incident: Incident
    said: str


Change = Opened | Reopened | Became | Updated | Closed | Alone


@dataclass(frozen=True)
class Bearings:
    """``follows(a, b)``: pipe ``a`` reads, near or far, what pipe ``b`` writes (ids). ``recovered`` says when an
    incident that is over was, and in a sentence how. Nobody hears of ``silenced`` subjects."""

    environment: str
    storm: int
    follows: Callable[[str, str], bool]
    recovered: Callable[[Incident], tuple[datetime | None, str]]
    silenced: frozenset[str] = frozenset()


def reconcile(
    faults: Sequence[Found], opened: Sequence[Incident], closed: Sequence[Incident], at: Bearings
) -> list[Change]:
    """The changes, in the order to make them: ends first, then what is known, then what is new, causes first.

    ``closed`` are those that ended so lately that the same trouble is the same incident.
    """
    told = _told(faults, opened)
    alone = [i for i in opened if _outlives(i, told) and not _still_caused(i, opened, told, at.follows)]
    over = _over(opened, told, {i.id for i in alone})
    known = {key_of(fault) for fault in told.values()}
    still = [i for i in opened if i not in over]
    return [
        *(Closed(i, *at.recovered(i)) for i in over),
        *(Alone(i, "It goes on by itself: what it was listed under is over.") for i in alone),
        *(change for i in still if i.id in told for change in _known(i, told[i.id])),
        *(_healed(i, at) for i in still if i.id not in told and not i.told.healed),
        *_news([fault for fault in faults if key_of(fault) not in known], still, told, closed, at),
    ]


def key_of(each: Found | Incident) -> Key:
    return (each.kind, each.subject)


def merged(before: Detail, now: Detail) -> Detail:
    """What is known now, with what was added to what was known before."""
    kept = {name: getattr(before, name) for name in _ADDED if getattr(now, name) in (None, "", ())}
    if before.storm:
        kept |= {"storm": True, "said": before.said}
    if before.stormy:
        kept |= {"stormy": True}
    return now.model_copy(update=kept)


# --- what is open ------------------------------------------------------------------------------------------


def _told(faults: Sequence[Found], opened: Sequence[Incident]) -> dict[int, Found]:
    """The open incidents that are still true, by number, each with how it is now."""
    by_key = {key_of(fault): fault for fault in faults}
    troubles = {fault.subject: fault for fault in faults if fault.kind in ONE_OF}
    open_keys = {key_of(i) for i in opened}
    told: dict[int, Found] = {}
    for incident in opened:
        trouble = troubles.get(incident.subject)
        if key_of(incident) in by_key:
            told[incident.id] = by_key[key_of(incident)]
        elif trouble and outranks(trouble.kind, incident.kind) and key_of(trouble) not in open_keys:
            told[incident.id] = trouble
    return told


def _outlives(incident: Incident, told: Mapping[int, Found]) -> bool:
    """It failed anew though what it was listed under, as what follows from it, is over. Those of a storm stay, and
    those that find no slot: there is one quota for all."""
    if incident.under is None or incident.under in told or incident.id not in told or incident.told.stormy:
        return False
    if incident.told.cause == told[incident.id].detail.cause == "quota":
        return False
    return told[incident.id].detail.job != incident.told.job


def _still_caused(
    incident: Incident, opened: Sequence[Incident], told: Mapping[int, Found], follows: Callable[[str, str], bool]
) -> bool:
    """It follows from another one of that card, which is still so."""
    beside = (i for i in opened if i.under == incident.under and i.id in told and i.id != incident.id)
    return any(i.kind in _HEADS and _caused(told[incident.id], i, follows) for i in beside)


def _over(opened: Sequence[Incident], told: Mapping[int, Found], alone: set[int]) -> list[Incident]:
    """Those that are no longer true and list nothing that is; what is listed comes before what lists it."""
    held = {i.under for i in opened if i.under is not None and i.id in told and i.id not in alone}
    over = [i for i in opened if i.id not in told and i.id not in held]
    return sorted(over, key=lambda i: (i.under is None, i.id))


def _known(incident: Incident, fault: Found) -> Iterator[Change]:
    detail = merged(incident.told, fault.detail)
    if fault.kind != incident.kind:
        yield Became(incident, replace(fault, since=incident.since, detail=detail))
    elif (incident.name, incident.told) != (fault.name, detail):
        yield Updated(incident, fault.name, detail)


def _healed(incident: Incident, at: Bearings) -> Updated:
    """Its own trouble is over; its card speaks of what is listed there and is still so."""
    detail = incident.told.model_copy(update={"healed": at.recovered(incident)[1]})
    return Updated(incident, incident.name, detail)


# --- what is new -------------------------------------------------------------------------------------------


def _news(
    new: Sequence[Found], still: Sequence[Incident], told: Mapping[int, Found], closed: Sequence[Incident], at: Bearings
) -> list[Change]:
    ordered = _causes_first(new, at.follows)
    heads: list[tuple[Found | Incident, Under]] = [
        (i, i.under or i.id)
        for i in still
        if i.id in told and told[i.id].kind in _HEADS and i.subject not in at.silenced
    ]
    under: dict[Key, Under] = {}
    crowded = sum(fault.detail.cause == "quota" for fault in ordered) >= at.storm
    waiting: list[tuple[datetime, Under]] = [*_short_of_slots(still, told, at)]
    for fault in ordered:
        key = key_of(fault)
        if fault.kind in _FOLLOW:
            under[key] = next((top for head, top in heads if _caused(fault, head, at.follows)), None)
        if fault.detail.cause == "quota" and fault.subject not in at.silenced and not under.get(key):
            under[key] = next((top for since, top in waiting if abs(fault.since - since) <= _TOGETHER), None)
            if not crowded:  # else they are a storm
                waiting.append((fault.since, under[key] or key))
        if fault.kind in _HEADS and fault.subject not in at.silenced:
            heads.append((fault, under.get(key) or key))
    heard = [f for f in ordered if f.subject not in at.silenced]
    storm = _storm([f for f in heard if not under.get(key_of(f))], still, told, at)
    again = {key_of(i): i for i in closed}
    unheard = [f for f in ordered if f.subject in at.silenced]
    return [*_placed(heard, under, storm, again), *_placed(unheard, under, None, again)]


def _short_of_slots(
    still: Sequence[Incident], told: Mapping[int, Found], at: Bearings
) -> Iterator[tuple[datetime, Under]]:
    """Since when each that is open finds no copy slot, and on whose card it is."""
    tops = {i.id for i in still if i.under is None and i.told.cause == "quota" and i.subject not in at.silenced}
    for incident in still:
        top = incident.under or incident.id
        if top in tops and incident.id in told and told[incident.id].detail.cause == "quota":
            yield told[incident.id].since, top


@dataclass(frozen=True)
class _Storm:
    """What many new incidents are listed under: an incident that is open, or the new one that ``head`` is. Not so those
    that are of ``another`` cause than a storm that goes on: they are news."""

    top: Under
    head: Found | None = None
    another: frozenset[Key] = frozenset()


def _storm(roots: Sequence[Found], still: Sequence[Incident], told: Mapping[int, Found], at: Bearings) -> _Storm | None:
    for incident in still:
        if incident.told.storm and incident.under is None:
            members = sum(i.id in told and incident.id in (i.id, i.under) for i in still)
            if members >= at.storm:  # it goes on; a few that are left of it are no storm
                another = frozenset(key_of(f) for f in roots if f.detail.cause != incident.told.cause)
                return _Storm(incident.id, another=another if len(another) < at.storm else frozenset())
    if len(roots) < at.storm:
        return None
    head = named(head_of(roots), roots, at.environment)
    return _Storm(key_of(head), head)


def _placed(
    ordered: Sequence[Found], under: Mapping[Key, Under], storm: _Storm | None, closed: Mapping[Key, Incident]
) -> list[Change]:
    placed: list[Change] = []
    for fault in ordered:
        key = key_of(fault)
        top = under.get(key)
        if storm is not None and key != storm.top and key not in storm.another:
            # what follows from one of the storm is listed where that one is: a card lists, and a list is flat
            if not isinstance(top, int):
                top = storm.top
                fault = replace(fault, detail=fault.detail.model_copy(update={"stormy": True}))
        elif storm is not None and storm.head is not None:
            fault, top = storm.head, None
        again = closed.get(key)
        placed.append(Reopened(again, fault, top) if again else Opened(fault, top))
    return sorted(placed, key=lambda change: getattr(change, "under", None) is not None)


def _caused(fault: Found, head: Found | Incident, follows: Callable[[str, str], bool]) -> bool:
    """Whether it may follow from ``head``: downstream of it, and not begun before it."""
    if fault.kind == "failed" and head.kind == "few":  # no copy fails for want of rows
        return False
    return head.since <= fault.since + _SKEW and follows(fault.subject, head.subject)


def _causes_first(faults: Sequence[Found], follows: Callable[[str, str], bool]) -> list[Found]:
    """Each behind those that it may follow from, else by when it began. In a circle the earlier counts as the cause."""
    left = sorted(faults, key=lambda fault: (fault.since, fault.name, fault.kind))
    ordered: list[Found] = []
    while left:
        first = next((f for f in left if not any(_caused(f, o, follows) for o in left if o is not f)), left[0])
        ordered.append(first)
        left.remove(first)
    return ordered
