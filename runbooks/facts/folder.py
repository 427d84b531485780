"""Facts from a folder of datafiles, as ``tb pull`` writes it; what runs there, nobody asked."""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from runbooks.datafile import read_datasource, read_pipe
from runbooks.errors import DatafileError
from runbooks.facts.model import Connector, Datasource, Facts, Limits, PgTable, Sink

T = TypeVar("T")

SEQUIN_DATABASE, CONNECTOR = "cm-local", "tinybird-sink"  # as in runbooks.site.Names
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
    datasources = _read_all(folder, "datasource", read_datasource, broken)
    fed = [name for name, datasource in datasources.items() if _replicated(datasource, tables)]
    return Facts(
        environment=environment,
        now=now,
        datasources=datasources,
        pipes=_read_all(folder, "pipe", read_pipe, broken),
        sinks={f"{name}_sink": _assumed_sink(name) for name in fed},
        connector=Connector(CONNECTOR, "RUNNING", ("RUNNING",), tuple(fed)),
        tables=tables,
        limits=limits or Limits(),
        live=False,
        broken=broken,
    )


def _replicated(datasource: Datasource, tables: Mapping[str, PgTable] | None) -> bool:
    """Its columns are read from a change's record, and Postgres, where it was read, has its table."""
    record = any((column.jsonpath or "").startswith("$.record.") for column in datasource.columns)
    return record and (tables is None or datasource.name in tables)


def _assumed_sink(name: str) -> Sink:
    """The sink that the estate's names promise (facts/estate.md §5): nobody asked Sequin."""
    return Sink(f"{name}_sink", f"public.{name}", name, "active", "healthy", SEQUIN_DATABASE)


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
