"""``revert``: the schema from before a run, and every row that came since. The table is made from the one that stands
now, as any other change does it; the one that the run set aside only says what it was."""

from dataclasses import replace

from runbooks.changes.made import made
from runbooks.changes.sorting import sharing
from runbooks.changes.target import target_of
from runbooks.earlier import Kept
from runbooks.errors import Refused
from runbooks.facts.model import Column, Datasource, Facts
from runbooks.fields import Where, where
from runbooks.lineage import Lineage
from runbooks.questions import Question
from runbooks.request import Revert
from runbooks.strategies import Altered, PlannedChange


def revert(job: Revert, facts: Facts, lineage: Lineage) -> tuple[PlannedChange, list[str]]:
    """Raises ``Refused`` where what came since could not be held by the old schema, or the old one is not known."""
    if job.kept is None:
        raise Refused("What a run set aside is known to the ledger alone: ask for it in Slack.")
    target = target_of(job.kept.of, job.kind, facts, lineage)
    old = _before(job.kept, job.run, facts)
    _fits(target, old, job)
    after = replace(
        target, columns=old.columns, sorting_key=old.sorting_key, indexes=old.indexes, ttl=old.ttl,
        description=old.description,
    )  # fmt: skip
    if replace(after, description=target.description) == target:
        raise Refused(f"`{target.name}` has the schema already that it had before run {job.run}.", target.name)
    request = {"kind": job.kind, "run": job.run, "datasource": target.name}
    gone = [c.name for c in target.columns if old.column(c.name) is None]
    said = [f"every row that {target.name} holds now is kept, in the schema from before run {job.run}"]
    if gone:
        stays = "; Postgres keeps its columns" if facts.sink_of(target.name) else ""
        said.append(f"{', '.join(gone)} of {target.name}: gone with its values{stays}")
    place = where(target, facts)
    planned = made(job.kind, request, Altered(target, after), place, facts, lineage)
    return replace(planned, questions=(*planned.questions, *_shared(target, old, place))), said


def _before(kept: Kept, run: int, facts: Facts) -> Datasource:
    found = next((d for d in facts.datasources.values() if d.id == kept.id), None)
    if found is None:
        raise Refused(f"`{kept.name}`, which run {run} set aside, is gone: nothing says what was before.", kept.name)
    return found


def _fits(target: Datasource, old: Datasource, job: Revert) -> None:
    lost = next((c.name for c in old.columns if target.column(c.name) is None), None)
    if lost:
        raise Refused(
            f"`{target.name}` has no {lost} any more, and its values are in `{old.name}` alone: a revert would lose "
            f"them for every row that came since. Add the field again.",
            lost,
        )
    other = next((c for c in old.columns if _type(target, c) != c.type), None)
    if other:
        raise Refused(
            f"`{other.name}` was {other.type} before run {job.run} and is {_type(target, other)} now: what came since "
            f"may not fit. Ask for `migrate {target.name} change field {other.name} to {other.type}`.",
            other.name,
        )
    if (old.engine, old.version, old.partition_key) != (target.engine, target.version, target.partition_key):
        raise Refused(
            f"`{target.name}` had another engine, version or partition key before run {job.run}.", target.name
        )


def _shared(target: Datasource, old: Datasource, place: Where) -> list[Question]:
    """Rows that came since may share the old key, where that is another one."""
    found = [target.column(part) for part in old.sorting_key]
    key = tuple(column for column in found if column)
    another = old.sorting_key != target.sorting_key and key and len(key) == len(found)
    return sharing(target, key, place) if another else []


def _type(target: Datasource, column: Column) -> str:
    found = target.column(column.name)
    return found.type if found else ""
