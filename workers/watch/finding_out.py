"""What is found out of an incident once it is told: what its target is, what reads it, what may safely be done.

A message must not wait for that: it is posted first, and edited when this is known. What could not be found out now is
found out after a later look: an incident without a target has not been asked about.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ledger import incidents, messages
from ledger.connection import Conn
from ledger.incidents import Detail, Incident, incident_ref
from runbooks.copies import offers
from runbooks.copies.judging import scheduled
from runbooks.facts.copied import CopyPast, CopyRun
from runbooks.facts.model import Pipe
from workers.watch.below import Below

SHOWN = 30  # of each kind of reader: a card is not a list


def open_questions(opened: Sequence[Incident]) -> list[Incident]:
    """The incidents of which nothing was found out yet."""
    return [i for i in opened if i.kind != "quarantine" and not i.told.target]


def find_out(conn: Conn, asked: Sequence[Incident], below: Below) -> list[int]:
    """Add what is known of each to what its card shows; the messages to ring ``publish`` for after the transaction."""
    by_id: Mapping[str, Pipe] = {pipe.id: pipe for pipe in below.facts.pipes.values()}
    for incident in asked:
        pipe = by_id.get(incident.subject)
        if pipe is not None:
            incidents.update(conn, incident.id, incident.name, _known(incident.told, pipe, below))
    return messages.showing(conn, [incident_ref(each.under or each.id) for each in asked])


def _safe(told: Detail, pipe: Pipe, below: Below) -> tuple[tuple[str, ...], str]:
    """What may be offered, and why a run is not. Whoever presses is asked again, by what the logs say then."""
    good = told.last_good
    runs = (CopyRun("", "done", good, good, good),) if good else ()
    facts = replace(below.facts, copies={pipe.name: CopyPast(runs)})
    offered = offers(facts, pipe.name, below.lineage)
    found = [
        *(["run"] if offered.run else []),
        *(["run-in-order"] if offered.run and offered.onward else []),
        *(["clear-and-run"] if offered.clear else []),
        *(["pause"] if scheduled(pipe) else []),
    ]
    return tuple(found), "" if offered.run else f"{offered.why} {offered.instead}".rstrip()


def _known(told: Detail, pipe: Pipe, below: Below) -> Detail:
    target = pipe.output.target or ""
    readers = below.lineage.readers(target) if target else ()
    rows = below.facts.datasources[target].rows if target in below.facts.datasources else None
    safe, why_not = _safe(told, pipe, below) if pipe.kind == "copy" else ((), "")
    return told.model_copy(
        update={
            "target": target,
            "offers": safe,
            "why_not": why_not,
            "endpoints": tuple(r.name for r in readers if r.kind == "endpoint")[:SHOWN],
            "copies": tuple(r.name for r in readers if r.kind == "copy" and r.name != pipe.name)[:SHOWN],
            "rows_now": told.rows_now if told.rows_now is not None else rows,
        }
    )
