"""What people must know before datafiles are pushed: what a push would drop, would not apply, or must not begin."""

from collections.abc import Iterator

from runbooks.facts.model import Datasource, Facts, Pipe
from runbooks.plan import Hazard, Level
from runbooks.resources import tables
from runbooks.resources.differences import Difference, sorting_tags
from runbooks.resources.pipes import kind_of, reads, silent, unwritable, write_of, written_whole
from runbooks.steps.pipe_text import PipeText
from runbooks.steps.pipe_write import WritePipe
from runbooks.words import counted


def found_in(facts: Facts, found: tuple[Difference, ...], pushed: tuple[Difference, ...]) -> Iterator[Hazard]:
    """``found`` is all that differs, ``pushed`` what is to be brought about."""
    yield from _checks(facts)
    for one in pushed:
        if isinstance(one.git, Datasource) and isinstance(one.live, Datasource):
            yield from _table(facts, one.git, one.live)
        elif isinstance(one.git, Pipe):
            yield from _pipe(facts, one, one.git)
    for one in found:
        if one.trouble:
            said = f"{one.trouble}. It is left as it is."
            yield _hazard("datafile-not-understood", "warning", one.label, said, "Correct the file in git.")
    if only := [one.name for one in found if one.git is None and not one.trouble]:
        said = f"{counted(len(only), 'resource')} of {facts.environment} not in git: {', '.join(only[:10])}."
        yield _hazard(
            "only-in-workspace", "note", only[0], said, "Pull them, or remove them by hand: nothing is deleted."
        )


def _checks(facts: Facts) -> Iterator[Hazard]:
    checked = facts.project.checked if facts.project else None
    if checked is None or checked.trouble:
        said = checked.trouble if checked else "whether the checks are green is not known"
        fix = "Bring the change in by a pull request whose checks are green; /tb pull does."
        yield _hazard("checks-not-green", "error", "git", f"{said[:1].upper()}{said[1:]}.", fix)


def _table(facts: Facts, git: Datasource, live: Datasource) -> Iterator[Hazard]:
    for need in tables.needs(git, live):
        fix = f"Run `{need.instead}` instead." if need.instead else "No command changes it: make the data source anew."
        said = f"{git.name} is not changed by a push: {need.said}."
        yield _hazard("not-by-push", "error", git.name, said, fix)
    added = [column.name for column in tables.new_columns(git, live)]
    if added and facts.sink_of(git.name):
        said = f"{git.name} is fed from Postgres: rows that are there get the default of {', '.join(added)}, no value."
        fix = f"Run `/tb migrate {git.name} add field {added[0]}` instead: it fills them."
        yield _hazard("column-not-filled", "warning", git.name, said, fix)
    yield from _operational(git, live)


def _operational(git: Datasource | Pipe, live: Datasource | Pipe) -> Iterator[Hazard]:
    """Tags that tell the command line something are no tags of the workspace."""
    mine, other = (sorted(set(one.tags) - set(sorting_tags(one.tags))) for one in (git, live))
    if mine != other:
        said = f"{' and '.join(sorted({*mine, *other}))} of {git.name} stays as it is: it is for tb alone."
        yield _hazard("not-applied", "note", git.name, said, "")


def _pipe(facts: Facts, one: Difference, git: Pipe) -> Iterator[Hazard]:
    why = unwritable(one)
    if why:
        yield _hazard("not-by-push", "error", one.name, f"{one.name} is not pushed: {why.said}.", why.instead)
    write = write_of(one, facts)
    if write is not None:
        yield from _into(facts, write)
    if not isinstance(one.live, Pipe):
        return
    kept = {node.name for node in git.nodes}
    if gone := [node.name for node in one.live.nodes if node.name not in kept]:
        said = f"{counted(len(gone), 'node')} of {one.name} go: {', '.join(gone)}."
        yield _hazard("node-dropped", "warning", one.name, said, "Pull the pipe first, if git should have them.")
    if silent(one) and PipeText.of(git).said != PipeText.of(one.live).said:
        said = f"The descriptions of {one.name} stay: they come with the whole pipe, whose output would be made anew."
        yield _hazard("not-applied", "note", one.name, said, "")
    yield from _operational(git, one.live)
    if write is not None:
        yield from _kinds(facts, one.name, kind_of(one.live), kind_of(git))
        yield from _copy(facts, write)
    elif not why and _directives(git) != _directives(one.live):
        said = f"An engine or another line of {one.name} stays as it is: Tinybird takes it when a pipe is made alone."
        yield _hazard("not-applied", "note", one.name, said, "")


def _directives(pipe: Pipe) -> list[tuple[tuple[str, str], ...]]:
    return [tuple(sorted(of.directives)) for of in (pipe, *pipe.nodes)]


def _kinds(facts: Facts, name: str, before: str, after: str) -> Iterator[Hazard]:
    """An endpoint that becomes a copy, or the other way."""
    if (before, after) == ("endpoint", "copy"):
        readers = sorted(other.name for other in facts.pipes.values() if other.name != name and reads(other, name))
        asked = (facts.calls or {}).get(name, 0)
        said = f"{name} answers nobody any more, as it becomes a copy"
        said += f"; it was asked {counted(asked, 'time')} in the last 7 days" if asked else ""
        said += f"; {' and '.join(readers[:5])} read it" if readers else ""
        fix = "Push the copy by another name, if anybody still asks it."
        yield _hazard("endpoint-goes", "warning", name, f"{said}.", fix)
    if (before, after) == ("copy", "endpoint"):
        target = facts.pipes[name].output.target
        fix = f"Feed {target} by another pipe first, if anybody reads it."
        yield _hazard("copy-ends", "warning", name, f"{target} gets no more rows from {name}: it copies no more.", fix)


def _into(facts: Facts, write: WritePipe) -> Iterator[Hazard]:
    """A copy that writes where it did not: what others write there would be gone after its first run."""
    before, will, name = write.before, write.after.settings, write.after.name
    if not will or (before and before.settings.get("target_datasource") == will["target_datasource"]):
        return
    target = will["target_datasource"]
    others = sorted(
        other.name for other in facts.pipes.values() if other.name != name and target in _targets(other)
    ) + [sink.name for sink in (facts.sink_of(target),) if sink]
    if will["mode"] == "replace" and others:
        said = f"Each run of {name} replaces all of {target}, and {' and '.join(others[:5])} write to it too."
        yield _hazard("copy-replaces-others", "warning", name, said, f"Give {name} a data source of its own.")
    else:
        does = "replaces all of" if will["mode"] == "replace" else "adds to"
        yield _hazard("copy-begins", "note", name, f"Each run of {name} {does} {target} from now on.", "")


def _targets(pipe: Pipe) -> set[str | None]:
    return {node.target for node in pipe.nodes if node.kind in ("copy", "materialized")}


def _copy(facts: Facts, write: WritePipe) -> Iterator[Hazard]:
    """What becomes of a copy that goes on: its target, its mode, its schedule."""
    before, after, name = write.before, write.after, write.after.name
    if before is None or not before.settings or not after.settings:
        return
    was, will = before.settings, after.settings
    target = will["target_datasource"]
    if was["target_datasource"] != target:
        said = f"{name} writes to {target}, and no more to {was['target_datasource']}, whose rows stay."
        yield _hazard("copy-target-moves", "warning", name, said, "Move the readers of the old one.")
    if was["mode"] != will["mode"]:
        does = f"replaces all of {target}" if will["mode"] == "replace" else f"adds to what is in {target}"
        said = f"{name} is of the mode {will['mode']}, no more {was['mode']}: its next run {does}."
        yield _hazard("copy-mode-changes", "warning", name, said, "See that its SQL is made for that.")
    if was["schedule_cron"] != "None" and will["schedule_cron"] == "None":
        said = f"{name} runs by {was['schedule_cron']} now, and git has no schedule: it runs on demand alone."
        yield _hazard("copy-unscheduled", "warning", name, said, f"Write COPY_SCHEDULE {was['schedule_cron']} in git.")
    there = facts.pipes.get(name)
    again = written_whole(write) or was["schedule_cron"] != will["schedule_cron"]
    if there and there.schedule_status == "shutdown" and again and will["schedule_cron"] != "None":
        said = f"The copy pipe {name} is paused: its schedule is written, and paused again by the next call."
        yield _hazard("copy-paused", "warning", name, said, "Push it when none of its runs is due in these seconds.")
    elif written_whole(write) and will["schedule_cron"] != "None":
        said = (
            f"{name} is written whole: it has no schedule until the next call, and a run due just then does not come."
        )
        yield _hazard("copy-off-for-a-moment", "note", name, said, "")


def _hazard(slug: str, level: Level, resource: str, message: str, fix: str) -> Hazard:
    return Hazard(slug=slug, level=level, resource=resource, message=message, fix=fix)
