"""Approving: which blocks a click approves, what forbids it, and what becomes of the run (DESIGN §6)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from ledger import approvals, freeze, locks, policy, rests, runs, states, stored
from ledger.connection import Conn
from ledger.deciding import Click, Verdict, changed, record, warned
from ledger.policy import person
from ledger.queries import load
from ledger.values import Decision, Run

_sql = load("decisions")


def approve(conn: Conn, click: Click) -> Verdict:
    """Approve the block or blocks of the click, or say why not. The first one approved begins the run."""
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
        record(conn, click, block=each.number)
    _advance(conn, click, after, approved, starts=starts)
    return Verdict(True, _approved(click, chosen, after, approved, starts=starts))


def _unfit(conn: Conn, click: Click) -> Verdict | None:
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
    conn: Conn, click: Click, blocks: Sequence[approvals.Block], approved: Sequence[approvals.Block], *, starts: bool
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
    acknowledged = sorted({*run.acknowledged, *warned(click)})
    conn.execute(_sql["begin"], {"run": run.id, "acknowledged": stored.json(acknowledged), "starts": starts})
    changed(conn, run.id)


def _approved(
    click: Click,
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


def _resources(run: Run) -> list[str]:
    return [f"{run.environment}/{name}" for name in (run.plan or {}).get("locks", ())]


def _until(run: Run, now: datetime) -> datetime:
    begins = max(now, run.not_before or now)
    return begins + timedelta(seconds=int((run.plan or {}).get("took_s", 0)))


def _elsewhere(held: locks.Held, now: datetime) -> str:
    until = f" until about {approvals.clock(held.until, now)}" if held.until else ""
    return f"Run {held.run} holds {held.resource.partition('/')[2]}{until}; nothing was approved. Try again after it."
