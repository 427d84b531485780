"""Nothing that a run stopped stays stopped in silence: people are reminded until it is finished (DESIGN §5, Restore).

What somebody put back by hand meanwhile is seen by looking, and is then no longer told of.
"""

from dataclasses import replace
from datetime import datetime

from ledger import calls, kept, messages, rests, runs
from ledger.connection import calendar
from ledger.values import RunView, StepRow
from runbooks import steps
from runbooks.site import Site
from runbooks.step import Astray, Done
from systems.permit import read_only
from workers.context import Context

_SHOWN = 6


def remind(context: Context, run: int) -> None:
    """Look at what the run left; call people if it is still so. Raises ``SystemsError``: the sweep comes again."""
    with context.pool.connection() as conn:
        view = runs.get(conn, run)
        now = calendar(conn)
    if view.run.state == "succeeded":
        _remind_of_kept(context, view, now)
        return
    waits = view.run.state in ("held", "paused")
    left = [entry for entry in view.restore if entry.state == ("listed" if waits else "left")]
    if not left or view.followed is not None:
        return
    environment = context.settings.environment(view.run.environment)
    site = replace(context.site(view.run.environment, run, read_only), now=now)
    back, still = _looked_at(_as_the_run_sees(site, view), left)
    with context.pool.connection() as conn, conn.transaction():
        if not rests.reminded(conn, run, every_s=environment.remind_s):
            return
        if not waits:  # an open run finds for itself what is back
            rests.back_by_hand(conn, run, back)
        if still:
            ref = f"{messages.run_ref(run)}/left/reminder/{now:%Y%m%d%H%M%S}"
            said = _waiting(view, still) if waits else _said(view, still, _since(view, now))
            body = {"text": said, "run": run}
            calls.call(conn, ref, environment.channels.alerts, body)
        behind = messages.behind_of(conn, run)
    for message in behind:
        context.bell.ring("publish", message)


def _remind_of_kept(context: Context, view: RunView, now: datetime) -> None:
    """The table that a run set aside is past its date. What people dropped by hand is seen and no longer told of."""
    run, table = view.run, view.run.found.get("kept")
    if not table:
        return
    there = context.site(run.environment, run.id, read_only).tinybird.datasource(str(table["id"]))
    with context.pool.connection() as conn, conn.transaction():
        if there is None:
            kept.gone(conn, run.id)
        elif kept.reminded(conn, run.id):
            ref = f"{messages.run_ref(run.id)}/kept/reminder/{now:%Y%m%d%H%M%S}"
            said = (
                f"Run {run.id} set {table['of']} aside as {there.name}, and its date, {table['retire']}, has come. "
                f"It holds rows that nothing erases by name: type /tb retire {run.id} to have it dropped, after "
                "approval. This is said again every day until it is gone."
            )
            calls.call(conn, ref, context.settings.environment(run.environment).channels.alerts, {"text": said})
        behind = messages.behind_of(conn, run.id)
    for message in behind:
        context.bell.ring("publish", message)


def _as_the_run_sees(site: Site, view: RunView) -> Site:
    found, target = view.run.found, (view.run.plan or {}).get("target")
    begun = any(step.touches and step.acts for step in view.steps)
    return replace(
        site,
        proven=frozenset(found.get("proven", ())),
        touched=frozenset({*found.get("touched", ()), *([target] if begun and target else [])}),
        started=view.run.started_at,
    )


def _looked_at(site: Site, left: list[StepRow]) -> tuple[list[tuple[StepRow, str]], list[tuple[StepRow, str]]]:
    """What is as it should be again, and what is not, each with what was seen."""
    back: list[tuple[StepRow, str]] = []
    still: list[tuple[StepRow, str]] = []
    for entry in left:
        match steps.load(entry.op, entry.params).look(replace(site, memo=entry.memo)):
            case Done(said=said):
                back.append((entry, said))
            case Astray(reason=reason):
                still.append((entry, reason))
            case _:
                still.append((entry, entry.said))
    return back, still


def _waiting(view: RunView, still: list[tuple[StepRow, str]]) -> str:
    run = view.run
    ends = "; ".join(f"“{entry.title}”" for entry, _ in still[:_SHOWN])
    why = f" ({run.reason.rstrip('.')})" if run.reason else ""
    return (
        f"Run {run.id} ({run.command}) is {run.state}{why}, and what it stopped waits with it: {ends}. "
        "Decide on its card; this is said again until it goes on."
    )


def _since(view: RunView, now: datetime) -> str:
    hours = (now - (view.run.finished_at or now)).total_seconds() / 3600
    return f"{hours:.0f} h" if hours >= 2 else f"{hours * 60:.0f} min"


def _said(view: RunView, still: list[tuple[StepRow, str]], since: str) -> str:
    run = view.run
    why = "; ".join(dict.fromkeys(reason.rstrip(".") for _, reason in still[:_SHOWN]))
    more = f" and {len(still) - _SHOWN} more" if len(still) > _SHOWN else ""
    things = "one thing" if len(still) == 1 else f"{len(still)} things"
    return (
        f"Run {run.id} ({run.command}) ended {since} ago and left {things} stopped or undone, still so: {why}{more}. "
        f"Press “Finish what is left” on its card, or type /tb retry {run.id}; this is said again until it is done."
    )
