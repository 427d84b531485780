"""Longer answers: the whole plan as a file for the thread."""

from bot.cards.blocks import Upload
from bot.cards.shape import plan_of
from bot.cards.words import span
from ledger.values import RunView
from runbooks.plan import Plan


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
    for name, text in plan.datafiles.items():
        lines += ["", f"== {name}", text]
    lines += ["", f"plan {plan.hash}", f"change {plan.change_hash}"]
    return Upload(f"run-{view.run.id}-plan.txt", f"The whole plan of run {view.run.id}", "\n".join(lines) + "\n")


def _weighed(plan: Plan) -> list[str]:
    lines = [f"why: {reason}" for reason in plan.strategy.reasons]
    lines += [f"not {r.name}: {r.reason}" for r in plan.strategy.rejected]
    for label, figure in (("reads broken", plan.downtime), ("ingestion held", plan.hold), ("stale by", plan.stale)):
        lines.append(f"{label}: {span(figure.seconds)} ({figure.formula})")
    lines += [f"{h.level}: {h.slug} on {h.resource}: {h.message} {h.fix}" for h in plan.hazards]
    return lines + [f"read by {r.name}, {r.kind}{'' if r.direct else ', through other pipes'}" for r in plan.readers]
