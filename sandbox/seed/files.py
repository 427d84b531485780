"""Datafiles of a folder, as text."""

from pathlib import Path


def datafiles_in(folder: Path) -> dict[str, str]:
    """Path below ``folder`` → text, as ``tb pull`` lays them out."""
    patterns = ("datasources/*.datasource", "pipes/*.pipe")
    found = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
    return {f"{path.parent.name}/{path.name}": path.read_text() for path in found}
