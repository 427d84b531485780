"""A request resolved against facts: from people's words to a ``PlannedChange``. A file a kind of change."""

from runbooks.changes.added import add_fields
from runbooks.changes.target import target_of
from runbooks.errors import Refused
from runbooks.facts.model import Facts
from runbooks.lineage import Lineage
from runbooks.request import AddFields, Job, Migrate
from runbooks.strategies import PlannedChange

__all__ = ["resolve"]


def resolve(job: Job, facts: Facts, lineage: Lineage) -> tuple[PlannedChange, list[str]]:
    """The change with everything inferred, and the sentences on what was. Raises ``Refused``."""
    if not isinstance(job, Migrate):
        raise Refused(f"`{job.kind}` is understood, but not carried out yet; nothing was changed.", job.kind)
    if len(job.datasources) != 1:
        raise Refused("Several data sources in one run are not carried out yet: ask for one after the other.")
    if not isinstance(job.change, AddFields):
        raise Refused(
            f"`{job.change.kind}` is understood, but not carried out yet; nothing was changed.", job.change.kind
        )
    target = target_of(job.datasources[0], facts, lineage)
    return add_fields(target, job.change, facts, lineage)
