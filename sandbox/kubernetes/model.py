"""What the cluster keeps of a deployment and of its pods. Times are the platform's, in seconds since 1970."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Pod:
    name: str
    revision: int  # of the template that it was made from
    created: float
    ready_at: float | None  # None: it never gets ready
    gone_at: float | None = None  # None: nobody asked it to end
    crashed: bool = False  # its process ends as soon as it begins

    def ready(self, now: float) -> bool:
        return self.ready_at is not None and self.ready_at <= now


@dataclass
class Deployment:
    """``replicas`` is what is wanted; ``before`` what was wanted until somebody wanted something else."""

    namespace: str
    name: str
    replicas: int
    created: float
    template: dict[str, Any]
    annotations: dict[str, str] = field(default_factory=dict[str, str])
    generation: int = 1
    revision: int = 1
    version: int = 0
    before: int = 0
    stopped_at: float | None = None
    progress_at: float = 0.0
    pods: list[Pod] = field(default_factory=list[Pod])
    # why a process of it would end as soon as it began; None: it would not
    unfit: Callable[[], str | None] | None = None
    at_once: bool = True  # new pods begin while the old ones are there; else behind them (strategy Recreate)
    shown: dict[str, Any] = field(default_factory=dict[str, Any])  # the status as it was last told

    @property
    def labels(self) -> dict[str, str]:
        return {"app": self.name}

    def works(self, now: float) -> bool:
        """Whether some process of it runs: one that is ending does, until it is gone."""
        return any(pod.ready(now) for pod in self.pods)
