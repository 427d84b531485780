"""How long a person waits for `tbops plan` over a folder, from a cold start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks import report

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "sandbox" / "seed" / "small"
TIMES = 7
LIBRARIES = "import pydantic, sqlglot, psycopg"


def test_cold_start_of_a_plan() -> None:
    """Beside the import of the libraries that every plan needs; rounds alternate, so that noise falls on both."""
    words = ["plan", "migrate members add field nickname text", "--datafiles", str(FOLDER)]
    bare: list[float] = []
    own: list[float] = []
    helped: list[float] = []
    for _ in range(TIMES):
        bare += report.milliseconds(lambda: _run("-c", LIBRARIES), 1)
        own += report.milliseconds(lambda: _run("-m", "tbops", *words), 1)
        helped += report.milliseconds(lambda: _run("-m", "tbops", "--help"), 1)
    report.show(
        "`tbops plan --datafiles`, cold, p50", goal="≤ 1,500 ms", floor=report.p50(bare), result=report.p50(own)
    )
    report.show("`tbops --help`, cold, p50", goal="–", floor=report.p50(bare), result=report.p50(helped))
    report.note(f"floor: python -c '{LIBRARIES}'")


def _run(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout or arguments[0] == "-c"
