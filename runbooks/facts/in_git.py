"""The project's datafiles in git, read with as few calls as what has changed: one for all their names, one for each
file that may say something else than the workspace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from runbooks.facts.project import Checked, Project
from runbooks.names import ProjectNames
from systems.errors import SystemsError
from systems.github_model import Green, Red, verdict

if TYPE_CHECKING:
    from systems.github import GitHub

_KINDS = (".datasource", ".pipe")
_VENDOR = "vendor/"  # other workspaces' shared data sources: not ours to change


def datafiles(
    hub: GitHub, names: ProjectNames, alike: Mapping[str, frozenset[str]], only: frozenset[str] | None
) -> Project:
    """Raises ``SystemsError``, where there is no such branch too."""
    there = hub.repository(names.repository)
    head = there.head(names.branch)
    if head is None:
        raise SystemsError("github", f"GET {names.branch}", said=f"{names.repository} has no branch {names.branch}")
    folder = names.datafiles.strip("/")
    files = {
        path.removeprefix(f"{folder}/"): sha
        for path, sha in there.tree(head, folder).items()
        if path.endswith(_KINDS) and _VENDOR not in path.removeprefix(folder)
    }
    texts: dict[str, str] = {}
    for path, sha in files.items():
        label = path.rpartition("/")[2]
        if sha not in alike.get(label, frozenset()) and (only is None or label in only):
            found = there.file(f"{folder}/{path}", head)
            texts[path] = found.content.decode(errors="replace") if found else ""
    return Project(head, files, texts)


def checked(hub: GitHub, names: ProjectNames, head: str) -> Checked:
    """The checks run on pull requests: what is merged by squashing is a commit of its own that has none, so those of
    the pull request that brought it count."""
    there = hub.repository(names.repository)
    last = there.last_commit(head, names.datafiles) or head
    seen = verdict(there.checks(last), names.checks)
    if isinstance(seen, Green):
        return Checked(last, "")
    pull = next((pull for pull in there.pulls_with(last) if pull.merged), None)
    if pull is None:
        return Checked(last, f"no check has been green on {last[:7]}, which no pull request brought")
    seen = verdict(there.checks(pull.head_sha), names.checks)
    match seen:
        case Green():
            return Checked(pull.head_sha, "", pull.number)
        case Red(failed):
            return Checked(pull.head_sha, f"{', '.join(failed)} failed on pull request #{pull.number}", pull.number)
        case _:
            return Checked(pull.head_sha, f"{seen.why} on pull request #{pull.number}", pull.number)
