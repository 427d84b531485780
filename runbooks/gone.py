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
    return counts(found)


def sentence(change: PlannedChange, facts: Facts, strategy: str) -> str:
    """Empty where Postgres is not what the table should hold."""
    if not change.replicated:
        return ""
    number = counted_by(facts, change.target.before.rows, change.table.rows if change.table else None)
    what = f"rows that are in Tinybird and no longer in Postgres: {number}"
    if strategy != "recreate":
        return f"{what}; {strategy} keeps them"
    return f"{what}; they disappear, and so do those that are deleted from Postgres while the table is filled"


def counts(found: Provable) -> tuple[Question, ...]:
    """How many keys each side has, to be asked."""
    key = " || chr(31) || ".join(part.postgres for part in found.claim.key)
    here = f"SELECT count(*) FROM (SELECT DISTINCT {key} FROM {found.claim.table}) s"
    there = f"SELECT toString(uniqExact({keys_of(found.claim)})) AS _n FROM {ch_name(found.claim.datasource)}"
    return (Count(_HERE, "postgres", here), Count(_THERE, "tinybird", there))


def counted_by(facts: Facts, rows: int | None, source: int | None) -> str:
    """How many more keys Tinybird has: by the answers, or by what both sides guess of their rows."""
    here, there = count_of(facts.answers, _HERE), count_of(facts.answers, _THERE)
    if here is not None and there is not None:
        return f"{max(0, there - here):,} by count"
    return f"about {max(0, rows - source):,}" if rows is not None and source is not None else "a number not known yet"
