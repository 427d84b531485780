"""The Home tab and the list of runs: one line a run, what waits for people first."""

from collections.abc import Sequence
from datetime import datetime

from bot.cards import incident_list
from bot.cards.blocks import Block, Card, context, header, section, sections
from bot.cards.words import Names, clock, code, cut, person, prose
from ledger.freeze import EVERYWHERE, Freeze
from ledger.incident_views import Listed
from ledger.values import Run

_ORDER = ("held", "proposed", "running", "restoring", "paused", "planning")
_WORDS = {"held": "🟠 held, people must decide", "proposed": "🔒 waits for approval", "running": "🔵 running",
          "restoring": "↩️ putting back", "paused": "⏸️ paused", "planning": "🧭 planning"}  # fmt: skip
MOST = 20


def home(
    runs: Sequence[Run], names: Names, now: datetime, frozen: Sequence[Freeze] = (), incidents: Sequence[Listed] = ()
) -> Block:
    """The view for views.publish. What is wrong now comes first."""
    blocks = [
        *([header("Incidents"), *incident_list.blocks(incidents, names, now)] if incidents else []),
        header("Runs"),
        *_lines(runs, names, now),
        *_frozen(frozen, names, now),
        context(f"As of {clock(now)} · `/tb help` lists the commands"),
    ]
    return {"type": "home", "blocks": blocks}


def listing(
    runs: Sequence[Run], names: Names, now: datetime, frozen: Sequence[Freeze] = (), incidents: Sequence[Listed] = ()
) -> Card:
    """The answer to ``runs``."""
    stands = [*_frozen(frozen, names, now), *incident_list.blocks(incidents, names, now)]
    if not runs:
        return Card(_said("No run is open.", frozen), (*_lines(runs, names, now), *stands))
    many = "One run is open." if len(runs) == 1 else f"{len(runs)} runs are open."
    return Card(_said(many, frozen), (section(f"*{many}*"), *_lines(runs, names, now), *stands))


def _said(text: str, frozen: Sequence[Freeze]) -> str:
    return f"{text} Frozen: {', '.join(_where(f) for f in frozen)}." if frozen else text


def _frozen(frozen: Sequence[Freeze], names: Names, now: datetime) -> list[Block]:
    return sections([_freeze(f, names, now) for f in frozen])


def _freeze(freeze: Freeze, names: Names, now: datetime) -> str:
    why = f": {cut(prose(freeze.reason), 200)}" if freeze.reason else ""
    return f"🧊 *{_where(freeze)} is frozen* by {person(freeze.actor, names)} since {clock(freeze.at, now)}{why}"


def _where(freeze: Freeze) -> str:
    return "every environment" if freeze.environment == EVERYWHERE else prose(freeze.environment)


def _lines(runs: Sequence[Run], names: Names, now: datetime) -> list[Block]:
    if not runs:
        return [section("No run is open. `/tb migrate members add field x text` begins one.")]
    ordered = sorted(runs, key=lambda r: (_ORDER.index(r.state) if r.state in _ORDER else len(_ORDER), -r.id))
    more = [f"_and {len(ordered) - MOST} more_"] if len(ordered) > MOST else []
    return sections([*(_line(r, names, now) for r in ordered[:MOST]), *more])


def _line(run: Run, names: Names, now: datetime) -> str:
    state = _WORDS.get(run.state, run.state)
    who, when = person(run.requester, names), clock(run.created_at, now)
    where = prose(run.environment)
    return f"*Run {run.id}* {state} · {code(cut(run.command, 120))} · asked by {who} in {where} at {when}"
