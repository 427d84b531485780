"""Facts from a folder of datafiles, as ``tb pull`` writes it; what runs there, nobody asked."""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from runbooks.datafile import read_datasource, read_pipe
from runbooks.errors import DatafileError
from runbooks.facts.model import Facts, Limits, PgTable

T = TypeVar("T")

_VENDOR = "vendor"  # other workspaces' shared data sources: not ours to change


def read_folder(
    path: Path | str,
    *,
    environment: str,
    now: datetime,
    tables: Mapping[str, PgTable] | None = None,
    limits: Limits | None = None,
) -> Facts:
    """Every ``.datasource`` and ``.pipe`` below ``path``, with Postgres' ``tables`` where they were read.

    A file that cannot be read is left out and named in ``Facts.broken``. Raises ``DatafileError`` where ``path``
    is no folder.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise DatafileError(str(folder), 0, "there is no such folder")
    broken: dict[str, str] = {}
    return Facts(
        environment=environment,
        now=now,
        datasources=_read_all(folder, "datasource", read_datasource, broken),
        pipes=_read_all(folder, "pipe", read_pipe, broken),
        tables=tables,
        limits=limits or Limits(),
        live=False,
        broken=broken,
    )


def _read_all(folder: Path, suffix: str, read: Callable[[str, str], T], broken: dict[str, str]) -> dict[str, T]:
    found: dict[str, T] = {}
    for file in sorted(folder.rglob(f"*.{suffix}")):
        if _VENDOR in file.relative_to(folder).parts:
            continue
        try:
            found[file.stem] = read(file.stem, file.read_text(encoding="utf-8"))
        except (DatafileError, UnicodeDecodeError) as exc:
            broken[file.name] = str(exc)
    return found
