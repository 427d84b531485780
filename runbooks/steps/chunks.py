"""A copy in chunks, each proven, only bad ones made again (facts/procedures.md §5).

One way for both steps: a range is compared before it is copied, so that what is there already is not copied twice,
and compared again after. They differ in what they make of a source that moves meanwhile.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from runbooks.proof import chunks
from runbooks.proof.chunks import Copied, Keys
from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Wait
from runbooks.steps import copying
from runbooks.steps.beside import Jobs, beside
from runbooks.steps.copying import Ended, Wish, progress_of
from runbooks.words import counted
from systems.errors import SystemsError

LEAST_ROWS = 1_000
OTHER_RANGES = 0.6  # of the size before: an identical block, inserted again after a delete, may be swallowed
TRIES = 3
AGAIN_S = 5.0
SETTLED_S = 1.0
SMALLER_S = 0.5
QUERY_TIMEOUT = 408  # facts/tinybird.md §6
OVERLAP = timedelta(hours=12)  # versions are the writers' clocks, and messages come late

Memo = dict[str, Any]
Digest = tuple[int, str]


def range_end(at: Site, of: Copied, low: str | None, rows: int) -> str | None:
    """Where a range of about so many rows ends that begins at ``low``; None: with the table."""
    if not of.span:
        return None
    found = at.tinybird.sql(chunks.bound(of, low, rows))
    if found and found[0]["k"] == low:
        found = at.tinybird.sql(chunks.following(of, str(low)))
    return str(found[0]["k"]) if found else None


def too_slow(error: SystemsError, of: Copied, size: int) -> bool:
    """Whether a comparison took longer than a query may, and smaller ranges could help."""
    return error.status == QUERY_TIMEOUT and bool(of.span) and size > LEAST_ROWS


def smaller(size: int) -> int:
    return max(size // 2, LEAST_ROWS)


def since_key(source: str) -> str:
    """Where a run's record has since when what is written to ``source`` may be missing in its copy (ISO)."""
    return f"copied-since/{source}"


class ByRanges(Step):
    """Range after range: compare, copy if need be, compare."""

    gated: ClassVar[bool] = False
    long: ClassVar[bool] = True
    settle_s: ClassVar[float] = 10.0  # until a job that was made is seen in the list

    of: Copied
    rows: int  # of a range, versions counted

    def look(self, at: Site) -> Seen:
        memo = dict(at.memo) or self._begin(at)
        if "job" not in memo:
            return self._in_time(at, memo, lambda: self._compared(at, self._settled(at, memo)))
        ended = copying.awaited(at, self._jobs(at), memo)
        if isinstance(ended, Wait):
            return self._in_time(at, dict(ended.memo or memo), lambda: self._meanwhile(at, ended))
        if not isinstance(ended, Ended):
            return ended
        what = memo.pop("job")["what"]
        if not ended.well:
            return self._in_time(at, memo, lambda: self._failed(at, self._settled(at, memo), what, ended))
        if what == "delete":
            return Wait(SETTLED_S, "the range is empty and is copied in other parts", progress_of(memo), memo)
        return self._in_time(at, memo, lambda: self._arrived(at, memo))

    def _in_time(self, at: Site, memo: Memo, compare: Callable[[], Seen]) -> Seen:
        """Ranges are made smaller until a comparison of one takes no longer than a query may (10 s). What was not
        compared behind the one at hand is compared at rest."""
        try:
            return compare()
        except SystemsError as error:
            if not too_slow(error, self.of, memo["size"]):
                raise
        memo = memo | {"size": smaller(memo["size"])}
        if "behind" in memo:
            memo = {key: value for key, value in memo.items() if key != "behind"} | {"moving": memo["moving"] + 1}
        if "job" not in memo:
            memo = self._opened(at, memo, memo["low"])
        why = f"comparing took too long: {memo['size']:,} rows at once from here on"
        return Wait(SMALLER_S, why, progress_of(memo), memo)

    def act(self, at: Site) -> None:
        copying.have(at, self._jobs(at))

    def _jobs(self, at: Site) -> Jobs:
        return beside(at, self.of.source)

    # -- ranges

    def _begin(self, at: Site) -> Memo:
        count = f"SELECT toString(count()) AS n FROM {chunks.ch_name(self.of.source)}"
        total = int(at.tinybird.sql(count)[0]["n"])
        memo = {
            "began": at.now.isoformat(),
            "total": total,
            "done": 0,
            "ranges": 0,
            "moving": 0,
            "copied": 0,
            "again": 0,
        }
        return self._opened(at, memo | {"size": self.rows}, None)

    def _opened(self, at: Site, memo: Memo, low: str | None) -> Memo:
        """The range that begins at ``low``; a value of the span is never parted."""
        high = range_end(at, self.of, low, memo["size"])
        kept = {key: value for key, value in memo.items() if key not in ("before", "emptied", "ahead")}
        return {**kept, "low": low, "high": high, "tries": 0}

    def _next(self, at: Site, memo: Memo, rows: int) -> Seen:
        memo = memo | {"done": memo["done"] + rows, "ranges": memo["ranges"] + 1, "failures": 0, "deletes": 0}
        if memo["high"] is None:
            return self._done(at, memo)
        opened = self._opened(at, memo, memo["high"])
        return Wait(0.0, "the next range of keys", progress_of(opened), opened)

    # -- while a job works: nothing, unless more than one range is at hand

    def _meanwhile(self, at: Site, wait: Wait) -> Wait:
        return wait

    def _arrived(self, at: Site, memo: Memo) -> Seen:
        return self._compared(at, memo)

    def _settled(self, at: Site, memo: Memo) -> Memo:
        return memo

    # -- comparing

    def _both(self, at: Site, low: str | None, high: str | None) -> tuple[Digest, Digest]:
        """What the range is in the copy, and then what it should be."""
        keys = Keys(low, high)
        there = self._target(at, keys)
        return there, self._source(at, keys)

    def _target(self, at: Site, keys: Keys) -> Digest:
        return self._digest(at, chunks.target_digest(self.of, self._jobs(at).table, keys))

    def _source(self, at: Site, keys: Keys) -> Digest:
        return self._digest(at, chunks.source_digest(self.of, keys))

    def _compared(self, at: Site, memo: Memo) -> Seen:
        there, here = self._both(at, memo["low"], memo["high"])
        if here == there:
            return self._next(at, memo, here[0])
        if memo.get("emptied") and there[0]:
            return Wait(SETTLED_S, "what was deleted is still to be seen", progress_of(memo), memo)
        if not memo["tries"]:
            return self._copied(at, memo, here)
        return self._unlike(at, memo, here, there)

    def _copied(self, at: Site, memo: Memo, here: Digest) -> Seen:
        params = {name: memo[name] for name in ("low", "high") if memo[name] is not None}
        why = f"{self._keys(memo)} are copied" + (f", for the {memo['tries'] + 1}. time" if memo["tries"] else "")
        first = memo["copied"] + (memo["tries"] == 0)
        begun = {"tries": memo["tries"] + 1, "copied": first, "before": list(here), "emptied": False}
        return copying.asked(at, self._jobs(at), memo, Wish("copy", why, {"params": params}, begun))

    def _unlike(self, at: Site, memo: Memo, here: Digest, there: Digest) -> Seen:
        raise NotImplementedError

    def _repaired(self, at: Site, memo: Memo, here: Digest, there: Digest) -> Seen:
        """Only this range, again: appended, or emptied first where it holds too much or appending did not help."""
        if memo["tries"] > TRIES or memo.get("deletes", 0) > TRIES:
            return Astray(
                f"the copy of {self.of.source} is not what it should be: {self._keys(memo)} have "
                f"{counted(there[0], 'row')}, and {counted(here[0], 'row')} were copied {memo['tries']} times; "
                f"{self._kept()}",
                memo | {"tries": 0, "deletes": 0},
            )
        memo = memo | {"again": memo["again"] + (memo["tries"] == 1)}
        if there[0] <= here[0] and memo["tries"] < TRIES and self.of.target_final:
            return self._copied(at, memo, here)
        size = max(int(memo["size"] * OTHER_RANGES), LEAST_ROWS)
        parted = self._opened(at, memo | {"size": size}, memo["low"])
        emptied = parted | {"emptied": True, "deletes": memo.get("deletes", 0) + 1}
        condition = chunks.within(self.of, Keys(memo["low"], memo["high"]))
        why = f"{self._keys(memo)} are deleted from the copy, to be copied in other parts"
        return copying.asked(at, self._jobs(at), memo, Wish("delete", why, {"condition": condition}, emptied))

    def _failed(self, at: Site, memo: Memo, what: str, ended: Ended) -> Seen:
        """A job that timed out is made smaller; any other failure is tried again, a few times."""
        failures = memo.get("failures", 0) + 1
        if ended.slow and self.of.span and memo["size"] > LEAST_ROWS:
            opened = self._opened(at, memo | {"size": smaller(memo["size"])}, memo["low"])
            return Wait(0.0, "that took too long: half as much at once", progress_of(memo), opened)
        if failures >= TRIES:
            return Astray(
                f"a {what} of {self._keys(memo)} ended as {ended.status} {failures} times: "
                f"{ended.error or 'without a reason'}; {self._kept()}",
                memo | {"failures": 0, "tries": 0},
            )
        again = memo | {"failures": failures, "tries": max(memo["tries"] - 1, 0)}
        return Wait(AGAIN_S, f"it ended as {ended.status}: {ended.error}; again soon", progress_of(memo), again)

    def _done(self, at: Site, memo: Memo) -> Seen:
        raise NotImplementedError

    def _kept(self) -> str:
        """What holds though this step goes no further."""
        return f"{self.of.source} itself is as it was"

    def _digest(self, at: Site, sql: str) -> Digest:
        row = at.tinybird.sql(sql)[0]
        return int(row["n"]), str(row["d"])

    def _keys(self, memo: Memo) -> str:
        if self.of.span is None or (memo["low"] is None and memo["high"] is None):
            return "all rows"
        if memo["low"] is None:
            return f"rows with {self.of.span} below {memo['high']}"
        return f"rows with {self.of.span} from {memo['low']}" + (f" to {memo['high']}" if memo["high"] else "")


class CopyChunks(ByRanges):
    """Fill the table beside while writes go on. A range that stood still is proven; one that was written to meanwhile
    is compared again when everything stands still. Fewer rows than there were before the copy is no writing: such a
    range is copied again at once. While one range is copied the next is looked at and the last one is compared, so
    that from one job to the next little time passes."""

    op: ClassVar[str] = "tinybird.copy.chunks/1"

    def title(self) -> str:
        return f"Copy {self.of.source} into the table beside it, in proven ranges of {self.of.span or 'all rows'}"

    def _meanwhile(self, at: Site, wait: Wait) -> Wait:
        memo = dict(wait.memo or {})
        if "behind" in memo:
            return replace(wait, after=0.0, memo=self._half_settled(at, memo) or self._settled(at, memo))
        if "ahead" in memo or "bad" in memo or memo["high"] is None or memo["tries"] != 1:
            return wait
        ahead = self._opened(at, memo, memo["high"])
        there, here = self._both(at, ahead["low"], ahead["high"])
        found = {"low": ahead["low"], "high": ahead["high"], "before": list(here), "same": here == there}
        return replace(wait, after=0.0, memo=memo | {"ahead": found})

    def _arrived(self, at: Site, memo: Memo) -> Seen:
        """On to the next range at once; what was just copied is compared while that one is."""
        memo = self._settled(at, memo)
        ahead = memo.get("ahead")
        if ahead is None or ahead["same"] or "bad" in memo or memo["tries"] != 1:
            return self._compared(at, memo)
        behind = {key: memo[key] for key in ("low", "high", "before")}
        kept = {key: value for key, value in memo.items() if key != "ahead"}
        onward = {**kept, "behind": behind, "low": ahead["low"], "high": ahead["high"], "tries": 0}
        return self._copied(at, onward, (int(ahead["before"][0]), str(ahead["before"][1])))

    def _half_settled(self, at: Site, memo: Memo) -> Memo | None:
        """The range behind as it is in the copy: one digest a look, so that the end of a job is seen between them. None
        if that is known already."""
        behind: Memo = memo["behind"]
        if "there" in behind:
            return None
        there = self._target(at, Keys(behind["low"], behind["high"]))
        return memo | {"behind": {**behind, "there": list(there)}}

    def _settled(self, at: Site, memo: Memo) -> Memo:
        """The range behind compared. A bad one is gone back to when the one at hand is done; the counts go back too."""
        if "behind" not in memo:
            return memo
        behind: Memo = dict(memo["behind"])
        memo = {key: value for key, value in memo.items() if key != "behind"}
        keys, known = Keys(behind["low"], behind["high"]), behind.pop("there", None)
        there = (int(known[0]), str(known[1])) if known else self._target(at, keys)
        here = self._source(at, keys)
        if here != there and _bad(behind, here, there):
            counts = {key: memo[key] for key in ("done", "ranges", "moving")}
            return memo | {"bad": {**behind, **counts, "tries": 1}}
        moving = memo["moving"] + (here != there)
        return memo | {"done": memo["done"] + there[0], "ranges": memo["ranges"] + 1, "moving": moving}

    def _next(self, at: Site, memo: Memo, rows: int) -> Seen:
        if "bad" not in memo:
            return super()._next(at, memo, rows)
        back = {key: value for key, value in memo.items() if key != "bad"} | memo["bad"]
        return Wait(0.0, "a range that was copied badly is gone back to", progress_of(back), back)

    def _unlike(self, at: Site, memo: Memo, here: Digest, there: Digest) -> Seen:
        if _bad(memo, here, there):
            return self._repaired(at, memo, here, there)
        return self._next(at, memo | {"moving": memo["moving"] + 1}, there[0])

    def _done(self, at: Site, memo: Memo) -> Done:
        parts = [
            f"{counted(memo['done'], 'row')} of {self.of.source} are copied in {counted(memo['ranges'], 'range')}."
        ]
        if memo["again"]:
            parts.append(f"{counted(memo['again'], 'range')} copied again.")
        if memo["moving"]:
            parts.append(f"Written to meanwhile, so compared once more later: {counted(memo['moving'], 'range')}.")
        since = (datetime.fromisoformat(memo["began"]) - OVERLAP).astimezone(UTC)
        return Done(" ".join(parts), {since_key(self.of.source): since.isoformat()})


class ProveCopy(ByRanges):
    """Prove that the table beside holds what the table holds, every range by value, while nothing is written; what
    differs is copied again. This covers too what was deleted from the source since the copy began."""

    op: ClassVar[str] = "proof.copy/1"

    def title(self) -> str:
        return f"Prove by value that the copy holds what {self.of.source} holds"

    def _unlike(self, at: Site, memo: Memo, here: Digest, there: Digest) -> Seen:
        return self._repaired(at, memo, here, there)

    def _done(self, at: Site, memo: Memo) -> Done:
        again = f"; {counted(memo['copied'], 'range')} copied again" if memo["copied"] else ""
        said = f"The copy of {self.of.source} is proven by value: {counted(memo['done'], 'row')} equal{again}."
        return Done(said, {"proven": [self.of.source]})


def _bad(memo: Memo, here: Digest, there: Digest) -> bool:
    """Whether a copy that differs is at fault itself: the source stood still, or had more rows before already."""
    before = (int(memo["before"][0]), str(memo["before"][1]))
    return here == before or there[0] < before[0]
