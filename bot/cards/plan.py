"""What people weigh before they approve: strategy, costs, readers, what could go wrong, the SQL."""

from collections.abc import Sequence

from bot.cards.blocks import Block, context, fields, section, sections
from bot.cards.words import code, cut, fenced, prose, some, span
from runbooks.plan import Estimate, Hazard, Plan, Reader

MOST_HAZARDS = 6
MOST_READERS = 6
LONGEST_SQL = 1200

_LEVEL = {"error": "⛔", "warning": "⚠️", "note": "ℹ️"}


def facts(plan: Plan) -> list[Block]:
    """Strategy and costs: the four figures that decide."""
    return [
        section(_strategy(plan)),
        fields(
            [
                _figure("Reads broken", plan.downtime),
                _figure("Ingestion held", plan.hold),
                _figure("Stale by", plan.stale),
                _figure("Takes about", plan.took),
            ]
        ),
        *_rejected(plan),
    ]


def _strategy(plan: Plan) -> str:
    why = "; ".join(prose(r) for r in plan.strategy.reasons)
    inferred = "".join(f"\n• {cut(prose(i), 300)}" for i in plan.inferred[:6])
    ghosts = f"\n• {cut(prose(plan.ghosts), 300)}" if plan.ghosts else ""
    return cut(f"*Strategy {code(plan.strategy.name)}* – {why or 'the only one that fits'}", 1200) + inferred + ghosts


def _figure(label: str, estimate: Estimate) -> str:
    formula = f"\n_{cut(prose(estimate.formula), 200)}_" if estimate.formula else ""
    return f"*{label}*\n{span(estimate.seconds) if estimate.seconds else 'none'}{formula}"


def _rejected(plan: Plan) -> list[Block]:
    if not plan.strategy.rejected:
        return []
    said = [f"{code(r.name)}: {cut(prose(r.reason), 160)}" for r in plan.strategy.rejected]
    return [context("Not chosen – " + some(said, 6))]


def hazards(found: Sequence[Hazard]) -> list[Block]:
    if not found:
        return []
    order = {"error": 0, "warning": 1, "note": 2}
    lines = [_hazard(h) for h in sorted(found, key=lambda h: order[h.level])]
    more = [f"_and {len(lines) - MOST_HAZARDS} more_"] if len(lines) > MOST_HAZARDS else []
    return sections([*lines[:MOST_HAZARDS], *more])


def _hazard(hazard: Hazard) -> str:
    fix = f" _{cut(prose(hazard.fix), 200)}_" if hazard.fix else ""
    what = f"{_LEVEL[hazard.level]} {code(hazard.slug)} on {code(hazard.resource)}: "
    return what + cut(prose(hazard.message), 240) + fix


def readers(found: Sequence[Reader]) -> list[Block]:
    if not found:
        return [context("Nothing reads it.")]
    said = [reader_line(r) for r in found]
    return [context(f"Read by {len(found)}: {some(said, MOST_READERS)}")]


def reader_line(reader: Reader) -> str:
    """``members_copy`` (copy, 0 * * * * UTC, replace)"""
    what = [
        reader.kind,
        *([f"{code(reader.schedule)} UTC"] if reader.schedule else []),
        *([reader.mode] if reader.mode else []),
    ]
    return f"{code(reader.name)} ({', '.join(what)}{'' if reader.direct else ', through other pipes'})"


def sql(plan: Plan) -> list[Block]:
    if not plan.sql:
        return []
    text = ";\n".join(s.rstrip("; \n") for s in plan.sql) + ";"
    cut_off = len(text) > LONGEST_SQL
    shown = text[:LONGEST_SQL] + ("\n…" if cut_off else "")
    where = " (the rest is in the file below)" if cut_off else ""
    return [section(f"*SQL in Postgres*{where}\n{fenced(shown)}")]
