"""The workspace's resources into the project, by a pull request: what people changed there becomes text in git."""

import re
from collections.abc import Iterator

from runbooks import guards
from runbooks.errors import Refused
from runbooks.facts.model import Facts
from runbooks.layout import laid_out_in_blocks
from runbooks.names import ProjectNames
from runbooks.plan import Choice, Estimate, Hazard, Plan
from runbooks.questions import Formatting, Question
from runbooks.request import Pull, Request
from runbooks.resources import drift
from runbooks.resources.differences import Difference, differences, project_of, questions, read_project, written
from runbooks.step import Step
from runbooks.steps.pull_merge import AwaitChecks, MergePull
from runbooks.steps.pull_request import CommitFiles, DeleteBranch, LabelPull, OpenPull, blob_sha
from runbooks.words import counted

NAME = "pull"
_CHECKS_S = 300
_TOKEN = re.compile(r"^TOKEN\s", re.IGNORECASE | re.MULTILINE)


def questions_of(job: Pull, facts: Facts) -> tuple[Question, ...]:
    """Git's files, then the workspace's texts, then those as the project's formatter has them. Raises ``Refused``."""
    asked = questions(facts, job.pattern)
    project = facts.project
    if project is None or (asked and not project.live):
        return asked
    texts = tuple((one.label, written(one.live)) for one in _pulled(facts, job.pattern) if one.live)
    return (*asked, *((Formatting(texts),) if texts else ()))


def plan_of(request: Request, job: Pull, facts: Facts) -> Plan:
    """Raises ``Refused`` where there is nothing to pull."""
    names = project_of(facts)
    found = differences(facts, job.pattern)
    texts = {one.path: text for one in _pulled(facts, job.pattern) if (text := _text(one, facts)) != one.git_text}
    if not texts:
        raise Refused(_nothing(facts.environment, job.pattern, found))
    folder = names.datafiles.strip("/")
    steps, _ = laid_out_in_blocks([(step, None) for step in _steps(names, facts, job, texts)])
    return Plan(
        command=request.text,
        environment=facts.environment,
        target=_target(tuple(texts)),
        request=asked(texts),
        strategy=Choice(name=NAME, reasons=tuple(_reasons(names, texts))),
        hazards=tuple(_hazards(facts, found)),
        steps=steps,
        took=Estimate(seconds=_CHECKS_S, formula=f"about {_CHECKS_S // 60} min for {' and '.join(names.checks)}"),
        datafiles=texts,
        diffs={path: drift.diff(path, _before(path, found), text) for path, text in texts.items()},
        drift=drift.table(facts, found, job.pattern),
        guards={
            key: guards.digest_of(facts, key) for key in sorted(f"github/file/{folder}/{path}/blob" for path in texts)
        },
        inferred=tuple(_inferred(found, facts)),
        locks=(f"repository/{names.repository}/datafiles",),
    )


def asked(texts: dict[str, str]) -> dict[str, object]:
    """What the plan is bound to of its request: the files by what is in them, however they are brought anywhere."""
    return {"kind": "resources", "files": {path: blob_sha(text.encode()) for path, text in sorted(texts.items())}}


def _pulled(facts: Facts, pattern: str | None) -> tuple[Difference, ...]:
    """Those that the workspace has and git has otherwise or not."""
    return tuple(one for one in differences(facts, pattern) if one.live and not one.trouble)


def _text(one: Difference, facts: Facts) -> str:
    formatted = facts.project.formatted.get(one.label) if facts.project else None
    return formatted or (written(one.live) if one.live else "")


def _before(path: str, found: tuple[Difference, ...]) -> str:
    return next((one.git_text for one in found if one.path == path), "")


def _steps(names: ProjectNames, facts: Facts, job: Pull, texts: dict[str, str]) -> Iterator[Step]:
    folder, repository, base = names.datafiles.strip("/"), names.repository, names.branch
    files = {f"{folder}/{path}": text for path, text in texts.items()}
    of = read_project(facts).files
    title = f"Pull {_target(tuple(texts))} from {facts.environment}"
    listed = "\n".join(f"- `{path}`" for path in texts)
    body = f"What the {facts.environment} workspace says, brought here by run {{run}} of tbops.\n\n{listed}\n"
    seen = {f"{folder}/{path}": of.get(path, "") for path in texts}
    yield CommitFiles(repository=repository, base=base, files=dict(files), seen=seen, message=title)
    yield OpenPull(repository=repository, base=base, heading=title, body=body)
    if names.labels:
        yield LabelPull(repository=repository, base=base, labels=names.labels)
    yield AwaitChecks(repository=repository, base=base, checks=names.checks)
    yield MergePull(repository=repository, base=base)
    yield DeleteBranch(repository=repository, base=base)


def _target(paths: tuple[str, ...]) -> str:
    first = paths[0].rpartition("/")[2].rpartition(".")[0]
    return first if len(paths) == 1 else f"{first} and {len(paths) - 1} more"


def _nothing(environment: str, pattern: str | None, found: tuple[Difference, ...]) -> str:
    of = "" if pattern is None else f" of `{pattern}`"
    if troubled := [one for one in found if one.trouble]:
        return f"Nothing can be pulled{of}: {troubled[0].trouble}."
    only = [one.name for one in found if one.live is None]
    if only:
        return f"{environment} has nothing{of} that git lacks; git alone has {', '.join(f'`{n}`' for n in only[:5])}."
    return f"{environment} and git hold the same{of}. There is nothing to pull."


def _reasons(names: ProjectNames, texts: dict[str, str]) -> Iterator[str]:
    several = counted(len(texts), "datafile")
    yield f"the workspace says something else than {names.repository} in {several}: git follows it"
    yield f"they are merged into {names.branch} once {' and '.join(names.checks) or 'every check'} is green"


def _hazards(facts: Facts, found: tuple[Difference, ...]) -> Iterator[Hazard]:
    for one in found:
        if one.trouble:
            yield Hazard(
                slug="datafile-not-understood",
                level="warning",
                resource=one.label,
                message=f"{one.trouble}. It is left as it is.",
                fix="Correct the file in git.",
            )
    if only := [one.name for one in found if one.live is None and not one.trouble]:
        yield Hazard(
            slug="only-in-git",
            level="note",
            resource=only[0],
            message=f"{counted(len(only), 'resource')} of git not in {facts.environment}: {', '.join(only[:10])}.",
            fix="Push them, or remove their files by hand: nothing is deleted here.",
        )


def _inferred(found: tuple[Difference, ...], facts: Facts) -> Iterator[str]:
    new = [one.name for one in found if one.git is None and one.live]
    if new:
        yield f"new in git: {', '.join(new[:10])}"
    if granting := [one.name for one in found if _TOKEN.search(one.live_text)]:
        yield f"TOKEN lines of {', '.join(granting[:10])} are left out: a file grants nothing"
    if facts.project and facts.project.formatted:
        yield "formatted by the project's own command"
