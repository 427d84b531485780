"""`/tb doctor` says whether the writers could be stopped, before anybody needs it."""

from pathlib import Path

from tests.support.drive import Drive
from tests.support.people import People
from tests.support.sandbox import Sandbox


def asked(drive: Drive, people: People) -> str:
    people.ana.types("/tb doctor")
    drive()
    return people.ana.sees()[-1].words


def test_writers_that_can_be_stopped_are_counted_and_those_that_are_off_are_named(
    drive: Drive, people: People, sandbox: Sandbox
) -> None:
    sandbox.scale("data-sink-worker-high-dpl", 0)
    said = asked(drive, people)
    assert "3 writers can be stopped and started; crowd/data-sink-worker-high-dpl has no pod now" in said
    assert sandbox.log.count("kubernetes", "PATCH */scale") == 1, "only the test's own"


def test_a_right_that_is_missing_is_said(drive: Drive, people: People, sandbox: Sandbox) -> None:
    sandbox.knobs(kubernetes__may_scale=False)
    assert "may not patch the scale of crowd/data-sink-worker-high-dpl: it could not be stopped" in asked(drive, people)


def test_a_cluster_that_does_not_answer_is_said_and_stops_no_plan(
    drive: Drive, people: People, sandbox: Sandbox
) -> None:
    sandbox.faults.add("kubernetes", "GET /*", "drop_before", times=1_000)
    assert "kubernetes did not answer" in asked(drive, people)
    before = sandbox.log.last()
    run = drive.run("/tb migrate members add field nickname text", approve=False)
    assert drive.state(run) == "proposed", "who needs no writer stopped can go on"
    tried = {entry["path"] for entry in sandbox.log.find("kubernetes", "GET *", after=before)}
    assert len(tried) == 1, "the others would be waited for as long"


def test_repositories_and_the_sealed_properties_are_looked_at_and_nothing_of_them_is_said(
    drive: Drive, people: People, sandbox: Sandbox
) -> None:
    said = asked(drive, people)
    assert "the token can read acme/platform and acme/cluster" in said
    assert "local/kafka-connect/tinybird-sink.properties.enc can be decrypted" in said
    assert sandbox.ready["tinybird"]["append_token"] not in said
    identity = Path(sandbox.ready["github"]["identity_file"])
    key = identity.read_text()
    identity.write_text("AGE-SECRET-KEY-1PLANTED")
    try:
        refused = asked(drive, people)
    finally:
        identity.write_text(key)
    assert "ended with code 1: decrypt: " in refused
    assert "PLANTED" not in refused
