"""Longer answers: what a question found, and the whole plan as a file for the thread."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from bot.cards.blocks import Card, Upload, section, sections
from bot.cards.lineage import lineage
from bot.cards.shape import plan_of
from bot.cards.words import clock, code, count, cut, prose, span
from ledger.values import Json, RunView
from runbooks.around import Around
from runbooks.plan import Plan

MOST = 25
_WELL, _FAILED, _PAUSED = "✅", "❌", "⏸️"
_UNWELL = {_FAILED: "failed the last time", _PAUSED: "paused"}


def found(kind: str, answer: Json, own: Sequence[Json] = ()) -> Card:
    """The answer to ``lineage``, ``copies``, ``doctor`` or ``probe``, as the worker stored it. ``own`` are those checks
    of the doctor that the bot makes itself."""
    where = prose(str(answer.get("environment", "")))
    if error := answer.get("error"):
        said = cut(prose(str(error)), 1500)
        return Card(said if where in said else f"{where}: {said}")
    match kind:
        case "lineage":
            if "around" not in answer:
                return Card(f"{where}: a worker of another version answered. Ask again when it is replaced.")
            return lineage(where, Around.model_validate(answer["around"]))
        case "copies":
            return _copies(where, answer["copies"])
        case "probe":
            return _probe(where, answer["findings"])
        case _:
            return _doctor(where, [*answer["checks"], *own])


def _copies(where: str, copies: Sequence[Json]) -> Card:
    """Those that need somebody come first: what has no room is counted, and is well."""
    icons = [_icon(c) for c in copies]
    unwell = [f"{icons.count(icon)} {word}" for icon, word in _UNWELL.items() if icon in icons]
    there = f"There {'is' if len(copies) == 1 else 'are'} {count(len(copies), 'copy pipes')} in {where}"
    text = f"{there}: {' and '.join(unwell)}." if unwell else f"{there}."
    ordered = sorted(copies, key=lambda c: [*_UNWELL, _WELL].index(_icon(c)))
    lines = [_copy(c) for c in ordered[:MOST]]
    more = [f"_and {len(copies) - MOST} more_"] if len(copies) > MOST else []
    return Card(text, (section(f"*{text}*"), *sections([*lines, *more])))


def _icon(found: Json) -> str:
    last: Json = found.get("last") or {}
    paused = not found.get("running") and _scheduled(found)
    return _PAUSED if paused else _FAILED if last.get("status") == "error" else _WELL


def _scheduled(found: Json) -> bool:
    return bool(found.get("schedule")) and not str(found["schedule"]).startswith("@")


def _copy(found: Json) -> str:
    last: Json = found.get("last") or {}
    schedule = f"{code(str(found['schedule']))} UTC" if _scheduled(found) else "by hand"
    ran = f"last run {_at(str(last['created_at']))}: {prose(str(last['status']))}" if last else "never ran"
    how = f"{prose(str(found['mode']))}, {schedule}, {ran}"
    why = f" – {cut(prose(str(last['error'])), 160)}" if last.get("error") else ""
    return f"{_icon(found)} {code(str(found['pipe']))} → {code(str(found['target']))} ({how}){why}"


def _at(said: str) -> str:
    """Tinybird's times are UTC without saying so, to the microsecond (facts/tinybird.md §2)."""
    try:
        return clock(datetime.fromisoformat(said).replace(tzinfo=UTC))
    except ValueError:
        return prose(said)


def _probe(where: str, findings: Sequence[Json]) -> Card:
    text = f"What {where} can do, tried on throwaway resources: {count(len(findings), 'findings')}, recorded for plans."
    lines = [
        f"{'➖' if f['value'] == 'refused' else '✔️'} *{prose(str(f['name']))}* – {cut(prose(str(f['said'])), 300)}"
        for f in findings
    ]
    return Card(text, (section(f"*{text}*"), *sections(lines[:MOST])))


def _doctor(where: str, checks: Sequence[Json]) -> Card:
    wrong = [c for c in checks if not c["ok"]]
    verdict = f"{len(wrong)} of {len(checks)} checks failed" if wrong else f"all {len(checks)} checks passed"
    text = f"Doctor in {where}: {verdict}."
    lines = [
        f"{'✅' if c['ok'] else '❌'} *{prose(str(c['name']))}* – {cut(prose(str(c['said'])), 400)}" for c in checks
    ]
    return Card(text, (section(f"*{text}*"), *sections(lines[:MOST])))


def plan_file(view: RunView) -> Upload:
    """Everything the card had no room for, as plain text."""
    plan = plan_of(view)
    assert plan is not None, "a run without a plan asks for no file"
    lines = [
        f"Run {view.run.id}: {view.run.command}",
        f"environment {plan.environment}, strategy {plan.strategy.name}",
        "",
    ]
    lines += [*_weighed(plan), "", "Steps"]
    lines += [f"{s.number:>4}. {s.title}{'' if s.gate == 'none' else f'   [{s.gate}]'}" for s in view.steps]
    lines += ["", *(f"-- SQL\n{sql.rstrip('; ')};" for sql in plan.sql)]
    for pipe, text in plan.diffs.items():
        title = pipe if pipe.endswith((".datasource", ".pipe")) else f"{pipe}.pipe, while it reads the mirror"
        lines += ["", f"== {title}", text]
    for row in plan.drift:
        for where, text in row.diffs.items():
            lines += ["", f"== {row.resource}, from git to {where}", text]
    for name, text in plan.datafiles.items():
        lines += ["", f"== {name}", text]
    lines += ["", f"plan {plan.hash}", f"change {plan.change_hash}"]
    return Upload(f"run-{view.run.id}-plan.txt", f"The whole plan of run {view.run.id}", "\n".join(lines) + "\n")


def _weighed(plan: Plan) -> list[str]:
    lines = [f"why: {reason}" for reason in plan.strategy.reasons]
    lines += [f"not {r.name}: {r.reason}" for r in plan.strategy.rejected]
    for label, figure in (("reads broken", plan.downtime), ("ingestion held", plan.hold), ("stale by", plan.stale)):
        lines.append(f"{label}: {span(figure.seconds)} ({figure.formula})")
    lines += [f"{m.pipe}: {m.old} -> {m.new}, {m.minutes} min later: {m.why}" for m in plan.timetable]
    lines += [f"{r.resource}: {r.git} in git, {_elsewhere(r.elsewhere)}" for r in plan.drift]
    lines += [f"{h.level}: {h.slug} on {h.resource}: {h.message} {h.fix}" for h in plan.hazards]
    return lines + [f"read by {r.name}, {r.kind}{'' if r.direct else ', through other pipes'}" for r in plan.readers]


def _elsewhere(standing: Mapping[str, str]) -> str:
    return ", ".join(f"{how} in {where}" for where, how in standing.items())
