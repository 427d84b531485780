"""A plan and its hazards in plain text, for a terminal."""

import textwrap
from collections.abc import Iterable, Iterator

from runbooks.plan import Hazard, Plan, PlannedStep, Reader

WIDTH = 100
_ORDER = {"error": 0, "warning": 1, "note": 2}
_LEVELS = {
    "error": "blocks approval",
    "warning": "is to be confirmed when approving",
    "note": "is for information",
}
_GATES = {"approve": "[approve]", "strong": "[strong]"}


def plan_text(plan: Plan) -> str:
    """The whole plan, the way it is read: what and why, what it costs, who reads, what can go wrong, the steps."""
    parts = (
        _head(plan),
        _strategy(plan),
        _listed("Taken as given", (*plan.inferred, plan.ghosts)),
        _costs(plan),
        _readers(plan),
        _hazards(plan),
        _steps(plan),
        _sql(plan),
        _diffs(plan),
        _files(plan),
        [f"Hash, which an approval is bound to: {plan.hash}"],
    )
    return "\n\n".join("\n".join(lines) for part in parts if (lines := list(part)))


def hazard_lines(hazards: Iterable[Hazard]) -> list[str]:
    """Each with its level, its slug and what it is about; below it what is wrong, and what to do."""
    ordered = sorted(hazards, key=lambda h: (_ORDER[h.level], h.resource, h.slug, h.message))
    return [line for hazard in ordered for line in _hazard(hazard)]


def summary(hazards: Iterable[Hazard]) -> str:
    """``2 errors, 1 warning``"""
    levels = [hazard.level for hazard in hazards]
    counted = ((level, levels.count(level)) for level in _ORDER)
    return ", ".join(f"{count} {level}{'s' if count > 1 else ''}" for level, count in counted if count)


def _hazard(hazard: Hazard) -> Iterator[str]:
    yield f"  {hazard.level:<8} {hazard.resource}   {hazard.slug}"
    yield from _wrapped(" " * 11, hazard.message)
    yield from _wrapped(" " * 11 + "→ ", hazard.fix)


def _head(plan: Plan) -> Iterator[str]:
    yield from _wrapped("Plan: ", plan.command)
    yield f"      on the facts of {plan.environment}; data source {plan.target}"


def _strategy(plan: Plan) -> Iterator[str]:
    yield from _wrapped(f"Strategy: {plan.strategy.name}, because ", "; ".join(plan.strategy.reasons), indent=2)
    for other in plan.strategy.rejected:
        yield from _wrapped(f"  not {other.name + ':':<14}", other.reason)


def _listed(title: str, sentences: Iterable[str]) -> Iterator[str]:
    said = [sentence for sentence in sentences if sentence]
    if said:
        yield title
        for sentence in said:
            yield from _wrapped("  - ", sentence)


def _costs(plan: Plan) -> Iterator[str]:
    yield "Cost"
    named = (("reads broken", plan.downtime), ("ingestion held", plan.hold), ("data stale", plan.stale))
    for name, estimate in (*named, ("whole run", plan.took)):
        yield from _wrapped(f"  {name:<15} {_span(estimate.seconds):>11}   ", estimate.formula)


def _readers(plan: Plan) -> Iterator[str]:
    if not plan.readers:
        yield f"Readers of {plan.target}: none"
        return
    yield f"Readers of {plan.target} ({len(plan.readers)})"
    width = min(max(len(reader.name) for reader in plan.readers), 60)
    yield from (f"  {reader.name:<{width}}   {_how(reader)}" for reader in plan.readers)


def _how(reader: Reader) -> str:
    how = reader.kind if reader.direct else f"{reader.kind}, through other pipes"
    if reader.kind == "copy" and reader.mode:
        how += ", replaces its target" if reader.mode == "replace" else ", appends to its target"
    when = reader.schedule or ""
    if when:
        how += " on demand" if when == "@on-demand" else f" by the schedule {when} (UTC)"
    return how if reader.called is None else f"{how}, {reader.called:,} requests in 7 days"


def _hazards(plan: Plan) -> Iterator[str]:
    if not plan.hazards:
        yield "Hazards: none"
        return
    present = [level for level in _ORDER if any(h.level == level for h in plan.hazards)]
    meaning = "; ".join(f"{'an' if level == 'error' else 'a'} {level} {_LEVELS[level]}" for level in present)
    yield f"Hazards: {summary(plan.hazards)} ({meaning})"
    yield from hazard_lines(plan.hazards)


def _steps(plan: Plan) -> Iterator[str]:
    yield "Steps ([approve] waits for an approval, [strong] for the stronger one; the others follow by themselves)"
    for number, step in enumerate(plan.steps, 1):
        yield from _wrapped(f"{number:>4}. {_GATES.get(step.gate, ''):<9} ", step.title + _held(step))


def _held(step: PlannedStep) -> str:
    return " (ingestion held)" if step.hold is not None else ""


def _sql(plan: Plan) -> Iterator[str]:
    if plan.sql:
        yield "SQL for Postgres"
        yield from (textwrap.indent(statement.strip(), "  ") for statement in plan.sql)


def _diffs(plan: Plan) -> Iterator[str]:
    for name, text in plan.diffs.items():
        file = name.endswith((".datasource", ".pipe", ".sql"))
        yield name if file else f"SQL of {name} while it reads the mirror"
        yield textwrap.indent(text.rstrip(), "  ")


def _files(plan: Plan) -> Iterator[str]:
    """The files that change with the lines that the fields add; the whole texts are in the JSON."""
    yield "Files (--json has their whole text)"
    names = [f"`{field['name']}`" for field in plan.request.get("fields", ())]
    for name, text in plan.datafiles.items():
        yield f"  {name}" + (" (new, for the project's migrations)" if name.endswith(".sql") else "")
        if not name.endswith(".sql"):
            lines = (line.strip() for line in text.splitlines())
            yield from (f"    + {line.removesuffix(',')}" for line in lines if line.startswith(tuple(names)))


def _span(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _wrapped(head: str, text: str, indent: int | None = None) -> list[str]:
    """``head`` and ``text`` in lines; the following ones begin under the text, or ``indent`` blanks in."""
    under = " " * (len(head) if indent is None else indent)
    return textwrap.wrap(head + text, WIDTH, subsequent_indent=under, break_on_hyphens=False) or [head.rstrip()]
