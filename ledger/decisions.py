"""Decisions: what people may and do decide on a run. Every surface ends here.

A decision, its transition and its audit line are one transaction, made under the run's row lock, so that of two
who decide at once the second sees what the first has done.

*Approve*, *reject*, *resume*, *retry* and *accept* change the run's state here. *Pause*, *abort* and *restore*
say what is wanted: from then on no effect begins, and the next tick, which knows whether an effect is under way
and whether a hold forbids a pause, changes the state.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, assert_never

from config.settings import Rules
from ledger import approvals, audit, freeze, locks, messages, policy, rests, runs, states, stored
from ledger.connection import Conn, calendar
from ledger.errors import NoSuchRun
from ledger.policy import Action, Actor, Denied, person
from ledger.queries import load
from ledger.values import FINISHED, Decision, Run

Decided = Literal["approve", "reject", "pause", "resume", "abort", "retry", "revert", "accept", "restore"]

_sql = load("decisions")


@dataclass(frozen=True)
class Verdict:
    """``said`` is one plain sentence for the actor. ``unacknowledged`` are the slugs of the warnings that an
    approval must name and did not. After an accepted one ring ``tick`` for the run and ``publish`` for
    ``messages.behind_of(conn, run)``. ``goes_on``: a retry of a run that is over; in the same transaction a new run
    is to be created that ``finishes`` this one."""

    accepted: bool
    said: str
    unacknowledged: tuple[str, ...] = ()
    goes_on: int | None = None


@dataclass(frozen=True)
class _Click:
    """What is decided, on a run that is locked; ``now`` is the calendar's."""

    rules: Rules
    actor: str
    action: Decided
    run: Run
    now: datetime
    block: int | None
    up_to: int | None
    hash: str | None
    inbox: int | None
    reason: str
    acknowledge: tuple[str, ...]


def may(rules: Rules, actor: Actor, action: Action) -> Verdict:
    """Whether the actor may do what is not about one run: ``request``, ``freeze``, ``unfreeze``."""
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
        click = _Click(rules, actor.id, action, row, now, block, up_to, hash, inbox, said, tuple(acknowledge))
        return _refused(conn, click) or _carry_out(conn, click)


def _refused(conn: Conn, click: _Click) -> Verdict | None:
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


def _carry_out(conn: Conn, click: _Click) -> Verdict:
    match click.action:
        case "approve":
            return _approve(conn, click)
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
        case "revert":
            return Verdict(False, f"Run {click.run.id} is not over; abort it, and it puts things back.")
        case _:
            assert_never(click.action)


def _approve(conn: Conn, click: _Click) -> Verdict:
    run, rules, now = click.run, click.rules, click.now
    if run.state == "restoring" or run.wanted == "abort":
        return Verdict(False, f"Run {run.id} is putting things back; nothing more can be approved.")
    steps = runs.steps_of(conn, run.id)
    blocks = approvals.blocks_of(run, steps, runs.decisions_of(conn, run.id), rules, now)
    chosen = approvals.chosen(blocks, click.actor, click.block, click.up_to, now)
    if isinstance(chosen, str):
        return Verdict(False, chosen)
    refusal = _unfit(conn, click)
    if refusal:
        return refusal
    # what the approvals will make of the blocks is known before anything is written: the lock may be another's
    new = [
        Decision(0, run.id, each.number, "approve", click.actor, run.hash, "", None, now, None, ()) for each in chosen
    ]
    after = approvals.blocks_of(run, steps, [*runs.decisions_of(conn, run.id), *new], rules, now)
    approved = approvals.newly_approved(after)
    starts = run.state == "proposed" and bool(approved)
    if starts:
        held = locks.take_long(conn, run.id, _resources(run), _until(run, now))
        if held:
            return Verdict(False, _elsewhere(held, now))
    for each in chosen:
        _record(conn, click, block=each.number)
    _advance(conn, click, after, approved, starts=starts)
    return Verdict(True, _approved(click, chosen, after, approved, starts=starts))


def _unfit(conn: Conn, click: _Click) -> Verdict | None:
    """What forbids an approval of this plan, whoever gives it."""
    run = click.run
    errors = approvals.hazards(run, "error")
    if errors:
        first = errors[0]
        more = f" ({len(errors) - 1} more on the card)" if len(errors) > 1 else ""
        return Verdict(False, f"Run {run.id} cannot be approved: {first['message']} {first['fix']}{more}")
    open_slugs = {hazard["slug"] for hazard in approvals.hazards(run, "warning")} - {*run.acknowledged}
    missing = tuple(sorted(open_slugs - {*click.acknowledge}))
    if missing:
        what = ", ".join(missing)
        return Verdict(
            False, f"Run {run.id} has warnings that must be acknowledged with the approval: {what}.", missing
        )
    frozen = freeze.standing(conn, run.environment)
    if frozen:
        why = f" ({frozen.reason})" if frozen.reason else ""
        by = f"{person(frozen.actor)} at {approvals.clock(frozen.at, click.now)}{why}"
        return Verdict(False, f"{run.environment} was frozen by {by}; nothing can be approved until it is unfrozen.")
    return None


def _advance(
    conn: Conn, click: _Click, blocks: Sequence[approvals.Block], approved: Sequence[approvals.Block], *, starts: bool
) -> None:
    """Make the steps of approved blocks ready, gate the block after them and have the run looked at."""
    run = click.run
    for block in approved:
        states.move_block(conn, run.id, block.number, "gate")
        states.move_block(conn, run.id, block.number, "approve")
    done = {block.number for block in approved}
    following = next((block for block in blocks if not block.approved and block.number not in done), None)
    if following:
        states.move_block(conn, run.id, following.number, "gate")
    if starts:
        states.move_run(conn, run.id, "approve", reason="", actor=click.actor)
        rests.take_over(conn, run)
    acknowledged = sorted({*run.acknowledged, *_warned(click)})
    conn.execute(_sql["begin"], {"run": run.id, "acknowledged": stored.json(acknowledged), "starts": starts})
    _changed(conn, run.id)


def _reject(conn: Conn, click: _Click) -> Verdict:
    run = click.run
    if run.state != "proposed":
        return Verdict(False, f"Run {run.id} has begun, so it cannot be rejected; abort it, and it puts things back.")
    _record(conn, click)
    reason = f"{person(click.actor)} rejected it" + (f": {click.reason}" if click.reason else ".")
    states.move_run(conn, run.id, "reject", reason=reason, actor=click.actor)
    return Verdict(True, f"You rejected run {run.id}; nothing was changed.")


def _abort(conn: Conn, click: _Click) -> Verdict:
    run = click.run
    if run.state == "restoring" or run.wanted == "abort":
        return Verdict(False, _was(conn, run, ("abort", "restore"), "is putting things back already", click.now))
    _record(conn, click)
    _want(conn, run, "abort")
    return Verdict(True, f"Run {run.id} begins nothing more and puts back what it stopped.")


def _pause(conn: Conn, click: _Click) -> Verdict:
    run = click.run
    if run.wanted == "pause" or run.state == "paused":
        return Verdict(False, _was(conn, run, ("pause",), "is paused already", click.now))
    if run.state != "running" or run.wanted == "abort":
        return Verdict(False, f"Run {run.id} is {_state(run)}, so there is nothing to pause.")
    _record(conn, click)
    _want(conn, run, "pause")
    return Verdict(True, f"Run {run.id} pauses as soon as nothing is left half done.")


def _resume(conn: Conn, click: _Click) -> Verdict:
    run = click.run
    if run.wanted == "abort" or not (run.state == "paused" or (run.state == "running" and run.wanted == "pause")):
        return Verdict(False, f"Run {run.id} is {_state(run)}, not paused.")
    _record(conn, click)
    if run.state == "paused":
        states.move_run(conn, run.id, "resume", reason="", actor=click.actor)
    _want(conn, run, "run")
    return Verdict(True, f"Run {run.id} goes on.")


def _go_on(conn: Conn, click: _Click) -> Verdict:
    """Retry what failed, or accept the drift that was found, and continue."""
    run, drifted = click.run, bool(click.run.held and "key" in click.run.held)
    if run.state != "held" or run.wanted == "abort":
        return Verdict(False, f"Run {run.id} is {_state(run)}: there is nothing to {click.action}.")
    if drifted != (click.action == "accept"):
        choice = "accept what was found, or stop and restore" if drifted else "retry, or abort"
        return Verdict(False, f"Run {run.id} is held because {run.reason.rstrip('.')}: {choice}.")
    _record(conn, click)
    if drifted:
        conn.execute(_sql["accept_world"], {"run": run.id})
    for row in conn.execute(_sql["failed_steps"], {"run": run.id}).fetchall():
        states.move_step(conn, run.id, "plan", row["number"], "retry", actor=click.actor)
    conn.execute(_sql["forgive"], {"run": run.id})
    states.move_run(conn, run.id, click.action, reason="", actor=click.actor)
    _want(conn, run, "run")
    return Verdict(True, f"Run {run.id} goes on{' from what was found' if drifted else ' and tries again'}.")


def _take_up(conn: Conn, click: _Click) -> Verdict:
    """What a run left is for a new one, planned and approved like any other."""
    _record(conn, click)
    _changed(conn, click.run.id)
    return Verdict(True, f"What is left of run {click.run.id} is planned.", goes_on=runs.first_of(click.run))


def _record(conn: Conn, click: _Click, block: int | None = None) -> None:
    approving = click.action == "approve"
    warned = _warned(click) if approving else []
    values = {
        "run": click.run.id,
        "block": block,
        "action": click.action,
        "actor": click.actor,
        "hash": click.run.hash,
        "reason": click.reason,
        "inbox": click.inbox,
        "until": click.now + timedelta(seconds=click.rules.approval_life_s) if approving else None,
        "acknowledged": stored.json(warned),
    }
    conn.execute(_sql["insert"], values)
    detail = {"decision": click.action, "block": block, "hash": click.run.hash, "reason": click.reason}
    subject = messages.run_ref(click.run.id)
    audit.append(conn, actor=click.actor, action="decide", subject=subject, detail={**detail, "acknowledged": warned})


def _warned(click: _Click) -> list[str]:
    """The warnings of this plan that this click acknowledges."""
    return sorted({hazard["slug"] for hazard in approvals.hazards(click.run, "warning")} & {*click.acknowledge})


def _want(conn: Conn, run: Run, wanted: Literal["run", "pause", "abort"]) -> None:
    conn.execute(_sql["want"], {"run": run.id, "wanted": wanted})
    _changed(conn, run.id)


def _changed(conn: Conn, run: int) -> None:
    messages.touch(conn, messages.run_ref(run))


def _resources(run: Run) -> list[str]:
    return [f"{run.environment}/{name}" for name in (run.plan or {}).get("locks", ())]


def _until(run: Run, now: datetime) -> datetime:
    begins = max(now, run.not_before or now)
    return begins + timedelta(seconds=int((run.plan or {}).get("took_s", 0)))


def _elsewhere(held: locks.Held, now: datetime) -> str:
    until = f" until about {approvals.clock(held.until, now)}" if held.until else ""
    return f"Run {held.run} holds {held.resource.partition('/')[2]}{until}; nothing was approved. Try again after it."


def _approved(
    click: _Click,
    chosen: Sequence[approvals.Block],
    blocks: Sequence[approvals.Block],
    approved: Sequence[approvals.Block],
    *,
    starts: bool,
) -> str:
    run = click.run
    said = f"You approved {approvals.spoken([step for each in chosen for step in each.steps])} of run {run.id}"
    done = {block.number for block in approved}
    lacking = [block for block in blocks if block.number in {each.number for each in chosen} - done]
    if lacking:
        missing = max(1, lacking[0].needed - len(lacking[0].approvals))
        return f"{said}; {approvals.people(missing)} must approve {approvals.spoken(lacking[0].steps)} too."
    if run.not_before and run.not_before > click.now:
        return f"{said}; it begins at {approvals.clock(run.not_before, click.now)}."
    shut = policy.outside_windows(click.rules, click.now)
    if shut:
        return f"{said}; it begins when the window opens ({shut})."
    return f"{said}; it begins now." if starts else f"{said}."


def _over(conn: Conn, click: _Click) -> str:
    run = click.run
    if run.state == "rejected":
        return _was(conn, run, ("reject", "abort", "restore"), "was rejected", click.now)
    at = f" at {approvals.clock(run.finished_at, click.now)}" if run.finished_at else ""
    if click.action == "revert" and run.state == "succeeded":
        return f"Run {run.id} keeps nothing aside that could be put back; ask for the opposite migration instead."
    ended = "has expired" if run.state == "expired" else f"was {run.state}" if run.state != "failed" else "has failed"
    ended = "has succeeded" if run.state == "succeeded" else ended
    return f"Run {run.id} {ended}{at}; there is nothing left to decide."


def _was(conn: Conn, run: Run, actions: Sequence[str], what: str, now: datetime) -> str:
    """ "Run 7 is paused already, by @ben at 10:02 UTC." """
    made = [decision for decision in runs.decisions_of(conn, run.id) if decision.action in actions]
    by = f", by {person(made[-1].actor)} at {approvals.clock(made[-1].at, now)}" if made else ""
    return f"Run {run.id} {what}{by}."


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
