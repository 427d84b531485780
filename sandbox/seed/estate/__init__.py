"""A workspace of the estate's size and shapes (facts/estate.md §1–3): the small seed's files and generated ones.

``python -m sandbox.seed.estate FOLDER`` writes it as ``tb pull`` would.
"""

import re
from pathlib import Path

from sandbox.seed.estate import buckets, mirrors, nightly, raw, widgets
from sandbox.seed.files import datafiles_in

SMALL = Path(__file__).parent.parent / "small"


def datafiles(times: int = 1) -> dict[str, str]:
    """Path below the folder → text. ``times`` such workspaces side by side, each with names of its own."""
    one = datafiles_in(SMALL)
    for part in (raw, buckets, mirrors, nightly, widgets):
        one.update(part.datafiles())
    made = dict(one)
    names = re.compile(r"\b({})\b".format("|".join(map(re.escape, sorted(_names(one), key=len, reverse=True)))))
    for number in range(2, times + 1):
        renamed = rf"\g<0>_no_{number}"
        made |= {names.sub(renamed, path): names.sub(renamed, text) for path, text in one.items()}
    return made


def tables() -> tuple[str, ...]:
    """The replicated Postgres tables beside the small seed's."""
    return tuple(table.name for table in raw.TABLES)


def ddl() -> str:
    """SQL that makes those tables, with some rows each, published and granted."""
    return raw.ddl()


def _names(files: dict[str, str]) -> set[str]:
    """Of resources and of nodes: both are names that SQL may say."""
    nodes = {line.split()[1] for text in files.values() for line in text.splitlines() if line.startswith("NODE ")}
    return {Path(path).stem for path in files} | nodes


def write(folder: Path, times: int = 1) -> None:
    for path, text in datafiles(times).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
