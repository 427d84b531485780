"""A datafile by where it stands."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AtPath:
    """``path`` is below the datafiles' folder, with / between."""

    path: str

    @property
    def label(self) -> str:
        """The file's own name, ``members.datasource``: what findings call it."""
        return self.path.rpartition("/")[2]

    @property
    def name(self) -> str:
        return self.label.rpartition(".")[0]

    @property
    def kind(self) -> str:
        return self.label.rpartition(".")[2]
