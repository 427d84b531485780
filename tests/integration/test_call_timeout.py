"""No call to a system outlasts ``engine.call_timeout_s``, whatever hangs on the other side."""

import time
from collections.abc import Callable

import pytest

from config.settings import load
from runbooks.site import Site
from systems.errors import SystemsError
from systems.permit import read_only
from tbops.sites import Sites
from tests.support.sandbox import Faults, Sandbox

STALL_S = 10.0


@pytest.fixture
def site(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The clients as a worker has them whose settings allow two seconds."""
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TBOPS_ENGINE__CALL_TIMEOUT_S", "2")
    settings = load()
    return Sites(settings)(settings.default_environment, 0, read_only)


STALLS: list[tuple[str, str, Callable[[Site], object]]] = [
    ("tinybird", "GET /v0/datasources/members", lambda site: site.tinybird.datasource("members")),
    ("sequin", "GET /api/sinks/members_sink", lambda site: site.sequin.sink("members_sink")),
    ("connect", "GET /connectors/*/status", lambda site: site.connect.status(site.names.connector)),
]


@pytest.mark.parametrize(("system", "match", "ask"), STALLS, ids=[system for system, _, _ in STALLS])
def test_a_system_that_stalls_is_given_up_in_time(
    site: Site, faults: Faults, system: str, match: str, ask: Callable[[Site], object]
) -> None:
    faults.add(system, match, f"stall:{STALL_S:.0f}", times=2)
    began = time.monotonic()
    with pytest.raises(SystemsError, match="no answer in time") as given_up:
        ask(site)
    assert time.monotonic() - began < STALL_S
    assert given_up.value.retryable


def test_a_query_that_never_ends_is_cancelled_in_time(site: Site) -> None:
    began = time.monotonic()
    with pytest.raises(SystemsError, match="SQLSTATE 57014") as given_up:
        site.postgres.read(f"SELECT pg_sleep({STALL_S})")
    assert time.monotonic() - began < STALL_S
    assert given_up.value.retryable
