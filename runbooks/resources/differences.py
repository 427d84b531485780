"""A workspace's resources and the project's datafiles held against each other: what one of them has differently, and
what must be asked to know it. Datafiles are read before they are compared."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from runbooks.datafile import read_datasource, read_pipe, write_datasource, write_pipe
from runbooks.datafile.at_path import AtPath
from runbooks.errors import DatafileError, Refused
from runbooks.facts.model import Datasource, Facts, Pipe
from runbooks.facts.project import Project
from runbooks.names import ProjectNames
from runbooks.questions import Datafiles, Elsewhere, OwnTexts, Question
from runbooks.resources.alike import Resource, alike
from runbooks.steps.pull_request import blob_sha

_OURS = re.compile(r"__(\w+_)?run_\d+$|^tbops_")  # what a run makes for a while, or keeps aside
_FOLDERS = {"datasource": "datasources", "pipe": "pipes"}


@dataclass(frozen=True)
class Difference(AtPath):
    """One resource that git and the workspace have differently; None where one of them has it not. ``trouble`` says
    why a text was not understood: then nothing is known of the two."""

    git: Resource | None
    live: Resource | None
    git_text: str = ""
    live_text: str = ""
    trouble: str = ""


def project_of(facts: Facts) -> ProjectNames:
    """Raises ``Refused`` where git cannot be asked."""
    if facts.names.project is None:
        raise Refused(f"tbops.toml names no GitHub for {facts.environment}, so its datafiles are not known.")
    return facts.names.project


def read_project(facts: Facts) -> Project:
    """The project's datafiles, once they were asked for. Raises ``Refused``."""
    project_of(facts)
    if facts.project is None:
        raise Refused("The project's datafiles were not read: this is asked of the live systems alone.")
    return facts.project


def questions(facts: Facts, pattern: str | None) -> tuple[Question, ...]:
    """First what other environments have, then git's files, then the workspace's own texts of those that may differ
    anywhere. Raises ``Refused``."""
    names = project_of(facts)
    if facts.elsewhere is None and facts.project is None:
        return (Elsewhere(),)
    there = {label: one for label, one in resources(facts) if matches(pattern, label)}
    if facts.project is None:
        alike = tuple(sorted((label, frozenset(_shas_of(label, one, facts))) for label, one in there.items()))
        return (Datafiles(names, alike, None if pattern is None else _named(pattern, facts)),)
    read = {path.rpartition("/")[2] for path in facts.project.texts}
    known = {path.rpartition("/")[2] for path in facts.project.files}
    asked = tuple(sorted(label for label in there if label in read or label not in known))
    return (OwnTexts(asked),) if asked else ()


def resources(facts: Facts) -> Iterator[tuple[str, Resource]]:
    """The workspace's resources by file name, without those of other workspaces and of runs."""
    for kind, several in (("datasource", facts.datasources), ("pipe", facts.pipes)):
        for name, one in several.items():
            if "." not in name and not _OURS.search(name):
                yield f"{name}.{kind}", one


def matches(pattern: str | None, label: str) -> bool:
    """A pattern is of names, with or without the ending; without a sign in it, of the one name."""
    if pattern is None:
        return True
    wanted = pattern.rpartition("/")[2]
    return any(fnmatchcase(name, wanted) for name in (label, label.rpartition(".")[0]))


def differences(facts: Facts, pattern: str | None) -> tuple[Difference, ...]:
    """Data sources first, each kind by name. Raises ``Refused``."""
    project = read_project(facts)
    there = {label: one for label, one in resources(facts) if matches(pattern, label)}
    in_git = {path.rpartition("/")[2]: path for path in project.files if matches(pattern, path.rpartition("/")[2])}
    found: list[Difference] = []
    for label in sorted({*there, *in_git}, key=lambda label: (label.endswith(".pipe"), label)):
        path = in_git.get(label)
        if path is not None and label in there and path not in project.texts:
            continue  # to the last letter the same
        one = _difference(project, label, path, there.get(label))
        if one.trouble or not (one.git and one.live and alike(one.git, one.live)):
            found.append(one)
    return tuple(found)


def written(resource: Resource) -> str:
    """As ``tb fmt`` writes it: an endpoint's type is left out where it says nothing."""
    if isinstance(resource, Datasource):
        return write_datasource(resource)
    *others, last = resource.nodes
    kept = replace(last, kind="standard") if last.kind == "endpoint" else last
    return write_pipe(replace(resource, nodes=(*others, kept)))


def read(label: str, text: str) -> Resource:
    """Raises ``DatafileError``."""
    name, _, kind = label.rpartition(".")
    return read_datasource(name, text) if kind == "datasource" else read_pipe(name, text)


def _difference(project: Project, label: str, path: str | None, live: Resource | None) -> Difference:
    git_text = project.texts.get(path or "", "")
    live_text = project.live.get(label, "") if live else ""
    place = path or f"{_FOLDERS[label.rpartition('.')[2]]}/{label}"
    made = Difference(place, None, None, git_text, live_text)
    try:
        git = read(label, git_text) if path is not None and path in project.texts else None
        own = _tagged(read(label, live_text), live) if live else None
    except DatafileError as exc:
        return replace(made, trouble=str(exc))
    if git and own and set(git.tags) == set(own.tags):
        own = replace(own, tags=git.tags)  # their order says nothing
    return replace(made, git=git, live=own)


def _tagged(own: Resource, live: Resource) -> Resource:
    """A resource's own text may say nothing of the tags that it has by the list of tags (facts/tinybird.md §10)."""
    more = tuple(tag for tag in live.tags if tag not in own.tags)
    return replace(own, tags=(*own.tags, *more))


def sorting_tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    """Those that order a workspace; ``backfill_column=x`` tells the command line something (facts/tinybird.md §11)."""
    return tuple(tag for tag in tags if "=" not in tag)


def _named(pattern: str, facts: Facts) -> frozenset[str] | None:
    """The names to be read of git, where the pattern is one name; else all that differ are read."""
    if any(sign in pattern for sign in "*?["):
        return None
    name = pattern.rpartition("/")[2]
    return frozenset({name} if name.endswith((".pipe", ".datasource")) else {f"{name}.pipe", f"{name}.datasource"})


def _shas_of(label: str, resource: Resource, facts: Facts) -> set[str]:
    """Of the texts that would say the same everywhere."""
    found = set(_shas(resource))
    for elsewhere in (facts.elsewhere or {}).values():
        if elsewhere is not None:
            found &= set(_shas(elsewhere[label])) if label in elsewhere else set()
    return found


def _shas(resource: Resource) -> Iterator[str]:
    """Of the texts that would say the same. The list of pipes does not say what a sink exports, so it is asked."""
    if isinstance(resource, Pipe) and resource.kind == "sink":
        return
    texts = {written(resource)}
    if isinstance(resource, Pipe):
        texts.add(write_pipe(resource))
    for text in texts:
        yield blob_sha(text.encode())
