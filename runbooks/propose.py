"""What a run made, offered to the project's repository: its datafiles, and its SQL for the migration history
(facts/procedures.md §2.14). A run of its own, so that the plan of a migration is the same with and without GitHub."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runbooks import history, renamed
from runbooks.datafile import read_datasource
from runbooks.datafile.compare import differing, not_kept
from runbooks.datafile.schedule import schedule_of, with_schedule
from runbooks.earlier import Made
from runbooks.errors import DatafileError, Refused
from runbooks.facts.model import Datasource, Facts, ProjectFiles
from runbooks.layout import laid_out_in_blocks
from runbooks.names import ProjectNames
from runbooks.plan import Choice, Estimate, Hazard, Plan
from runbooks.questions import InProject, Question
from runbooks.request import Propose, Request
from runbooks.step import Step
from runbooks.steps.pull_merge import AwaitChecks, MergePull
from runbooks.steps.pull_request import CommitFiles, DeleteBranch, LabelPull, OpenPull

NAME = "propose"
_EPOCH = "{epoch}"
_CHECKS_S = 300
_LONGEST_TITLE, _LONGEST_PROOF, _MOST_PROOFS = 100, 300, 8


@dataclass(frozen=True)
class _File:
    """One that is to be written, or with None for its text removed. ``sha`` is the branch's, empty where it has none;
    ``before`` what it is compared with: the branch's own, or for a new name the one that goes."""

    path: str
    text: str | None
    sha: str = ""
    before: str = ""

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


def questions_of(job: Propose, facts: Facts) -> tuple[Question, ...]:
    """What of the run's files the project's branch has. Raises ``Refused`` as the plan does."""
    made, project = _known(job), _project(facts)
    goes = _goes(made, project)
    paths = (*(_path(name, made, project) for name in made.datafiles), *([goes] if goes else []))
    return (InProject("project", project, paths=paths, needed=True),)


def plan_of(request: Request, job: Propose, facts: Facts) -> Plan:
    """Raises ``Refused`` where the branch holds all of it, or what the run made does not stand any more."""
    made, project = _known(job), _project(facts)
    if facts.history is None or facts.history.trouble:
        raise Refused(f"What `{project.repository}` holds is not known: GitHub was not asked.")
    offer = _Offer(job.run, made, project, facts.history, facts)
    files, left = offer.files()
    if not files:
        raise Refused(f"There is nothing to do for run {job.run}: {'; '.join(left)}.")
    *most, last = (file.name if file.text is not None else f"{file.name}, which goes" for file in files)
    named = f"{', '.join(most)} and {last}" if most else last
    steps, _ = laid_out_in_blocks([(step, None) for step in offer.steps(files)])
    return Plan(
        command=request.text,
        environment=facts.environment,
        target=project.repository,
        request={"kind": NAME, "run": job.run, "repository": project.repository, "files": [f.path for f in files]},
        strategy=Choice(name=NAME, reasons=(f"for {project.branch} of {project.repository}: {named}",)),
        hazards=tuple(offer.hazards(files)),
        steps=steps,
        took=Estimate(
            seconds=_CHECKS_S, formula=f"about {_CHECKS_S // 60} min of checks, and a person's time to merge"
        ),
        datafiles={file.name: file.text for file in files if file.text is not None},
        diffs={f.name: diff for f in files if (f.text is not None or len(files) == 1) and (diff := _diff(f))},
        inferred=tuple(left),
        locks=tuple(f"file/{project.repository}/{file.path}" for file in files),
    )


@dataclass(frozen=True)
class _Offer:
    """What the run made beside what the branch holds and what stands in the workspace."""

    run: int
    made: Made
    project: ProjectNames
    held: ProjectFiles
    facts: Facts

    def files(self) -> tuple[tuple[_File, ...], list[str]]:
        """Those to write; and a sentence on each that is not."""
        files: list[_File] = []
        left: list[str] = []
        for name, text in sorted(self.made.datafiles.items(), key=lambda item: item[0].endswith(".sql")):
            path = _path(name, self.made, self.project)
            if self.made.request.get("kind") == "timetable":
                text, why = self._rescheduled(name, path, text)
            else:
                why = self._why_not(name, path, text)
            if why:
                left.append(why)
            else:
                files.append(self._file(name, path, text))
        files += self._gone(left)
        return tuple(files), left

    def _file(self, name: str, path: str, text: str) -> _File:
        sha, before = self.held.shas.get(path, ""), self.held.texts.get(path, "")
        goes = _goes(self.made, self.project)
        if goes and name.endswith(".datasource") and not sha:
            before = self.held.texts.get(goes, "")
            text = renamed.carried(text, before, name.removesuffix(".datasource"))
        return _File(path, text, sha, before)

    def _gone(self, left: list[str]) -> Iterator[_File]:
        """The file of the name that a rename took away: in the same commit, so that git follows it."""
        goes, old = _goes(self.made, self.project), renamed.old_of(self.made.request)
        if goes not in self.held.shas:
            return
        if old in self.facts.datasources:
            left.append(f"{old}.datasource stays, as there is a data source {old} again")
        else:
            yield _File(goes, None, self.held.shas[goes], self.held.texts.get(goes, ""))

    def steps(self, files: tuple[_File, ...]) -> Iterator[Step]:
        repository, base = self.project.repository, self.project.branch
        heading = self._heading()
        yield CommitFiles(
            repository=repository,
            base=base,
            files={file.path: file.text for file in files},
            seen={file.path: file.sha for file in files},
            message=heading,
        )
        yield OpenPull(repository=repository, base=base, heading=heading, body=self._body(files))
        if self.project.labels:
            yield LabelPull(repository=repository, base=base, labels=self.project.labels)
        if self._checked(files):
            yield AwaitChecks(repository=repository, base=base, checks=self.project.checks)
        yield MergePull(repository=repository, base=base)
        yield DeleteBranch(repository=repository, base=base)

    def hazards(self, files: tuple[_File, ...]) -> Iterator[Hazard]:
        for file in files:
            if file.path.endswith(".sql"):
                yield from self._out_of_order(file)
            elif file.before and file.text not in (None, file.before):
                yield from self._drift(file, file.text)
        if self.project.checks and not self._checked(files):
            yield Hazard(
                slug="not-checked",
                level="note",
                resource=self.project.repository,
                message=f"No datafile changes: {' and '.join(self.project.checks)} will not run and is not waited for.",
                fix="",
            )

    # -- what is not written

    def _why_not(self, name: str, path: str, text: str) -> str:
        base = f"{self.project.branch} of {self.project.repository}"
        if name.endswith(".sql"):
            there = history.same_work(name, self.project.migrations, self.held.shas)
            return f"{there.rpartition('/')[2]} does it in {base} already" if there else ""
        if not name.endswith(".datasource"):
            there = f"{name} is in {base} already" if self.held.texts.get(path) == text else ""
            return there or renamed.left_out(name, text, self.facts)
        wanted = read_datasource(name.removesuffix(".datasource"), text)
        stands = self._standing(wanted)
        if later := _columns_apart(stands, wanted):
            return f"{name} is left out, as {wanted.name} was changed since ({later}): the run that did so brings it"
        return f"{name} is in {base} already" if path in self.held.texts and self._same(wanted, path) else ""

    def _rescheduled(self, name: str, path: str, text: str) -> tuple[str, str]:
        """The repository's own file with the new schedule, as nothing else of the pipe was changed; or why not."""
        base = f"{self.project.branch} of {self.project.repository}"
        wanted, pipe = schedule_of(name, text) or "", self.facts.pipes.get(name.removesuffix(".pipe"))
        held = self.held.texts.get(path)
        if pipe is None or pipe.output.schedule != wanted:
            stands = pipe.output.schedule if pipe else "gone"
            return text, f"{name} is left out, as its schedule is {stands} by now, and not {wanted}"
        if held is None:
            return text, f"{name} is left out, as it is not in {base}: `pull` brings it there"
        try:
            made = with_schedule(name, held, wanted)
        except DatafileError as error:
            return text, f"{name} is left out, as it could not be understood: {error}"
        if made is None:
            return text, f"{name} is left out, as it has no COPY_SCHEDULE of its own in {base}"
        return made, f"{name} is in {base} already" if made == held else ""

    def _standing(self, wanted: Datasource) -> Datasource:
        """As it is in the workspace: what the run did must be there, or it is not offered."""
        stands = self.facts.datasources.get(wanted.name)
        if stands is None:
            raise Refused(f"There is no `{wanted.name}` any more: what run {self.run} made of it is gone.", wanted.name)
        for name in _columns_of(self.made.request):
            here, there = wanted.column(name), stands.column(name)
            if (here and here.type) != (there and there.type):
                said = f"its `{name}` is {there.type}" if there else f"it has no `{name}`"
                raise Refused(
                    f"What run {self.run} made of `{wanted.name}` does not stand any more: {said}. Offer the run that "
                    "changed it last.",
                    name,
                )
        return stands

    def _same(self, wanted: Datasource, path: str) -> bool:
        """By what it says: one that is only written in another way keeps its remarks."""
        try:
            return read_datasource(wanted.name, self.held.texts[path]) == wanted
        except DatafileError:
            return False

    # -- what people should know

    def _drift(self, file: _File, text: str) -> Iterator[Hazard]:
        name, kind = file.name.rpartition(".")[0], file.name.rpartition(".")[2]
        fix = "See the difference; take into the workspace what is to stay, or go on."
        try:
            old, new = (read_datasource(name, each) if kind == "datasource" else None for each in (file.before, text))
            beside = list(differing(old, new, _wanted(self.made.request))) if old and new else []
            kept = {*not_kept(file.name, text)}  # of a file in which one line alone changes
            lost = [said for said in not_kept(file.name, file.before) if said not in kept]
        except DatafileError as error:
            message = f"The repository's {file.name} could not be understood ({error}), and all of it is replaced."
            yield Hazard(slug="datafile-drift", level="warning", resource=file.name, message=message, fix=fix)
            return
        if beside:
            message = (
                f"The repository's {file.name} is not what the workspace had; beside what run {self.run} did, "
                f"{', '.join(beside)}."
            )
            yield Hazard(slug="datafile-drift", level="warning", resource=file.name, message=message, fix=fix)
        if lost:
            message = f"{' and '.join(lost)} of the repository's {file.name} are not in the new one."
            fix = "Put them back on the branch's base afterwards, or merge by hand."
            yield Hazard(slug="datafile-loses-lines", level="warning", resource=file.name, message=message, fix=fix)

    def _out_of_order(self, file: _File) -> Iterator[Hazard]:
        newest = next(iter(history.in_order(self.project.migrations, self.held.shas)[::-1]), "")
        if newest and history.version(newest) >= history.version(file.path):
            yield Hazard(
                slug="migration-out-of-order",
                level="warning",
                resource=file.name,
                message=f"{newest.rpartition('/')[2]} is not older and in {self.project.branch} already: Flyway leaves "
                "out or refuses an older one, unless it is told outOfOrder.",
                fix="The file may run again at any time: give it a higher number on the branch, and merge by hand.",
            )

    def _checked(self, files: tuple[_File, ...]) -> bool:
        """The checks are of datafiles: they do not run where none changes (facts/estate.md §3)."""
        return any(file.path.startswith(f"{self.project.datafiles}/") for file in files)

    # -- words of the pull request

    def _heading(self) -> str:
        said = self.made.command.partition(" --")[0].strip()
        return f"{said[:1].upper()}{said[1:]}"[:_LONGEST_TITLE] + f" (run {self.run})"

    def _body(self, files: tuple[_File, ...]) -> str:
        proven = [f"- {said[:_LONGEST_PROOF]}" for said in self.made.proven[:_MOST_PROOFS]]
        lines = [
            f"Run {self.run} of tbops in {self.facts.environment} ended at {self.made.ended:%Y-%m-%d %H:%M} UTC:",
            "",
            f"    {self.made.command}",
            "",
            *(["It was proven:", "", *proven, ""] if proven else []),
            "This is what it left to be kept; the SQL may run again and then does nothing:",
            "",
            *(f"- `{file.path}`{'' if file.text is not None else ', which goes'}" for file in files),
            "",
            "Opened by run {run}.",
        ]
        return "\n".join(lines)


def _known(job: Propose) -> Made:
    if job.made is None:
        raise Refused("What a run made is known to the ledger alone: ask for it in Slack.")
    return job.made


def _project(facts: Facts) -> ProjectNames:
    if facts.names.project is None:
        raise Refused(f"tbops.toml names no repository for {facts.environment}, so there is nowhere to offer it.")
    return facts.names.project


def _path(name: str, made: Made, project: ProjectNames) -> str:
    if name.endswith(".sql"):
        return f"{project.migrations}/{name.replace(_EPOCH, str(int(made.ended.timestamp())))}"
    return f"{project.datafiles}/{'pipes' if name.endswith('.pipe') else 'datasources'}/{name}"


def _goes(made: Made, project: ProjectNames) -> str:
    """The path of the datafile that a rename took away; empty for another run."""
    old = renamed.old_of(made.request)
    return _path(f"{old}.datasource", made, project) if old else ""


def _columns_of(request: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns that the run was about, from its plan's request; of several data sources, of each."""
    fields = [str(field["name"]) for field in request.get("fields", ())]
    one = [str(request["field"])] if "field" in request else []
    removed = [str(name) for name in request.get("removed", ())]
    of_several = [name for each in request.get("datasources", ()) for name in _columns_of(each)]
    return tuple(dict.fromkeys((*fields, *one, *removed, *of_several)))


def _wanted(request: Mapping[str, Any]) -> frozenset[str]:
    """What of a datafile the run was to change: by column, and by part."""
    parts = {"sort by": ("sorting_key",), "add index": ("indexes",)}.get(str(request.get("change")), ())
    return frozenset((*_columns_of(request), *parts))


def _columns_apart(stands: Datasource, wanted: Datasource) -> str:
    """What the workspace has otherwise by now, or an empty text."""
    here, there = ({c.name: c.type for c in each.columns} for each in (wanted, stands))
    apart = [f"{n} came" for n in there if n not in here] + [f"{n} went" for n in here if n not in there]
    apart += [f"{n} is {there[n]}" for n in here if n in there and here[n] != there[n]]
    if stands.sorting_key != wanted.sorting_key:
        apart.append("it is sorted otherwise")
    return ", ".join(apart)


def _diff(file: _File) -> str:
    old = file.before.splitlines()
    before = f"{file.name}, in the repository" if file.sha else "the old file" if file.before else "/dev/null"
    after = (file.text or "").splitlines()
    return "\n".join(difflib.unified_diff(old, after, before, file.name, lineterm="", n=1))
