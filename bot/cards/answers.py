"""Longer answers: what a question found, and the whole plan as a file for the thread."""

from collections.abc import Mapping, Sequence

from bot.cards import copies
from bot.cards.blocks import Card, Upload, section, sections
from bot.cards.lineage import lineage
from bot.cards.shape import plan_of
from bot.cards.words import count, cut, prose, span
from ledger.values import Json, RunView
from runbooks.around import Around
from runbooks.plan import Plan

MOST = 25


def found(kind: str, answer: Json, question: int, own: Sequence[Json] = ()) -> Card:
    """The answer to ``question``, of ``lineage``, ``copies``, ``doctor`` or ``probe``, as the worker stored it. ``own``
    are those checks of the doctor that the bot makes itself."""
    where = prose(str(answer.get("environment", "")))
    if error := answer.get("error"):
        said = cut(prose(str(error)), 1500)
        return Card(said if where in said else f"{where}: {said}")
    match kind:
        case "lineage":
            if "around" not in answer:
                return _of_another_version(where)
            return lineage(where, Around.model_validate(answer["around"]))
        case "copies":
            if "gain" not in answer:
                return _of_another_version(where)
            return copies.card(where, answer, question)
        case "probe":
            return _probe(where, answer["findings"])
        case _:
            return _doctor(where, [*answer["checks"], *own])


def _of_another_version(where: str) -> Card:
    return Card(f"{where}: a worker of another version answered. Ask again when it is replaced.")


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
