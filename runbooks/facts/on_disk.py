"""The datafiles below a folder, and nothing else: no link is followed out of it, nothing but plain files is opened."""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runbooks.datafile.at_path import AtPath

LARGEST_BYTES = 5_000_000  # the estate's largest datafile has 30,000
_KINDS = (".datasource", ".pipe")
_VENDOR = "vendor"  # other workspaces' shared data sources: not ours to change
_PLACES = ("datasources", "pipes", "endpoints", "copies", "materializations", "sinks")


@dataclass(frozen=True)
class Datafile(AtPath):
    text: str
    whole: bool = True  # False: some bytes were no UTF-8, and marks stand for them


@dataclass(frozen=True)
class Found:
    """``odd`` says of each thing that was not read why not."""

    files: tuple[Datafile, ...]
    odd: dict[str, str]


class _NotRead(OSError):
    """Half a sentence that says why a file is not read."""


def below(folder: Path) -> Found:
    """Every datafile below ``folder`` by its path, whatever order the disk has; hidden folders are left alone."""
    odd: dict[str, str] = {}
    found: dict[str, Datafile] = {}
    for where, folders, names in os.walk(folder):
        here = Path(where).relative_to(folder)
        odd |= {name: _link_said(folder, here / name) for name in folders if _led_away(folder, here / name)}
        folders[:] = [name for name in folders if not name.startswith(".") and name != _VENDOR]
        for path in (here / name for name in (*names, *_misnamed(folders))):
            if path.suffix not in _KINDS:
                continue
            shown = _shown(path)
            try:
                content = _bytes(folder, folder / path)
                found[shown] = Datafile(shown, _text(content), whole=_is_text(content))
            except _NotRead as exc:
                odd[_shown(Path(path.name))] = f"{shown} {exc}"
            except OSError as exc:
                odd[_shown(Path(path.name))] = f"{shown} cannot be read ({exc.strerror})"
    return Found(tuple(found[path] for path in sorted(found)), odd)


def beside(folder: Path, file: Datafile) -> Callable[[str], str]:
    """Reads what ``file`` includes: paths count from its own folder, as `tb` does, or else from ``folder``. Raises
    ``OSError``."""

    def read(path: str) -> str:
        own = (folder / file.path).parent / path
        return _text(_bytes(folder, own if own.exists() else folder / path))

    return read


def _misnamed(folders: list[str]) -> list[str]:
    """Folders that are called like a datafile: said to be none."""
    return [name for name in folders if name.endswith(_KINDS)]


def _led_away(folder: Path, link: Path) -> bool:
    return (folder / link).is_symlink() and link.name in _PLACES and not _inside(folder, folder / link)


def _link_said(folder: Path, link: Path) -> str:
    return f"{link.as_posix()} is a link that leads out of {folder}, and is not followed"


def _inside(folder: Path, path: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _bytes(folder: Path, path: Path) -> bytes:
    if not _inside(folder, path):
        raise _NotRead("is a link that leads out of the folder, and is not followed")
    facts = os.stat(path)
    if not stat.S_ISREG(facts.st_mode):
        raise _NotRead("is not a file")
    if facts.st_size > LARGEST_BYTES:
        raise _NotRead(f"has {facts.st_size:,} bytes, and a datafile has at most {LARGEST_BYTES:,}")
    return path.read_bytes()


def _text(content: bytes) -> str:
    """Bytes that are no UTF-8 become marks: the words around them still count."""
    return content.decode("utf-8-sig", errors="replace").replace("\r\n", "\n").replace("\r", "\n")


def _is_text(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in content


def _shown(path: Path) -> str:
    """A path that can be printed, whatever its bytes are."""
    text = os.fsencode(path.as_posix()).decode("utf-8", errors="replace")
    return "".join(char if char.isprintable() else "?" for char in text)
