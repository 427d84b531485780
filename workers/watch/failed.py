"""The last run that came to an end failed. A cancelled run says nothing.

A run refused for the quota is no failure by itself: the next one may find a slot. Three in a row are one, by the team's
own rule (facts/estate.md §0). Where a pipe has no schedule nobody waits for its next run: a failure is
forgotten after two days.
"""

from ledger.incidents import Found
from runbooks.copies.causes import why
from systems.tinybird_causes import cause_of
from workers.watch.history import Ran
from workers.watch.watched import Watched

QUOTA_RUNS = 3
_FORGOTTEN_S = 48 * 3600.0


def found(w: Watched) -> Found | None:
    failures = _failures(w.history.finished)
    if not failures:
        return None
    first, last = failures[0], failures[-1]
    at = last.ended or last.created
    if w.history.schedule == "none" and w.now - at > _FORGOTTEN_S:
        return None
    reason = why(last.error)
    said = f"The copy {w.pipe.name} failed in {w.environment} at {w.clock(at)}: {reason.words}."
    if len(failures) > 1:
        said += f" It has failed {len(failures)} times in a row, since {w.clock(first.ended or first.created)}."
    return w.fault(
        "failed", first.ended or first.created, said, cause=reason.cause, raw=reason.raw, job=last.id
    )  # fmt: skip


def _failures(finished: tuple[Ran, ...]) -> list[Ran]:
    """The failures that the finished runs end with; none if the last of them was good. Refusals for the quota count
    once there are enough."""
    failures: list[Ran] = []
    for run in reversed(finished):
        if run.status != "error":
            break
        failures.insert(0, run)
    refused = 0
    while refused < len(failures) and cause_of(failures[-1 - refused].error) == "quota":
        refused += 1
    return failures if refused >= QUOTA_RUNS else failures[: len(failures) - refused]
