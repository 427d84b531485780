"""Draws the picture of the day: ``python -m bot.picture`` reads its values from stdin and writes a PNG to stdout.

A process of its own, as the library takes some 60 MB that no worker should keep (facts: docs/decisions.md).
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

PATIENCE_S = 20.0  # less than a publisher's claim lasts
_HOUR_S = 3600
_DAY_S = 24 * _HOUR_S
_WIDTH, _ROW, _HEAD, _LOAD = 6.4, 0.18, 1.4, 1.5  # inches
_DPI = 180
_NARROWEST_S = 240  # a run of seconds would not be seen
_WAITING, _GRID, _INK = "#a9c8ec", "#dddddd", "#222222"
_STATES = {
    "done": ("#2b6cb0", "done"),
    "error": ("#d62728", "failed"),
    "cancelled": ("#8a8a8a", "cancelled"),
    "working": ("#1b998b", "running now"),
    "cancelling": ("#1b998b", "running now"),
}


class NoPicture(Exception):
    """It could not be drawn; why, for operators."""


def drawn(day: Mapping[str, Any]) -> bytes:
    """The PNG of what ``bot.cards.day`` prepared. Raises ``NoPicture``."""
    command = [sys.executable, "-m", "bot.picture"]
    try:
        done = subprocess.run(command, input=json.dumps(day).encode(), capture_output=True, timeout=PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoPicture(str(error)) from error
    if done.returncode or not done.stdout.startswith(b"\x89PNG"):
        raise NoPicture(done.stderr.decode(errors="replace")[-300:] or f"ended with code {done.returncode}")
    return done.stdout


def picture(day: Mapping[str, Any]) -> bytes:
    """The PNG, drawn in this process."""
    import io

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows, until = day["rows"], int(day["until"])
    height = _HEAD + _ROW * max(len(rows), 3) + _LOAD
    figure: Any = Figure(figsize=(_WIDTH, height), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    share = [height - _HEAD - _LOAD, _LOAD - 0.5]
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=share)
    figure.subplots_adjust(
        left=0.385, right=0.98, top=1 - 0.95 / height, bottom=0.5 / height, hspace=0.35 / sum(share) * 2
    )
    _runs(above, rows, until)
    _load(below, rows, until, int(day["quota"]))
    _hours(above, below, until)
    figure.text(0.01, 1 - 0.28 / height, str(day["title"]), fontsize=11, fontweight="bold", color=_INK)
    _legend(figure, rows, 1 - 0.62 / height)
    written = io.BytesIO()
    figure.savefig(written, format="png")
    return written.getvalue()


def _runs(axes: Any, rows: list[Any], until: int) -> None:
    """A bar a run, its wait before it; the pipes of a family above one another in their row."""
    from matplotlib.collections import PolyCollection

    bars: dict[str, list[Any]] = {_WAITING: [], **{colour: [] for colour, _ in _STATES.values()}}
    for at, row in enumerate(rows):
        if at % 2:
            axes.axhspan(at - 0.5, at + 0.5, color="#f5f7fa", linewidth=0)
        thick = 0.84 / len(row["lanes"])
        for lane, runs in enumerate(row["lanes"]):
            top = at - 0.42 + thick * lane
            for colour, begin, end in _spans(runs, until):
                bars[colour].append([(begin, top), (end, top), (end, top + thick), (begin, top + thick)])
    for colour in sorted(bars, key=lambda colour: colour == _STATES["error"][0]):  # what failed lies above all
        axes.add_collection(PolyCollection(bars[colour], facecolors=colour, linewidths=0))
    axes.set_yticks(range(len(rows)), [_short(str(row["label"])) for row in rows], fontsize=6.8, color=_INK)
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


def _spans(runs: list[Any], until: int) -> Iterator[tuple[str, float, float]]:
    """Colour, begin and end, in hours since the picture's begin."""
    since = until - _DAY_S
    for state, asked, started, ended in runs:
        pieces = [(_WAITING, asked, until if started is None else started)]
        if started is not None:
            end = until if state in ("working", "cancelling") else ended
            pieces.append((_STATES.get(state, _STATES["cancelled"])[0], started, max(end, started + _NARROWEST_S)))
        for colour, begin, end in pieces:
            if end > max(begin, since):
                yield colour, (max(begin, since) - since) / _HOUR_S, (end - since) / _HOUR_S


def _load(axes: Any, rows: list[Any], until: int, quota: int) -> None:
    """How many run at once, and above them those that wait, against the quota."""
    runs = [run for row in rows for lane in row["lanes"] for run in lane]
    working = [(run[2], until if run[0] in ("working", "cancelling") else run[3]) for run in runs if run[2] is not None]
    asked = [(run[1], until if run[2] is None else run[2]) for run in runs]
    since = until - _DAY_S
    hours = [minute / 60 for minute in range(24 * 60 + 1)]
    active, queued = _at_once(working, since), _at_once(asked, since)
    both = [a + q for a, q in zip(active, queued, strict=True)]
    axes.fill_between(hours, both, step="post", color=_WAITING, linewidth=0)
    axes.fill_between(hours, active, step="post", color=_STATES["done"][0], linewidth=0)
    axes.axhline(quota, color=_STATES["error"][0], linewidth=1.2, linestyle="--")
    axes.text(0.1, quota * 1.03, f"quota {quota}", fontsize=7.5, color=_STATES["error"][0], va="bottom")
    axes.set_ylim(0, max(quota, *both) * 1.25)
    axes.set_ylabel("at once", fontsize=8.5, color=_INK)
    axes.tick_params(axis="y", labelsize=7.5)


def _at_once(spans: Iterable[tuple[int, int]], since: int) -> list[int]:
    """How many of the spans touch each minute since then; those of no length touch none."""
    change = [0] * (24 * 60 + 2)
    for begin, end in spans:
        first, last = max(0, (begin - since) // 60), min(24 * 60, (end - since - 1) // 60)
        if end > begin and last >= first:
            change[first] += 1
            change[last + 1] -= 1
    counted: list[int] = []
    now = 0
    for each in change[:-1]:
        now += each
        counted.append(now)
    return counted


def _hours(above: Any, below: Any, until: int) -> None:
    """The hours of the day in UTC, at both ends of a tall picture, and where the day changes."""
    since = until - _DAY_S
    full = [hour for hour in range(-(-since // _HOUR_S), until // _HOUR_S + 1) if hour % 2 == 0]
    for axes in (above, below):
        axes.set_xlim(0, 24)
        axes.set_xticks([hour - since / _HOUR_S for hour in full], [f"{hour % 24:02}" for hour in full], fontsize=7)
        axes.grid(axis="x", color=_GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        midnight = -(-since // _DAY_S) * 24 - since / _HOUR_S
        axes.axvline(midnight, color="#999999", linewidth=0.9)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
    above.tick_params(axis="x", top=True, labeltop=True, bottom=False, labelbottom=False)
    below.tick_params(axis="x", labelbottom=True)
    below.set_xlabel(
        f"hour of the day, UTC (midnight of {datetime.fromtimestamp(until, UTC):%d %b} marked)", fontsize=8
    )


def _legend(figure: Any, rows: list[Any], height: float) -> None:
    """Only what is in the picture."""
    states = {run[0] for row in rows for lane in row["lanes"] for run in lane}
    shown = {label: colour for state, (colour, label) in _STATES.items() if state in states}
    entries = [*shown.items(), ("waiting for a slot", _WAITING)]
    left = 0.01
    for label, colour in entries:
        figure.text(left, height, "■", fontsize=11, color=colour, va="center")
        figure.text(left + 0.028, height, label, fontsize=7.5, color=_INK, va="center")
        left += 0.06 + 0.0125 * len(label)
    figure.text(0.98, height, "short runs are drawn 4 min long", fontsize=6, color="#777777", va="center", ha="right")


def _short(label: str) -> str:
    """The end of a long name tells more than its middle."""
    return label if len(label) <= 36 else f"{label[:19]}…{label[-16:]}"


if __name__ == "__main__":
    sys.stdout.buffer.write(picture(json.load(sys.stdin)))
