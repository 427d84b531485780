"""The picture of the day, as values: a row a copy pipe or family of them, and what it is called."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.cards.words import count
from ledger.values import Json

MOST_ROWS = 90  # more would be too small on a phone; those that run least are one row
_NUMBERED = re.compile(r"(.+?)_?(\d+)")
_FAMILY = 3  # pipes that differ in their number alone share a row from so many on
_DAY_S = 86400


def day(where: str, answer: Json) -> dict[str, Any]:
    """What ``bot.picture`` draws: ``title``, ``quota``, ``until`` and ``rows`` of ``{"label", "lanes"}``, where a lane
    is the runs of one pipe: state, asked for, started (or None), ended; all in the epoch's seconds."""
    now = datetime.fromisoformat(str(answer["now"]))
    return {
        "title": f"Copies of {where}, 24 hours to {now.astimezone(UTC):%d %b %Y %H:%M} UTC",
        "quota": int(answer["quota"]),
        "until": int(now.timestamp()),
        "rows": _few(sorted(_rows(answer["copies"]), key=_order)),
    }


def described(where: str, answer: Json) -> str:
    """The same in a sentence, for who does not see it."""
    runs = [run for each in answer["copies"] for run in each["day"]]
    failed = sum(run[0] == "error" for run in runs)
    now = datetime.fromisoformat(str(answer["now"])).astimezone(UTC)
    most, at = _fullest(runs, int(now.timestamp()))
    when = f", at {datetime.fromtimestamp(at, UTC):%H:%M} UTC" if at else ""
    return (
        f"Copy pipes of {where} from {now - timedelta(days=1):%Y-%m-%d %H:%M} to {now:%Y-%m-%d %H:%M} UTC: "
        f"{count(len(runs), 'runs')}, {count(failed)} of them failed; at most {most} ran at once{when}, and "
        f"{answer['quota']} may."
    )


def _rows(copies: Sequence[Json]) -> Iterator[dict[str, Any]]:
    families: dict[str, list[Json]] = {}
    for each in copies:
        if each["day"] or each["schedule"]:
            numbered = _NUMBERED.fullmatch(str(each["pipe"]))
            families.setdefault(numbered[1] if numbered else str(each["pipe"]), []).append(each)
    for name, members in families.items():
        if len(members) >= _FAMILY:
            yield {"label": f"{name}_… ×{len(members)}", "lanes": [each["day"] for each in members]}
        else:
            yield from ({"label": str(each["pipe"]), "lanes": [each["day"]]} for each in members)


def _order(row: dict[str, Any]) -> tuple[int, int, str]:
    """Those that run all day first, the others by when they begin."""
    starts = [run[2] or run[1] for lane in row["lanes"] for run in lane]
    often = len(starts) / len(row["lanes"]) >= 12
    first = min((at % _DAY_S for at in starts), default=_DAY_S)
    return (0 if often else 1, first, str(row["label"]))


def _few(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(rows) <= MOST_ROWS:
        return rows
    by_runs = sorted(rows, key=lambda row: -sum(map(len, row["lanes"])))
    kept = {row["label"] for row in by_runs[: MOST_ROWS - 1]}
    others = [row for row in rows if row["label"] not in kept]
    left = {
        "label": f"{len(others)} more rows",
        "lanes": [[run for row in others for lane in row["lanes"] for run in lane]],
    }
    return [*(row for row in rows if row["label"] in kept), left]


def _fullest(runs: Sequence[Sequence[Any]], until: int) -> tuple[int, int | None]:
    """How many ran at once at most, and when that began."""
    changes = sorted(
        change for state, _, started, ended in runs if started is not None
        for change in ((started, 1), (until if state in ("working", "cancelling") else ended, -1))
    )  # fmt: skip
    most, now, when = 0, 0, None
    for at, by in changes:
        now += by
        if now > most:
            most, when = now, at
    return most, when
