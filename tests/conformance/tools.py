"""Clients that nobody here wrote, installed once under ``.tools`` when a test needs them."""

import os
import subprocess
from pathlib import Path

from tests.support.tools import unavailable

ROOT = Path(__file__).parents[2]
TB_VERSION = "5.22.2"
LONGEST_S = 200.0  # of one command, on whatever machine


def tb_path() -> Path:
    """The Tinybird CLI in a venv of its own (facts/tinybird.md §10). Without it the test cannot be made."""
    folder = ROOT / ".tools" / f"tb-{TB_VERSION}"
    program = folder / "bin" / "tb"
    if not program.exists():
        python = str(folder / "bin" / "python")
        wanted = [f"tinybird-cli=={TB_VERSION}", "lru-dict", "setuptools"]
        try:
            subprocess.run(["uv", "venv", "-q", "--clear", "--python", "3.11", str(folder)], check=True)
            subprocess.run(["uv", "pip", "install", "-q", "--python", python, *wanted], check=True)
        except (OSError, subprocess.CalledProcessError) as exc:
            unavailable(f"tinybird-cli {TB_VERSION} could not be installed: {exc}")
    return program


class Tb:
    """``tb`` run in a folder, against one workspace."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._program = tb_path()

    def __call__(self, *arguments: str, exits: int = 0) -> str:
        """Run a command; its whole output, once its exit code is the one expected."""
        env = {**os.environ, "TB_VERSION_WARNING": "0", "TB_CLI_TELEMETRY_OPTOUT": "1", "HOME": str(self.folder)}
        done = subprocess.run(
            [str(self._program), *arguments],
            cwd=self.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
        )
        output = done.stdout + done.stderr
        assert done.returncode == exits, f"tb {' '.join(arguments)} ended with {done.returncode}:\n{output}"
        return output
