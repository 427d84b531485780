"""What people must know before datafiles are pushed: what a push would drop, would not apply, or must not begin."""

from collections.abc import Iterator

from runbooks.facts.model import Datasource, Facts, Pipe
from runbooks.plan import Hazard, Level
from runbooks.resources import tables
from runbooks.resources.differences import Difference
from runbooks.resources.pipes import unwritable
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
    if (git.description, sorted(git.tags)) != (live.description, sorted(live.tags)):
        yield _hazard("not-applied", "note", git.name, f"Description and tags of {git.name} stay as they are.", "")


def _pipe(facts: Facts, one: Difference, git: Pipe) -> Iterator[Hazard]:
    if why := unwritable(one):
        said = f"{one.name} is not pushed: {why}."
        yield _hazard("not-by-push", "error", one.name, said, "Push it with tb, or leave it out by a pattern.")
    if not isinstance(one.live, Pipe):
        return
    kept = {node.name for node in git.nodes}
    if gone := [node.name for node in one.live.nodes if node.name not in kept]:
        said = f"{counted(len(gone), 'node')} of {one.name} go: {', '.join(gone)}."
        yield _hazard("node-dropped", "warning", one.name, said, "Pull the pipe first, if git should have them.")
    there = facts.pipes.get(one.name)
    if there and there.schedule_status == "shutdown":
        said = f"The copy pipe {one.name} is paused, and a push may start its schedule."
        yield _hazard("copy-paused", "warning", one.name, said, "Pause it again afterwards, if it should stand still.")
    if sorted(git.tags) != sorted(one.live.tags):
        yield _hazard("not-applied", "note", one.name, f"Tags of {one.name} stay as they are.", "")


def _hazard(slug: str, level: Level, resource: str, message: str, fix: str) -> Hazard:
    return Hazard(slug=slug, level=level, resource=resource, message=message, fix=fix)
