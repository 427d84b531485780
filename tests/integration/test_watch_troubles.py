"""A workspace goes wrong: each thing is told once, and nothing is lost while the watch is blind."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from pydantic import SecretStr

from config.watch import WatchedPipe
from ledger import incidents
from ledger.incidents import Detail, Found
from tests.support.drive import Drive
from tests.support.incident_story import Story
from tests.support.looking import PIPE, Look, look
from tests.support.people import People
from tests.support.sandbox import Faults, Json, Sandbox
from workers.watch import look as watching
from workers.watch.reconcile import Bearings, reconcile
from workers.watch.telling import tell

__all__ = ["look"]  # a fixture

HOUR = 3600.0


def open_ones(sandbox: Sandbox) -> list[tuple[str, str]]:
    found = sandbox.ledger("SELECT kind, name FROM ledger.incident WHERE state = 'open' AND under IS NULL ORDER BY id")
    return [(row["kind"], row["name"]) for row in found]


def watch_row(sandbox: Sandbox) -> Json:
    return sandbox.ledger("SELECT * FROM ledger.watch")[0]


def breaks(sandbox: Sandbox, error: str, pipe: str = PIPE, times: int = 1) -> None:
    answer = sandbox.control.post("/sandbox/tinybird/fail", json={"pipe": pipe, "error": error, "times": times})
    assert answer.is_success, answer.text


def watches_by(drive: Drive, **settings: Any) -> None:
    """The worker's settings of the watch."""
    all_of = drive.worker.settings
    environment = all_of.environment("sandbox")
    watched = environment.watch.model_copy(update=settings)
    environments = {"sandbox": environment.model_copy(update={"watch": watched})}
    drive.worker = replace(drive.worker, settings=all_of.model_copy(update={"environments": environments}))


def runs(sandbox: Sandbox, drive: Drive, pipe: str = PIPE) -> None:
    """A copy by hand, to its end."""
    job = sandbox.tinybird.post(f"/v0/pipes/{pipe}/copy").json()["job"]["job_id"]
    drive.let_pass(60.0)
    ended = ("done", "error")
    sandbox.until(lambda: sandbox.tinybird.get(f"/v0/jobs/{job}").json()["status"] in ended, what="the copy's end")


def ran(sandbox: Sandbox, pipe: str, rows: list[int], *, every_s: float = HOUR) -> None:
    """The pipe's runs, the last one some minutes ago."""
    last = datetime.fromtimestamp(sandbox.clock.time(), UTC) - timedelta(minutes=5)
    when = [last - timedelta(seconds=every_s * n) for n in range(len(rows))][::-1]
    given = [{"created_at": at.isoformat(), "seconds": 30, "rows": n} for at, n in zip(when, rows, strict=True)]
    answer = sandbox.control.post("/sandbox/tinybird/history", json={"pipe": pipe, "runs": given})
    assert answer.is_success, answer.text


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("memory", "it needs more memory than Tinybird gives it"),
        ("timeout", "it takes longer than Tinybird lets it"),
        ("schema", "its SQL does not fit the columns that there are"),
        ("missing table", "something that it reads or writes does not exist"),
        ("permission", "it may not read or write what it must"),
        ("the moon is in the wrong place", "the moon is in the wrong place"),
    ],
)
def test_a_failure_is_told_in_plain_words(
    sandbox: Sandbox, people: People, drive: Drive, look: Look, error: str, words: str
) -> None:
    look()
    breaks(sandbox, error)
    runs(sandbox, drive)
    look()
    drive()

    (card,) = people.ben.sees("alerts")
    assert words in card.text
    (row,) = sandbox.ledger("SELECT detail FROM ledger.incident")
    assert row["detail"]["cause"] == (error if "moon" not in error else "unknown")
    assert row["detail"]["target"] == "members_sorted"
    assert "members_list" in row["detail"]["endpoints"]
    assert row["detail"]["rows_now"] > 0
    assert row["detail"]["offers"] == ["run", "run-in-order", "pause"]


def test_the_message_is_rung_before_more_is_found_out(
    sandbox: Sandbox, faults: Faults, drive: Drive, look: Look
) -> None:
    look()
    breaks(sandbox, "memory")
    runs(sandbox, drive)
    away = faults.add("tinybird", "GET /v0/datasources", "status:503", times=100)
    look()
    assert open_ones(sandbox) == [("failed", PIPE)]
    assert len(sandbox.ledger("SELECT id FROM ledger.message WHERE purpose = 'incident'")) == 1
    assert sandbox.ledger("SELECT detail FROM ledger.incident")[0]["detail"]["target"] == ""
    faults.take_back(away)
    look()
    (row,) = sandbox.ledger("SELECT detail FROM ledger.incident")
    assert row["detail"]["target"] == "members_sorted"


def test_where_lineage_cannot_be_asked_for_each_failure_is_told_by_itself(
    sandbox: Sandbox, faults: Faults, drive: Drive, look: Look
) -> None:
    look()
    pipes = [PIPE, "activities_deduplicated_copy_pipe", "pull_request_analysis_copy_pipe"]
    for pipe in pipes:
        breaks(sandbox, "memory", pipe)
        runs(sandbox, drive, pipe)
    after = sandbox.log.last()
    faults.add("tinybird", "GET /v0/datasources", "status:503", times=100)
    look()
    assert sorted(name for _, name in open_ones(sandbox)) == sorted(pipes)
    assert sandbox.log.count("tinybird", "GET /v0/datasources", after=after) <= 8  # once for news, once for more


def test_a_clock_that_is_set_back_does_not_blind_the_watch(sandbox: Sandbox, drive: Drive, look: Look) -> None:
    look()
    ahead = datetime.fromtimestamp(sandbox.clock.time() + 30 * 86_400, UTC)
    sandbox.ledger("UPDATE ledger.watch SET seen = %s RETURNING seen", [ahead.isoformat()])
    look()
    breaks(sandbox, "memory")
    runs(sandbox, drive)
    look()
    assert open_ones(sandbox) == [("failed", PIPE)]


def test_what_fails_while_tinybird_is_away_is_told_once_it_is_back(
    sandbox: Sandbox, faults: Faults, people: People, drive: Drive, look: Look
) -> None:
    look()
    faults.add("tinybird", "GET /v0/sql", "status:503", times=4)
    look()
    assert "could not be looked at" in watch_row(sandbox)["trouble"]
    began = watch_row(sandbox)["failing_since"]
    assert began is not None

    breaks(sandbox, "memory")
    runs(sandbox, drive)
    faults.add("tinybird", "GET /v0/sql", "status:429:1", times=4)
    look()
    assert watch_row(sandbox)["failing_since"] == began
    look()
    look()
    drive()

    assert len(people.ben.sees("alerts")) == 1
    assert open_ones(sandbox) == [("failed", PIPE)]
    row = watch_row(sandbox)
    assert (row["failing_since"], row["trouble"]) == (None, "")
    assert row["looked_at"] is not None


def test_what_failed_and_recovered_while_nobody_looked_is_told_in_one_sentence(
    sandbox: Sandbox, people: People, drive: Drive, look: Look
) -> None:
    look()
    breaks(sandbox, "memory")
    runs(sandbox, drive)
    runs(sandbox, drive)
    drive.let_pass(10 * 60)
    look()
    look()
    drive()
    (told,) = people.ben.sees("alerts")
    assert f"Meanwhile one copy failed and has run well since: {PIPE}. Nothing is left to do about it." in told.text
    assert open_ones(sandbox) == []


def test_a_check_in_that_fails_spoils_no_look(sandbox: Sandbox, drive: Drive, look: Look) -> None:
    watches_by(drive, check_in=SecretStr("http://127.0.0.1:9/nobody-listens"))
    look()
    assert watch_row(sandbox)["looked_at"] is not None


def test_a_look_leaves_it_to_the_bot_to_say_that_somebody_watches(sandbox: Sandbox, drive: Drive, look: Look) -> None:
    said = Found("watch", "sandbox", "sandbox", datetime.now(UTC), Detail(said="Nothing is known of the copies."))
    with drive.product.pool.connection() as conn, conn.transaction():
        incidents.open_incident(conn, "sandbox", said)
    look()
    assert open_ones(sandbox) == [("watch", "sandbox")]


@pytest.mark.parametrize("dropped", ["started_at,error", "pipe_id,job_type", "updated_at"])
def test_columns_that_a_log_lacks_are_done_without_and_the_doctor_says_so(
    sandbox: Sandbox, drive: Drive, people: People, look: Look, dropped: str
) -> None:
    look()
    sandbox.knobs(tinybird__jobs_log_drop=dropped, tinybird__ops_log_drop="rows,rows_quarantine")
    breaks(sandbox, "memory")
    runs(sandbox, drive)
    look()

    assert open_ones(sandbox) == [("failed", PIPE)]
    trouble = watch_row(sandbox)["trouble"]
    assert "tinybird.jobs_log has no column" in trouble
    assert "tinybird.datasources_ops_log has no column rows or rows_quarantine any longer." in trouble
    people.ana.types("/tb doctor")
    drive()
    assert trouble in people.ana.sees()[-1].words


def test_times_as_text_are_read(sandbox: Sandbox, drive: Drive, look: Look) -> None:
    sandbox.knobs(tinybird__jobs_log_types="strings", tinybird__ops_log_types="strings")
    look()
    breaks(sandbox, "memory")
    runs(sandbox, drive)
    look()

    assert open_ones(sandbox) == [("failed", PIPE)]
    assert watch_row(sandbox)["trouble"] == ""


def test_a_log_that_cannot_be_read_at_all_is_replaced_by_the_jobs_api(
    sandbox: Sandbox, drive: Drive, look: Look
) -> None:
    sandbox.knobs(tinybird__jobs_log_drop="status")
    look()
    breaks(sandbox, "memory")
    runs(sandbox, drive)
    look()
    look()

    assert open_ones(sandbox) == [("failed", PIPE)]
    assert "the last 100 jobs of the Jobs API are watched instead" in watch_row(sandbox)["trouble"]


@pytest.mark.parametrize("skew", [-120.0, 120.0])
def test_two_minutes_between_two_clocks_are_no_fault(sandbox: Sandbox, drive: Drive, look: Look, skew: float) -> None:
    sandbox.knobs(tinybird__log_skew_s=skew)
    for _ in range(8):
        drive.let_pass(15 * 60)
        look()
    assert open_ones(sandbox) == []


def test_two_workers_who_look_at_once_make_one_incident(
    sandbox: Sandbox, people: People, drive: Drive, look: Look
) -> None:
    look()
    breaks(sandbox, "memory")
    runs(sandbox, drive)
    others = [drive.worker, drive.product.worker("another")]
    together = Barrier(2)

    def looks(at: int) -> None:
        together.wait()
        watching.watch(others[at], 0)

    with ThreadPoolExecutor(2) as two:
        list(two.map(looks, range(2)))
    others[1].pool.close()
    drive()

    assert len(people.ben.sees("alerts")) == 1
    assert len(sandbox.ledger("SELECT id FROM ledger.incident_event WHERE what = 'opened'")) == 1


def test_what_a_run_has_paused_is_not_missed_until_its_time_is_up(sandbox: Sandbox, drive: Drive, look: Look) -> None:
    look()
    run = drive.run("/tb migrate members add field nickname text --strategy recreate")
    pauses = [step for step in drive.view(run).steps if step.op == "tinybird.copy.pause/1"]
    drive.until_step(run, pauses[-1].number + 1)
    paused = pauses[-1].params["pipe"]
    for _ in range(10):
        drive.let_pass(15 * 60)
        look()
        if open_ones(sandbox):
            break
    (row,) = sandbox.ledger("SELECT since, detail FROM ledger.incident WHERE name = %s", [paused])
    assert f"run {run} paused it and should have been done by" in row["detail"]["said"]
    budget = next(h["budget_s"] for h in drive.view(run).run.plan["holds"])  # type: ignore[index]
    passed = sandbox.clock.time() - drive.view(run).steps[0].started_at.timestamp()  # type: ignore[union-attr]
    assert passed >= budget, "it was missed before its time was up"

    drive()
    drive.let_pass(HOUR)
    look()
    assert [(kind, name) for kind, name in open_ones(sandbox) if kind == "missing"] == [], drive.thread(run)


@pytest.mark.long
def test_a_schedule_that_people_had_stopped_is_told_of_after_a_day(sandbox: Sandbox, drive: Drive, look: Look) -> None:
    look()
    pipe = "insights_projects_populated_copy"
    run = drive.run(f"/tb copy {pipe} pause")
    drive.until(run, "succeeded")
    for hours in (1, 10, 12):
        drive.let_pass(hours * HOUR)
        look()
        assert ("missing", pipe) not in open_ones(sandbox)
    drive.let_pass(2 * HOUR)
    look()
    assert ("missing", pipe) in open_ones(sandbox)
    (row,) = sandbox.ledger("SELECT detail FROM ledger.incident WHERE name = %s", [pipe])
    assert f"run {run} paused it as it was asked to, a day ago or more" in row["detail"]["said"]


def test_the_newest_rows_are_asked_for_one_a_look_in_turn(sandbox: Sandbox, drive: Drive, look: Look) -> None:
    """The seed's rows are old, and no copy makes them newer."""
    pipes = {
        "members_sorted_copy_pipe": "members_sorted",
        "activities_deduplicated_copy_pipe": "activities_deduplicated_ds",
    }
    rules = tuple(WatchedPipe(pattern=name, stale_column="updatedAt", stale_s=60) for name in pipes)
    watches_by(drive, pipes=rules)
    asked: list[str] = []
    for _ in range(4):
        after = sandbox.log.last()
        look()
        queries = [str(e.get("query")) for e in sandbox.log.find("tinybird", "GET /v0/sql", after=after)]
        assert len(queries) <= 4  # the first look asks for the time too
        asked += [name for name in pipes.values() if any("max%28" in q and f"%60{name}%60" in q for q in queries)]
        drive.let_pass(60)  # of those asked about in the same second the first by name would come again
    assert asked == ["activities_deduplicated_ds", "members_sorted"] * 2
    assert [kind for kind, _ in open_ones(sandbox)] == ["stale", "stale"]


def test_a_storm_of_116_is_one_card_and_few_calls(sandbox: Sandbox, people: People, drive: Drive, look: Look) -> None:
    look()
    channel = drive.worker.settings.environment("sandbox").channels.alerts
    now = datetime.now(UTC)
    storm = [
        Found("failed", f"t_{n}", f"copy_{n:03}", now, Detail(said=f"copy_{n:03} failed.", cause="memory"))
        for n in range(116)
    ]
    calm = Bearings("sandbox", 5, follows=lambda one, other: False, recovered=lambda incident: (now, "It is over."))
    after = sandbox.log.last()
    for faults in (storm[:80], storm, storm):  # seen by three looks
        with drive.product.pool.connection() as conn, conn.transaction():
            opened = incidents.all_open(conn, "sandbox")
            tell(conn, "sandbox", channel, reconcile(faults, opened, (), calm))
        drive.talk()
    (card,) = people.ben.sees("alerts")
    assert "Many copies are in trouble at once" in card.text
    assert "115 more" in card.text
    calls = [entry["path"] for entry in sandbox.log.entries(after=after) if entry["system"] == "slack"]
    assert len([path for path in calls if path.startswith("/api/")]) <= 20


def test_a_paused_copy_and_a_schedule_that_is_gone_are_told(sandbox: Sandbox, drive: Drive, look: Look) -> None:
    look()
    schedules(sandbox, "None")
    assert sandbox.tinybird.post("/v0/pipes/insights_projects_populated_copy/copy/pause").is_success
    look()
    drive.let_pass(60)
    look()
    assert open_ones(sandbox) == [("missing", PIPE)]
    drive.let_pass(45 * 60)
    look()
    assert open_ones(sandbox) == [("missing", PIPE), ("missing", "insights_projects_populated_copy")]
    assert sandbox.tinybird.post("/v0/pipes/insights_projects_populated_copy/copy/resume").is_success
    look()
    assert open_ones(sandbox) == [("missing", PIPE)]


def test_a_replace_that_writes_nothing_is_told(sandbox: Sandbox, look: Look) -> None:
    ran(sandbox, PIPE, [1000] * 20)
    look()
    assert open_ones(sandbox) == []
    ran(sandbox, PIPE, [0])
    look()
    assert open_ones(sandbox) == [("few", PIPE)]
    (row,) = sandbox.ledger("SELECT detail FROM ledger.incident")
    assert (row["detail"]["rows_before"], row["detail"]["rows_now"]) == (1000, 0)


def test_what_fails_together_is_told_in_the_order_of_cause(
    sandbox: Sandbox, people: People, drive: Drive, look: Look
) -> None:
    """At 13:00 all that run then fail. What failed earlier in the same hour does not follow from it."""
    look()
    breaks(sandbox, "memory", pipe="*", times=1)
    drive.let_pass(HOUR)
    look()
    look()
    drive()

    found = sandbox.ledger("SELECT id, name, under, since FROM ledger.incident ORDER BY id")
    by_id = {row["id"]: row for row in found}
    cards = [message for message in people.ben.sees("alerts") if message.text.startswith("Incident")]
    assert len(cards) == sum(row["under"] is None for row in found)
    assert any(row["under"] for row in found)
    for row in found:
        if row["under"]:
            assert by_id[row["under"]]["since"] <= row["since"]


def test_what_people_say_is_intended_is_not_found_again_until_it_was_otherwise(
    sandbox: Sandbox, people: People, drive: Drive, look: Look
) -> None:
    schedules(sandbox, "None")
    look()  # it was so before anybody looked
    schedules(sandbox, "8 * * * *")
    look()

    schedules(sandbox, "None")
    drive.let_pass(60)
    look()
    drive.let_pass(60)
    look()
    drive()
    people.ben.clicks("This is intended", on=people.ben.sees("alerts")[0])
    drive()
    for _ in range(3):
        drive.let_pass(60)
        look()
    assert open_ones(sandbox) == []

    schedules(sandbox, "8 * * * *")
    look()
    schedules(sandbox, "None")
    look()
    drive.let_pass(60)
    look()
    assert open_ones(sandbox) == [("missing", PIPE)]


def schedules(sandbox: Sandbox, cron: str, pipe: str = PIPE) -> None:
    """Set its schedule; ``None``: it has none."""
    found = sandbox.tinybird.get(f"/v0/pipes/{pipe}").json()
    form = {"schedule_cron": cron, "mode": "replace"}
    answer = sandbox.tinybird.put(f"/v0/pipes/{found['id']}/nodes/{found['copy_node']}/copy", data=form)
    assert answer.is_success, answer.text


def test_runs_that_wait_for_a_slot_past_their_next_tick_are_told_on_one_card(
    sandbox: Sandbox, people: People, drive: Drive, look: Look
) -> None:
    look()
    sandbox.knobs(tinybird__copy_quota=1, tinybird__copy_timeout_s=9 * HOUR, tinybird__copy_rows_per_s=0.1)
    job = sandbox.tinybird.post("/v0/pipes/top_member_org_copy/copy").json()["job"]["job_id"]
    drive.let_pass(0.0)  # it has the only slot, for hours
    for _ in range(8):
        drive.let_pass(15 * 60)
        look()
    queued = sandbox.ledger("SELECT name, under FROM ledger.incident WHERE kind = 'queued' ORDER BY id")
    assert len(queued) >= 4
    assert [row["under"] is None for row in queued] == [True] + [False] * (len(queued) - 1), queued
    story = Story(drive, people)
    story.talk()
    (card,) = (card for card in story.cards() if "Copy waits in the queue" in card.words)
    assert "for a copy slot, past the time of its next run" in card.words

    assert sandbox.tinybird.post(f"/v0/jobs/{job}/cancel").is_success
    sandbox.knobs(tinybird__copy_quota=12, tinybird__copy_rows_per_s=50_000.0)
    drive.let_pass(120)
    look()
    story.talk()
    assert open_ones(sandbox) == []
    assert "Recovered" in card.again().words
