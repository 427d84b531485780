"""A plan in plain text, for a terminal."""

import textwrap
from collections.abc import Iterable, Iterator

from runbooks.plan import Hazard, Plan, PlannedStep

WIDTH = 110
_ORDER = {"error": 0, "warning": 1, "note": 2}


def plan_text(plan: Plan) -> str:
    """The whole plan, the way it is read: what and why, what it costs, who reads, what can go wrong, the steps."""
    return "\n".join(
        [*_head(plan), *_readers(plan), *_hazards(plan), *_steps(plan), *_files(plan), "", f"hash {plan.hash}"]
    )


def hazard_lines(hazards: Iterable[Hazard]) -> list[str]:
    ordered = sorted(hazards, key=lambda h: (_ORDER[h.level], h.resource, h.slug))
    return [
        line
        for hazard in ordered
        for line in _wrapped(f"{hazard.level:<8}{hazard.slug} ({hazard.resource}): ", _said(hazard))
    ]


def _said(hazard: Hazard) -> str:
    return f"{hazard.message} {hazard.fix}".strip()


def _head(plan: Plan) -> Iterator[str]:
    yield f"{plan.command}   [{plan.environment}]"
    yield ""
    yield from _wrapped(f"strategy {plan.strategy.name}: ", "; ".join(plan.strategy.reasons))
    for other in plan.strategy.rejected:
        yield from _wrapped(f"  not {other.name}: ", other.reason)
    for sentence in (*plan.inferred, plan.ghosts):
        if sentence:
            yield from _wrapped("  ", sentence)
    yield ""
    for name, estimate in (("reads broken", plan.downtime), ("ingestion held", plan.hold), ("stale", plan.stale)):
        yield from _wrapped(f"{name:<16}{estimate.seconds} s  ", f"({estimate.formula})")


def _readers(plan: Plan) -> Iterator[str]:
    if not plan.readers:
        return
    yield ""
    yield f"{len(plan.readers)} readers"
    for reader in plan.readers:
        how = "directly" if reader.direct else "through other pipes"
        when = f", {reader.mode} at {reader.schedule}" if reader.schedule else ""
        yield f"  {reader.name} ({reader.kind}, {how}{when})"


def _hazards(plan: Plan) -> Iterator[str]:
    if plan.hazards:
        yield ""
        yield from hazard_lines(plan.hazards)


def _steps(plan: Plan) -> Iterator[str]:
    yield ""
    for number, step in enumerate(plan.steps, 1):
        yield f"{number:>3}. {_gate(step):<9} {step.title}"


def _gate(step: PlannedStep) -> str:
    if step.gate != "none":
        return "[strong]" if step.gate == "strong" else "[approve]"
    return "  held" if step.hold is not None else ""


def _files(plan: Plan) -> Iterator[str]:
    for statement in plan.sql:
        yield ""
        yield textwrap.indent(statement.strip(), "    ")
    for name in plan.datafiles:
        yield f"datafile {name}"


def _wrapped(head: str, text: str) -> list[str]:
    indent = " " * min(len(head), 24)
    return textwrap.wrap(head + text, WIDTH, subsequent_indent=indent) or [head]
