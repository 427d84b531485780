"""What the things of an environment are called, from tbops.toml: plans and steps go by these names."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ProjectNames:
    """Where the datafiles and the migrations are kept, the checks that must be green before a merge, and the labels
    that a pull request gets."""

    repository: str
    branch: str = "main"
    datafiles: str = "services/libs/tinybird"
    migrations: str = "backend/src/database/migrations"
    checks: tuple[str, ...] = ("Tinybird-CI",)
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class PropertiesNames:
    """Where the connector's encrypted properties are kept."""

    repository: str
    branch: str
    path: str


@dataclass(frozen=True)
class Names:
    """The environment's fixed names, from tbops.toml."""

    sequin_database: str = "cm-local"
    publication: str = "sequin_pub"
    slot: str = "sequin_slot"
    sequin_role: str = "sequin"
    connector: str = "tinybird-sink"
    connect_group: str = "connect-tinybird-sink"
    connect_token: str = "connect"  # noqa: S105  # the name of the workspace token that Kafka Connect uses
    connect_restart: str = ""  # how it comes to read other topics: "namespace/deployment", "rest", or not told
    # datasource -> ("namespace", "deployment") of each of its writers
    writers: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict[str, tuple[tuple[str, str], ...]])
    creates_topics: bool = False  # Kafka makes a topic by itself when somebody sends to it
    announces: bool = False  # there is a channel for people whose alarms a run sets off
    project: ProjectNames | None = None  # None: tbops.toml names no GitHub
    properties: PropertiesNames | None = None  # None: tbops.toml names no such file
