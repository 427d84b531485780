"""`tbops bot` and `tbops worker`: starting the processes that stay."""

from config import log
from config import settings as config
from config.settings import Settings
from tbops import build


def _settings() -> Settings:
    settings = config.load()
    log.hide(build.secrets(settings))
    log.configure(settings.log)
    return settings


def bot() -> int:
    from bot.serve import run

    run(_settings())
    return 0


def worker(kind: str | None) -> int:
    from tbops.pools import run

    return run(_settings(), kinds=(kind,) if kind else ("talk", "work"))
