"""Datafiles formatted by the project's own command, ``tb fmt``: it is given a file, and what then is in it counts."""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from systems.command import run
from systems.errors import SystemsError

_SYSTEM = "format"
FILE = "{file}"


class Formatter:
    """``command`` names the file as ``{file}``: ``("tb", "fmt", "--yes", "{file}")``. It gets a folder of its own, and
    of the environment ``PATH`` and ``HOME`` alone."""

    def __init__(self, command: Sequence[str], timeout_s: float) -> None:
        self._command = tuple(command)
        self._timeout_s = timeout_s

    def formatted(self, name: str, text: str) -> str:
        """The text as the command leaves it. Raises ``SystemsError``."""
        with tempfile.TemporaryDirectory(prefix="tbops-format-") as folder:
            file = Path(folder) / name
            file.write_text(text)
            self._run(name, [part.replace(FILE, str(file)) for part in self._command], folder)
            try:
                return file.read_text()
            except (OSError, UnicodeDecodeError) as exc:
                raise SystemsError(_SYSTEM, name, said="the command left no text in the file") from exc

    def _run(self, name: str, argv: list[str], folder: str) -> None:
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": folder, "TB_VERSION_WARNING": "0"}
        try:
            code, written, said = run(argv, environment, b"", self._timeout_s, folder=folder)
        except OSError as exc:
            raise SystemsError(_SYSTEM, name, said=f"{argv[0]} cannot be started: {exc.strerror}") from exc
        except subprocess.TimeoutExpired as exc:
            said = f"{argv[0]} did not end within {self._timeout_s:g} s"
            raise SystemsError(_SYSTEM, name, said=said, retryable=True) from exc
        if code != 0:
            told = " ".join((written + b" " + said).decode(errors="replace").split())[-200:]
            raise SystemsError(_SYSTEM, name, said=f"{argv[0]} ended with code {code}: {told}")
