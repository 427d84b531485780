"""The table that a run set aside, dropped for good: a run of its own, approved like any (DESIGN §5, Destruction)."""

from runbooks import guards
from runbooks.earlier import Kept
from runbooks.errors import Refused
from runbooks.facts.model import Datasource, Facts
from runbooks.layout import in_one_block
from runbooks.lineage import Lineage
from runbooks.plan import Choice, Estimate, Plan
from runbooks.request import Request, Retire
from runbooks.steps.drop_kept import DropKept
from runbooks.words import counted

NAME = "retire"


def plan_of(request: Request, job: Retire, facts: Facts) -> Plan:
    """One step, of strong approval. Raises ``Refused`` where there is nothing to drop, or something still reads it."""
    if job.kept is None:
        raise Refused("What a run set aside is known to the ledger alone: ask for it in Slack.")
    kept = job.kept
    found = _standing(kept, job.run, facts)
    readers = Lineage.of(facts).readers(kept.name)
    if readers:
        names = ", ".join(dict.fromkeys(f"`{reader.name}`" for reader in readers))
        raise Refused(f"`{kept.name}` is still read by {names}; it stays until nothing reads it.", kept.name)
    step = DropKept(name=kept.name, id=kept.id, of=kept.of)
    return Plan(
        command=request.text,
        environment=facts.environment,
        target=kept.name,
        request={"kind": NAME, "run": job.run, "table": kept.name},
        strategy=Choice(name=NAME, reasons=_reasons(kept, found, job.run)),
        readers=(),
        steps=in_one_block((step,)),
        holds=(),
        took=Estimate(seconds=10, formula="one small step of about 10 s"),
        guards={key: guards.digest_of(facts, key) for key in sorted({*step.reads(), *step.writes()})},
        locks=(f"datasource/{kept.name}", f"datasource/{kept.of}"),
    )


def _standing(kept: Kept, run: int, facts: Facts) -> Datasource:
    found = next((d for d in facts.datasources.values() if d.id == kept.id), None)
    if found is None:
        raise Refused(f"`{kept.name}`, which run {run} set aside, is gone already.", kept.name)
    if found.name != kept.name:
        raise Refused(
            f"The table that run {run} set aside as `{kept.name}` is called `{found.name}` now: it is in use again.",
            kept.name,
        )
    if kept.of not in facts.datasources:
        raise Refused(f"There is no `{kept.of}` any more: `{kept.name}` may be all that is left of it.", kept.of)
    return found


def _reasons(kept: Kept, found: Datasource, run: int) -> tuple[str, ...]:
    rows = "" if found.rows is None else f" with {counted(found.rows, 'row')}"
    return (
        f"run {run} set {kept.name} aside{rows}; {kept.of} stands in its place and nothing reads the old one",
        "what is dropped does not come back",
    )
