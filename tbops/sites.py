"""The clients of each environment, made from the settings."""

from datetime import UTC, datetime

from config.settings import Environment, KafkaSettings, Settings
from runbooks.facts.model import Limits
from runbooks.site import Names, Site
from systems.connect import Connect
from systems.kafka import Kafka
from systems.permit import Permit, read_only
from systems.postgres import Postgres
from systems.sequin import Sequin
from systems.tinybird import Tinybird


class Sites:
    """Sites by environment. Clients are made at the first use and shared from then on: after a fork, not before."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: dict[str, Site] = {}

    def __call__(self, environment: str, run: int, permit: Permit) -> Site:
        """A site whose clients ask ``permit`` before each change; ``now`` and ``memo`` are the caller's to set."""
        if environment not in self._made:
            self._made[environment] = _site(environment, self._settings.environment(environment))
        base = self._made[environment]
        return Site(
            environment=environment,
            run=run,
            now=datetime.now(UTC),
            tinybird=base.tinybird.permitted(permit),
            sequin=base.sequin.permitted(permit),
            connect=base.connect.permitted(permit),
            kafka=base.kafka,
            postgres=base.postgres.permitted(permit),
            names=base.names,
            limits=base.limits,
        )


def _site(name: str, given: Environment) -> Site:
    return Site(
        environment=name,
        run=0,
        now=datetime.now(UTC),
        tinybird=Tinybird(given.tinybird.url, given.tinybird.token.get_secret_value(), read_only),
        sequin=Sequin(given.sequin.url, given.sequin.token.get_secret_value(), read_only),
        connect=Connect(given.connect.url, read_only),
        kafka=Kafka(given.kafka.bootstrap, _kafka(given.kafka)),
        postgres=Postgres(given.postgres.dsn.get_secret_value(), read_only),
        names=Names(
            sequin_database=given.sequin.database,
            publication=given.postgres.publication,
            slot=given.postgres.slot,
            sequin_role=given.postgres.sequin_role,
            connector=given.connect.connector,
            connect_group=f"connect-{given.connect.connector}",
            connect_token=given.connect.tinybird_token,
        ),
        limits=Limits(**given.limits.model_dump()),
    )


def _kafka(given: KafkaSettings) -> dict[str, str]:
    """librdkafka's names for the settings."""
    config = {"security.protocol": given.protocol}
    if given.mechanism:
        config["sasl.mechanism"] = given.mechanism
    if given.username:
        config["sasl.username"] = given.username
    if given.password:
        config["sasl.password"] = given.password.get_secret_value()
    return config
