"""Commands of the operator's own, from tbops.toml: the one place where they are started."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence


def run(
    argv: Sequence[str], environment: Mapping[str, str], given: bytes, timeout_s: float, *, folder: str | None = None
) -> tuple[int, bytes, bytes]:
    """Run a command in ``folder``, never by a shell and with this environment alone: its code, what it wrote, what it
    said. Raises ``OSError`` and ``TimeoutExpired``; whatever the command had started is ended then."""
    with subprocess.Popen(  # the operator's own command, from tbops.toml
        list(argv),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
        cwd=folder,
        start_new_session=True,
    ) as child:
        try:
            written, said = child.communicate(given, timeout_s)
        except BaseException:  # also when the process is told to end: a child in a session of its own would live on
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            raise
        return child.returncode, written, said
