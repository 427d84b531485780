"""A request resolved against facts: from people's words to a ``PlannedChange``. A file a kind of change."""

from runbooks.changes.added import add_fields
from runbooks.changes.default import set_default
from runbooks.changes.index import add_index
from runbooks.changes.removal import remove_fields
from runbooks.changes.retype import change_type
from runbooks.changes.revert import revert
from runbooks.changes.sorting import sort_by
from runbooks.changes.target import target_of
from runbooks.errors import Refused
from runbooks.facts.model import Facts
from runbooks.lineage import Lineage
from runbooks.request import AddFields, AddIndex, ChangeType, Migrate, RemoveFields, Revert, SetDefault, SortBy
from runbooks.strategies import PlannedChange

__all__ = ["resolve"]


def resolve(job: Migrate | Revert, facts: Facts, lineage: Lineage) -> tuple[PlannedChange, list[str]]:
    """The change with everything inferred, and the sentences on what was. Raises ``Refused``."""
    if isinstance(job, Revert):
        return revert(job, facts, lineage)
    if len(job.datasources) != 1:
        raise Refused("A change is planned for one data source at a time: ask for one after the other.")
    target = target_of(job.datasources[0], job.change.kind, facts, lineage)
    match job.change:
        case AddFields() as change:
            return add_fields(target, change, facts, lineage)
        case SetDefault() as change:
            return set_default(target, change, facts, lineage)
        case AddIndex() as change:
            return add_index(target, change, facts, lineage)
        case ChangeType() as change:
            return change_type(target, change, facts, lineage)
        case SortBy() as change:
            return sort_by(target, change, facts, lineage)
        case RemoveFields() as change:
            return remove_fields(target, change, facts, lineage)
