"""The rows of a copy's last run, deleted before it runs again: those that were counted when it was planned, or none."""

from typing import Any, ClassVar

from runbooks.site import Site
from runbooks.step import Astray, Done, Failed, Seen, Step, Wait
from runbooks.steps import copying
from runbooks.steps.beside import Jobs
from runbooks.steps.copy_jobs import live_jobs
from runbooks.steps.copying import Ended, Wish
from runbooks.words import counted

LOOK_AGAIN_S = 3.0

Memo = dict[str, Any]


class ClearRun(Step):
    """Delete from the target the rows for which ``condition`` holds, if they are as many as when people approved it.
    They do not come back by themselves: the run behind this step makes them again."""

    op: ClassVar[str] = "tinybird.datasource.clear-run/1"
    long: ClassVar[bool] = True
    settle_s: ClassVar[float] = 10.0  # until a job that was made is seen in the list

    pipe: str
    table: str
    condition: str
    rows: int

    def title(self) -> str:
        return f"Delete from {self.table} the {counted(self.rows, 'row')} of the last run of {self.pipe}"

    def reads(self) -> tuple[str, ...]:
        return (f"tinybird/datasource/{self.table}/schema",)

    def look(self, at: Site) -> Seen:
        memo: Memo = dict(at.memo)
        if "job" not in memo:
            return self._before(at, memo)
        ended = copying.awaited(at, self._jobs(), memo)
        if not isinstance(ended, Ended):
            return ended
        left = self._count(at)
        if left == 0:
            return Done(f"Deleted from {self.table}, as the last run of {self.pipe} wrote them: {self._rows()}.")
        if ended.well:
            return Astray(f"the delete is done, and {counted(left, 'row')} of the run are still in {self.table}", {})
        return Failed(f"the delete of {self._rows()} ended as {ended.status}: {ended.error or 'without a reason'}")

    def act(self, at: Site) -> None:
        copying.have(at, self._jobs())

    def _before(self, at: Site, memo: Memo) -> Seen:
        if live_jobs(at, self.pipe):
            return Wait(LOOK_AGAIN_S, f"a run of {self.pipe} is under way; it is awaited", memo=memo)
        found = self._count(at)
        if found != self.rows:
            return Failed(
                f"{self.table} holds {counted(found, 'row')} of the last run of {self.pipe}, and {self._rows()} when "
                "it was planned; nothing was deleted"
            )
        return copying.asked(at, self._jobs(), memo, Wish("delete", "rows are deleted", {"condition": self.condition}))

    def _count(self, at: Site) -> int:
        rows = at.tinybird.sql(f"SELECT toString(count()) AS _n FROM {self.table} WHERE {self.condition}")
        return int(rows[0]["_n"])

    def _rows(self) -> str:
        return counted(self.rows, "row")

    def _jobs(self) -> Jobs:
        return Jobs(pipe="", table=self.table)
