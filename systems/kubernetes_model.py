"""What the Kubernetes client returns. Apart from the client, so that a plan made offline loads no HTTP."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ScaleInfo:
    """``replicas`` is what is wanted; ``selector`` finds the pods; ``version`` changes with every write."""

    replicas: int
    selector: str
    version: str


@dataclass(frozen=True)
class DeploymentInfo:
    """``replicas`` is what is wanted, ``ready`` how many pods serve. Pods that are ending count nowhere."""

    namespace: str
    name: str
    replicas: int
    ready: int
    rolled_out: bool  # every wanted pod is of the newest kind and available
    trouble: str  # why the rollout does not get on, in Kubernetes' words
    restarted: str = ""  # the stamp of the last restart by annotation
    selector: str = ""  # finds its pods


@dataclass(frozen=True)
class PodInfo:
    name: str
    phase: str  # Pending | Running | Succeeded | Failed | Unknown
    ready: bool
    ending: bool  # asked to end, and still there
    trouble: str  # why a container of it does not run: ImagePullBackOff, CrashLoopBackOff
