"""GitHub: the project's repository, and the connector's encrypted properties."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from config.section import Section, Url

_REPOSITORY = re.compile(r"[A-Za-z0-9][-A-Za-z0-9]*/(?!\.{1,2}$)[-._A-Za-z0-9]+")


def _a_repository(value: str) -> str:
    if not _REPOSITORY.fullmatch(value):
        raise ValueError("must be <owner>/<repository>")
    return value


def _a_place(value: str) -> str:
    parts = value.split("/")
    if "" in parts or "." in parts or ".." in parts:
        raise ValueError("must be a path inside the repository, without a slash at its ends")
    return value


RepositoryName = Annotated[str, AfterValidator(_a_repository)]
Place = Annotated[str, AfterValidator(_a_place)]


class ProjectSettings(Section):
    """Where the datafiles and the migrations are kept. ``checks`` must have run green before a merge; ``labels`` are
    put on each pull request, where a check starts by one. ``format`` is a command that formats the datafile ``{file}``
    in its place."""

    repository: RepositoryName
    branch: str = "main"
    datafiles: Place = "services/libs/tinybird"
    migrations: Place = "backend/src/database/migrations"
    checks: tuple[str, ...] = ("Tinybird-CI",)
    labels: tuple[str, ...] = ()
    format: tuple[str, ...] = ()
    format_timeout_s: float = Field(default=20.0, gt=0, le=60.0)

    def model_post_init(self, _context: object) -> None:
        if self.format and not any("{file}" in part for part in self.format):
            raise ValueError('github.project.format must name {file}: ["tb", "fmt", "--yes", "{file}"]')


class PropertiesSettings(Section):
    """The connector's encrypted properties. ``decrypt`` and ``encrypt`` are commands, from stdin to stdout; of the
    environment they get ``PATH``, ``env`` (names and values: paths of key files, no secrets) and the variables of
    tbops's own that ``inherit`` names."""

    repository: RepositoryName
    branch: str = "main"
    path: Place
    decrypt: tuple[str, ...] = Field(min_length=1)
    encrypt: tuple[str, ...] = Field(min_length=1)
    env: Mapping[str, str] = Field(default_factory=dict[str, str], repr=False)
    inherit: tuple[str, ...] = ()
    timeout_s: float = Field(default=10.0, gt=0, le=20.0)  # both run in one call of under 25 s

    @property
    def environment(self) -> dict[str, str]:
        """What the commands are given beside ``PATH``."""
        return {**self.env, **{name: os.environ[name] for name in self.inherit if name in os.environ}}


class GitHubSettings(Section):
    """``token``, or an App: its id, the id of its installation, and the file of its private key, which is read each
    time a token is asked for. GitHub Enterprise has its API at ``https://HOST/api/v3``."""

    url: Url = "https://api.github.com"
    token: SecretStr | None = None
    app_id: str | None = None
    installation_id: int | None = None
    private_key_file: Path | None = None
    project: ProjectSettings
    properties: PropertiesSettings | None = None

    def model_post_init(self, _context: object) -> None:
        app = (self.app_id, self.installation_id, self.private_key_file)
        has_token = bool(self.token and self.token.get_secret_value().strip())
        if has_token == any(part is not None for part in app):
            raise ValueError("needs either github.token or an App: app_id, installation_id and private_key_file")
        if not has_token and None in app:
            raise ValueError("an App needs all of github.app_id, installation_id and private_key_file")
        if self.private_key_file and not self.private_key_file.is_file():
            raise ValueError(f"github.private_key_file names {self.private_key_file}, which is not a file")
