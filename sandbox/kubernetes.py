"""Kubernetes: not played yet."""

from sandbox.absent import Absent
from sandbox.standin import World


def create(_world: World) -> Absent:
    return Absent("kubernetes", token="sandbox-kubernetes-token")
