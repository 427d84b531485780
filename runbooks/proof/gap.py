"""What an append copy missed while it stood still, as a value, and the SQL that copies and proves it
(facts/procedures.md §2.7).

The copy's own nodes with one comparison replaced: rows since a moment instead of rows of the last hours. The target
keeps one row a key, so that what comes twice replaces itself, and the proof is one query over both sides: every key
that the nodes give since that moment, in the target with that version or a newer one.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from runbooks.proof.fields import ch_literal, ch_name

OVERLAP = timedelta(hours=12)  # versions are the writers' clocks, and messages come late
NAMED = 5  # missing keys that people are told
_NEVER = "2100-01-01 00:00:00"  # without a moment the pipe copies nothing
SINCE = "{{String(since, '" + _NEVER + "')}}"
MOMENT = f"toDateTime({SINCE}, 'UTC')"


@dataclass(frozen=True)
class GapNode:
    """A node as the run's pipe has it; ``sql`` begins with ``%`` where it takes the moment."""

    name: str
    sql: str


@dataclass(frozen=True)
class KeyColumn:
    name: str
    type: str  # in the target


@dataclass(frozen=True)
class Gap:
    """``nodes`` are in the order in which one reads another; the last one is what is copied. ``comparison`` is what was
    replaced, ``look_back_s`` how far it reached."""

    pipe: str
    target: str
    nodes: tuple[GapNode, ...]
    comparison: str
    look_back_s: int
    key: tuple[KeyColumn, ...]
    version: KeyColumn

    def since(self, paused: datetime) -> datetime:
        """From when on rows may have been missed by a copy that was paused then: what its last run before that had not
        seen is younger than it looks back."""
        return paused - timedelta(seconds=self.look_back_s) - OVERLAP


def as_parameter(moment: datetime) -> str:
    """As the run's pipe takes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def missing(gap: Gap, since: datetime, until: datetime) -> str:
    """One row: how many keys have a version up to ``until`` since ``since`` (``n``), how many of them the target lacks
    in that version (``missing``), and some of these (``named``). What is younger the copy's next run takes itself."""
    names = [f"_k{n}" for n in range(len(gap.key))]
    version = f"CAST({ch_name(gap.version.name)}, {ch_literal(gap.version.type)}) AS _ver"
    keys = ", ".join(
        f"CAST({ch_name(c.name)}, {ch_literal(c.type)}) AS {n}" for n, c in zip(names, gap.key, strict=True)
    )
    hashed = f"cityHash64(tuple({', '.join(names)})) AS _k"
    shown = f"arrayStringConcat([{', '.join(f'toString({n})' for n in names)}], '/')"
    cut = f"toDateTime64({ch_literal(f'{until.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}'[:-3])}, 3, 'UTC')"
    lacking = "_found = 0 OR _there < _here"
    return (
        f"{_with(gap, since)} SELECT toString(count()) AS n, toString(countIf({lacking})) AS missing, "
        f"arrayStringConcat(arraySort(groupArrayIf({NAMED})(_shown, {lacking})), ', ') AS named FROM ("
        "SELECT s._k, any(s._v) AS _here, any(s._n) AS _shown, max(t._v) AS _there, max(t._one) AS _found FROM "
        f"(SELECT {hashed}, _ver AS _v, 1 AS _one FROM (SELECT {keys}, {version} FROM {ch_name(gap.target)})) AS t "
        f"RIGHT JOIN (SELECT {hashed}, max(_ver) AS _v, any({shown}) AS _n FROM "
        f"(SELECT {keys}, {version} FROM {ch_name(gap.nodes[-1].name)}) WHERE _ver <= {cut} GROUP BY _k) AS s "
        "ON t._k = s._k GROUP BY s._k)"
    )


def _with(gap: Gap, since: datetime) -> str:
    """The nodes as they run in the pipe, each under its name."""
    literal = ch_literal(as_parameter(since))
    texts = ((node.name, node.sql.removeprefix("%").replace(SINCE, literal)) for node in gap.nodes)
    return "WITH " + ", ".join(f"{ch_name(name)} AS (\n{sql.strip().rstrip(';')}\n)" for name, sql in texts)
