"""GitHub: not played yet."""

from sandbox.absent import Absent
from sandbox.standin import World


def create(_world: World) -> Absent:
    return Absent("github", token="sandbox-github-token")
