"""Where a step looks and acts: the clients of one environment, bound to one tick's permit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from runbooks.facts.model import Limits
from runbooks.names import Names
from systems.errors import SystemsError

if TYPE_CHECKING:
    from runbooks.announcing import Announcer
    from systems.connect import Connect
    from systems.encrypted import EncryptedFile
    from systems.formatter import Formatter
    from systems.github import GitHub
    from systems.kafka import Kafka
    from systems.kubernetes import Kubernetes
    from systems.postgres import Postgres
    from systems.sequin import Sequin
    from systems.tinybird import Tinybird


Others = Callable[[], Mapping[str, "Tinybird"]]


def _none() -> Mapping[str, Tinybird]:
    """There is no other environment."""
    return {}


@dataclass(frozen=True)
class Site:
    """One environment as a tick sees it. ``now`` is the calendar's time when the tick began (DESIGN §8, Clock);
    ``memo`` is what the last look of this very step stored; ``proven`` and ``touched`` are the tables that
    finished steps of this run reported so, ``found`` all that they reported; ``run`` is 0 while planning."""

    environment: str
    run: int
    now: datetime
    tinybird: Tinybird
    sequin: Sequin
    connect: Connect
    kafka: Kafka
    postgres: Postgres
    names: Names = field(default_factory=Names)
    limits: Limits = field(default_factory=Limits)
    capabilities: Mapping[str, str] = field(default_factory=dict[str, str])
    memo: Mapping[str, Any] = field(default_factory=dict[str, Any])
    answered: int = 0  # acts of this very step that came back without an error: all that shows an unseen effect took
    proven: frozenset[str] = frozenset()
    touched: frozenset[str] = frozenset()
    found: Mapping[str, Any] = field(default_factory=dict[str, Any])
    started: datetime | None = None  # when the run began, by the calendar; None where it is not known
    kubernetes: Kubernetes | None = None  # None: tbops.toml names none
    github: GitHub | None = None  # None: tbops.toml names none
    encrypted: EncryptedFile | None = None  # the connector's properties; None: tbops.toml names none
    others: Others = field(default=_none)  # the workspaces of the other environments of the same project, to read
    announcer: Announcer | None = None  # None: tbops.toml names no channel for what a run has to say to others
    formatter: Formatter | None = None  # of datafiles; None: the built-in writer is enough

    @property
    def cluster(self) -> Kubernetes:
        """Kubernetes, for what cannot do without it. Raises ``SystemsError`` where there is none."""
        if self.kubernetes is None:
            said = f"nothing was sent, as tbops.toml names no Kubernetes for {self.environment}"
            raise SystemsError("kubernetes", "GET /apis/apps/v1", said=said)
        return self.kubernetes

    @property
    def hub(self) -> GitHub:
        """GitHub, for what cannot do without it. Raises ``SystemsError`` where there is none."""
        if self.github is None:
            said = f"nothing was sent, as tbops.toml names no GitHub for {self.environment}"
            raise SystemsError("github", "GET /repos", said=said)
        return self.github
