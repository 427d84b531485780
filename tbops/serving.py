"""`tbops bot` and `tbops worker`: starting the processes that stay.

The bot's process loads no client of the platform: it speaks to Slack only, and memory is what idling costs.
"""

from config import log
from config import settings as config
from config.settings import Settings


def _settings() -> Settings:
    settings = config.load()
    log.hide(_secrets(settings))
    log.configure(settings.log)
    return settings


def _secrets(settings: Settings) -> list[str]:
    """Every secret value of the settings, for the logs to hide."""
    slack = settings.slack
    found = [settings.ledger_dsn, settings.redis_url, slack.bot_token, slack.app_token, slack.signing_secret]
    for environment in settings.environments.values():
        found += [
            environment.tinybird.token,
            environment.sequin.token,
            environment.postgres.dsn,
            environment.kafka.password,
        ]
    return [secret.get_secret_value() for secret in found if secret is not None]


def bot() -> int:
    from bot.serve import run

    run(_settings())
    return 0


def worker(kind: str | None) -> int:
    from tbops.pools import run

    return run(_settings(), kinds=(kind,) if kind else ("talk", "work"))
