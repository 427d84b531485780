"""``INCLUDE "file" "KEY=value"``: another text in the line's place, ``$KEY`` filled in (facts/tinybird.md §11)."""

import re
import shlex
from collections.abc import Callable
from string import Template

from runbooks.datafile.lines import unquoted
from runbooks.errors import DatafileError

_INCLUDE = re.compile(r"INCLUDE\s+(\S.*)", re.IGNORECASE)
_DEEPEST = 5  # includes within includes; more is a circle


def unrolled(name: str, text: str, read: Callable[[str], str], depth: int = 0) -> str:
    """``text`` with what it includes. ``read`` gives a file's text by the path that the line names, and raises
    ``OSError`` where it may or can not. Raises ``DatafileError``."""
    lines = text.split("\n")
    for at, line in enumerate(lines):
        found = _INCLUDE.fullmatch(line.strip()) if line[:1] in "Ii" else None
        if not found:
            continue
        path, values = _arguments(name, at + 1, found.group(1))
        if depth == _DEEPEST:
            raise DatafileError(name, at + 1, f"{path} includes what includes it")
        try:
            included = Template(read(path)).safe_substitute(values)
        except (OSError, ValueError) as exc:
            raise DatafileError(name, at + 1, f"it includes {path}, which cannot be read in this folder") from exc
        lines[at] = unrolled(name, included, read, depth + 1)
    return "\n".join(lines)


def _arguments(name: str, line: int, text: str) -> tuple[str, dict[str, str]]:
    try:
        path, *values = shlex.split(text, comments=True)
    except ValueError as exc:
        raise DatafileError(name, line, "INCLUDE names no file") from exc
    return unquoted(path), dict(value.split("=", 1) for value in values if "=" in value)
