"""What a talk worker works with: given once by the door, asked for by the jobs (which take one integer, DESIGN §5)."""

from dataclasses import dataclass

from bot.limiter import Limiter
from bot.people import Directory
from bot.slack import Slack, web_client
from config.settings import Settings
from ledger.bell import Bell
from ledger.connection import Pool


@dataclass(frozen=True)
class Context:
    pool: Pool
    settings: Settings
    bell: Bell
    slack: Slack
    limiter: Limiter
    directory: Directory


_given: list[Context] = []


def create(settings: Settings, pool: Pool, bell: Bell) -> Context:
    """A context from the settings. Calls nobody."""
    redis_url = settings.redis_url.get_secret_value()
    slack = Slack(web_client(settings.slack.bot_token.get_secret_value(), settings.slack.api_url))
    limiter = Limiter(redis_url)
    return Context(pool, settings, bell, slack, limiter, Directory(slack, limiter, redis_url))


def configure(given: Context) -> None:
    """Give this process its context; a later one takes the place of an earlier one (after a fork, in a test)."""
    _given[:] = [given]


def context() -> Context:
    if not _given:
        raise RuntimeError("this process has no context: bot.context.configure was not called")
    return _given[0]
