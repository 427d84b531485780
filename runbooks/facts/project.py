"""What is known of the project's datafiles in git, as far as one request needs it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Project:
    """``files``: path below the datafiles' folder → its blob's sha, at the commit ``head``. ``texts`` are those that
    were read as they may differ from the workspace; of every other one it is known that they do not. ``live`` is what
    the workspace says of those itself, by file name; ``formatted`` the same by the project's own formatter."""

    head: str
    files: Mapping[str, str]
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    live: Mapping[str, str] = field(default_factory=dict[str, str])
    formatted: Mapping[str, str] = field(default_factory=dict[str, str])
    checked: "Checked | None" = None  # None: nobody asked


@dataclass(frozen=True)
class Checked:
    """What the checks say of the commit that last changed a datafile, or of its pull request's head. ``trouble`` is
    empty when they are green; half a sentence if not."""

    sha: str
    trouble: str
    pull: int | None = None
