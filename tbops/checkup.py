"""`tbops doctor`: ask every system whether tbops could do its work. It changes nothing."""

from collections.abc import Iterator

import psycopg
import redis
from slack_sdk.errors import SlackClientError

from bot import channels
from bot.slack import Slack, web_client
from config import settings as config
from config.settings import Settings
from ledger import migrate
from ledger.connection import connect
from ledger.errors import LedgerError
from systems.permit import read_only
from tbops.build import Sites
from workers.doctor import checked

SLACK_TIMEOUT_S = 10


def doctor() -> int:
    """0 when everything answers as it must; each line names what was asked and what it said."""
    settings = config.load()
    whole = True
    for name, ok, said in _checks(settings):
        whole = whole and ok
        print(f"{'ok ' if ok else 'NOT'}  {name}: {said}")
    return 0 if whole else 1


def _checks(settings: Settings) -> Iterator[tuple[str, bool, str]]:
    yield "ledger", *_ledger(settings)
    yield "redis", *_redis(settings)
    yield "slack", *_slack(settings)
    sites = Sites(settings)
    for name in settings.environments:
        answer = checked(sites(name, 0, read_only), {})
        for check in answer["checks"]:
            yield f"{name} {check['name']}", bool(check["ok"]), str(check["said"])
        yield f"{name} channels", *_channels(settings, name)


def _channels(settings: Settings, environment: str) -> tuple[bool, str]:
    """Whether the bot can speak where it should, as far as Slack and the ledger tell."""
    slack = settings.slack
    client = web_client(slack.bot_token.get_secret_value(), slack.api_url, SLACK_TIMEOUT_S)
    try:
        with connect(settings.ledger_dsn.get_secret_value(), name="tbops doctor") as conn:
            found = channels.check(Slack(client), conn, settings.environments[environment].channels)
    except (psycopg.Error, LedgerError) as away:
        return False, f"the ledger does not say ({type(away).__name__})"
    return bool(found["ok"]), str(found["said"])


def _ledger(settings: Settings) -> tuple[bool, str]:
    try:
        pending = migrate.pending(settings.ledger_dsn.get_secret_value())
    except psycopg.Error as away:
        return False, f"does not answer ({type(away).__name__})"
    return (False, f"lacks {', '.join(pending)}: run `tbops init-db`") if pending else (True, "answers, up to date")


def _redis(settings: Settings) -> tuple[bool, str]:
    try:
        redis.Redis.from_url(settings.redis_url.get_secret_value(), socket_timeout=3).ping()  # pyright: ignore[reportUnknownMemberType]
    except redis.RedisError as away:
        return False, f"does not answer ({type(away).__name__}); commands are kept, but wait for the sweep"
    return True, "answers"


def _slack(settings: Settings) -> tuple[bool, str]:
    slack = settings.slack
    client = web_client(slack.bot_token.get_secret_value(), slack.api_url, SLACK_TIMEOUT_S)
    try:
        who = client.auth_test()  # pyright: ignore[reportUnknownMemberType]  # its kwargs are untyped
    except (SlackClientError, OSError) as refused:
        return False, f"refuses the bot token or does not answer ({type(refused).__name__})"
    return True, f"answers; the bot is {who.get('user')} in {who.get('team')}"
