"""How a mirror gets the rows that are there already, and how it is proven while it and its table take more."""

from typing import Any, ClassVar

from runbooks.proof import mirror
from runbooks.proof.chunks import Keys
from runbooks.proof.claim import BUCKETS, packed, unpacked
from runbooks.proof.mirror import Mirrored
from runbooks.proof.sandwich import Digest, judge
from runbooks.site import Site
from runbooks.step import Astray, Done, Progress, Seen, Step, Wait
from runbooks.steps import copying
from runbooks.steps.beside import CreateCopyPipe, Jobs, RemoveRunsCopyPipe
from runbooks.steps.chunks import SMALLER_S, CopyChunks, range_end, smaller, too_slow
from runbooks.steps.copying import Ended, Wish
from runbooks.steps.mirror import mirror_jobs
from runbooks.words import counted
from systems.errors import SystemsError

ROUND_S = 0.5
ROUNDS = 10  # without fewer groups of keys at fault
TRIES = 3
AGAIN_S = 5.0

Memo = dict[str, Any]


class CreateMirrorPipe(CreateCopyPipe):
    """Make the run's copy pipe into the mirror."""

    op: ClassVar[str] = "tinybird.mirror.copy-create/1"

    def title(self) -> str:
        return f"Create the copy pipe that fills the mirror of {self.of.source}"

    def _jobs(self, at: Site) -> Jobs:
        return mirror_jobs(self.of.source, at.run)


class CopyMirror(CopyChunks):
    """Fill the mirror with the rows that were there before it was fed."""

    op: ClassVar[str] = "tinybird.mirror.copy/1"

    def title(self) -> str:
        return f"Copy {self.of.source} into its mirror, in ranges of {self.of.span or 'all rows'}"

    def _jobs(self, at: Site) -> Jobs:
        return mirror_jobs(self.of.source, at.run)


class RemoveMirrorPipe(RemoveRunsCopyPipe):
    """Remove it again, once the mirror is proven."""

    op: ClassVar[str] = "tinybird.mirror.copy-remove/1"

    def title(self) -> str:
        return f"Remove the copy pipe that filled the mirror of {self.source}"

    def _pipe(self, at: Site) -> str:
        return mirror_jobs(self.source, at.run).pipe


class ProveMirror(Step):
    """Prove by value that the mirror holds what the table holds, while both are written to: range after range, a
    round a look. What stays different is copied again: the later of two rows of one version wins."""

    op: ClassVar[str] = "proof.mirror/1"
    gated: ClassVar[bool] = False
    long: ClassVar[bool] = True
    settle_s: ClassVar[float] = 10.0

    of: Mirrored
    rows: int  # of a range, versions counted

    def title(self) -> str:
        return f"Prove by value that the mirror holds what {self.of.copy.source} holds"

    def look(self, at: Site) -> Seen:
        memo: Memo = dict(at.memo) or self._opened(at, {"done": 0, "again": 0, "size": self.rows}, None)
        jobs = mirror_jobs(self.of.copy.source, at.run)
        if "job" in memo:
            ended = copying.awaited(at, jobs, memo)
            if not isinstance(ended, Ended):
                return ended
            memo |= {"rounds": 0, "left": BUCKETS}
            del memo["job"]
            if not ended.well:
                return self._failed(memo, ended)
        try:
            return self._compared(at, jobs, memo)
        except SystemsError as error:
            if not too_slow(error, self.of.copy, memo["size"]):
                raise
        opened = self._opened(at, {**memo, "size": smaller(memo["size"])}, memo["low"])
        return Wait(SMALLER_S, "that took too long: half as much at once", _progress(opened), opened)

    def act(self, at: Site) -> None:
        copying.have(at, mirror_jobs(self.of.copy.source, at.run))

    def _opened(self, at: Site, memo: Memo, low: str | None) -> Memo:
        high = range_end(at, self.of.copy, low, memo["size"])
        kept = {key: memo[key] for key in ("done", "again", "size")}
        return {**kept, "low": low, "high": high, "todo": None, "rounds": 0, "left": BUCKETS, "tries": 0}

    def _compared(self, at: Site, jobs: Jobs, memo: Memo) -> Seen:
        keys, source = Keys(memo["low"], memo["high"]), self.of.copy.source
        before, there = self._digest(at, source, keys), self._digest(at, jobs.table, keys)
        todo = range(BUCKETS) if memo["todo"] is None else unpacked(memo["todo"])
        judged = judge(todo, before, there, self._digest(at, source, keys))
        left = sorted(judged.open | judged.moving)
        if not left:
            return self._next(at, memo, sum(n for n, _ in before.values()))
        rounds = 0 if len(left) < memo["left"] else memo["rounds"] + 1
        memo = memo | {"todo": packed(left), "rounds": rounds, "left": min(len(left), memo["left"])}
        if rounds < ROUNDS or not judged.open:
            why = f"{len(left):,} of {BUCKETS:,} groups of keys differ, perhaps because rows are being written"
            return Wait(ROUND_S, why, _progress(memo), memo)
        if memo["tries"] >= TRIES:
            return Astray(
                f"the mirror of {source} is not what it should be: {len(left):,} groups of keys differ after "
                f"{TRIES} copies; {source} and its readers are as they were",
                memo | {"tries": 0, "rounds": 0, "left": BUCKETS},
            )
        params = {name: memo[name] for name in ("low", "high") if memo[name] is not None}
        begun = {"tries": memo["tries"] + 1, "again": memo["again"] + 1}
        return copying.asked(at, jobs, memo, Wish("copy", "a range is copied again", {"params": params}, begun))

    def _next(self, at: Site, memo: Memo, rows: int) -> Seen:
        memo = memo | {"done": memo["done"] + rows}
        if memo["high"] is not None:
            opened = self._opened(at, memo, memo["high"])
            return Wait(0.0, "the next range of keys", _progress(opened), opened)
        again = f"; {counted(memo['again'], 'range')} copied again" if memo["again"] else ""
        source = self.of.copy.source
        return Done(f"The mirror of {source} is proven by value: {counted(memo['done'], 'row')} equal{again}.")

    def _failed(self, memo: Memo, ended: Ended) -> Seen:
        source = self.of.copy.source
        if memo["tries"] >= TRIES:
            reason = f"a copy into the mirror ended as {ended.status}: {ended.error}; {source} itself is as it was"
            return Astray(reason, memo | {"tries": 0})
        return Wait(AGAIN_S, f"it ended as {ended.status}: {ended.error}; again soon", _progress(memo), memo)

    def _digest(self, at: Site, table: str, keys: Keys) -> Digest:
        found = at.tinybird.sql(mirror.digest(self.of, table, keys))
        return {int(row["b"]): (int(row["n"]), str(row["d"])) for row in found}


def _progress(memo: Memo) -> Progress:
    return Progress(memo["done"], None)
