"""Pipes brought to what a datafile says: by one node's SQL or by what a copy is set to where nothing else differs, else
whole, as ``tb push --force`` does (facts/tinybird.md §10). What was there before can be put back until the push is seen
to hold."""

from typing import ClassVar

from runbooks.facts import live
from runbooks.site import Site
from runbooks.step import Astray, Done, Memo, Seen, Step, Todo
from runbooks.steps import answers
from runbooks.steps.pipe_text import PipeText
from runbooks.words import counted
from systems.tinybird_model import PipeInfo

HOLDS = "pushed/holds"  # in the run's record, once all that was pushed is seen to hold: then nothing is put back
_STOPPED = "shutdown"  # of a schedule
_SAID = 2  # times that descriptions are written: Tinybird may show them otherwise for ever
_WHY = {
    "published": "it answers no more, as it becomes another kind",
    "copied": "it copies no more, as it becomes another kind",
    "whole": "{nodes} are written",
    "node": "the SQL of a node is written",
    "said": "its descriptions are written",
    "publish": "node {published} is published",
    "settings": "what its copy is set to is written",
    "stop": "its schedule is paused again",
}


class _Write(Step):
    """Bring a pipe from ``known`` (None: there is none) to ``wanted``, an effect a look."""

    settle_s: ClassVar[float] = 5.0

    def _look(self, at: Site, wanted: PipeText, known: PipeText | None, *, stopped: bool) -> Seen:
        """``stopped``: its schedule must not run at the end."""
        info = at.tinybird.pipe(wanted.name)
        memo: Memo = {**at.memo, "stopped": stopped}
        if info is None:
            return Todo("it is made", memo) if known is None else Astray(f"there is no pipe {wanted.name} any more")
        there = _live(at, info)
        if not there.alike(wanted) and (known is None or not _between(there, wanted, known)):
            return Astray(f"{wanted.name} is neither what the plan knows nor what it wants: somebody changed it")
        lacking = self._lacking(at, info, there, wanted)
        if lacking is None:
            return Done(f"{wanted.name} is what the datafile says.")
        if lacking == "said":
            memo = {"said": at.answered, **memo}
        return Todo(_WHY[lacking].format(nodes=counted(len(wanted.nodes), "node"), published=wanted.published), memo)

    def _lacking(self, at: Site, info: PipeInfo, there: PipeText, wanted: PipeText) -> str | None:
        """What is done next, one of ``_WHY``; None where nothing is."""
        if there.published and wanted.kind != "standard":
            return "published"
        if there.kind == "copy" and wanted.kind != "copy":
            return "copied"
        if there.shape != wanted.shape:
            return "whole"
        if changed := wanted.changed(there):
            return "node" if len(changed) == 1 or wanted.kind == "sink" else "whole"
        if there.said != wanted.said and _sayable(wanted) and at.answered - at.memo.get("said", at.answered) < _SAID:
            return "said"
        if wanted.published and there.published != wanted.published:
            return "publish"
        if there.settings != wanted.settings:
            return "settings"
        runs = wanted.kind == "copy" and info.cron is not None and info.schedule_status != _STOPPED
        return "stop" if at.memo.get("stopped") and runs else None

    def _act(self, at: Site, wanted: PipeText) -> None:
        info = at.tinybird.pipe(wanted.name)
        if info is None:
            at.tinybird.put_pipe(wanted.body())
            return
        there, ids = _live(at, info), {node.name: node.id for node in info.nodes}
        match self._lacking(at, info, there, wanted):
            case "published":
                at.tinybird.unpublish_node(info.id, ids[there.published or ""])
            case "copied":
                at.tinybird.unset_copy(info.id, ids[next(n.name for n in there.nodes if n.kind == "copy")])
            case "whole" | "said":
                at.tinybird.put_pipe(wanted.body())
            case "node":
                changed = wanted.changed(there)[0]
                at.tinybird.put_node_sql(info.id, ids[changed.name], changed.sql)
            case "publish":
                at.tinybird.publish_node(info.id, ids[wanted.published or ""])
            case "settings":
                other = {key: value for key, value in wanted.settings.items() if there.settings.get(key) != value}
                copy = next(node for node in wanted.nodes if node.kind == "copy")
                at.tinybird.change_copy(info.id, ids[copy.name], other)
            case "stop":
                at.tinybird.copy_pause(info.name)
            case _:
                pass


class WritePipe(_Write):
    """Make a pipe what its datafile says; ``before`` is what it was when the plan was made. Written whole, a copy pipe
    loses its schedule until the next call gives it back; one that was paused is paused again."""

    op: ClassVar[str] = "tinybird.pipe.write/1"

    after: PipeText
    before: PipeText | None = None

    def title(self) -> str:
        return f"{'Create' if self.before is None else 'Change'} the pipe {self.after.name}"

    def reads(self) -> tuple[str, ...]:
        return (f"tinybird/pipe/{self.after.name}/definition",)

    def writes(self) -> tuple[str, ...]:
        return self.reads()

    def remember(self, at: Site) -> Step | None:
        if self.before is None:
            return RemovePipe(pipe=self.after)
        back = PutPausedBack if _stopped(at, self.after.name) else PutPipeBack
        return back(before=self.before, after=self.after)

    def look(self, at: Site) -> Seen:
        stopped = bool(at.memo["stopped"]) if "stopped" in at.memo else _stopped(at, self.after.name)
        return self._look(at, self.after, self.before, stopped=stopped)

    def act(self, at: Site) -> None:
        self._act(at, self.after)


class PutPipeBack(_Write):
    """Give a pipe the SQL that it had, unless the push holds."""

    op: ClassVar[str] = "tinybird.pipe.put-back/1"
    paused: ClassVar[bool] = False

    before: PipeText
    after: PipeText

    def title(self) -> str:
        return f"Give the pipe {self.before.name} its own SQL again"

    def writes(self) -> tuple[str, ...]:
        return (f"tinybird/pipe/{self.before.name}/definition",)

    def look(self, at: Site) -> Seen:
        if at.found.get(HOLDS):
            return Done(f"{self.before.name} holds: it stays as pushed.")
        return self._look(at, self.before, self.after, stopped=self.paused)

    def act(self, at: Site) -> None:
        self._act(at, self.before)


class PutPausedBack(PutPipeBack):
    """The same of a copy pipe whose schedule was paused: it is paused at the end."""

    op: ClassVar[str] = "tinybird.pipe.put-back/2"
    paused: ClassVar[bool] = True


class RemovePipe(Step):
    """Delete a pipe that the run made, unless the push holds. One that somebody changed since stays."""

    op: ClassVar[str] = "tinybird.pipe.remove/1"
    settle_s: ClassVar[float] = 5.0

    pipe: PipeText

    def title(self) -> str:
        return f"Delete the new pipe {self.pipe.name}"

    def writes(self) -> tuple[str, ...]:
        return (f"tinybird/pipe/{self.pipe.name}/definition",)

    def look(self, at: Site) -> Seen:
        if at.found.get(HOLDS):
            return Done(f"{self.pipe.name} holds: it stays.")
        info = at.tinybird.pipe(self.pipe.name)
        if info is None:
            return Done(f"There is no pipe {self.pipe.name}, as before.")
        if not _live(at, info).alike(self.pipe):
            return Astray(f"{self.pipe.name} is not what the run made: somebody changed it, and it stays")
        return Todo("its view goes first" if _view(info) else "")

    def act(self, at: Site) -> None:
        info = at.tinybird.pipe(self.pipe.name)
        if info and (node := _view(info)):
            at.tinybird.unlink_view(info.id, node)
        elif info:
            at.tinybird.delete_pipe(self.pipe.name)


class AskPushed(Step):
    """See that pushed pipes are what their datafiles say and that the endpoints among them answer. From then on they
    stay, whatever comes."""

    op: ClassVar[str] = "tinybird.pipe.ask-pushed/1"
    gated: ClassVar[bool] = False

    pipes: tuple[PipeText, ...]

    def title(self) -> str:
        return "See that what was pushed stands and answers"

    def look(self, at: Site) -> Seen:
        for wanted in self.pipes:
            info = at.tinybird.pipe(wanted.name)
            if info is None or not _live(at, info).alike(wanted):
                return Astray(f"{wanted.name} is not what was pushed: somebody changed it meanwhile")
        said = answers.asked(at, tuple(pipe.name for pipe in self.pipes if pipe.published))
        good = [name for name, answer in said.items() if "said" not in answer]
        asked = f"; {len(good)} of {counted(len(said), 'endpoint')} answer without parameters" if said else ""
        return Done(f"What was pushed stands: {counted(len(self.pipes), 'pipe')}{asked}.", {HOLDS: True})


class CheckPushed(Step):
    """See, with what could be put back struck off, that the workspace says what git says."""

    op: ClassVar[str] = "tinybird.pipe.check-pushed/1"
    gated: ClassVar[bool] = False

    names: tuple[str, ...]

    def title(self) -> str:
        return "See that the workspace holds what git says"

    def look(self, at: Site) -> Seen:
        there = {pipe.name for pipe in at.tinybird.pipes()} | {d.name for d in at.tinybird.datasources()}
        gone = [name for name in self.names if name not in there]
        if gone:
            return Astray(f"{gone[0]} is gone again: somebody removed it")
        return Done(f"{at.environment} holds {counted(len(self.names), 'resource')} as git has them.")


def _live(at: Site, info: PipeInfo) -> PipeText:
    ids = {target for target in (info.copy_target, *(n.materialized for n in info.nodes)) if target}
    targets = [at.tinybird.datasource(target) for target in sorted(ids)]
    pipe = live.pipe(info, {target.id: target.name for target in targets if target})
    # what is published is known here, and not to be guessed from the last node
    published = next((node.name for node in pipe.nodes if node.kind == "endpoint"), None)
    return PipeText.of(pipe).model_copy(update={"published": published})


def _between(there: PipeText, wanted: PipeText, known: PipeText) -> bool:
    """Whether each node is as the one or the other has it: a change that is under way, or has not begun."""
    bare = not there.published and there.kind == "standard"
    if there.alike(known) or (bare and any(there.alike(one.unlinked) for one in (known, wanted))):
        return True
    return there.shape == wanted.shape == known.shape and all(
        here.plain in (one.plain, other.plain)
        for here, one, other in zip(there.nodes, wanted.nodes, known.nodes, strict=True)
    )


def _sayable(pipe: PipeText) -> bool:
    """Descriptions come with the whole pipe, which would make a view anew, and an export lose its connection."""
    return pipe.kind not in ("materialized", "sink")


def _stopped(at: Site, name: str) -> bool:
    info = at.tinybird.pipe(name)
    return info is not None and info.schedule_status == _STOPPED


def _view(info: PipeInfo) -> str | None:
    return next((node.id for node in info.nodes if node.materialized), None)
