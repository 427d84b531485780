"""Encrypted files: opened and sealed by commands that tbops.toml names, from stdin to stdout (facts/systems.md §7).

The plain text is in memory only: never on disk, in an error, in a log or in a repr.
"""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import NoReturn

from systems.command import run
from systems.errors import SystemsError
from systems.redact import redact

MOST_BYTES = 1_000_000  # of a file, and of what a command writes
TIMEOUT_S = 30.0
_PARTS = re.compile(r"[\s=,;\"']+")
_TELLING = 6  # characters; a shorter part is no secret, and taking it out would leave no words


class Plain:
    """A plain text that shows itself to nobody who does not ask for it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plain) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Plain(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a plain text is not to be stored")


@dataclass(frozen=True)
class Commands:
    """How one file is opened and sealed. ``{name}`` in an argument is the file's base name. Nothing of this process's
    environment reaches them but ``PATH`` and what ``environment`` holds."""

    decrypt: Sequence[str]
    encrypt: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    timeout_s: float = TIMEOUT_S


class EncryptedFile:
    """``path`` is the file's place in its repository."""

    def __init__(self, path: str, commands: Commands) -> None:
        self.path = path
        self._name = PurePosixPath(path).name
        self._commands = commands

    def opened(self, sealed: bytes) -> Plain:
        """The plain text. Raises ``SystemsError``."""
        made = self._run("decrypt", self._commands.decrypt, sealed, "")
        try:
            return Plain(made.decode())
        except UnicodeDecodeError:  # it would show the text
            raise self._failure("decrypt", "what it opens to is no text: is the key the right one?") from None

    def sealed(self, plain: Plain) -> bytes:
        """Encrypted, and opened again to see that it comes to the same bytes. Raises ``SystemsError``.

        Other bytes each time, even of the same text: whether something has changed is seen in the plain text alone.
        """
        text = plain.reveal()
        made = self._run("encrypt", self._commands.encrypt, text.encode(), text)
        if made == text.encode():
            raise self._failure("encrypt", "it gave back what it was given: nothing was encrypted")
        if self._run("decrypt", self._commands.decrypt, made, text) != text.encode():
            raise self._failure("encrypt", "what it made opens to another text than it was given")
        return made

    def _run(self, do: str, command: Sequence[str], given: bytes, secret: str) -> bytes:
        """``secret`` is the plain text as far as it is known, to be kept out of what is told."""
        if len(given) > MOST_BYTES:
            raise self._failure(do, f"the file is longer than {MOST_BYTES:,} bytes")
        argv = [argument.replace("{name}", self._name) for argument in command]
        environment = {"PATH": os.environ.get("PATH", os.defpath), **self._commands.environment}
        program, patience = argv[0], self._commands.timeout_s
        try:
            code, written, said = run(argv, environment, given, patience)
        except OSError as exc:
            raise self._failure(do, f"{program} cannot be started: {exc.strerror}") from None
        except subprocess.TimeoutExpired:  # it would show what was written
            raise self._failure(do, f"{program} did not end within {patience:g} s", retryable=True) from None
        hidden = _parts(secret) | _parts(written.decode(errors="replace")) | set(self._commands.environment.values())
        told = redact(said.decode(errors="replace"), sorted(hidden, key=len, reverse=True))
        told = f": {told}" if told else ""
        if code != 0:
            raise self._failure(do, f"{program} ended with code {code}{told}")
        if not written:
            raise self._failure(do, f"{program} wrote nothing{told}")
        if len(written) > MOST_BYTES:
            raise self._failure(do, f"{program} wrote more than {MOST_BYTES:,} bytes")
        return written

    def _failure(self, do: str, said: str, *, retryable: bool = False) -> SystemsError:
        return SystemsError(do, self.path, said=said, retryable=retryable)


def _parts(text: str) -> set[str]:
    """Lines of a text, their values and the words in them: what a command could repeat in an error."""
    lines = {line.strip() for line in text.splitlines()}
    values = {line.partition(sign)[2].strip() for line in lines for sign in "=:"}
    words = {word for line in lines for word in _PARTS.split(line)}
    return {part for part in lines | values | words if len(part) >= _TELLING}
