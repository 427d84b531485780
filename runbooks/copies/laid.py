"""What the plans of copies share."""

from collections.abc import Iterator, Sequence

from runbooks import guards
from runbooks.facts.model import Facts, Pipe
from runbooks.layout import in_one_block
from runbooks.lineage import Lineage
from runbooks.plan import Choice, Estimate, Hazard, Plan, Reason
from runbooks.request import CopyDeed, Request
from runbooks.step import Step
from runbooks.steps.copy_once import RunOnce


def laid_out(
    request: Request,
    job: CopyDeed,
    pipe: Pipe,
    facts: Facts,
    lineage: Lineage,
    *,
    steps: Sequence[Step],
    reasons: tuple[str, ...],
    hazards: tuple[Hazard, ...],
    rejected: tuple[Reason, ...] = (),
    took: Estimate | None = None,
) -> Plan:
    """One block of steps, approved as one. What reads the copy's target is what waits for it."""
    keys = {key for step in steps for key in (*step.reads(), *step.writes())}
    return Plan(
        command=request.text,
        environment=facts.environment,
        target=pipe.name,
        request=job.model_dump(mode="json", exclude={"stopped"}),
        strategy=Choice(name=job.deed, reasons=reasons, rejected=rejected),
        readers=lineage.readers(pipe.output.target or ""),
        hazards=hazards,
        steps=in_one_block(steps),
        holds=(),
        took=took or Estimate(seconds=5, formula="one call"),
        guards={key: guards.digest_of(facts, key) for key in sorted(keys)},
        locks=tuple(_locks(steps, pipe)),
    )


def _locks(steps: Sequence[Step], pipe: Pipe) -> Iterator[str]:
    """Each copy that is run or stopped, and what it writes."""
    named = {f"copy/{pipe.name}": None, f"datasource/{pipe.output.target}": None}
    for step in steps:
        if isinstance(step, RunOnce):
            named |= {f"copy/{step.pipe}": None, f"datasource/{step.target}": None}
    yield from named
