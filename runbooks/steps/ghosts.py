"""Ghosts: keys that a table holds and Postgres no longer has. Deletes arrive as rows, so that a table which was just
made anew has those again that were deleted while it was filled (facts/procedures.md §2.10).

Two walks over the same ranges of keys: one counts, so that nothing is deleted before all of it is known; the next
deletes. Then what is still on its way is waited for and counted once more, as a delete may arrive behind its row.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

from runbooks.proof import source, target
from runbooks.proof.claim import Claim, Range, packed, unpacked
from runbooks.site import Site
from runbooks.step import Astray, Done, Progress, Seen, Step, Todo, Wait
from runbooks.steps import copying
from runbooks.steps.beside import Jobs
from runbooks.steps.copying import Ended, Wish
from runbooks.steps.delivery import COUNTS_APART_S, AwaitDelivery
from runbooks.steps.prove import DRILLED, RANGE_ROWS
from runbooks.words import counted

MOST = 10_000  # right after a rebuild, more are no deletes that came meanwhile: people must look
BATCH_BYTES = 6_000  # of keys in one condition; Tinybird's own limit for SQL is 8 KB, and the memo is stored each look
ROUNDS = 3  # deletes go on in Postgres; what comes after so many is as it always was
TRIES = 3
AGAIN_S = 5.0

Memo = dict[str, Any]
Ghost = tuple[int, str, int]  # bucket, key, version


class DeleteGhosts(Step):
    """Delete by key what Postgres no longer has. Each key is asked for in Postgres in the very look that the delete
    follows, and of its rows only those up to the version that was seen go: a row that comes back meanwhile is newer
    and stays. The proof behind this step finds the rest."""

    op: ClassVar[str] = "tinybird.datasource.delete-ghosts/1"
    gated: ClassVar[bool] = False
    long: ClassVar[bool] = True
    settle_s: ClassVar[float] = 10.0  # until a job that was made is seen in the list

    claim: Claim
    span: Range | None
    topic: str

    def title(self) -> str:
        return f"Delete from {self.claim.datasource} the rows that Postgres no longer has"

    def look(self, at: Site) -> Seen:
        memo = dict(at.memo) or self._walk({"deleting": False, "deleted": 0, "rounds": 0}, at)
        if "job" in memo:
            return self._deleting(at, memo)
        if "emptied" in memo:
            return self._delivered(at, memo)
        return self._compared(at, memo)

    def act(self, at: Site) -> None:
        copying.have(at, self._jobs())

    def _jobs(self) -> Jobs:
        return Jobs(pipe="", table=self.claim.datasource)

    # -- walks

    def _walk(self, memo: Memo, at: Site) -> Memo:
        return self._opened({**memo, "high": None, "ghosts": 0}, at)

    def _opened(self, memo: Memo, at: Site) -> Memo:
        """The range behind the last one."""
        low, high = memo["high"], None
        if self.span:
            found = at.postgres.read(source.bound(self.claim, replace(self.span, low=low), RANGE_ROWS))
            high = str(found[0][0]) if found else None
        left = ("todo", "job", "emptied", "sent")
        return {**{key: value for key, value in memo.items() if key not in left}, "low": low, "high": high}

    def _span(self, memo: Memo) -> Range | None:
        return replace(self.span, low=memo["low"], high=memo["high"]) if self.span else None

    def _compared(self, at: Site, memo: Memo) -> Seen:
        """Some buckets of the range at hand."""
        span = self._span(memo)
        todo = unpacked(memo["todo"]) if "todo" in memo else self._unlike(at, span)
        ghosts = self._ghosts(at, span, todo[:DRILLED])
        counted_still = memo["deleted"] - memo.get("base", 0) < memo["ghosts"]  # deletes go on, and would have no end
        if memo["deleting"] and ghosts and (counted_still or memo.get("last") == _named(ghosts[0])):
            return self._delete(at, memo, ghosts)
        if not memo["deleting"]:
            memo |= {"ghosts": memo["ghosts"] + len(ghosts)}
            if memo["ghosts"] + memo["deleted"] > MOST:
                return self._too_many(memo["deleted"])
        rest = todo[DRILLED:]
        if rest:
            return Wait(0.0, "more keys are compared", _progress(memo), memo | {"todo": packed(rest)})
        if memo["high"] is not None:
            return Wait(0.0, "the next range of keys is compared", _progress(memo), self._opened(memo, at))
        return self._walked(at, memo)

    def _walked(self, at: Site, memo: Memo) -> Seen:
        if memo["deleting"]:
            over = {"deleting": False, "rounds": memo["rounds"] + 1, "emptied": at.now.isoformat()}
            return Wait(COUNTS_APART_S, "what is still on its way is waited for", _progress(memo), memo | over)
        if memo["ghosts"] == 0 or memo["rounds"] == ROUNDS:
            return Done(self._said(memo))
        again = self._walk(memo | {"deleting": True, "base": memo["deleted"]}, at) | {"ghosts": memo["ghosts"]}
        return Wait(0.0, f"{counted(memo['ghosts'], 'row')} gone from Postgres", _progress(again), again)

    def _delivered(self, at: Site, memo: Memo) -> Seen:
        """What was deleted from Postgres before this walk may still come, as a row: Sequin sends it within seconds, and
        then it is in the topic."""
        left = COUNTS_APART_S - (at.now - datetime.fromisoformat(memo["emptied"])).total_seconds()
        if left > 0:
            return Wait(left, "what is still on its way is waited for", _progress(memo), memo)
        arrived = AwaitDelivery(topic=self.topic).look(replace(at, memo=memo.get("sent", {})))
        match arrived:
            case Done():
                return Wait(0.0, "rows that are gone from Postgres are counted again", memo=self._walk(memo, at))
            case Wait():
                return replace(arrived, progress=_progress(memo), memo=memo | {"sent": arrived.memo})
            case _:
                return arrived

    # -- both sides

    def _unlike(self, at: Site, span: Range | None) -> list[int]:
        """Buckets whose keys differ, whatever their versions: Tinybird first, as below."""
        keys = self.claim.of_keys
        there = {int(row["b"]): (int(row["n"]), str(row["d"])) for row in at.tinybird.sql(target.digest(keys, 0, span))}
        here = {int(b): (int(n), str(d)) for b, n, d in at.postgres.read(source.digest(keys, 0, span))}
        return sorted(bucket for bucket, found in there.items() if here.get(bucket) != found)

    def _ghosts(self, at: Site, span: Range | None, buckets: list[int]) -> list[Ghost]:
        """By key, Tinybird first: what Postgres has not a moment later is gone from it. Rows of Postgres without a
        version count too: their keys are there."""
        if not buckets:
            return []
        there = at.tinybird.sql(target.rows(replace(self.claim, fields=()), span, buckets))
        here = {str(row[1]) for row in at.postgres.read(source.rows(self.claim.of_keys, span, buckets))}
        return sorted((int(row["b"]), str(row["k"]), int(row["v"])) for row in there if str(row["k"]) not in here)

    # -- deleting

    def _delete(self, at: Site, memo: Memo, ghosts: list[Ghost]) -> Seen:
        """A batch of them. The same first one again is a delete that is not to be seen yet, or a row that came behind
        it: a moment later it is deleted again, a few times."""
        batch = _batch(ghosts)
        first, size = _named(batch[0]), len(batch)
        if memo["deleted"] + size > MOST:  # more than were counted a moment ago
            return self._too_many(memo["deleted"])
        if memo.get("last") == first:
            if not memo["rested"]:
                return Wait(AGAIN_S, "what was deleted is still to be seen", _progress(memo), memo | {"rested": True})
            if memo["again"] + 1 >= TRIES:
                return Astray(
                    f"{counted(size, 'row')} of {self.claim.datasource} that Postgres no longer has were deleted "
                    f"{TRIES} times and are there again, for example {_readable(batch[0][1])}: something writes them",
                    {},
                )
        kept = {key: value for key, value in memo.items() if key != "todo"}
        condition = target.of_keys(
            self.claim, self._span(memo), [key for _, key, _ in batch], max(v for *_, v in batch)
        )
        why = f"{counted(size, 'row')} that Postgres no longer has {'is' if size == 1 else 'are'} deleted"
        given = {"condition": condition, "first": first, "size": size}
        return copying.asked(at, self._jobs(), kept, Wish("delete", why, given))

    def _deleting(self, at: Site, memo: Memo) -> Seen:
        seen = copying.awaited(at, self._jobs(), memo)
        if isinstance(seen, Todo) and "id" not in memo["job"]:
            return self._confirmed(at, memo)
        if not isinstance(seen, Ended):
            return seen
        job, left = memo["job"], {key: value for key, value in memo.items() if key != "job"}
        if seen.well:
            again = memo["again"] + 1 if memo.get("last") == job["first"] else 0
            size = job["size"] if again == 0 else 0  # counted already
            well = {"last": job["first"], "rested": False, "again": again, "failures": 0}
            left |= well | {"deleted": memo["deleted"] + size}
            return Wait(0.0, "it is looked at again", _progress(left), left)
        failures = memo.get("failures", 0) + 1
        if failures >= TRIES:
            return Astray(
                f"a delete in {self.claim.datasource} ended as {seen.status} {failures} times: "
                f"{seen.error or 'without a reason'}",
                {},
            )
        why = f"it ended as {seen.status}: {seen.error}; again soon"
        return Wait(AGAIN_S, why, _progress(left), left | {"failures": failures})

    def _confirmed(self, at: Site, memo: Memo) -> Seen:
        """The delete was perhaps never begun: before it is, Postgres is asked again."""
        job = memo["job"]
        again = self._compared(at, {key: value for key, value in memo.items() if key != "job"})
        same = isinstance(again, Todo) and (again.memo or {}).get("job", {}).get("condition") == job["condition"]
        return Todo(job["why"], memo) if same else again

    # -- words

    def _too_many(self, deleted: int) -> Astray:
        none = f"{counted(deleted, 'row')} of them were deleted, the others are kept" if deleted else "all are kept"
        return Astray(
            f"{self.claim.datasource} was just filled from Postgres and holds more than {MOST:,} rows that Postgres no "
            f"longer has: more than are deleted meanwhile, so people must look first; {none}. See what was deleted "
            f"from {self.claim.table} and by whom, then try again",
            {},
        )

    def _said(self, memo: Memo) -> str:
        name = self.claim.datasource
        if not memo["deleted"] and not memo["ghosts"]:
            return f"{name} holds no row that Postgres no longer has: nothing was to be deleted."
        said = f"Deleted from {name}, because Postgres no longer has them: {counted(memo['deleted'], 'row')}."
        more = memo["ghosts"]
        return said + (f" {counted(more, 'row')} more went from Postgres since: deletes go on there." if more else "")


def _named(ghost: Ghost) -> str:
    """By bucket and key: known again when it is still there."""
    return f"{ghost[0]}/{ghost[1]}"


def _batch(ghosts: list[Ghost]) -> list[Ghost]:
    """As many as one condition takes, one at least."""
    size, batch = 0, list[Ghost]()
    for ghost in ghosts:
        size += len(ghost[1].encode()) + 4
        if batch and size > BATCH_BYTES:
            break
        batch.append(ghost)
    return batch


def _progress(memo: Memo) -> Progress | None:
    found = memo["ghosts"] if memo["deleting"] or not memo["deleted"] else memo["deleted"]
    return Progress(memo["deleted"], max(found, memo["deleted"])) if found else None


def _readable(key: str) -> str:
    return key.replace("\x1f", "/")[:60]
