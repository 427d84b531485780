"""The sandbox's child processes: started by the main thread, ended with it, also when it is killed.

A child asks the kernel for a signal at its parent's death (PR_SET_PDEATHSIG, Linux), so that
``kill -9`` of the sandbox leaves nothing running.
"""

import ctypes
import importlib.util
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)  # loaded before any fork: a forked child must not load libraries
_PR_SET_PDEATHSIG = 1


class SandboxError(Exception):
    """The sandbox cannot start or go on. The message says what happened, to what, and what to do."""


def _die_with(parent: int, death_signal: int) -> Callable[[], None]:
    def ask() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != parent:  # it died between fork and prctl
            os._exit(1)

    return ask


def package_folder(name: str) -> Path:
    """Where a package that ships a server is installed; it is not imported (that would start things)."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise SandboxError(f"The package {name} is not installed. It comes with the group: uv sync --group sandbox.")
    return Path(spec.submodule_search_locations[0])


class Processes:
    """Named children. Start them from the main thread: the death signal is bound to the starting thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._stop_signals: dict[str, int] = {}
        self._clients: set[str] = set()

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        user: int | None = None,
        stop_signal: int = signal.SIGTERM,
        death_signal: int = signal.SIGKILL,
        client: bool = False,
    ) -> subprocess.Popen[bytes]:
        """Start a child whose output goes to ``<folder>/<name>.log``. ``user`` is a uid (only root can set it); a
        ``client`` uses the other children, and is ended before them."""
        with (self._folder / f"{name}.log").open("ab") as output:
            child = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment) if environment is not None else None,
                user=user,
                group=user,
                extra_groups=[] if user is not None else None,
                cwd=self._folder,
                preexec_fn=_die_with(os.getpid(), death_signal),
            )
        self._children[name] = child
        self._stop_signals[name] = stop_signal
        if client:
            self._clients.add(name)
        return child

    def pid(self, name: str) -> int:
        return self._children[name].pid

    def check(self, name: str) -> None:
        """Raise with the end of its log if the child has gone."""
        code = self._children[name].poll()
        if code is not None:
            raise SandboxError(
                f"{name} ended with code {code} while starting. Its last words:\n{self.last_words(name)}"
            )

    def last_words(self, name: str, lines: int = 15) -> str:
        text = (self._folder / f"{name}.log").read_text("utf-8", "replace")
        return "\n".join(text.splitlines()[-lines:])

    def stop(self, *names: str, patience_s: float = 5.0, stop_signal: int | None = None) -> None:
        """Ask these children to end, all at once, then make them. Nothing happens to one that has already gone.
        ``stop_signal``: other than the one that they were started with."""
        asked = {name: child for name in names if (child := self._children.pop(name, None)) is not None}
        for name, child in asked.items():
            child.send_signal(stop_signal or self._stop_signals[name])  # does nothing to one that has gone
        deadline = time.monotonic() + patience_s
        for child in asked.values():
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def stop_all(self) -> None:
        """Stop every child: first the clients, then what they used."""
        self.stop(*self._clients)
        self.stop(*self._children)
