"""What is found out of an incident once it is told: what its target is, what reads it, what may safely be done.

A message must not wait for that: it is posted first, and edited when this is known. What could not be found out now is
found out after a later look: an incident without a target has not been asked about.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ledger import incidents, messages
from ledger.connection import Conn
from ledger.incidents import Detail, Incident, incident_ref
from runbooks.copies.judging import scheduled
from runbooks.copies.offers import Offers, offers
from runbooks.facts.copy_runs import KEPT, CopyRun, RecentRuns
from runbooks.facts.model import Facts, Pipe
from runbooks.lineage import Lineage
from workers.watch.below import Below
from workers.watch.history import History
from workers.watch.words import moment

SHOWN = 30  # of each kind of reader: a card is not a list


def open_questions(opened: Sequence[Incident]) -> list[Incident]:
    """The incidents of which nothing was found out yet."""
    return [i for i in opened if i.kind != "quarantine" and not i.told.target]


def find_out(conn: Conn, asked: Sequence[Incident], below: Below, past: Mapping[str, History]) -> list[int]:
    """Add what is known of each to what its card shows; the messages to ring ``publish`` for after the transaction.
    ``past`` is what is remembered of each pipe, by id."""
    pipes = {pipe.id: pipe for pipe in below.facts.pipes.values()}
    recent = {pipes[known].name: _recent(history) for known, history in past.items() if known in pipes}
    facts = replace(below.facts, recent_runs=recent)
    for incident in asked:
        pipe = pipes.get(incident.subject)
        if pipe is not None:
            incidents.update(conn, incident.id, incident.name, _known(incident.told, pipe, facts, below.lineage))
    return messages.showing(conn, [incident_ref(each.under or each.id) for each in asked])


def _known(told: Detail, pipe: Pipe, facts: Facts, lineage: Lineage) -> Detail:
    target = pipe.output.target or ""
    readers = lineage.readers(target) if target else ()
    rows = facts.datasources[target].rows if target in facts.datasources else None
    safe = offers(facts, pipe.name, lineage)
    return told.model_copy(
        update={
            "target": target,
            "endpoints": tuple(r.name for r in readers if r.kind == "endpoint")[:SHOWN],
            "copies": tuple(r.name for r in readers if r.kind == "copy" and r.name != pipe.name)[:SHOWN],
            "rows_now": told.rows_now if told.rows_now is not None else rows,
            "offers": tuple(_offered(safe, pipe)),
            "why_not": "" if safe.run or safe.clear else f"{safe.why} {safe.in_general}".strip(),
        }
    )


def _offered(safe: Offers, pipe: Pipe) -> Iterator[str]:
    """By the names that an incident's card has for them."""
    if safe.run:
        yield "run"
        if safe.onward:
            yield "run-in-order"
    elif safe.clear:
        yield "clear-and-run"
    if scheduled(pipe):
        yield "pause"


def _recent(history: History) -> RecentRuns:
    runs = (
        CopyRun(
            id=run.id,
            status=run.status,
            created=moment(run.created),
            started=moment(run.started) if run.started else None,
            ended=moment(run.ended or run.started or run.created),
            rows=run.rows,
        )
        for run in reversed(history.runs)
    )
    return RecentRuns(tuple(runs)[:KEPT])
