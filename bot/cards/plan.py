"""What people weigh before they approve: strategy, costs, what could go wrong, who reads it, the SQL.

The card says what decides; ``details`` says the rest in the thread: formulas, what was not chosen and why, notes.
"""

from collections.abc import Sequence

from bot.cards.blocks import Block, context, section, sections
from bot.cards.words import code, cut, fenced, prose, some, span
from runbooks.plan import Estimate, Hazard, Plan, Reader

MOST_HAZARDS = 6
MOST_READERS = 4
MOST_REASONS = 2
MOST_INFERRED = 4
LONGEST_SQL = 600
MOST_DIFFS = 2
LONGEST_DIFF = 900
MOST_DRIFTED = 12
MOST_PLACES = 5
MOST_MOVED = 15

_LEVEL = {"error": "⛔", "warning": "⚠️", "note": "ℹ️"}


def facts(plan: Plan) -> list[Block]:
    """Strategy, why, and the four figures that decide."""
    said = [
        *plan.strategy.reasons[:MOST_REASONS],
        *plan.inferred[:MOST_INFERRED],
        *([plan.ghosts] if plan.ghosts else []),
    ]
    bullets = [f"• {cut(prose(r), 240)}" for r in said]
    made = [section("\n".join([f"*By {code(plan.strategy.name)}*: {costs(plan)}", *bullets]))]
    if plan.strategy.rejected:
        names = some([code(r.name) for r in plan.strategy.rejected], 6)
        made.append(context(f"Not chosen: {names}; the thread says why."))
    return made


def costs(plan: Plan) -> str:
    """``no read is broken · ingestion held for about 55 s · stale by about 80 s · takes about 2 min``"""
    downtime, hold, stale = plan.downtime.seconds, plan.hold.seconds, plan.stale.seconds
    return " · ".join(
        [
            f"reads broken for about *{span(downtime)}*" if downtime else "no read is broken",
            f"ingestion held for about *{span(hold)}*" if hold else "ingestion is not held",
            *([f"stale by about *{span(stale)}*"] if stale else []),
            *([f"takes about *{span(plan.took.seconds)}*"] if plan.took.seconds else []),
        ]
    )


def hazards(found: Sequence[Hazard]) -> list[Block]:
    """What forbids an approval or must be acknowledged with it; notes are for the thread."""
    order = {"error": 0, "warning": 1}
    lines = [_hazard(h) for h in sorted((h for h in found if h.level != "note"), key=lambda h: order[h.level])]
    more = [f"_and {len(lines) - MOST_HAZARDS} more in the thread_"] if len(lines) > MOST_HAZARDS else []
    return sections([*lines[:MOST_HAZARDS], *more])


def readers(found: Sequence[Reader]) -> list[Block]:
    if not found:
        return [context("Nothing reads it.")]
    return [context(f"Read by {some([reader_line(r) for r in found], MOST_READERS)}")]


def reader_line(reader: Reader) -> str:
    """``members_copy`` (copy, 0 * * * * UTC, replace)"""
    what = [
        reader.kind,
        *([f"{code(reader.schedule)} UTC"] if reader.schedule else []),
        *([prose(reader.mode)] if reader.mode else []),
    ]
    return f"{code(reader.name)} ({', '.join(what)}{'' if reader.direct else ', through other pipes'})"


def sql(plan: Plan) -> list[Block]:
    if not plan.sql:
        return []
    text = ";\n".join(s.rstrip("; \n") for s in plan.sql) + ";"
    cut_off = len(text) > LONGEST_SQL
    shown = text[:LONGEST_SQL] + ("\n…" if cut_off else "")
    where = " (the rest is in the thread's file)" if cut_off else ""
    return [section(f"*SQL in Postgres*{where}\n{fenced(shown)}")]


def diffs(plan: Plan) -> list[Block]:
    """How datafiles change, or readers' SQL for a while; what is too much for the card is in the thread's file."""
    shown = [
        section(f"{diff_title(name)}\n{fenced(cut(text.rstrip(), LONGEST_DIFF))}")
        for name, text in list(plan.diffs.items())[:MOST_DIFFS]
    ]
    more = len(plan.diffs) - len(shown)
    what = "SQL of " if more and not _is_file(next(iter(plan.diffs))) else ""
    return [*shown, *([context(f"_{what}{more} more in the thread's file_")] if more else [])]


def diff_title(name: str) -> str:
    return f"*{code(name)}*" if _is_file(name) else f"*SQL of {code(name)}* while it reads the mirror"


def _is_file(name: str) -> bool:
    """Of a datafile; else of a pipe that reads something else for a while."""
    return name.endswith((".datasource", ".pipe", ".sql"))


def drift(plan: Plan) -> list[Block]:
    """What is not the same everywhere, a line a resource."""
    if not plan.drift:
        return []
    places = list(plan.drift[0].elsewhere)[:MOST_PLACES]
    rows = [["resource", "git", *places]]
    rows += [[r.resource, r.git, *(r.elsewhere.get(p, "") for p in places)] for r in plan.drift[:MOST_DRIFTED]]
    rows = [[cut(" ".join(word.split()), 44 if at == 0 else 16) for at, word in enumerate(row)] for row in rows]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = ["  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    more = len(plan.drift) - MOST_DRIFTED
    said = [context(f"_{more} more in the thread's file_")] if more > 0 else []
    return [section("*What differs*\n" + fenced("\n".join(lines))), *said]


def timetable(plan: Plan) -> list[Block]:
    """The copies that start later: old time, new time, why."""
    if not plan.timetable:
        return []
    rows = [
        f"{code(m.pipe)} {code(m.old)} → {code(m.new)} (+{m.minutes} min): {cut(prose(m.why), 160)}"
        for m in plan.timetable[:MOST_MOVED]
    ]
    more = len(plan.timetable) - MOST_MOVED
    said = [context(f"_{more} more in the thread's file_")] if more > 0 else []
    return [*sections(["*New times (UTC)*", *rows]), *said]


def all_diffs_shown(plan: Plan) -> bool:
    return (
        len(plan.drift) <= MOST_DRIFTED
        and len(plan.timetable) <= MOST_MOVED
        and not any(row.diffs for row in plan.drift)
        and len(plan.diffs) <= MOST_DIFFS
        and all(len(text) <= LONGEST_DIFF for text in plan.diffs.values())
    )


def details(plan: Plan) -> list[str]:
    """For the thread: a line a fact, in groups with a head."""
    reasons = [*plan.strategy.reasons, *plan.inferred, *([plan.ghosts] if plan.ghosts else [])]
    notes = [h for h in plan.hazards if h.level == "note"]
    figures = (
        ("Reads broken", plan.downtime), ("Ingestion held", plan.hold), ("Stale by", plan.stale), ("Takes", plan.took)
    )  # fmt: skip
    return [
        f"*Why {code(plan.strategy.name)}*",
        *(f"• {cut(prose(r), 300)}" for r in reasons[:12]),
        *(["*Not chosen*"] if plan.strategy.rejected else []),
        *(f"• {code(r.name)}: {cut(prose(r.reason), 240)}" for r in plan.strategy.rejected[:8]),
        "*How long*",
        *(_figure(label, estimate) for label, estimate in figures),
        *(["*Good to know*"] if notes else []),
        *(_hazard(h) for h in notes[:8]),
    ]


def _figure(label: str, estimate: Estimate) -> str:
    formula = cut(prose(estimate.formula), 200)
    if not estimate.seconds:
        return f"• {label}: not at all{f', {formula}' if formula else ''}"
    return f"• {label}: {span(estimate.seconds)}{f' = {formula}' if formula else ''}"


def _hazard(hazard: Hazard) -> str:
    idle = hazard.level == "note" or not hazard.fix
    fix = "" if idle else f" {cut(prose(hazard.fix), 200)}"
    return f"{_LEVEL[hazard.level]} {code(hazard.slug)} {cut(prose(hazard.message), 240)}{fix}"
