"""Settings: ``tbops.toml`` and the environment, as one frozen value.

The file is named by ``TBOPS_CONFIG`` (default ``tbops.toml`` in the working folder). Every key can come from
the environment instead, secrets always should: ``TBOPS_SLACK__BOT_TOKEN``,
``TBOPS_ENVIRONMENTS__STAGING__TINYBIRD__TOKEN``. A missing or wrong setting raises ``SettingsError`` with its name.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from config.connect import ConnectSettings
from config.errors import SettingsError
from config.github import GitHubSettings, ProjectSettings, PropertiesSettings
from config.kubernetes import KubernetesSettings, Writer
from config.section import Secret, Section, Url
from config.watch import WatchSettings
from config.windows import Window, parse_window

__all__ = [
    "Channels",
    "ConnectSettings",
    "EngineSettings",
    "Environment",
    "GitHubSettings",
    "KafkaSettings",
    "KubernetesSettings",
    "LimitSettings",
    "PostgresSettings",
    "ProjectSettings",
    "PropertiesSettings",
    "Rules",
    "SequinSettings",
    "Settings",
    "SlackSettings",
    "TinybirdSettings",
    "WatchSettings",
    "config_path",
    "load",
]

CONFIG_VARIABLE = "TBOPS_CONFIG"
PREFIX = "TBOPS_"


class SlackSettings(Section):
    """``mode`` socket needs the app token; http needs the signing secret and listens on ``host:port``."""

    bot_token: Secret
    app_token: SecretStr | None = None
    signing_secret: SecretStr | None = None
    mode: Literal["socket", "http"] = "socket"
    api_url: Url | None = None  # another Slack API than slack.com: the sandbox's
    host: str = "127.0.0.1"
    port: int = 3000

    def model_post_init(self, _context: object) -> None:
        if self.mode == "socket" and not (self.app_token and self.app_token.get_secret_value()):
            raise ValueError("slack.app_token is needed for slack.mode = 'socket' (TBOPS_SLACK__APP_TOKEN)")
        if self.mode == "http" and not (self.signing_secret and self.signing_secret.get_secret_value()):
            raise ValueError("slack.signing_secret is needed for slack.mode = 'http' (TBOPS_SLACK__SIGNING_SECRET)")


class TinybirdSettings(Section):
    url: Url
    token: Secret


class SequinSettings(Section):
    url: Url
    token: Secret
    database: str  # the name that Sequin knows the Postgres database by


class KafkaSettings(Section):
    bootstrap: str
    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    username: str | None = None
    password: SecretStr | None = None
    creates_topics: bool = False  # Kafka makes a topic when somebody sends to it; production seldom does


class PostgresSettings(Section):
    dsn: Secret
    publication: str = "sequin_pub"
    slot: str = "sequin_slot"
    sequin_role: str = "sequin"


class Channels(Section):
    """Ids of channels. ``alerts`` hears of what needs people; where the bot may not post there, ``fallback`` does.
    ``announcements`` hears beforehand of what sets off the alarms of others."""

    migrations: str
    alerts: str
    fallback: str | None = None
    announcements: str | None = None

    @property
    def otherwise(self) -> str:
        """Where people are called when the channel for alerts is closed to the bot."""
        return self.fallback or self.migrations


class Rules(Section):
    """Who may. Entries are user ids (``U…``), user groups (``S…``), ``cli:<os user>``, or ``*`` for anyone."""

    request: tuple[str, ...] = ()
    approve: tuple[str, ...] = ()
    operate: tuple[str, ...] = ()  # run, pause and resume copies alone: the request is the approval
    approvals: int = Field(default=1, ge=1)
    strong_approvals: int = Field(default=2, ge=1)  # of a destructive step
    self_approval: bool = False
    approval_life_s: int = Field(default=8 * 3600, gt=0)
    plan_life_s: int = Field(default=3 * 24 * 3600, gt=0)  # a proposed plan nobody decides on expires
    group_age_s: int = Field(default=900, gt=0)  # older knowledge of a group counts as none
    windows: tuple[str, ...] = ()  # "Mon-Fri 08:00-18:00 Europe/Berlin"; none: always

    def model_post_init(self, _context: object) -> None:
        for text in self.windows:
            parse_window(text)

    @property
    def parsed_windows(self) -> tuple[Window, ...]:
        return tuple(parse_window(text) for text in self.windows)


class LimitSettings(Section):
    """What planning may rely on; no system tells it (facts/tinybird.md §4)."""

    copy_quota: int = 12
    copy_timeout_s: int = 3600
    copy_chunk_rows: int = Field(default=1_000_000, ge=1_000)  # of a table copied beside itself, in one job
    backfill_max_s: int = 6 * 3600
    rewrite_max_bytes: int = 10 * 2**30
    slot_restart_s: int = 15
    connect_rows_per_s: float | None = None
    sink_buffer_messages: int = 50_000
    sink_buffer_bytes: int = 102_000_000


class Environment(Section):
    production: bool = True  # unknown means careful
    tinybird: TinybirdSettings
    sequin: SequinSettings
    connect: ConnectSettings
    kafka: KafkaSettings
    postgres: PostgresSettings
    kubernetes: KubernetesSettings | None = None
    github: GitHubSettings | None = None
    # datasource -> the deployments that write its rows; for those that Postgres does not feed
    writers: Mapping[str, tuple[Writer, ...]] = Field(default_factory=dict[str, tuple[Writer, ...]])
    channels: Channels
    rules: Rules = Rules()
    limits: LimitSettings = LimitSettings()
    watch: WatchSettings = WatchSettings()
    remind_s: int = Field(default=4 * 3600, gt=0)  # people are reminded so often of what a run left stopped

    def model_post_init(self, _context: object) -> None:
        listed = next((name for name, writers in self.writers.items() if writers), None)
        if listed and self.kubernetes is None:
            raise ValueError(f"writers.{listed} are deployments, so kubernetes.url must say which cluster has them")
        if self.connect.restart not in (None, "rest") and self.kubernetes is None:
            raise ValueError("connect.restart is a deployment, so kubernetes.url must say which cluster has it")


class EngineSettings(Section):
    """Seconds by the machine's clock."""

    lease_s: float = Field(default=10.0, gt=0)
    sweep_s: float = Field(default=1.0, gt=0)
    tick_budget_s: float = Field(default=2.0, gt=0)
    hang_s: float = Field(default=60.0, gt=0)
    call_timeout_s: float = Field(default=20.0, gt=0, lt=25.0)


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
    )

    ledger_dsn: Secret
    redis_url: Secret
    slack: SlackSettings
    environments: Mapping[str, Environment]
    default_environment: str
    engine: EngineSettings = EngineSettings()
    talk_workers: int = Field(default=1, ge=1)
    work_workers: int = Field(default=2, ge=1)
    log: Literal["json", "text"] = "json"

    def model_post_init(self, _context: object) -> None:
        if self.default_environment not in self.environments:
            known = ", ".join(sorted(self.environments)) or "none"
            raise ValueError(f"default_environment is {self.default_environment!r}, but the environments are: {known}")

    def environment(self, name: str) -> Environment:
        """The environment of that name; ``SettingsError`` if there is none."""
        try:
            return self.environments[name]
        except KeyError:
            known = ", ".join(sorted(self.environments))
            raise SettingsError(f"there is no environment {name!r} in tbops.toml; there are: {known}") from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=config_path())


def config_path() -> Path:
    return Path(os.environ.get(CONFIG_VARIABLE, "tbops.toml"))


def load() -> Settings:
    """Read the settings, or raise ``SettingsError`` naming each that is missing or wrong; values are never shown."""
    path = config_path()
    if not path.exists() and CONFIG_VARIABLE in os.environ:
        raise SettingsError(f"{CONFIG_VARIABLE} names {path}, which does not exist")
    # the variable that names the file is not itself a setting
    try:
        return Settings()  # pyright: ignore[reportCallIssue]  # filled from the sources above
    except ValidationError as wrong:
        raise SettingsError(
            "\n".join(_explain(error["loc"], error["type"], error["msg"]) for error in wrong.errors())
        ) from None
    except ValueError as unreadable:
        raise SettingsError(f"{path} cannot be read: {unreadable}") from None


def _explain(place: tuple[int | str, ...], kind: str, message: str) -> str:
    key = ".".join(str(part) for part in place)
    variable = PREFIX + "__".join(str(part).upper() for part in place)
    if kind == "missing":
        return f"setting {key} is missing: write it in tbops.toml or set {variable}"
    if kind == "extra_forbidden":
        return f"setting {key} is not known: is it misspelt?"
    message = message.removeprefix("Value error, ")
    return f"setting {key} is wrong: {message}" if key else message
