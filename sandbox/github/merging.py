"""Whether a pull request can be merged, and the merge itself: three ways, file by file."""

from collections.abc import Mapping
from typing import Any

from sandbox.github import checks
from sandbox.github.checks import Seen
from sandbox.github.errors import Refused
from sandbox.github.repository import Files, Repository

MODES = ("merge", "squash")


def combined(base: Files, ours: Files, theirs: Files) -> tuple[Files, list[str]]:
    """Both sides' changes, and the paths that both changed to different files."""
    merged, conflicts = dict(ours), list[str]()
    for path in sorted({*base, *ours, *theirs}):
        was, our, their = base.get(path), ours.get(path), theirs.get(path)
        if their in (was, our):
            continue
        if our != was:
            conflicts.append(path)
        elif their is None:
            del merged[path]
        else:
            merged[path] = their
    return merged, conflicts


def merge_files(repository: Repository, base: str, head: str) -> tuple[Files, list[str]]:
    """``head`` into ``base``, two commits."""
    common = repository.base_of(base, head)
    return combined(repository.files(common) if common else {}, repository.files(base), repository.files(head))


def blocked(knobs: Mapping[str, Any], runs: list[Seen], behind: bool) -> str:
    """Why a branch rule forbids the merge, in GitHub's words; empty if none does."""
    if knobs["github.review_required"]:
        return "At least 1 approving review is required by reviewers with write access."
    required = [name.strip() for name in str(knobs["github.required_checks"]).split(",") if name.strip()]
    known = {run.name: run for run in runs}
    lacking = [name for name in required if name not in known or known[name].conclusion not in checks.GREEN]
    if len(lacking) > 1:
        return f"{len(lacking)} of {len(required)} required status checks have not succeeded."
    if lacking:
        run = known.get(lacking[0])
        if run is None:
            return f'Required status check "{lacking[0]}" is expected.'
        told = "is failing" if run.conclusion else f"is {run.status.replace('_', ' ')}"
        return f'Required status check "{lacking[0]}" {told}.'
    if behind and knobs["github.require_up_to_date"]:
        return "The head branch is not up to date with the base branch."
    return ""


def state(conflicts: bool, why_blocked: str, runs: list[Seen], behind: bool, knobs: Mapping[str, Any]) -> str:
    """``mergeable_state``: the first of these that is so."""
    if conflicts:
        return "dirty"
    if behind and knobs["github.require_up_to_date"]:
        return "behind"
    if why_blocked:
        return "blocked"
    return "clean" if all(run.conclusion in checks.GREEN for run in runs) else "unstable"


def not_mergeable(message: str = "Pull Request is not mergeable") -> Refused:
    return Refused(405, message)
