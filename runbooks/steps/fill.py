"""A new column's values computed in a live table: rows are copied into the table itself, a moment newer, so that they
replace themselves and every live write still wins (facts/procedures.md §4, the last)."""

from typing import Any, ClassVar

from runbooks.proof import filling
from runbooks.proof.chunks import Copied, Keys
from runbooks.proof.filling import Fill
from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo, Wait
from runbooks.steps import copying
from runbooks.steps.beside import RemoveCopyPipe, on_demand, remove, removed
from runbooks.steps.chunks import AGAIN_S, TRIES, ByRanges
from runbooks.steps.copying import Jobs, Wish, progress_of
from runbooks.words import counted

WALKS = 5  # over all ranges: each finds what came late, and the last one must find nothing

Memo = dict[str, Any]


def fill_name(name: str, run: int) -> str:
    return f"{name}__fill_run_{run}"


class FillInPlace(ByRanges):
    """Write again, by ranges, the rows that still hold the default though the expression gives another value, until a
    walk over all ranges finds none. Rows that are newer than its beginning belong to those who write them. It makes
    its copy pipe itself, so that another run can go on where this one ended."""

    op: ClassVar[str] = "tinybird.copy.fill/1"
    gated: ClassVar[bool] = True

    of: Copied
    fills: tuple[Fill, ...]

    def title(self) -> str:
        return f"Compute {_named(self.fills)} for the rows that {self.of.source} has, where it stands"

    def reads(self) -> tuple[str, ...]:
        return (f"tinybird/datasource/{self.of.source}/schema",)

    def remember(self, at: Site) -> Step | None:
        return RemoveCopyPipe(pipe=fill_name(self.of.source, at.run))

    def look(self, at: Site) -> Seen:
        lacking = None if "job" in at.memo else self._pipe(at)
        return lacking or super().look(at)

    def act(self, at: Site) -> None:
        if "job" in at.memo:
            copying.have(at, self._jobs(at))
            return
        name, sql = fill_name(self.of.source, at.run), filling.pipe_sql(self.of, self.fills)
        at.tinybird.put_pipe(on_demand(name, sql, self.of.source, at.run))

    def _pipe(self, at: Site) -> Todo | Astray | None:
        name = fill_name(self.of.source, at.run)
        found = at.tinybird.pipe(name)
        if found is None:
            return Todo(f"the copy pipe {name} is made")
        into = at.tinybird.datasource(found.copy_target or "")
        sql = filling.pipe_sql(self.of, self.fills)
        if (
            len(found.nodes) != 1
            or found.nodes[0].sql.strip() != sql.strip()
            or not into
            or into.name != self.of.source
        ):
            return Astray(f"a pipe {name} is there that is not this run's: its SQL or its target is another")
        return None

    # -- what ranges are asked for

    def _jobs(self, at: Site) -> Jobs:
        return Jobs(pipe=fill_name(self.of.source, at.run), table=self.of.source)

    def _begin(self, at: Site) -> Memo:
        until = int(at.tinybird.sql(filling.now())[0]["n"])
        return super()._begin(at) | {"until": until, "walk": 1, "filled": 0, "written": 0, "others": 0}

    def _compared(self, at: Site, memo: Memo) -> Seen:
        row = at.tinybird.sql(filling.counts(self.of, self.fills, Keys(memo["low"], memo["high"]), memo["until"]))[0]
        rows, todo, other = int(row["n"]), int(row["todo"]), int(row["other"])
        if not todo:
            return self._next(at, memo | {"others": memo["others"] + other}, rows)
        if memo["tries"] >= TRIES:
            return Astray(
                f"{counted(todo, 'row')} of {self.of.source} ({self._keys(memo)}) still hold the default of "
                f"{_named(self.fills)} after {TRIES} copies that ended well; {self._kept()}",
                memo | {"tries": 0},
            )
        deletes = self._deletes(at)
        if any(deletes.values()):
            why = f"rows are being deleted from {self.of.source}: what is copied meanwhile would come back"
            return Wait(AGAIN_S, why, progress_of(memo), memo)
        first = memo["tries"] == 0
        begun = {
            "tries": memo["tries"] + 1,
            "filled": memo["filled"] + first,
            "written": memo["written"] + (todo if first else 0),
        }
        params = {name: memo[name] for name in ("low", "high") if memo[name] is not None}
        given = {"params": params | {filling.UNTIL: str(memo["until"])}, "deletes": sorted(deletes)}
        why = f"{counted(todo, 'row')} of {self._keys(memo)} {'is' if todo == 1 else 'are'} written again"
        return copying.asked(at, self._jobs(at), memo, Wish("copy", why, given, begun))

    def _arrived(self, at: Site, memo: Memo) -> Seen:
        """A row that was read before it was deleted is written behind the delete, and stands there again."""
        new = sorted(set(self._deletes(at)) - set(at.memo["job"]["deletes"]))
        if new:
            return Astray(
                f"rows were deleted from {self.of.source} (job {', '.join(new)}) while {self._keys(memo)} were written "
                f"again: some of them may be back. Have them deleted once more, then try again; {self._kept()}",
                memo,
            )
        return self._compared(at, memo)

    def _deletes(self, at: Site) -> dict[str, bool]:
        """The jobs that delete rows of the table, and whether each is still at it."""
        jobs = at.tinybird.jobs(kind="delete_data")
        return {job.id: job.live for job in jobs if job.datasource == self.of.source}

    def _done(self, at: Site, memo: Memo) -> Seen:
        if not memo["filled"]:
            return Done(self._said(memo), {"proven": [self.of.source]})
        if memo["walk"] >= WALKS:
            return Astray(
                f"rows that are older than the beginning of this keep coming into {self.of.source} without "
                f"{_named(self.fills)}: {counted(memo['filled'], 'range')} had such at the {WALKS}th look; "
                f"{self._kept()}",
                {},
            )
        again = memo | {"walk": memo["walk"] + 1, "filled": 0, "others": 0, "done": 0, "ranges": 0}
        opened = self._opened(at, again, None)
        return Wait(0.0, "every range is compared once more", progress_of(opened), opened)

    def _kept(self) -> str:
        return "what was computed stays, and all other values are as they were"

    def _said(self, memo: Memo) -> str:
        of, name = self.of.source, _named(self.fills)
        parts = [
            f"{name} was computed for {counted(memo['written'], 'row')} of {of}, each written again a moment newer."
        ]
        if not memo["written"]:
            parts = [f"No row of {of} holds the default where {name} is something else: nothing was written."]
        parts.append(
            f"All {counted(memo['ranges'], 'range')} compared: no row that is older holds the default instead."
        )
        if memo["others"]:
            parts.append(f"Another value, given by who writes: {counted(memo['others'], 'row')}, left as found.")
        return " ".join(parts)


class RemoveFillPipe(Step):
    """Remove the copy pipe with which this run filled the table, with no job of it under way."""

    op: ClassVar[str] = "tinybird.copy.remove-fill/1"
    gated: ClassVar[bool] = False
    settle_s: ClassVar[float] = 5.0

    source: str

    def title(self) -> str:
        return f"Remove the copy pipe of this run, which copies {self.source} into itself"

    def look(self, at: Site) -> Seen:
        return removed(at, fill_name(self.source, at.run))

    def act(self, at: Site) -> None:
        remove(at, fill_name(self.source, at.run))


def _named(fills: tuple[Fill, ...]) -> str:
    return ", ".join(fill.name for fill in fills)
