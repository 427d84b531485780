"""Which resources are not the same everywhere: git, this workspace, and those of the project's other environments."""

import difflib
from collections.abc import Iterator, Mapping

from runbooks.errors import DatafileError
from runbooks.facts.model import Facts
from runbooks.facts.project import Project
from runbooks.plan import DriftRow
from runbooks.resources.alike import Resource, alike_in_lists
from runbooks.resources.differences import Difference, matches, read, written

SAME, DIFFERS, ABSENT, ONLY, UNKNOWN = "same", "differs", "absent", "only here", "not known"


def table(facts: Facts, found: tuple[Difference, ...], pattern: str | None) -> tuple[DriftRow, ...]:
    """A row a resource that differs somewhere; by environment how it stands to git. ``found`` is what differs here."""
    here = {one.label: one for one in found}
    others = facts.elsewhere or {}
    texts = _texts(facts.project) if facts.project else {}
    labels = [*here, *sorted(label for label in texts if label not in here and matches(pattern, label))]
    rows = (_row(label, here.get(label), texts.get(label), facts.environment, others) for label in labels)
    return tuple(row for row in rows if {row.git, *row.elsewhere.values()} - {"there", SAME, UNKNOWN})


def diff(path: str, before: str, after: str) -> str:
    """A unified diff of two texts of one datafile."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), f"a/{path}", f"b/{path}", lineterm="")
    return "\n".join(lines)


def _row(
    label: str,
    here: Difference | None,
    text: str | None,
    environment: str,
    others: Mapping[str, Mapping[str, Resource] | None],
) -> DriftRow:
    git = _read(label, text)
    standing = {name: _standing(label, git, listed) for name, listed in others.items()}
    return DriftRow(
        resource=label,
        git="not understood" if text and git is None else "there" if text else ABSENT,
        elsewhere={environment: _here(here), **standing},
        diffs=dict(_diffs(label, text or "", others, standing)),
    )


def _here(one: Difference | None) -> str:
    if one is None:
        return SAME
    if one.trouble:
        return UNKNOWN
    return ABSENT if one.live is None else ONLY if one.git is None else DIFFERS


def _standing(label: str, git: Resource | None, listed: Mapping[str, Resource] | None) -> str:
    if listed is None:
        return UNKNOWN
    one = listed.get(label)
    if one is None or git is None:
        return ABSENT if one is None else "there"
    return SAME if alike_in_lists(git, one) else DIFFERS


def _diffs(
    label: str, text: str, others: Mapping[str, Mapping[str, Resource] | None], standing: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """From git to each other environment; this one's is the plan's own."""
    for name, listed in others.items():
        if standing[name] == DIFFERS and listed is not None:
            yield name, diff(label, text, written(listed[label]))


def _texts(project: Project) -> dict[str, str]:
    return {path.rpartition("/")[2]: text for path, text in project.texts.items()}


def _read(label: str, text: str | None) -> Resource | None:
    try:
        return read(label, text) if text else None
    except DatafileError:
        return None
