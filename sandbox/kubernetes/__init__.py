"""Kubernetes: the API of one namespace with the estate's writers of activities, which really write, and the deployment
that Kafka Connect runs in."""

from collections.abc import Callable, Iterator

from starlette.types import ASGIApp

from sandbox.kubernetes import access, api
from sandbox.kubernetes.access import CONNECT, NAMESPACE, WRITERS
from sandbox.kubernetes.cluster import Cluster
from sandbox.kubernetes.model import Deployment
from sandbox.kubernetes.writer import Writer
from sandbox.standin import World

OTHERS = {"api-dpl": 2}  # not a writer: nobody who only stops writers may scale it
SINCE_S = 40 * 24 * 3600.0  # they have run that long


class Kubernetes:
    """The stand-in. ``token`` may everything, ``scaler_token`` what tbops needs and no more. ``unfit`` says why a
    process of Kafka Connect would end as soon as it began."""

    name = "kubernetes"
    token = access.ADMIN_TOKEN
    scaler_token = access.SCALER_TOKEN
    namespace = NAMESPACE
    writers = tuple(WRITERS)
    connect = CONNECT

    def __init__(self, world: World, unfit: Callable[[], str | None]) -> None:
        self._world = world
        self._unfit = unfit
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

    def serving(self, deployment: str) -> str | None:
        """The name of the pod that serves now; None while there is none. Event loop only."""
        pods = self._cluster.get(NAMESPACE, deployment).pods
        now = self._world.clock.time()
        return next((pod.name for pod in pods if pod.ready(now) and pod.gone_at is None), None)

    def _deployments(self) -> Iterator[Deployment]:
        """As facts/estate.md §5 names them."""
        created = self._world.clock.time() - SINCE_S
        for name, replicas in {**WRITERS, **OTHERS, CONNECT: 1}.items():
            container = {"name": name.removesuffix("-dpl"), "image": f"registry.example/{name.removesuffix('-dpl')}:1"}
            template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
            made = Deployment(NAMESPACE, name, replicas, created, template, progress_at=created)
            if name == CONNECT:  # two workers of one name would share its partitions
                made.unfit, made.at_once = self._unfit, False
            yield made


def create(world: World, unfit: Callable[[], str | None]) -> Kubernetes:
    return Kubernetes(world, unfit)
