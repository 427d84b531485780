"""Facts from a folder of datafiles, as ``tb pull`` writes it; what runs there, nobody asked."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from runbooks.datafile import read_datasource, read_pipe, unrolled
from runbooks.errors import DatafileError
from runbooks.facts import on_disk
from runbooks.facts.model import Connector, Datasource, Facts, Limits, Node, PgTable, Pipe, Sink

SEQUIN_DATABASE, CONNECTOR = "cm-local", "tinybird-sink"  # as in runbooks.site.Names


def read_folder(
    path: Path | str,
    *,
    environment: str,
    now: datetime,
    tables: Mapping[str, PgTable] | None = None,
    limits: Limits | None = None,
) -> Facts:
    """Every ``.datasource`` and ``.pipe`` below ``path``, with Postgres' ``tables`` where they were read.

    A file that cannot be read is named in ``Facts.broken``; a pipe among them is kept as its bare text, so that it
    counts as a reader of all that it names. Nothing outside ``path`` is read. Raises ``DatafileError`` where ``path``
    is no folder, or holds no datafile.
    """
    folder = Path(path)
    if not folder.is_dir():
        said = "this is a file, and a folder of datafiles is needed" if folder.exists() else "there is no such folder"
        raise DatafileError(str(path), 0, said)
    found = on_disk.below(folder)
    if not found.files and not found.odd:
        raise DatafileError(str(path), 0, "there is no .datasource and no .pipe file in it or below it")
    broken = dict(found.odd)
    datasources = dict(_datasources(found.files, broken))
    fed = [name for name, datasource in datasources.items() if _replicated(datasource, tables)]
    return Facts(
        environment=environment,
        now=now,
        datasources=datasources,
        pipes=_pipes(folder, found.files, broken),
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


def _datasources(found: tuple[on_disk.Datafile, ...], broken: dict[str, str]) -> Iterator[tuple[str, Datasource]]:
    seen: dict[str, on_disk.Datafile] = {}
    for file in found:
        if file.kind != "datasource":
            continue
        if (first := seen.setdefault(file.name, file)) is not file:
            broken[file.label] = _twice(first, file)
            continue
        try:
            yield file.name, read_datasource(file.name, _checked(file))
        except DatafileError as exc:
            broken[file.label] = str(exc)


def _pipes(folder: Path, found: tuple[on_disk.Datafile, ...], broken: dict[str, str]) -> dict[str, Pipe]:
    pipes: dict[str, Pipe] = {}
    seen: dict[str, on_disk.Datafile] = {}
    for file in found:
        if file.kind != "pipe":
            continue
        if (first := seen.setdefault(file.name, file)) is not file:
            broken[file.label] = _twice(first, file)
            known = pipes[file.name]
            pipes[file.name] = replace(known, nodes=(*_unread(file).nodes, *known.nodes))
            continue
        try:
            pipes[file.name] = read_pipe(file.name, unrolled(file.label, _checked(file), on_disk.beside(folder, file)))
        except DatafileError as exc:
            broken[file.label] = str(exc)
            pipes[file.name] = _unread(file)
    return pipes


def _checked(file: on_disk.Datafile) -> str:
    if not file.whole:
        raise DatafileError(file.label, 0, "it is not UTF-8 text")
    return file.text


def _unread(file: on_disk.Datafile) -> Pipe:
    """A pipe that nobody understands: its text, whole, stands where SQL would, and names what it may read."""
    return Pipe(file.name, (Node(file.path, file.text),))


def _twice(first: on_disk.Datafile, second: on_disk.Datafile) -> str:
    return f"{second.path} has the name of {first.path}, and a workspace has a name once: the first was read"
