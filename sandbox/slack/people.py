"""Who and what is in the workspace: people, groups, channels and their ids, the same in every run.

The ids may be written into ``tbops.toml``.
"""

from dataclasses import dataclass

TEAM = "T0TBOPS01"
TEAM_NAME = "Sandbox"
TEAM_DOMAIN = "sandbox"
APP = "A0TBOPS01"
BOT_USER = "U0TBBOT01"
BOT = "B0TBBOT01"
BOT_NAME = "tb"
COMMAND = "/tb"


@dataclass(frozen=True)
class Person:
    id: str
    name: str
    real_name: str
    tz: str
    is_bot: bool = False

    @property
    def email(self) -> str:
        return f"{self.name}@example.com"


@dataclass(frozen=True)
class Group:
    id: str
    handle: str
    name: str
    users: tuple[str, ...]


@dataclass(frozen=True)
class Room:
    """A channel as it is at the start; ``members`` are user ids."""

    id: str
    name: str
    topic: str
    members: tuple[str, ...]
    private: bool = False


ANA = Person("U0ANA0001", "ana", "Ana Ruiz", "Europe/Madrid")
BEN = Person("U0BEN0001", "ben", "Ben Okafor", "Europe/London")
CHEN = Person("U0CHEN001", "chen", "Chen Wei", "Asia/Singapore")
OMAR = Person("U0OMAR001", "omar", "Omar Haddad", "America/New_York")
TB = Person(BOT_USER, BOT_NAME, "toolbelt", "UTC", is_bot=True)
HUMANS = (ANA, BEN, CHEN, OMAR)
EVERYONE = (*HUMANS, TB)
_HUMAN_IDS = tuple(person.id for person in HUMANS)

GROUPS = (
    Group("S0PLATFRM", "data-platform", "Data platform", (ANA.id, BEN.id, CHEN.id)),
    Group("S0APPROVE", "approvers", "Migration approvers", (BEN.id, CHEN.id)),
)

ROOMS = (
    Room("C0MIGRATE", "migrations", "Data-platform migrations", (*_HUMAN_IDS, BOT_USER)),
    Room("C0ALERTS1", "alerts", "Copy pipes that fail", (*_HUMAN_IDS, BOT_USER)),
    Room("C0GENERAL", "general", "Everything else; the bot is not in here", _HUMAN_IDS),
    Room("C0SECRET1", "secret", "Private; the bot is not in here", (ANA.id, BEN.id), private=True),
)


def person(name_or_id: str) -> Person | None:
    """The person called ``ana``, ``@ana`` or ``U0ANA0001``."""
    wanted = name_or_id.removeprefix("@")
    return next((one for one in EVERYONE if wanted in (one.id, one.name)), None)


def direct_channel(user: str) -> str:
    """The id of the direct channel between the bot and this user."""
    return "D" + user[1:]
