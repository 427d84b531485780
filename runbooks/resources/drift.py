"""Which resources are not the same everywhere, as a table: git, and each workspace that was asked."""

from runbooks.facts.model import Facts
from runbooks.plan import DriftRow
from runbooks.resources.texts import Difference


def table(facts: Facts, found: tuple[Difference, ...]) -> tuple[DriftRow, ...]:
    """A row a resource that differs somewhere, by environment how it stands to git."""
    return tuple(
        DriftRow(resource=one.label, git=_in_git(one), elsewhere={facts.environment: _standing(one)}) for one in found
    )


def _in_git(one: Difference) -> str:
    return "not understood" if one.trouble else "there" if one.git else "absent"


def _standing(one: Difference) -> str:
    if one.trouble:
        return "not known"
    return "absent" if one.live is None else "only here" if one.git is None else "differs"
