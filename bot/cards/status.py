"""Where a run stands and what happens next, in a sentence: once for the card, once for a phone's notification."""

from dataclasses import dataclass

from bot.cards.shape import NOBODY, Lacking, PlanBlock, current, of_copies, only, plan_of, waits_for_people
from bot.cards.words import Names, clock, cut, person, prose, ruled, span
from ledger.values import RunView, StepRow
from runbooks.plan import Plan


@dataclass(frozen=True)
class Said:
    """``lead`` is what one glance must catch, ``rest`` says the rest; ``alone`` what the card says elsewhere."""

    lead: str
    rest: str = ""
    alone: str = ""


def status(view: RunView, names: Names, lacking: Lacking = NOBODY) -> str:
    """The card's own sentence, with an icon for those who only glance."""
    said = _says(view, names, lacking)
    icon = _ICONS["proposed" if waits_for_people(view) else view.run.state]
    return cut(f"{icon} *{said.lead}* {said.rest}".rstrip(), 2900)


def headline(view: RunView, names: Names, lacking: Lacking = NOBODY) -> str:
    """One full sentence with run, state, who and what next."""
    said = _says(view, names, lacking)
    command = prose(cut(view.run.command, 160))
    return cut(f"Run {view.run.id} ({command}): {joined(said.lead, said.rest, said.alone)}", 1500)


_ICONS = {
    "planning": "🧭", "refused": "🚫", "proposed": "🔒", "rejected": "🚫", "expired": "⌛", "running": "🔵",
    "paused": "⏸️", "held": "🟠", "restoring": "↩️", "succeeded": "✅", "failed": "❌", "aborted": "⏹️",
}  # fmt: skip


def _says(view: RunView, names: Names, lacking: Lacking) -> Said:
    run, why = view.run, _ended(ruled(view.run.reason, names))
    match run.state:
        case "planning":
            asker = person(run.requester, names)
            return Said("Planning.", f"The plan for {asker} comes here; nothing is changed before it is approved.")
        case "refused":
            return Said("Refused.", joined(why, "Nothing was changed."))
        case "rejected" if only(view):
            return _shown(view, why)
        case "rejected":
            return Said("Rejected.", joined(why, "Nothing was changed."))
        case "proposed":
            return _proposed(view, names, lacking)
        case "running":
            return _running(view, names, lacking)
        case "paused":
            return Said("Paused.", joined(why, "Nothing further is begun until somebody resumes or aborts it."))
        case "held":
            return Said("Held: people must decide.", joined(_drift(view) or why, _choice(view)))
        case "restoring":
            return Said("Putting back what was stopped.", _aborter(view, names, "{} aborted it.") or why)
        case "succeeded":
            proven = " and proven" if view.run.found.get("proven") else ""
            return Said(f"Done{proven} in {_took(view)}.", alone=_copied(view))
        case "failed":
            return Said("Failed.", joined(why, _left(view)))
        case "aborted":
            return Said(_aborter(view, names, "Aborted by {}.") or f"Aborted. {why}", _left(view))
        case "expired":
            return Said("Expired.", joined(why or "Nobody decided in time.", _left(view)))


def _proposed(view: RunView, names: Names, lacking: Lacking) -> Said:
    plan = plan_of(view)
    if plan is None:
        return Said("Planned.")
    if plan.blocked:
        return Said(_blocked(plan), joined(sentence(plan.blocked[0].message), "Nothing was changed."))
    until = f" until {clock(view.run.expires_at, view.now)}" if view.run.expires_at else ""
    steps = "1 step" if len(view.steps) == 1 else f"{len(view.steps)} steps"
    held = f"ingestion is held for about {span(plan.hold.seconds)}" if plan.hold.seconds else "nothing is held"
    block = waits_for_people(view)
    again = _ended(ruled(view.run.reason, names))
    given = joined(again, _given(view, block, names, lacking) if block else "")
    asked = f"Waiting for approval of {_named(block)}{until}."
    return Said(asked, given, f"{steps} by {prose(plan.strategy.name)}; {held}.")


def _shown(view: RunView, why: str) -> Said:
    plan = plan_of(view)
    wrong = f"{_blocked(plan)} {sentence(plan.blocked[0].message)}" if plan and plan.blocked else ""
    return Said("Planned, and no more was asked for.", joined(wrong, "Nothing was changed."), why)


def _blocked(plan: Plan) -> str:
    wrong = "one problem" if len(plan.blocked) == 1 else f"{len(plan.blocked)} problems"
    return f"This plan cannot be approved because of {wrong}."


def _running(view: RunView, names: Names, lacking: Lacking) -> Said:
    if block := waits_for_people(view):
        what = sentence(block.steps[0].title)
        given = _given(view, block, names, lacking)
        return Said(f"Waiting for approval of {block.named}.", given or what)
    step = current(view)
    if step is None:
        return Said("Finishing.", "Every step is done.")
    stopping = {"pause": "It pauses after this step.", "abort": "It is aborted after this step."}
    why = _ended(ruled(view.run.reason, names))
    waits = f"Waiting: {why}" if why else stopping.get(view.run.wanted, "")
    return Said(f"Step {step.number} of {len(view.steps)}.", joined(sentence(step.title + _progress(step)), waits))


def _given(view: RunView, block: PlanBlock, names: Names, lacking: Lacking) -> str:
    """Who approved it already and how many it lacks; nothing where one person is enough."""
    given = [d for d in view.decisions if d.action == "approve" and d.block == block.number and d.hash == view.run.hash]
    missing = lacking.get(block.number, 1)
    if not given:
        return f"It needs {missing} people." if missing > 1 else ""
    who = " and ".join(dict.fromkeys(person(d.actor, names) for d in given))
    return f"{who} approved it; {'one more person' if missing == 1 else f'{missing} more people'} must."


def _named(block: PlanBlock | None) -> str:
    return block.named if block else "the next step"


def _progress(step: StepRow) -> str:
    progress = step.progress or {}
    done, total = progress.get("done"), progress.get("total")
    return f" ({100 * done // total} %)" if isinstance(done, int) and isinstance(total, int) and total > 0 else ""


def _drift(view: RunView) -> str:
    held = view.run.held or {}
    if not held.get("key"):
        return ""
    key, expected, found = (cut(prose(str(held.get(k) or "nothing")), 120) for k in ("key", "expected", "found"))
    return f"`{key}` is not as the run left it: expected `{expected}`, found `{found}`."


def _choice(view: RunView) -> str:
    """What people who are called can do, in the words of the buttons."""
    if (view.run.held or {}).get("key"):
        return "Accept what was found and continue, or stop and restore; nothing further is done until then."
    return "Mend it and press Try again, or press Stop and restore; nothing further is done until then."


def _aborter(view: RunView, names: Names, said: str) -> str:
    """Who ended it, put into ``said``; empty when no person did."""
    ended = [d.actor for d in view.decisions if d.action in ("abort", "restore")]
    if not ended or "aborted" not in (view.run.state, view.run.ending):
        return ""
    return said.format(person(ended[-1], names))


def _took(view: RunView) -> str:
    start = view.run.started_at or view.run.created_at
    return span(((view.run.finished_at or view.now) - start).total_seconds())


def _copied(view: RunView) -> str:
    """What a copy that was run came to, or how many have run."""
    if not of_copies(view):
        return ""
    if len(view.steps) > 2:
        return f"All {len(view.steps)} copies have run, one after the other."
    return " ".join(prose(step.said) for step in view.steps if step.said)


def _left(view: RunView) -> str:
    """What the end left behind, in a sentence."""
    if view.run.started_at is None:
        return "Nothing was changed."
    left = sum(r.state in ("left", "listed") for r in view.restore)
    paused = f"{left} thing{'s were' if left > 1 else ' was'} left as found; see below." if left else ""
    if left and view.followed is not None:
        paused = f"Run {view.followed} took up what was left."
    return joined(paused or "Nothing is left paused.", _added(view))


def _added(view: RunView) -> str:
    """What was done outside a hold and has no way back: added columns disturb nobody (facts/procedures.md §2.1)."""
    undone = {r.origin for r in view.restore}
    stays = [s for s in view.steps if s.state == "done" and s.acts and s.hold is None and s.number not in undone]
    said = [prose(cut(s.said, 120)).rstrip(".") for s in stays if s.said]
    what = "copied" if of_copies(view) else "added"
    return f"What was {what} stays: {', '.join(said)}." if said else ""


def sentence(text: str) -> str:
    """Somebody's words on one line, ended."""
    return _ended(prose(text))


def _ended(said: str) -> str:
    return said if not said or said[-1] in ".?!…" else said + "."


def joined(*sentences: str) -> str:
    return " ".join(s for s in sentences if s)
