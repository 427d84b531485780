"""How the benchmarks print: one line of ``docs/figures.md``'s table a figure, with its floor measured in the same run,
and on which machine.

Nothing here judges: machines differ and are shared, so a figure is read beside its floor (DESIGN §12).
"""

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

WIDTHS = (58, 24, 14, 14, 8)


def show(figure: str, *, goal: str, floor: float | None, result: float, unit: str = "ms") -> None:
    """Print ``| figure | goal | floor | result | ratio |``; no floor: nothing bare does the same."""
    _head()
    bare = _amount(floor, unit) if floor is not None else "–"
    ratio = f"{result / floor:.2f}" if floor else "–"
    _row(figure, goal, bare, _amount(result, unit), ratio)


def note(text: str) -> None:
    """Something about the last figure that is not a number of its own."""
    print(f"    {text}", flush=True)


def milliseconds(do: Callable[[], object], times: int) -> list[float]:
    """How long ``do`` took, each time."""
    took: list[float] = []
    for _ in range(times):
        begun = time.perf_counter()
        do()
        took.append((time.perf_counter() - begun) * 1000)
    return took


def p50(values: Sequence[float]) -> float:
    return statistics.median(values)


def high(values: Sequence[float], percent: int) -> float:
    """The value that so many percent of the others do not exceed; the largest of few values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(percent / 100 * len(ordered)))]


@cache
def _head() -> None:
    print(f"\n{machine()}")
    _row("figure", "goal", "floor", "result", "ratio")
    _row(*("---" for _ in WIDTHS))


def machine() -> str:
    model = next(
        (line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if "model name" in line), "unknown CPU"
    )
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{os.cpu_count()} cores ({model}), {memory / 2**20:.0f} GB, Linux {platform.release()}, "
        f"Python {platform.python_version()}, load before {load}"
    )


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text().splitlines() if file.exists() else []


def _amount(value: float, unit: str) -> str:
    return f"{value:,} {unit}" if isinstance(value, int) else f"{value:,.2f} {unit}"


def _row(*cells: str) -> None:
    print("| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)) + " |", flush=True)
