"""`tbops worker`: one warm parent, and children that talk (inbox, decisions, messages) and work (ticks, planning)."""

from collections.abc import Sequence

import bot.context
import workers.context
from config.settings import Settings
from tbops import build
from workers.pool import Crew, run_pool
from workers.pulse import Pulse

PRELOAD = ("bot.jobs", "workers.jobs")


def run(settings: Settings, *, kinds: Sequence[str]) -> int:
    """Serve until told to stop. ``kinds`` are talk, work or both: a click never waits behind a copy."""
    crews = {
        "talk": Crew("talk", settings.talk_workers, lambda: _talk(settings)),
        "work": Crew("work", settings.work_workers, lambda: _work(settings)),
    }
    return run_pool([crews[kind] for kind in kinds], settings.redis_url.get_secret_value(), PRELOAD)


def _talk(settings: Settings) -> None:
    pool = build.pool(settings, "tbops talk")
    bot.context.configure(bot.context.create(settings, pool, build.bell(settings)))


def _work(settings: Settings) -> None:
    given = build.context(settings)
    workers.context.configure(given)
    Pulse(given).start()
