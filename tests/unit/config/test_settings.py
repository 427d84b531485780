"""A missing or wrong setting stops the start with the setting's name, and never with its value."""

from pathlib import Path

import pytest

from config import settings

WHOLE = """
default_environment = "staging"
[slack]
mode = "socket"
[environments.staging.tinybird]
url = "https://tinybird.test"
[environments.staging.sequin]
url = "https://sequin.test"
database = "cm"
[environments.staging.connect]
url = "https://connect.test"
[environments.staging.kafka]
bootstrap = "kafka.test:9092"
[environments.staging.postgres]
[environments.staging.channels]
migrations = "C1"
alerts = "C2"
[environments.staging.rules]
windows = ["Mon-Fri 08:00-18:00 Europe/Berlin"]
"""
SECRETS = {
    "TBOPS_LEDGER_DSN": "postgresql://ledger.test/tbops",
    "TBOPS_REDIS_URL": "redis://redis.test",
    "TBOPS_SLACK__BOT_TOKEN": "xoxb-planted-secret",
    "TBOPS_SLACK__APP_TOKEN": "xapp-planted-secret",
    "TBOPS_ENVIRONMENTS__STAGING__TINYBIRD__TOKEN": "p.planted-secret",
    "TBOPS_ENVIRONMENTS__STAGING__SEQUIN__TOKEN": "planted-secret",
    "TBOPS_ENVIRONMENTS__STAGING__POSTGRES__DSN": "postgresql://u:planted-secret@pg.test/cm",
}


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A whole configuration: the file, and its secrets in the environment."""
    file = tmp_path / "tbops.toml"
    file.write_text(WHOLE)
    monkeypatch.setenv("TBOPS_CONFIG", str(file))
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return file


def test_file_and_environment_together_make_the_settings(configured: Path) -> None:
    made = settings.load()

    assert made.environment("staging").tinybird.url == "https://tinybird.test"
    assert made.environment("staging").tinybird.token.get_secret_value() == "p.planted-secret"
    assert made.engine.lease_s == 10.0


@pytest.mark.parametrize("variable", sorted(SECRETS))
def test_a_missing_secret_is_named(configured: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.delenv(variable)

    with pytest.raises(settings.SettingsError) as refused:
        settings.load()

    assert variable in str(refused.value)


@pytest.mark.parametrize(
    ("line", "by", "named"),
    [
        ('url = "https://sequin.test"', 'url = "sequin.test"', "environments.staging.sequin.url"),
        ('bootstrap = "kafka.test:9092"', 'bootstrap = "k:1"\nprotocol = "TLS"', "environments.staging.kafka.protocol"),
        ('mode = "socket"', 'mode = "smoke"', "slack.mode"),
        ("Mon-Fri 08:00-18:00 Europe/Berlin", "weekdays", "Mon-Fri 08:00-18:00 Europe/Berlin"),
        ("Europe/Berlin", "Europe/Atlantis", "Europe/Atlantis"),
        ('default_environment = "staging"', 'default_environment = "stagin"', "stagin"),
        ("[environments.staging.postgres]", "[environments.staging.postgres]\nslott = 1", "staging.postgres.slott"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named(configured: Path, line: str, by: str, named: str) -> None:
    configured.write_text(configured.read_text().replace(line, by))

    with pytest.raises(settings.SettingsError) as refused:
        settings.load()

    assert named in str(refused.value)


def test_no_value_of_a_secret_is_shown(configured: Path) -> None:
    made = settings.load()
    configured.write_text(WHOLE.replace("[environments.staging.channels]", "[environments.staging.canals]"))

    with pytest.raises(settings.SettingsError) as refused:
        settings.load()

    assert "planted-secret" not in str(refused.value)
    assert "planted-secret" not in repr(made)


def test_a_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TBOPS_CONFIG", str(tmp_path / "nowhere.toml"))

    with pytest.raises(settings.SettingsError, match=r"nowhere\.toml"):
        settings.load()


def test_a_file_that_is_not_toml_is_named(configured: Path) -> None:
    configured.write_text("this is not toml")

    with pytest.raises(settings.SettingsError, match="cannot be read"):
        settings.load()


WRITERS = """
[environments.staging.writers]
activities = ["crowd/data-sink-worker-normal-dpl"]
[environments.staging.kubernetes]
url = "https://cluster.test"
"""
KUBERNETES_TOKEN = "TBOPS_ENVIRONMENTS__STAGING__KUBERNETES__TOKEN"


def test_writers_are_deployments_of_a_cluster(configured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configured.write_text(WHOLE + WRITERS)
    monkeypatch.setenv(KUBERNETES_TOKEN, "planted-secret")

    made = settings.load().environment("staging")

    assert made.writers == {"activities": ("crowd/data-sink-worker-normal-dpl",)}
    assert made.kubernetes is not None
    assert made.kubernetes.url == "https://cluster.test"


@pytest.mark.parametrize(
    ("line", "by", "said"),
    [
        ('url = "https://cluster.test"', 'url = "https://cluster.test"\ntoken_file = "/not/there"', "token_file"),
        ("crowd/data-sink-worker-normal-dpl", "data-sink-worker-normal-dpl", "<namespace>/<deployment>"),
        ('[environments.staging.kubernetes]\nurl = "https://cluster.test"', "", "kubernetes.url"),
        ("", "", "either kubernetes.token or kubernetes.token_file"),
    ],
)
def test_writers_that_could_not_be_stopped_are_refused(configured: Path, line: str, by: str, said: str) -> None:
    """Without the token in the environment."""
    configured.write_text(WHOLE + WRITERS.replace(line, by))

    with pytest.raises(settings.SettingsError, match=said):
        settings.load()


def test_an_authority_that_is_no_certificate_is_refused(configured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the start, not when a writer is to be stopped."""
    monkeypatch.setenv(KUBERNETES_TOKEN, "planted-secret")
    configured.write_text(f"{WHOLE}{WRITERS}ca_file = {str(configured)!r}\n")

    with pytest.raises(settings.SettingsError, match=r"kubernetes.ca_file names .* holds no certificate"):
        settings.load()


@pytest.mark.parametrize(
    ("value", "said"),
    [("kafka-connect-dpl", "<namespace>/<deployment>"), ("crowd/kafka-connect-dpl", "kubernetes.url must say")],
)
def test_how_connect_is_restarted_is_checked(
    configured: Path, monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    monkeypatch.setenv("TBOPS_ENVIRONMENTS__STAGING__CONNECT__RESTART", value)
    with pytest.raises(settings.SettingsError, match=said):
        settings.load()


PROJECT = '[environments.staging.github.project]\nrepository = "acme/platform"\n'
PROPERTIES = """
[environments.staging.github.properties]
repository = "acme/cluster"
path = "local/tinybird-sink.properties.enc"
decrypt = ["age", "-d"]
encrypt = ["age", "-e"]
env = { AGE_KEY_FILE = "/secrets/planted-place" }
inherit = ["AGE_PASSPHRASE", "NOT_THERE"]
"""
GITHUB_TOKEN = "TBOPS_ENVIRONMENTS__STAGING__GITHUB__TOKEN"


def test_github_is_optional_and_shows_no_secret(configured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.load().environment("staging").github is None
    configured.write_text(WHOLE + PROJECT + PROPERTIES)
    monkeypatch.setenv(GITHUB_TOKEN, "ghp-planted-secret")
    monkeypatch.setenv("AGE_PASSPHRASE", "planted-secret")
    github = settings.load().environment("staging").github
    assert github is not None
    assert github.properties is not None
    assert github.project.checks == ("Tinybird-CI",)
    assert github.properties.environment == {
        "AGE_KEY_FILE": "/secrets/planted-place",
        "AGE_PASSPHRASE": "planted-secret",
    }
    assert "planted" not in repr(settings.load())


@pytest.mark.parametrize(
    ("token", "given", "said"),
    [
        (None, "", "needs either github.token or an App"),
        (" ", "", "needs either github.token or an App"),
        ("t", 'app_id = "1"\n', "needs either github.token or an App"),
        (None, 'app_id = "1"\n', "an App needs all of"),
        (None, 'app_id = "1"\ninstallation_id = 2\nprivate_key_file = "/no/such.pem"\n', "is not a file"),
    ],
)
def test_github_is_spoken_to_with_a_token_or_as_a_whole_app(
    configured: Path, monkeypatch: pytest.MonkeyPatch, token: str | None, given: str, said: str
) -> None:
    configured.write_text(f"{WHOLE}[environments.staging.github]\n{given}{PROJECT}")
    if token is not None:
        monkeypatch.setenv(GITHUB_TOKEN, token)
    with pytest.raises(settings.SettingsError, match=said):
        settings.load()


def test_connect_may_be_told_by_rest(configured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.load().environment("staging").connect.restart is None
    monkeypatch.setenv("TBOPS_ENVIRONMENTS__STAGING__CONNECT__RESTART", "rest")
    assert settings.load().environment("staging").connect.restart == "rest"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('repository = "platform"\n', "must be <owner>/<repository>"),
        ('repository = "acme/.."\n', "must be <owner>/<repository>"),
        ('repository = "acme/platform"\nmigrations = "../x"\n', "must be a path inside the repository"),
        ('repository = "acme/platform"\ndatafiles = "/services"\n', "must be a path inside the repository"),
        ('repository = "acme/platform"\nformat = ["tb", "fmt"]\n', "must name .file."),
    ],
)
def test_a_place_that_is_none_is_named(configured: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str) -> None:
    monkeypatch.setenv(GITHUB_TOKEN, "t")
    configured.write_text(f"{WHOLE}[environments.staging.github.project]\n{text}")
    with pytest.raises(settings.SettingsError, match=said):
        settings.load()
