"""What an append copy missed while it stood still: copied by a pipe of the run's own and proven by key
(facts/procedures.md §2.7)."""

from datetime import datetime
from typing import Any, ClassVar

from runbooks.proof.gap import Gap, as_parameter, missing
from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo, Wait
from runbooks.steps import copying
from runbooks.steps.beside import RemoveCopyPipe, remove, removed
from runbooks.steps.copies import LOOK_AGAIN_S
from runbooks.steps.copy_jobs import no_slot
from runbooks.words import counted

TRIES = 3
_KEY = "gap/"

Memo = dict[str, Any]


def gap_name(pipe: str, run: int) -> str:
    return f"{pipe}__gap_run_{run}"


def gap_key(pipe: str) -> str:
    """Under which a run's record has when the copy was paused."""
    return f"{_KEY}{pipe}"


def paused_pipe(key: str) -> str | None:
    """The copy that such a key is of."""
    return key.removeprefix(_KEY) if key.startswith(_KEY) else None


class CreateGapPipe(Step):
    """Make a copy pipe of the run's own from the nodes of the one that stood still: on demand, appending, the moment
    since when rows are taken a parameter of its run."""

    op: ClassVar[str] = "tinybird.copy.gap-create/1"
    gated: ClassVar[bool] = False
    settle_s: ClassVar[float] = 5.0

    gap: Gap

    def title(self) -> str:
        return f"Create a copy pipe that takes what {self.gap.pipe} missed"

    def remember(self, at: Site) -> Step | None:
        return RemoveCopyPipe(pipe=gap_name(self.gap.pipe, at.run))

    def look(self, at: Site) -> Seen:
        name = gap_name(self.gap.pipe, at.run)
        found = at.tinybird.pipe(name)
        if found is None:
            return Todo()
        into = at.tinybird.datasource(found.copy_target or "")
        there = [(node.name, node.sql.strip()) for node in found.nodes]
        if there != [(node.name, node.sql.strip()) for node in self.gap.nodes]:
            return Astray(f"a pipe {name} is there that is not this run's: its SQL is another")
        if into is None or into.name != self.gap.target:
            return Astray(f"the pipe {name} does not copy into {self.gap.target}")
        return Done(f"{name} copies into {self.gap.target}, on demand.")

    def act(self, at: Site) -> None:
        name, last = gap_name(self.gap.pipe, at.run), self.gap.nodes[-1]
        at.tinybird.put_pipe({
            "name": name,
            "description": f"Made by run {at.run}, which removes it.",
            "nodes": [
                {
                    "name": node.name,
                    "type": "copy" if node is last else "standard",
                    "sql": node.sql,
                    "description": "",
                    "target_datasource": self.gap.target if node is last else None,
                    "copy_schedule": "@on-demand" if node is last else None,
                    "mode": "append",
                }
                for node in self.gap.nodes
            ],
            "target_datasource": self.gap.target,
            "schedule_cron": None,
        })  # fmt: skip


class CopyGap(Step):
    """Append what the target lacks of the time in which the copy stood still, and prove it: every key that the pipe
    gives since then is in the target with that version or a newer one. Compared before it is copied and again after,
    so that a killed worker copies nothing twice; rows that came late have it copied again."""

    op: ClassVar[str] = "tinybird.copy.gap-run/1"
    gated: ClassVar[bool] = False
    long: ClassVar[bool] = True
    settle_s: ClassVar[float] = 10.0  # until a job that was made is seen in the list

    gap: Gap
    paused: str | None = None  # when the copy was paused; None: as this run's record has it

    def title(self) -> str:
        return f"Copy into {self.gap.target} what {self.gap.pipe} missed, and prove it by key"

    def look(self, at: Site) -> Seen:
        if self._paused(at) is None:
            return Astray(f"when {self.gap.pipe} was paused is not in the run's record")
        memo: Memo = dict(at.memo) or {"until": at.now.isoformat(), "tries": 0, "over": []}
        if "asked" not in memo:
            return self._compared(at, memo)
        jobs = at.tinybird.jobs(kind="copy", pipe_name=gap_name(self.gap.pipe, at.run))
        mine = [job for job in jobs if job.id not in memo["over"]]
        if not mine:
            return Todo(self._why(memo), memo)
        job = max(mine, key=lambda each: each.created_at)
        if job.live:
            return Wait(LOOK_AGAIN_S, f"{self._why(memo)}: {job.status}", memo=memo)
        over: Memo = {**memo, "over": [each.id for each in jobs]}
        del over["asked"]
        if job.status == "done":
            return self._compared(at, over)
        if over["tries"] >= TRIES:
            reason = f"the copy of what {self.gap.pipe} missed ended as {job.status} {TRIES} times: {job.error}"
            return Astray(reason, over | {"tries": 0})
        return self._asked(at, over)

    def act(self, at: Site) -> None:
        copying.run(at, gap_name(self.gap.pipe, at.run), {"since": as_parameter(self._since(at))})

    def _compared(self, at: Site, memo: Memo) -> Seen:
        until = datetime.fromisoformat(memo["until"])
        row = at.tinybird.sql(missing(self.gap, self._since(at), until))[0]
        keys, lacking = int(row["n"]), int(row["missing"])
        if not lacking:
            copied = memo.get("lacked", 0)
            return Done(
                f"{self.gap.target} has every key that {self.gap.pipe} was to take since "
                f"{as_parameter(self._since(at))} UTC: {counted(keys, 'key')}, {copied:,} of them copied now."
            )
        memo = memo | {"lacked": max(lacking, memo.get("lacked", 0))}
        if memo["tries"] < TRIES:
            return self._asked(at, memo)
        reason = (
            f"{counted(lacking, 'key')} that {self.gap.pipe} gives {'is' if lacking == 1 else 'are'} not in "
            f"{self.gap.target} in that version, though copied {TRIES} times: {row['named']}"
        )
        return Astray(reason, memo | {"tries": 0})

    def _asked(self, at: Site, memo: Memo) -> Seen:
        if taken := no_slot(at):
            return Wait(LOOK_AGAIN_S, taken, memo=memo)
        memo = memo | {"tries": memo["tries"] + 1, "asked": True}
        return Todo(self._why(memo), memo)

    def _why(self, memo: Memo) -> str:
        again = f", for the {memo['tries']}. time" if memo["tries"] > 1 else ""
        return f"what {self.gap.pipe} missed is copied{again}"

    def _paused(self, at: Site) -> str | None:
        return self.paused or at.found.get(gap_key(self.gap.pipe))

    def _since(self, at: Site) -> datetime:
        return self.gap.since(datetime.fromisoformat(str(self._paused(at))))


class RemoveGapPipe(Step):
    """Remove the copy pipe that took what was missed."""

    op: ClassVar[str] = "tinybird.copy.gap-remove/1"
    gated: ClassVar[bool] = False
    settle_s: ClassVar[float] = 5.0

    pipe: str

    def title(self) -> str:
        return f"Remove the copy pipe that took what {self.pipe} missed"

    def look(self, at: Site) -> Seen:
        return removed(at, gap_name(self.pipe, at.run))

    def act(self, at: Site) -> None:
        remove(at, gap_name(self.pipe, at.run))


def steps_of(gap: Gap, paused: str | None = None) -> tuple[Step, ...]:
    """From the copy's standstill to its next run."""
    return CreateGapPipe(gap=gap), CopyGap(gap=gap, paused=paused), RemoveGapPipe(pipe=gap.pipe)
