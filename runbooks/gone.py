"""Rows that are in Tinybird and no longer in Postgres, as a plan tells of them (facts/procedures.md §2.10): how many,
and whether they stay."""

from runbooks.facts.model import Facts
from runbooks.proof.claims import Provable
from runbooks.proof.fields import ch_name
from runbooks.proof.target import keys_of
from runbooks.questions import Count, Question, count_of
from runbooks.strategies.change import PlannedChange
from runbooks.strategies.parts import proof

_HERE, _THERE = "keys in Postgres", "keys in Tinybird"


def questions(change: PlannedChange) -> tuple[Question, ...]:
    """How many keys each side has; nothing where they cannot be compared. For plans that take such rows away."""
    found = proof(change, ())
    if isinstance(found, str):
        return ()
    return _counts(found)


def sentence(change: PlannedChange, facts: Facts, strategy: str) -> str:
    """Empty where Postgres is not what the table should hold."""
    if not change.replicated:
        return ""
    what = f"rows that are in Tinybird and no longer in Postgres: {_number(change, facts)}"
    if strategy != "recreate":
        return f"{what}; {strategy} keeps them"
    return f"{what}; they disappear, and so do those that are deleted from Postgres while the table is filled"


def _counts(found: Provable) -> tuple[Question, ...]:
    key = " || chr(31) || ".join(part.postgres for part in found.claim.key)
    here = f"SELECT count(*) FROM (SELECT DISTINCT {key} FROM {found.claim.table}) s"
    there = f"SELECT toString(uniqExact({keys_of(found.claim)})) AS n FROM {ch_name(found.claim.datasource)}"
    return (Count(_HERE, "postgres", here), Count(_THERE, "tinybird", there))


def _number(change: PlannedChange, facts: Facts) -> str:
    here, there = count_of(facts.answers, _HERE), count_of(facts.answers, _THERE)
    if here is not None and there is not None:
        return f"{max(0, there - here):,} by count"
    rows, source = change.target.before.rows, change.table.rows if change.table else None
    return f"about {max(0, rows - source):,}" if rows is not None and source is not None else "a number not known yet"
