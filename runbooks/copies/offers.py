"""What is safe to do with a copy pipe whose run failed, and with those that depend on it (facts/procedures.md §2.6).

A run by hand is safe where it leaves the target as the copy's own schedule would: it makes all of it anew, or what
comes twice replaces itself. All else is a sentence that says why not, and what to do instead.
"""

from dataclasses import dataclass

from runbooks.copies.judging import Judged, by_schedule, judged, scheduled
from runbooks.copies.trace import Trace
from runbooks.facts.model import Facts, Pipe
from runbooks.lineage import Lineage
from runbooks.schedules import next_run


@dataclass(frozen=True)
class LeftOut:
    """A copy behind another that is not run with it. ``why`` is a clause."""

    name: str
    why: str


@dataclass(frozen=True)
class Offers:
    """What may be offered for a copy pipe. ``run``: it may be run as it is. ``clear``: it may be run once the rows of
    its last run are deleted, which are told apart by this. ``why`` is a plain sentence in either case; ``instead``,
    what to do where ``run`` is not offered, is one too, and ``in_general`` the same as it stays true while a card is
    read for hours. ``onward`` are the copies that depend on its target, in the order to run them in; ``left_out`` those
    that are not to be run with it."""

    pipe: str
    target: str
    run: bool
    why: str
    instead: str = ""
    in_general: str = ""
    clear: Trace | None = None
    onward: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def offers(facts: Facts, pipe: str, lineage: Lineage | None = None) -> Offers:
    """What is safe for ``pipe``, a copy pipe of ``facts``. How it ran lately is asked of ``facts.recent_runs``
    where it matters: for copies that look back."""
    lineage = lineage or Lineage.of(facts)
    copy = facts.pipes[pipe]
    found = judged(copy, facts, lineage)
    onward, left_out = _behind(copy, facts, lineage)
    return Offers(
        pipe=pipe,
        target=copy.output.target or "",
        run=found.run,
        why=_sentence(found.why),
        instead="" if found.run else _instead(copy, found, facts),
        in_general="" if found.run else _in_general(copy, found, facts),
        clear=found.clear,
        onward=onward,
        left_out=left_out,
    )


# -- those behind it


def _behind(pipe: Pipe, facts: Facts, lineage: Lineage) -> tuple[tuple[str, ...], tuple[LeftOut, ...]]:
    """Each after what it reads, as far as that is made anew; one that is left out makes nothing anew."""
    anew = _made_by(pipe, lineage)
    onward: list[str] = []
    left_out: list[LeftOut] = []
    for name in lineage.copies_behind(pipe.name):
        copy = facts.pipes[name]
        reading = any(reader.name == name for table in anew for reader in lineage.readers(table))
        if why := _unfit(copy, facts, lineage) if reading else "what it reads is not made anew":
            left_out.append(LeftOut(name, why))
        else:
            onward.append(name)
            anew |= _made_by(copy, lineage)
    return tuple(onward), tuple(left_out)


def _unfit(copy: Pipe, facts: Facts, lineage: Lineage) -> str:
    if not by_schedule(copy):
        return "it runs on demand only"
    if not scheduled(copy):
        return "its schedule is stopped"
    found = judged(copy, facts, lineage)
    return "" if found.run else found.why


def _made_by(pipe: Pipe, lineage: Lineage) -> set[str]:
    """What it writes, and what views make of that."""
    own = lineage.targets(pipe.name)
    return {*own, *(link.target for table in own for link in lineage.materialized_chain(table))}


# -- words


def _instead(pipe: Pipe, found: Judged, facts: Facts) -> str:
    if found.clear is not None:
        return (
            f"`copy {pipe.name} run clear` counts and shows the rows of its last run, and deletes them before it runs."
        )
    if scheduled(pipe):
        tick = next_run(pipe.output.schedule, facts.now)
        return f"Its schedule runs it next at {tick:%Y-%m-%d %H:%M} UTC." if tick else ""
    return f"Look at what {pipe.output.target} lacks, and run it in Tinybird if that is what you want."


def _in_general(pipe: Pipe, found: Judged, facts: Facts) -> str:
    if found.clear is not None or not scheduled(pipe):
        return _instead(pipe, found, facts)
    sooner = "; to have it sooner, run it in Tinybird if the rows that it takes now are those that you want"
    return f"Its schedule runs it again by itself{sooner if pipe.output.mode == 'replace' else ''}."


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:]}."
