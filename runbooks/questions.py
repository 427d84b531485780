"""What planning asks of the systems about one change: counts of rows, and whether Tinybird would take an alter.

The facts are the same for every plan; these are of the one at hand, so they are asked once it is resolved
and put beside the facts as ``Facts.answers``. Everything is asked before anything is touched, and changes nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from runbooks.facts import copy_runs, in_git, live
from runbooks.facts.copy_runs import RecentRuns
from runbooks.facts.live import with_copy_figures
from runbooks.facts.model import Datasource, Facts, Pipe, ProjectFiles
from runbooks.history import in_order, newest_about
from runbooks.names import ProjectNames
from systems.errors import SystemsError

if TYPE_CHECKING:
    from runbooks.site import Others
    from systems.formatter import Formatter
    from systems.github import GitHub
    from systems.kafka import Kafka
    from systems.postgres import Postgres
    from systems.tinybird import Tinybird

TAKEN = "taken"
ROUNDS = 5  # some ask for what the answers to others show
MOST_READ = 20  # migrations of one plan: their names are asked for at once, their texts one by one
_TOO_LONG = 408  # Tinybird's own limit of 10 s for a query (facts/tinybird.md §1, §6)


@dataclass(frozen=True)
class Count:
    """One whole number: the only value of the only row of a SELECT."""

    key: str
    system: Literal["postgres", "tinybird"]
    sql: str


@dataclass(frozen=True)
class Rehearsal:
    """An alter as a dry run: ``TAKEN``, or the words of the refusal."""

    key: str
    datasource: str
    schema: str
    indexes: str | None = None


@dataclass(frozen=True)
class Shapes:
    """What each of these topics is like in Kafka, or that there is none."""

    key: str
    topics: tuple[str, ...]


@dataclass(frozen=True)
class Datafiles:
    """The project's datafiles at the branch's head: all by name, and the text of those that are not ``alike``: of
    each name the blobs' shas that would say the same as the workspace. ``only`` are the names to read; None: all."""

    project: ProjectNames
    alike: tuple[tuple[str, frozenset[str]], ...]
    only: frozenset[str] | None = None
    key: str = "datafiles"


@dataclass(frozen=True)
class Elsewhere:
    """The resources of the other environments of the same project."""

    key: str = "elsewhere"


@dataclass(frozen=True)
class OwnTexts:
    """What the workspace itself says of these resources, as datafiles: ``members.datasource``."""

    labels: tuple[str, ...]
    key: str = "own texts"


@dataclass(frozen=True)
class Formatting:
    """Datafiles by name, as the project's own formatter would have them."""

    texts: tuple[tuple[str, str], ...]
    key: str = "formatted"


@dataclass(frozen=True)
class Green:
    """Whether the datafiles at the branch's head were seen to be good, by the checks that the project names."""

    project: ProjectNames
    head: str
    key: str = "green"


@dataclass(frozen=True)
class InProject:
    """What the project's branch holds: the names of all its datafiles and migrations, in one call; and a call each, the
    text of those of ``paths`` that are there, of the newest migrations whose names mention one of ``words``, and of so
    many of the ``newest`` whatever they are called. ``needed``: there is no plan without it; else planning goes on
    where GitHub is away."""

    key: str
    project: ProjectNames
    paths: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    newest: int = 0
    needed: bool = False


@dataclass(frozen=True)
class FiguresOfCopies:
    """How long the copies take, and how they ran of late: of all of them."""

    key: str = "copy figures"


@dataclass(frozen=True)
class RecentRunsOf:
    """The newest runs of each of these copy pipes: (name, id)."""

    pipes: tuple[tuple[str, str], ...]
    key: str = "recent runs"


Question = (
    Count
    | Rehearsal
    | Shapes
    | Elsewhere
    | Datafiles
    | OwnTexts
    | Formatting
    | Green
    | InProject
    | FiguresOfCopies
    | RecentRunsOf
)


def answered(
    facts: Facts,
    questions: tuple[Question, ...],
    postgres: "Postgres | None",
    tinybird: "Tinybird | None",
    kafka: "Kafka | None",
    hub: "GitHub | None" = None,
    formatter: "Formatter | None" = None,
    others: "Others | None" = None,
) -> Facts:
    """The facts with the answers of those who could be asked. None is an answer that did not come in time: a hazard,
    where it matters. Raises ``SystemsError`` where a system is away."""
    answers = dict(facts.answers)
    shapes = dict(facts.topics)
    recent = dict(facts.recent_runs)
    project, elsewhere, history = facts.project, facts.elsewhere, facts.history
    for question in questions:
        match question:
            case Count(system="postgres") if postgres is not None:
                answers[question.key] = _counted(question, lambda sql: postgres.read(sql)[0][0])
            case Count(system="tinybird") if tinybird is not None:
                answers[question.key] = _counted(question, lambda sql: next(iter(tinybird.sql(sql)[0].values())))
            case Rehearsal() if tinybird is not None:
                answers[question.key] = _rehearsed(question, tinybird)
            case Shapes() if kafka is not None:
                there = kafka.topics()
                shapes |= {name: kafka.topic_shape(name) if name in there else None for name in question.topics}
            case Elsewhere() if others is not None:
                elsewhere = {name: _resources(workspace) for name, workspace in others().items()}
            case Datafiles() if hub is not None:
                project = in_git.datafiles(hub, question.project, dict(question.alike), question.only)
            case Green() if hub is not None and project is not None:
                project = replace(project, checked=in_git.checked(hub, question.project, question.head))
            case OwnTexts() if tinybird is not None and project is not None:
                live = {label: tinybird.datafile(label) for label in question.labels}
                project = replace(project, live={**project.live, **live})
            case Formatting() if formatter is not None and project is not None:
                made = {label: formatter.formatted(label, text) for label, text in question.texts}
                project = replace(project, formatted={**project.formatted, **made})
            case InProject() if hub is not None:
                history = _in_project(question, hub)
            case FiguresOfCopies() if tinybird is not None:
                facts = with_copy_figures(facts, tinybird)
            case RecentRunsOf() if tinybird is not None:
                recent |= _recent_runs(question, tinybird)
            case _:
                pass
    return replace(
        facts,
        answers=answers,
        topics=shapes,
        project=project,
        elsewhere=elsewhere,
        history=history,
        recent_runs=recent,
    )


def count_of(answers: Mapping[str, int | str | None], key: str) -> int | None:
    """The number, where it was asked for and came."""
    found = answers.get(key)
    return found if isinstance(found, int) else None


def _resources(workspace: "Tinybird") -> "Mapping[str, Datasource | Pipe] | None":
    """None where the workspace does not answer: what it has is shown, and nothing depends on it."""
    try:
        return live.resources(workspace)
    except SystemsError:
        return None


def _recent_runs(question: RecentRunsOf, tinybird: "Tinybird") -> dict[str, RecentRuns]:
    """Nothing where the logs are not what they should be: what hangs on them is then not done."""
    try:
        return copy_runs.read(tinybird, question.pipes)
    except SystemsError as error:
        if error.retryable:
            raise
        return {}


def _counted(question: Count, ask: Callable[[str], object]) -> int | None:
    try:
        return int(str(ask(question.sql)))
    except SystemsError as error:
        if error.retryable and not _too_long(error):
            raise
        return None


def _too_long(error: SystemsError) -> bool:
    """A statement's own time was over: the system is there, the table is too large to be counted."""
    return "57014" in error.said or error.status == _TOO_LONG


def _rehearsed(question: Rehearsal, tinybird: "Tinybird") -> str:
    try:
        tinybird.alter(question.datasource, schema=question.schema, dry=True, indexes=question.indexes)
    except SystemsError as error:
        if error.retryable or (error.status or 500) >= 500:
            raise
        return error.said or "it was refused"
    return TAKEN


def _in_project(question: InProject, github: "GitHub") -> ProjectFiles:
    try:
        return _read_of(question, github)
    except SystemsError as error:
        if question.needed:
            raise
        return ProjectFiles(trouble=str(error))


def _read_of(question: InProject, github: "GitHub") -> ProjectFiles:
    project = question.project
    there = github.repository(project.repository)
    folders = (f"{project.datafiles}/", f"{project.migrations}/")
    shas = {path: sha for path, sha in there.tree(project.branch).items() if path.startswith(folders)}
    wanted = [path for path in question.paths if path in shas]
    wanted += newest_about(question.words, project.migrations, shas)[:MOST_READ]
    wanted += in_order(project.migrations, shas)[::-1][: question.newest]
    found = {path: there.file(path, project.branch) for path in dict.fromkeys(wanted)}
    # a file that somebody wrote between the two calls goes by what was read
    read = {path: file for path, file in found.items() if file is not None}
    return ProjectFiles(
        shas={**shas, **{path: file.sha for path, file in read.items()}},
        texts={path: file.content.decode(errors="replace") for path, file in read.items()},
    )
