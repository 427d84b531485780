"""Decisions: what people may and do decide on a run. Every surface ends here.

A decision, its transition and its audit line are one transaction, made under the run's row lock, so that of two
who decide at once the second sees what the first has done.

*Approve*, *reject*, *resume*, *retry* and *accept* change the run's state here. *Pause*, *abort* and *restore*
say what is wanted: from then on no effect begins, and the next tick, which knows whether an effect is under way
and whether a hold forbids a pause, changes the state.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, assert_never

from config.settings import Rules
from ledger import approvals, approving, policy, rests, runs, states, stored
from ledger.connection import Conn, calendar
from ledger.deciding import Click, Decided, Verdict, changed, record, was
from ledger.errors import NoSuchRun
from ledger.policy import Action, Actor, Denied, person
from ledger.queries import load
from ledger.values import FINISHED, Run

__all__ = ["Decided", "Verdict", "decide", "may", "operate", "operated"]

_sql = load("decisions")


def may(rules: Rules, actor: Actor, action: Action) -> Verdict:
    """Whether the actor may do what is not about one run: ``request``, ``operate``, ``freeze``, ``unfreeze``."""
    answer = policy.authorize(rules, actor, action, None, now=datetime.now(UTC))
    return Verdict(False, answer.sentence) if isinstance(answer, Denied) else Verdict(True, "")


def decide(
    conn: Conn,
    rules: Rules,
    actor: Actor,
    action: Decided,
    run: int,
    *,
    block: int | None = None,
    up_to: int | None = None,
    hash: str | None = None,
    inbox: int | None = None,
    reason: str = "",
    acknowledge: Sequence[str] = (),
) -> Verdict:
    """Decide on a run, or say why not.

    ``block`` approves one block, ``up_to`` all that are left up to it, neither the next one. ``hash`` is the
    button's; None, from a typed command, means the plan as it is. ``acknowledge`` are slugs of warnings.
    Nothing was changed unless accepted, but for a plan whose time is over: it expires.
    """
    with conn.transaction():
        try:
            row = runs.lock(conn, run)
        except NoSuchRun:
            return Verdict(False, f"There is no run {run}.")
        answer = policy.authorize(rules, actor, action, row, now=datetime.now(UTC))
        if isinstance(answer, Denied):
            return Verdict(False, answer.sentence)
        now, said = calendar(conn), stored.text(reason)
        click = Click(rules, actor.id, action, row, now, block, up_to, hash, inbox, said, tuple(acknowledge))
        return _refused(conn, click) or _carry_out(conn, click)


def operate(conn: Conn, rules: Rules, actor: Actor, run: int, inbox: int | None = None) -> Verdict:
    """Keep that the actor's own request for this run of copies is its approval too, if the rules say so. It is given
    when there is a plan: see ``operated``."""
    with conn.transaction():
        row = runs.lock(conn, run)
        answer = policy.authorize(rules, actor, "operate", row, now=datetime.now(UTC))
        if isinstance(answer, Denied) or row.requester != actor.id or not policy.of_copies(row):
            return Verdict(False, answer.sentence if isinstance(answer, Denied) else f"Run {run} is not yours alone.")
        click = Click(rules, actor.id, "approve", row, calendar(conn), None, None, None, inbox, "", ())
        record(conn, click, operates=True)
        return Verdict(True, "")


def operated(conn: Conn, rules: Rules, run: int) -> Verdict | None:
    """Approve the plan by the request for it, where that was kept. None: it is for people, as it was not, or as the
    plan holds what they must read first. A plan that another run's lock stands in the way of stays proposed."""
    with conn.transaction():
        row = runs.lock(conn, run)
        asked = next((d for d in runs.decisions_of(conn, run) if d.action == "operate"), None)
        if asked is None or row.state != "proposed" or approvals.hazards(row, "warning"):
            return None
        click = Click(rules, asked.actor, "approve", row, calendar(conn), None, None, row.hash, asked.inbox, "", ())
        verdict = approving.approve(conn, click)
        if not verdict.accepted:
            conn.execute(_sql["not_begun"], {"run": run, "reason": stored.text(verdict.said)})
            changed(conn, run)
        return verdict


def _refused(conn: Conn, click: Click) -> Verdict | None:
    """What forbids any decision on the run as it stands."""
    run = click.run
    if run.state in FINISHED:
        again = click.action == "retry"
        why = rests.refusal(conn, run, click.now) if again else _over(conn, click)
        return Verdict(False, why) if why else None
    if run.state == "planning":
        return Verdict(False, f"Run {run.id} is still being planned; decide when its plan is there.")
    if run.state == "proposed" and run.expires_at is not None and run.expires_at <= click.now:
        states.move_run(conn, run.id, "expire", reason=runs.LAPSED)
        at = approvals.clock(run.expires_at, click.now)
        return Verdict(False, f"The plan of run {run.id} expired at {at}; nothing was done. Ask again for a fresh one.")
    # stopping must work from any card, however old; everything else is bound to the plan that was looked at
    bound = click.action in ("approve", "reject", "accept", "retry")
    if bound and click.hash is not None and click.hash != run.hash:
        return Verdict(False, f"That was an older plan of run {run.id}; nothing was changed. Look at the newest card.")
    return None


def _carry_out(conn: Conn, click: Click) -> Verdict:
    match click.action:
        case "approve":
            return approving.approve(conn, click)
        case "reject":
            return _reject(conn, click)
        case "abort" | "restore":
            return _reject(conn, click) if click.run.state == "proposed" else _abort(conn, click)
        case "pause":
            return _pause(conn, click)
        case "resume":
            return _resume(conn, click)
        case "retry" if click.run.state in FINISHED:
            return _take_up(conn, click)
        case "retry" | "accept":
            return _go_on(conn, click)
        case _:
            assert_never(click.action)


def _reject(conn: Conn, click: Click) -> Verdict:
    run = click.run
    if run.state != "proposed":
        return Verdict(False, f"Run {run.id} has begun, so it cannot be rejected; abort it, and it puts things back.")
    record(conn, click)
    reason = f"{person(click.actor)} rejected it" + (f": {click.reason}" if click.reason else ".")
    states.move_run(conn, run.id, "reject", reason=reason, actor=click.actor)
    return Verdict(True, f"You rejected run {run.id}; nothing was changed.")


def _abort(conn: Conn, click: Click) -> Verdict:
    run = click.run
    if run.state == "restoring" or run.wanted == "abort":
        return Verdict(False, was(conn, run, ("abort", "restore"), "is putting things back already", click.now))
    record(conn, click)
    _want(conn, run, "abort")
    return Verdict(True, f"Run {run.id} begins nothing more and puts back what it stopped.")


def _pause(conn: Conn, click: Click) -> Verdict:
    run = click.run
    if run.wanted == "pause" or run.state == "paused":
        return Verdict(False, was(conn, run, ("pause",), "is paused already", click.now))
    if run.state != "running" or run.wanted == "abort":
        return Verdict(False, f"Run {run.id} is {_state(run)}, so there is nothing to pause.")
    record(conn, click)
    _want(conn, run, "pause")
    return Verdict(True, f"Run {run.id} pauses as soon as nothing is left half done.")


def _resume(conn: Conn, click: Click) -> Verdict:
    run = click.run
    if run.wanted == "abort" or not (run.state == "paused" or (run.state == "running" and run.wanted == "pause")):
        return Verdict(False, f"Run {run.id} is {_state(run)}, not paused.")
    record(conn, click)
    if run.state == "paused":
        states.move_run(conn, run.id, "resume", reason="", actor=click.actor)
    _want(conn, run, "run")
    return Verdict(True, f"Run {run.id} goes on.")


def _go_on(conn: Conn, click: Click) -> Verdict:
    """Retry what failed, or accept the drift that was found, and continue."""
    run, drifted = click.run, bool(click.run.held and "key" in click.run.held)
    if run.state != "held" or run.wanted == "abort":
        return Verdict(False, f"Run {run.id} is {_state(run)}: there is nothing to {click.action}.")
    if drifted != (click.action == "accept"):
        choice = "accept what was found, or stop and restore" if drifted else "retry, or abort"
        return Verdict(False, f"Run {run.id} is held because {run.reason.rstrip('.')}: {choice}.")
    record(conn, click)
    if drifted:
        conn.execute(_sql["accept_world"], {"run": run.id})
    for row in conn.execute(_sql["failed_steps"], {"run": run.id}).fetchall():
        states.move_step(conn, run.id, "plan", row["number"], "retry", actor=click.actor)
    conn.execute(_sql["forgive"], {"run": run.id})
    states.move_run(conn, run.id, click.action, reason="", actor=click.actor)
    _want(conn, run, "run")
    return Verdict(True, f"Run {run.id} goes on{' from what was found' if drifted else ' and tries again'}.")


def _take_up(conn: Conn, click: Click) -> Verdict:
    """What a run left is for a new one, planned and approved like any other."""
    record(conn, click)
    changed(conn, click.run.id)
    return Verdict(True, f"What is left of run {click.run.id} is planned.", goes_on=runs.first_of(click.run))


def _want(conn: Conn, run: Run, wanted: Literal["run", "pause", "abort"]) -> None:
    conn.execute(_sql["want"], {"run": run.id, "wanted": wanted})
    changed(conn, run.id)


def _over(conn: Conn, click: Click) -> str:
    run = click.run
    if run.state == "rejected":
        return was(conn, run, ("reject", "abort", "restore"), "was rejected", click.now)
    at = f" at {approvals.clock(run.finished_at, click.now)}" if run.finished_at else ""
    ended = "has expired" if run.state == "expired" else f"was {run.state}" if run.state != "failed" else "has failed"
    ended = "has succeeded" if run.state == "succeeded" else ended
    return f"Run {run.id} {ended}{at}; there is nothing left to decide."


def _state(run: Run) -> str:
    match run.state, run.wanted:
        case "proposed", _:
            return "not approved yet"
        case "restoring", _:
            return "putting things back"
        case _, "abort":
            return "about to put things back"
        case _:
            return run.state
