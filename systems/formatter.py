"""Datafiles formatted by the project's own command, ``tb fmt``: it is given a file, and what then is in it counts."""

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

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
            with subprocess.Popen(  # the operator's own command, from tbops.toml
                argv,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ) as child:
                try:
                    said, _ = child.communicate(timeout=self._timeout_s)
                except BaseException:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(child.pid, signal.SIGKILL)
                    raise
        except OSError as exc:
            raise SystemsError(_SYSTEM, name, said=f"{argv[0]} cannot be started: {exc.strerror}") from exc
        except subprocess.TimeoutExpired as exc:
            said = f"{argv[0]} did not end within {self._timeout_s:g} s"
            raise SystemsError(_SYSTEM, name, said=said, retryable=True) from exc
        if child.returncode != 0:
            told = " ".join(said.decode(errors="replace").split())[-200:]
            raise SystemsError(_SYSTEM, name, said=f"{argv[0]} ended with code {child.returncode}: {told}")
