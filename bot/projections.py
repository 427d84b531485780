"""Which other messages a run's thread needs, seen from stored state when its root card has been sent.

Few on purpose: everybody who follows a thread is pinged by each reply. The first says the whole plan, so that the card
need not; later ones say that people are needed or that it is over; a long step's progress is one reply, edited.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bot.cards.run import needs_file
from bot.cards.shape import blocks_of, only, waits_for_people
from ledger import incident_views, messages, questions, runs
from ledger.connection import Conn
from ledger.messages import Purpose
from ledger.values import Message, RunView

_WITH_FILES = ("copies",)
_OVER = ("succeeded", "failed", "aborted", "expired")
FIRST_SPACING_S, LAST_SPACING_S = 3.0, 15.0


@dataclass(frozen=True)
class Needed:
    purpose: Purpose
    ref: str
    body: dict[str, Any] | None = None


def replies(conn: Conn, root: Message) -> list[int]:
    """Asks for the messages that the thread lacks, each once; the numbers to publish."""
    view = runs.get(conn, run_of(root.ref))
    known = {m.ref for m in view.messages if m.purpose != "root"}
    return [
        messages.want(conn, n.purpose, n.ref, root.channel, thread=root.id, body=n.body)
        for n in _needed(view, listed=_below_an_incident(conn, root))
        if n.ref not in known
    ]


def _below_an_incident(conn: Conn, root: Message) -> bool:
    return root.thread_ts is not None and incident_views.has_thread(conn, root.channel, root.thread_ts)


def files(conn: Conn, answer: Message) -> list[int]:
    """The files that belong to an answer, for the channel it was asked in: what one person alone sees can hold none."""
    question = questions.get(conn, run_of(answer.ref))
    if question is None or question.kind not in _WITH_FILES or "gain" not in (question.answer or {}):
        return []
    ref = f"{answer.ref}/files"
    wanted = messages.want_once(conn, "answer", ref, answer.channel, thread_ts=answer.thread_ts, body={"kind": "files"})
    return [wanted] if wanted is not None else []


def _needed(view: RunView, *, listed: bool) -> Iterator[Needed]:
    """``listed``: its card is itself a reply, in an incident's thread. It says how a single step goes and the end,
    and that the trouble is over follows; so only an end that needs people is a reply too, which calls them to the
    card."""
    run = view.run
    for step in view.steps:
        if step.long and step.state == "acting" and not (listed and len(view.steps) == 1):
            yield Needed("progress", messages.step_ref(run.id, step.number))
    if run.state == "proposed" or only(view):
        yield Needed("reply", _event(view, f"whole-{(run.hash or '')[:8]}"), {"kind": "whole"})
    if needs_file(view):
        yield Needed("reply", _event(view, f"plan-{(run.hash or '')[:8]}"), {"kind": "file"})
    if run.state == "held":
        # held again after somebody accepted or retried is a new call for people
        again = sum(d.action in ("accept", "retry") for d in view.decisions)
        yield Needed("reply", _event(view, f"held-{again}"), {"kind": "headline", "state": "held"})
    block = waits_for_people(view)
    if run.state == "running" and block is not None and block != blocks_of(view.steps)[0]:
        yield Needed("reply", _event(view, f"gate-{block.number}"), {"kind": "gate", "block": block.number})
    if run.state in _OVER and run.started_at is not None:
        if not listed:
            yield Needed("reply", _event(view, run.state), {"kind": "headline", "state": run.state})
        elif run.state in ("failed", "expired"):
            yield Needed("reply", _event(view, run.state), {"kind": "call", "state": run.state})


def _event(view: RunView, what: str) -> str:
    return f"{messages.run_ref(view.run.id)}/event/{what}"


def run_of(ref: str) -> int:
    """The run that ``run/7`` or ``run/7/step/4`` speaks of (and the question of ``question/3``)."""
    return int(ref.split("/")[1])


def step_of(ref: str) -> int:
    return int(ref.split("/")[3])


def progress_spacing(conn: Conn, message: Message) -> float:
    """Seconds until the next edit: a third of how long the step lasts, between 3 and 15."""
    view = runs.get(conn, run_of(message.ref))
    step = next((s for s in view.steps if s.number == step_of(message.ref)), None)
    if step is None or step.state != "acting" or step.started_at is None:
        return 0.0
    lasted = (view.now - step.started_at).total_seconds() / 3
    return min(LAST_SPACING_S, max(FIRST_SPACING_S, lasted))
