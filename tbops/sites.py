"""The clients of each environment, made from the settings."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from config.settings import Environment, GitHubSettings, KafkaSettings, KubernetesSettings, PropertiesSettings, Settings
from runbooks.facts.model import Limits
from runbooks.names import Names, ProjectNames, PropertiesNames
from runbooks.site import Site
from systems.connect import Connect
from systems.encrypted import Commands, EncryptedFile
from systems.formatter import Formatter
from systems.github import GitHub
from systems.github_app import AppToken
from systems.http import Wire
from systems.kafka import CALL_S as KAFKA_S
from systems.kafka import Kafka
from systems.kubernetes import Kubernetes
from systems.permit import Permit, read_only
from systems.postgres import Postgres
from systems.sequin import KafkaLogin, Sequin
from systems.tinybird import Tinybird

_FORMAT = {"format", "format_timeout_s"}  # of the project's settings, what is no name


class Sites:
    """Sites by environment. Clients are made at the first use and shared from then on: after a fork, not before."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: dict[str, Site] = {}

    def __call__(self, environment: str, run: int, permit: Permit) -> Site:
        """A site whose clients ask ``permit`` before each change; ``now`` and ``memo`` are the caller's to set."""
        if environment not in self._made:
            given = self._settings.environment(environment)
            self._made[environment] = _site(environment, given, self._settings.engine.call_timeout_s)
        base = self._made[environment]
        return Site(
            environment=environment,
            run=run,
            now=datetime.now(UTC),
            tinybird=base.tinybird.permitted(permit),
            sequin=base.sequin.permitted(permit),
            connect=base.connect.permitted(permit),
            kafka=base.kafka.permitted(permit),
            postgres=base.postgres.permitted(permit),
            kubernetes=base.kubernetes.permitted(permit) if base.kubernetes else None,
            github=base.github.permitted(permit) if base.github else None,
            encrypted=base.encrypted,
            formatter=base.formatter,
            others=partial(self._others, environment),
            names=base.names,
            limits=base.limits,
        )

    def _others(self, environment: str) -> dict[str, Tinybird]:
        """The workspaces of the same project's other environments, to read."""
        given = self._settings.environments
        mine = given[environment].github
        alike = [n for n, g in given.items() if n != environment and mine and g.github and _same(g.github, mine)]
        return {name: self(name, 0, read_only).tinybird for name in alike}


def _same(one: GitHubSettings, other: GitHubSettings) -> bool:
    return (one.url, one.project.repository) == (other.url, other.project.repository)


def _site(name: str, given: Environment, call_s: float) -> Site:
    """``call_s`` bounds each call, its repetitions included."""
    wire = Wire(call_s=call_s)
    password = given.kafka.password.get_secret_value() if given.kafka.password else ""
    login = KafkaLogin(given.kafka.username, password) if given.kafka.username else None
    github = given.github
    return Site(
        environment=name,
        run=0,
        now=datetime.now(UTC),
        tinybird=Tinybird(given.tinybird.url, given.tinybird.token.get_secret_value(), read_only, wire=wire),
        sequin=Sequin(given.sequin.url, given.sequin.token.get_secret_value(), read_only, wire=wire, login=login),
        connect=Connect(given.connect.url, read_only, wire=wire),
        kafka=Kafka(given.kafka.bootstrap, kafka_config(given.kafka), call_s=min(KAFKA_S, call_s)),
        postgres=Postgres(given.postgres.dsn.get_secret_value(), read_only, read_s=call_s),
        kubernetes=_kubernetes(given.kubernetes, wire) if given.kubernetes else None,
        github=_github(github, wire) if github else None,
        encrypted=_encrypted(github.properties) if github and github.properties else None,
        formatter=Formatter(github.project.format, github.project.format_timeout_s)
        if github and github.project.format
        else None,
        names=Names(
            sequin_database=given.sequin.database,
            publication=given.postgres.publication,
            slot=given.postgres.slot,
            sequin_role=given.postgres.sequin_role,
            connector=given.connect.connector,
            connect_group=f"connect-{given.connect.connector}",
            connect_token=given.connect.tinybird_token,
            connect_restart=given.connect.restart or "",
            creates_topics=given.kafka.creates_topics,
            announces=given.channels.announcements is not None,
            writers={name: tuple(_split(writer) for writer in listed) for name, listed in given.writers.items()},
            project=ProjectNames(**github.project.model_dump(exclude=_FORMAT)) if github else None,
            properties=_properties(github.properties) if github and github.properties else None,
        ),
        limits=Limits(**given.limits.model_dump()),
    )


def _kubernetes(given: KubernetesSettings, wire: Wire) -> Kubernetes:
    ca_file = str(given.ca_file) if given.ca_file else None
    return Kubernetes(given.url, _token(given), read_only, ca_file=ca_file, wire=wire)


def _token(given: KubernetesSettings) -> str | Callable[[], str]:
    """A file is read for each request: what a pod is given changes within the hour (facts/systems.md §5)."""
    file = given.token_file
    if file is None:
        return given.token.get_secret_value() if given.token else ""
    return lambda: file.read_text().strip()


def _github(given: GitHubSettings, wire: Wire) -> GitHub:
    file = given.private_key_file
    if file is None or given.app_id is None or given.installation_id is None:  # so the settings have a token
        return GitHub(given.url, given.token.get_secret_value() if given.token else "", read_only, wire=wire)
    token = AppToken(given.url, given.app_id, given.installation_id, file.read_text, wire=wire)
    return GitHub(given.url, token, read_only, wire=wire)


def _properties(given: PropertiesSettings) -> PropertiesNames:
    return PropertiesNames(given.repository, given.branch, given.path)


def _encrypted(given: PropertiesSettings) -> EncryptedFile:
    commands = Commands(given.decrypt, given.encrypt, given.environment, given.timeout_s)
    return EncryptedFile(given.path, commands)


def _split(writer: str) -> tuple[str, str]:
    namespace, _, deployment = writer.partition("/")
    return namespace, deployment


def kafka_config(given: KafkaSettings) -> dict[str, str]:
    """librdkafka's names for the settings."""
    config = {"security.protocol": given.protocol}
    if given.mechanism:
        config["sasl.mechanism"] = given.mechanism
    if given.username:
        config["sasl.username"] = given.username
    if given.password:
        config["sasl.password"] = given.password.get_secret_value()
    return config
