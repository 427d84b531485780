"""A change that passed elsewhere, planned anew here: the same files to the last letter, so the same ``change_hash``."""

from collections.abc import Iterator

from runbooks.earlier import Passed
from runbooks.errors import DatafileError, Refused
from runbooks.facts.model import Facts
from runbooks.plan import Hazard, Plan
from runbooks.questions import Datafiles, Green, OwnTexts, Question
from runbooks.request import Promote, Request
from runbooks.resources.alike import alike
from runbooks.resources.differences import Difference, matches, project_of, read, read_project, resources
from runbooks.resources.push import planned
from runbooks.steps.pull_request import blob_sha

NAME = "promote"


def questions_of(job: Promote, facts: Facts) -> tuple[Question, ...]:
    """The names and shas of git's files, then the workspace's own texts of what may be promoted. Raises ``Refused``."""
    names = project_of(facts)
    if facts.project is None:
        return (Datafiles(names, (), frozenset()),)
    there = {label for label, _ in resources(facts)}
    labels = {path.rpartition("/")[2] for passed in _candidates(job, facts) for path in passed.datafiles}
    asked = tuple(sorted(labels & there))
    return (Green(names, facts.project.head), *((OwnTexts(asked),) if asked else ()))


def plan_of(request: Request, job: Promote, facts: Facts) -> Plan:
    """The newest that is lacking here. Raises ``Refused`` where nothing passed, or nothing is lacking."""
    lacking = [(passed, found) for passed in _candidates(job, facts) if (found := _differences(passed, facts))]
    if not lacking:
        raise Refused(f"{facts.environment} has all{_of(job)} that passed elsewhere. There is nothing to promote.")
    (passed, found), *others = lacking
    reasons = (
        f"run {passed.run} brought it about in {passed.environment}: the same change, {passed.change_hash[:8]}",
        *(f"run {other.run} passed too and is lacking here" for other, _ in others[:3]),
    )
    plan = planned(request, facts, found, found, NAME, reasons, passed.datafiles, tuple(_moved_on(passed, facts)))
    if plan.change_hash != passed.change_hash:
        raise Refused(
            f"Planned anew for {facts.environment}, it is another change than run {passed.run} carried out in "
            f"{passed.environment}: push it there again first."
        )
    return plan


def _candidates(job: Promote, facts: Facts) -> tuple[Passed, ...]:
    """Those that the pattern means, without what a later run wrote over. Raises ``Refused`` where none is."""
    if job.passed is None:
        raise Refused("What passed elsewhere is known to the ledger alone: ask for it in Slack.")
    latest: dict[str, str] = {}
    found: list[Passed] = []
    for passed in job.passed:
        newer = {path: latest.setdefault(path, text) for path, text in passed.datafiles.items()}
        meant = any(matches(job.pattern, path.rpartition("/")[2]) for path in passed.datafiles)
        if meant and newer == passed.datafiles:
            found.append(passed)
    if not found:
        raise Refused(
            f"Nothing{_of(job)} has passed anywhere but in {facts.environment}: pull or push it in another environment "
            "first."
        )
    return tuple(found)


def _differences(passed: Passed, facts: Facts) -> tuple[Difference, ...]:
    """What of it this workspace has otherwise, or not."""
    live = {label for label, _ in resources(facts)}
    found = (_difference(path, text, facts, live) for path, text in sorted(passed.datafiles.items()))
    return tuple(one for one in found if one.trouble or not (one.git and one.live and alike(one.git, one.live)))


def _difference(path: str, text: str, facts: Facts, live: set[str]) -> Difference:
    label = path.rpartition("/")[2]
    own = read_project(facts).live.get(label, "") if label in live else ""
    try:
        return Difference(path, read(label, text), read(label, own) if own else None, text, own)
    except DatafileError as exc:
        return Difference(path, None, None, text, own, str(exc))


def _moved_on(passed: Passed, facts: Facts) -> Iterator[Hazard]:
    files = read_project(facts).files
    for path, text in passed.datafiles.items():
        if files.get(path) != blob_sha(text.encode()):
            yield Hazard(
                slug="git-moved-on",
                level="error",
                resource=path.rpartition("/")[2].rpartition(".")[0],
                message=f"Git has another {path} by now than run {passed.run} brought to {passed.environment}.",
                fix=f"Push git's to {passed.environment} first.",
            )


def _of(job: Promote) -> str:
    return "" if job.pattern is None else f" of `{job.pattern}`"
