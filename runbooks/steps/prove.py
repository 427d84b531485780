"""The proof as a step: a round a look, and in between only what the next round needs (facts/procedures.md §5)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from runbooks.proof import source, target
from runbooks.proof.claim import BUCKETS, Claim, Range, packed, unpacked
from runbooks.proof.sandwich import Digest, Found, judge, unlike
from runbooks.site import Site
from runbooks.step import Astray, Done, Progress, Seen, Step, Wait
from runbooks.steps.delivery import raw_count
from runbooks.words import counted
from systems.errors import SystemsError

BEHIND_S = 2  # the cutoff lies this far back, so that what is just being committed is not claimed
RANGE_ROWS = 250_000  # a side's digest of so many takes well under 10 s
DRILLED = 256  # buckets whose rows are compared by key in one look
MOST_NAMED = 4  # columns; more are counted
ROUND_S = 2.0
PATIENCE_S = 60.0  # of the calendar, without fewer rows at fault
PATIENCE_ROUNDS = 5
PATIENCE_MACHINE_S = 5.0  # delivery takes machine's time, however fast a calendar runs


_Rows = dict[tuple[int, str], tuple[int, str]]  # by bucket and key: version and digest


class Prove(Step):
    """Prove that every key of Postgres stands in Tinybird with its version and the same values. Rows on their way
    are waited for as long as they get fewer. Without proof a run does not succeed."""

    op: ClassVar[str] = "proof.values/1"
    gated: ClassVar[bool] = False
    long: ClassVar[bool] = True

    claim: Claim
    span: Range | None  # how keys are cut into ranges; None: all at once
    not_proven: tuple[str, ...] = ()

    def title(self) -> str:
        names = [field.name for field in self.claim.fields]
        columns = ", ".join(names) if len(names) <= 3 else f"{len(names)} columns"
        return f"Prove by value that {self.claim.datasource} holds what Postgres holds: {columns}"

    def look(self, at: Site) -> Seen:
        memo = dict(at.memo) or self._begin(at)
        span = self._span(memo)
        todo = unpacked(memo["todo"])
        before = self._source(at, memo["cut"], span)
        there = self._target(at, memo["cut"], span)
        judged = judge(todo, before, there, self._source(at, memo["cut"], span))
        unsettled = sorted(judged.open | judged.moving)
        found = Found()
        if memo["round"] > 1 or not judged.proven:
            found = self._drilled(at, memo["cut"], span, unsettled[:DRILLED])
            unsettled = sorted({*found.faulty, *unsettled[DRILLED:]})
        memo |= {"todo": packed(unsettled), "round": memo["round"] + 1, "ghosts": memo["ghosts"] + found.ghosts}
        if unsettled:
            return self._patient(at, memo, found, len(unsettled))
        memo["rows"] += sum(n for n, _ in before.values())
        if memo["high"] is not None:
            following = self._next_range(at, memo)
            return Wait(0.0, "the next range of keys is compared", Progress(memo["rows"], None), following)
        return self._done(at, memo)

    # -- ranges

    def _begin(self, at: Site) -> dict[str, Any]:
        earlier = 0 if at.started else self._quarantine(at)
        counts = {"rows": 0, "ghosts": 0, "quarantine": earlier}
        return self._next_range(at, {"high": None, **counts})

    def _next_range(self, at: Site, memo: dict[str, Any]) -> dict[str, Any]:
        """The range behind the last one, with a cutoff of its own and every bucket to do."""
        low: str | None = memo["high"]
        high: str | None = None
        if self.span:
            found = at.postgres.read(source.bound(self.claim, replace(self.span, low=low), RANGE_ROWS))
            high = str(found[0][0]) if found else None
        kept = {key: memo[key] for key in ("rows", "ghosts", "quarantine")}
        cut = int(at.postgres.read(source.now(self.claim, BEHIND_S))[0][0])
        return {**kept, "low": low, "high": high, "cut": cut, "todo": packed(range(BUCKETS)), "round": 1}

    def _span(self, memo: dict[str, Any]) -> Range | None:
        return replace(self.span, low=memo["low"], high=memo["high"]) if self.span else None

    # -- both sides

    def _source(self, at: Site, cut: int, span: Range | None) -> Digest:
        return {int(b): (int(n), str(d)) for b, n, d in at.postgres.read(source.digest(self.claim, cut, span))}

    def _target(self, at: Site, cut: int, span: Range | None) -> Digest:
        found = at.tinybird.sql(target.digest(self.claim, cut, span))
        return {int(row["b"]): (int(row["n"]), str(row["d"])) for row in found}

    def _drilled(self, at: Site, cut: int, span: Range | None, buckets: list[int]) -> Found:
        """Rows by key, Tinybird first: what Postgres has not a moment later is gone from it."""
        if not buckets:
            return Found()
        there, here = self._rows(self.claim, at, span, buckets)
        if self.claim.nearly != self.claim and there != here:
            near_there, near_here = self._rows(self.claim.nearly, at, span, buckets)
            equal = {place for place, row in near_here.items() if near_there.get(place) == row}
            there |= {place: here[place] for place in equal & here.keys()}
        return unlike(there, here, cut)

    def _rows(self, claim: Claim, at: Site, span: Range | None, buckets: list[int]) -> tuple[_Rows, _Rows]:
        there = at.tinybird.sql(target.rows(claim, span, buckets))
        here = at.postgres.read(source.rows(claim, span, buckets))
        return (
            {(int(row["b"]), str(row["k"])): (int(row["v"]), str(row["h"])) for row in there},
            {(int(b), str(k)): (int(v), str(h)) for b, k, v, h in here},
        )

    # -- what comes of it

    def _patient(self, at: Site, memo: dict[str, Any], found: Found, buckets: int) -> Seen:
        """Wait while rows at fault get fewer; after the patience they are faults."""
        machine = datetime.now(UTC)
        left = found.faults + buckets
        if left < memo.get("left", left + 1):
            memo |= {"left": left, "since": at.now.isoformat(), "machine": machine.isoformat(), "from": memo["round"]}
        waited = (
            at.now - datetime.fromisoformat(memo["since"]) >= timedelta(seconds=PATIENCE_S)
            and machine - datetime.fromisoformat(memo["machine"]) >= timedelta(seconds=PATIENCE_MACHINE_S)
            and memo["round"] - memo["from"] >= PATIENCE_ROUNDS
        )
        if waited and found.faults:
            return Astray(
                f"{self.claim.datasource} is not proven: {found.words()}, for example {', '.join(found.examples)}; "
                "Tinybird keeps what it has, nothing was changed by looking",
                {key: value for key, value in memo.items() if key not in ("left", "since", "machine", "from")},
            )
        why = f"{buckets:,} of {BUCKETS:,} groups of keys still differ, perhaps because rows are on their way"
        return Wait(ROUND_S, why + (f" ({found.words()})" if found.faults else ""), Progress(memo["rows"], None), memo)

    def _done(self, at: Site, memo: dict[str, Any]) -> Done:
        apart = int(at.postgres.read(source.without_version(self.claim))[0][0])
        quarantined = max(self._quarantine(at) - int(memo["quarantine"]), 0)
        columns = [field.name for field in self.claim.fields]
        proof = {
            "rows": memo["rows"],
            "ghosts": memo["ghosts"],
            "without_version": apart,
            "quarantined": quarantined,
            "columns": columns,
            "not_proven": list(self.not_proven),
        }
        return Done(_sentence(self.claim.datasource, proof), {"proven": [self.claim.datasource], "proof": proof})

    def _quarantine(self, at: Site) -> int:
        """Rows quarantined since the run began; all of them where that time is not known, for the difference."""
        name = f"{self.claim.datasource}_quarantine"
        if at.started is None:
            return raw_count(at, name)
        began = int(at.started.timestamp())
        try:
            rows = at.tinybird.sql(
                f"SELECT toString(count()) AS n FROM `{name}` WHERE toUnixTimestamp(insertion_date) >= {began}"
            )
        except SystemsError as error:
            if error.status in (400, 404):
                return 0  # there is no quarantine before the first bad row
            raise
        return int(rows[0]["n"])


def _sentence(datasource: str, proof: dict[str, Any]) -> str:
    columns = proof["columns"]
    where = ", ".join(columns) if len(columns) <= MOST_NAMED else counted(len(columns), "column")
    parts = [f"{datasource} is proven by value: {counted(proof['rows'], 'row')} equal in {where}."]
    if proof["not_proven"]:
        parts.append(
            f"Not compared, because the two sides have no common way to write it: {', '.join(proof['not_proven'])}."
        )
    if proof["ghosts"]:
        parts.append(
            f"In Tinybird and no longer in Postgres: {counted(proof['ghosts'], 'row')} (deletes arrive as rows)."
        )
    if proof["without_version"]:
        parts.append(f"Without a comparable version, so not proven: {counted(proof['without_version'], 'row')}.")
    if proof["quarantined"]:
        parts.append(f"In quarantine since the run began: {counted(proof['quarantined'], 'row')}.")
    return " ".join(parts)
