"""Kubernetes: the API of one namespace with the estate's writers of activities, which really write."""

from collections.abc import Iterator

from starlette.types import ASGIApp

from sandbox.kubernetes import access, api
from sandbox.kubernetes.access import NAMESPACE, WRITERS
from sandbox.kubernetes.cluster import Cluster
from sandbox.kubernetes.model import Deployment
from sandbox.kubernetes.writer import Writer
from sandbox.standin import World

OTHERS = {"api-dpl": 2}  # not a writer: nobody who only stops writers may scale it
SINCE_S = 40 * 24 * 3600.0  # they have run that long


class Kubernetes:
    """The stand-in. ``token`` may everything, ``scaler_token`` what tbops needs and no more."""

    name = "kubernetes"
    token = access.ADMIN_TOKEN
    scaler_token = access.SCALER_TOKEN
    namespace = NAMESPACE
    writers = tuple(WRITERS)

    def __init__(self, world: World) -> None:
        self._world = world
        self._cluster = Cluster(world)
        self._writer = Writer(self._cluster)
        self.app: ASGIApp = api.application(self._cluster)

    async def start(self) -> None:
        self._cluster.seed(self._deployments())
        self._writer.start()

    async def reset(self) -> None:
        await self.stop()
        await self.start()

    async def stop(self) -> None:
        await self._writer.stop()

    def _deployments(self) -> Iterator[Deployment]:
        """As facts/estate.md §5 names them."""
        created = self._world.clock.time() - SINCE_S
        for name, replicas in {**WRITERS, **OTHERS}.items():
            container = {"name": name.removesuffix("-dpl"), "image": f"registry.example/{name.removesuffix('-dpl')}:1"}
            template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
            yield Deployment(NAMESPACE, name, replicas, created, template, progress_at=created)


def create(world: World) -> Kubernetes:
    return Kubernetes(world)
