"""People ask how the copies stand, see the day, and give them better times."""

import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from PIL import Image

import bot.jobs
import workers.context
import workers.jobs
from ledger import inbox, incidents
from ledger.incidents import Detail, Found
from tests.support.drive import Drive
from tests.support.people import Message, People
from tests.support.sandbox import Sandbox

READER, SECOND, LAST = "pull_request_analysis_copy_pipe", "members_sorted_copy_pipe", "top_member_org_copy"
CLEAN = "activityRelations_deduplicated_cleaned_copy_pipe"
HOUR_S = 3600.0


@pytest.fixture
def schedule(sandbox: Sandbox) -> Callable[..., None]:
    """Somebody gives a copy other times, or another mode."""

    def _schedule(pipe: str, cron: str, mode: str = "replace") -> None:
        found = sandbox.tinybird.get(f"/v0/pipes/{pipe}").json()
        form = {"schedule_cron": cron, "mode": mode}
        answer = sandbox.tinybird.put(f"/v0/pipes/{pipe}/nodes/{found['copy_node']}/copy", data=form)
        assert answer.status_code == 200, answer.text

    return _schedule


@pytest.fixture
def collide(schedule: Callable[..., None]) -> None:
    """Two copies start in the same minute as what they read."""
    schedule(READER, "0 * * * *")
    schedule(LAST, "0 0 * * *")


def cron_of(sandbox: Sandbox, pipe: str) -> str:
    return sandbox.tinybird.get(f"/v0/pipes/{pipe}").json()["schedule"]["cron"]


def asked(drive: Drive, people: People) -> Message:
    people.ana.types("/tb copies")
    drive()
    return next(message for message in reversed(people.ana.sees()) if message.shown["ephemeral"])


def files(people: People) -> list[dict[str, Any]]:
    """Of the newest message with any, as everybody in the channel sees it."""
    return next(m.shown["files"] for m in reversed(people.omar.sees()) if m.shown["files"])


def at(sandbox: Sandbox, drive: Drive, minute: float, hour: int | None = None) -> None:
    """Until the clock shows this minute of an hour, or of the day."""
    of, wanted = (HOUR_S, minute * 60) if hour is None else (24 * HOUR_S, hour * HOUR_S + minute * 60)
    drive.let_pass((wanted - sandbox.clock.time() % of) % of)


def test_the_answer_says_how_each_runs_and_the_channel_sees_the_day(
    people: People, drive: Drive, sandbox: Sandbox
) -> None:
    at(sandbox, drive, 30)
    drive.let_pass(2 * HOUR_S)
    drive.let_pass(60.0)
    before = sandbox.log.last()
    said = asked(drive, people)
    assert "There are 7 copy pipes in sandbox:" in said.text
    assert "`members_sorted_copy_pipe` → `members_sorted` (replace, `8 * * * *` UTC, last run " in said.words
    assert "rows, usually" in said.words
    assert "next at " in said.words
    assert [each["name"] for each in files(people)] == ["copies-sandbox.png", "copies-sandbox.csv"]
    shown = files(people)[0]
    image = Image.open(io.BytesIO(sandbox.control.get(f"/sandbox/slack/pictures/{shown['id']}").content))
    assert (image.format, image.width) == ("PNG", 1152)
    assert "Copy pipes of sandbox from " in shown["alt_txt"]
    assert " runs, 0 of them failed" in shown["alt_txt"]
    assert files(people)[1]["preview"].count("\n") == 8
    asks = [e for e in sandbox.log.entries(after=before) if e["system"] == "tinybird" and "Bearer" not in e["path"]]
    assert len(asks) == 6, "the workspace, its data sources, its pipes, its jobs and two logs"
    assert len([m for m in people.ben.sees() if m.shown["files"]]) == 1


def test_how_long_one_takes_is_told_beside_the_week_before(people: People, drive: Drive, sandbox: Sandbox) -> None:
    for pipe in sandbox.tinybird.get("/v0/pipes").json()["pipes"]:
        if pipe["type"] == "copy":
            sandbox.tinybird.post(f"/v0/pipes/{pipe['name']}/copy/pause")
    rows = int(sandbox.tb("SELECT count() AS n FROM members_sorted")[0]["n"])
    for seconds, then in ((300, 8 * 24 * HOUR_S), (600, 2 * HOUR_S)):
        sandbox.knobs(tinybird__copy_rows_per_s=rows / seconds)
        sandbox.tinybird.post(f"/v0/pipes/{SECOND}/copy")
        drive.let_pass(0.0)
        drive.let_pass(then)
    said = asked(drive, people)
    line = next(line for line in said.words.splitlines() if f"`{SECOND}`" in line)
    assert "done in 10 min, usually 10 min (5 min the week before)" in line
    assert f"{rows:,} rows, usually {rows:,}" in line
    assert "0 of them failed" in files(people)[0]["alt_txt"]


def test_a_copy_that_failed_and_one_that_is_paused_are_said_first(
    people: People, drive: Drive, sandbox: Sandbox
) -> None:
    usual = sandbox.knobs()
    sandbox.knobs(tinybird__copy_timeout_s=1, tinybird__copy_rows_per_s=1.0)
    sandbox.tinybird.post(f"/v0/pipes/{SECOND}/copy")
    drive.let_pass(0.0)
    sandbox.knobs(**{name: usual[name] for name in ("tinybird.copy_timeout_s", "tinybird.copy_rows_per_s")})
    sandbox.tinybird.post(f"/v0/pipes/{READER}/copy/pause")
    drive.let_pass(60.0)
    said = asked(drive, people)
    assert "1 failed the last time, 1 paused" in said.text
    lines = [line for line in said.words.splitlines() if "→" in line]
    assert lines[0].startswith(f"❌ `{SECOND}`")
    assert "Timeout exceeded" in lines[0]
    assert lines[1].startswith(f"⏸️ `{READER}`")
    assert "1 of them failed" in files(people)[0]["alt_txt"]


def test_a_copy_that_ran_and_is_not_well_names_its_incident(people: People, drive: Drive) -> None:
    """Its last run is done all the same: it wrote nothing."""
    with drive.worker.pool.connection() as conn, conn.transaction():
        of = Found("few", "t_1", SECOND, datetime.now(UTC), Detail(said=f"The copy {SECOND} wrote nothing."))
        opened = incidents.open_incident(conn, "sandbox", of)
    assert opened is not None
    said = asked(drive, people)
    assert "1 with an open incident" in said.text
    lines = [line for line in said.words.splitlines() if "→" in line]
    assert lines[0].startswith(f"🔴 `{SECOND}`")
    assert f"incident {opened.id}" in lines[0]


def test_where_tinybird_does_not_answer_there_is_a_sentence_and_no_file(
    people: People, drive: Drive, sandbox: Sandbox
) -> None:
    sandbox.faults.add("tinybird", "GET /v0/sql*", "status:500", times=50)
    assert "Ask again when it answers." in asked(drive, people).text
    assert not [m for m in people.ben.sees() if m.shown["files"]]


def test_sequin_connect_and_postgres_may_be_away(people: People, drive: Drive, sandbox: Sandbox) -> None:
    for system in ("sequin", "connect"):
        sandbox.faults.add(system, "GET /*", "drop_before", times=50)
    assert "There are 7 copy pipes" in asked(drive, people).text


def test_a_timetable_is_proposed_by_a_button_approved_and_kept(
    people: People, drive: Drive, sandbox: Sandbox, collide: None
) -> None:
    said = asked(drive, people)
    assert f"`schedule-collision` {READER} starts at 00:00 UTC" in said.words
    assert "Other times for 2 copies would mend that: " in said.words

    people.ana.clicks("Propose a timetable", on=said)
    drive()
    run = drive._newest()
    card = drive.card(run)
    assert drive.state(run) == "proposed"
    assert f"`{READER}` `0 * * * *` → `1 * * * *` (+1 min): " in card.words
    assert f"`{LAST}` `0 0 * * *` → `1 0 * * *` (+1 min): {CLEAN}, which it reads, takes up to 1 min" in card.words
    assert cron_of(sandbox, READER) == "0 * * * *", "nothing is moved before it is approved"

    drive.approve(run)
    drive.until(run, "succeeded")
    assert (cron_of(sandbox, READER), cron_of(sandbox, LAST)) == ("1 * * * *", "1 0 * * *")
    after = asked(drive, people)
    assert READER not in after.words.partition("What is wrong with them")[2]
    assert "Propose a timetable" not in after.buttons
    again = people.ana.types("/tb copies reschedule")
    drive()
    assert "There is nothing to move" in again.card().words
    assert "Open a pull request" in drive.card(run).buttons


def test_planning_asks_as_often_however_many_pipes_there_are(
    people: People, drive: Drive, sandbox: Sandbox, collide: None
) -> None:
    before = sandbox.log.last()
    drive.run("/tb copies reschedule", approve=False)
    few = sum(entry["system"] == "tinybird" for entry in sandbox.log.entries(after=before))
    for n in range(30):
        pipe = {"name": f"more_{n}", "nodes": [{"name": f"n{n}", "sql": "SELECT id FROM members_sorted"}]}
        assert sandbox.tinybird.post("/v0/pipes", json=pipe).status_code == 200
    before = sandbox.log.last()
    drive.run("/tb copies reschedule --note more", approve=False)
    assert sum(entry["system"] == "tinybird" for entry in sandbox.log.entries(after=before)) == few


def test_an_abort_puts_the_old_times_back(people: People, drive: Drive, sandbox: Sandbox, collide: None) -> None:
    run = drive.run("/tb copies reschedule")
    drive.until_step(run, 2)
    assert cron_of(sandbox, LAST) != "0 0 * * *" or cron_of(sandbox, READER) != "0 * * * *"
    people.ben.clicks("Abort", on=drive.card(run))
    drive.until(run, "aborted")
    assert (cron_of(sandbox, READER), cron_of(sandbox, LAST)) == ("0 * * * *", "0 0 * * *")
    people.ana.clicks("Plan it again", on=drive.card(run))
    drive()
    assert f"`{READER}` `0 * * * *` → `1 * * * *`" in drive.card(drive._newest()).words


def test_a_pattern_leaves_the_others_where_they_are(
    people: People, drive: Drive, sandbox: Sandbox, collide: None
) -> None:
    drive.until(drive.run("/tb copies reschedule top*"), "succeeded")
    assert (cron_of(sandbox, READER), cron_of(sandbox, LAST)) == ("0 * * * *", "1 0 * * *")


def test_a_schedule_that_somebody_changed_meanwhile_is_not_written_over(
    people: People, drive: Drive, sandbox: Sandbox, collide: None, schedule: Callable[..., None]
) -> None:
    run = drive.run("/tb copies reschedule pull*")
    schedule(READER, "40 * * * *")
    drive()
    assert cron_of(sandbox, READER) == "40 * * * *"
    assert drive.state(run) != "succeeded"


def test_an_appending_copy_runs_once_in_the_period_in_which_it_is_moved(
    people: People, drive: Drive, sandbox: Sandbox, schedule: Callable[..., None]
) -> None:
    """It is waited for between its old time and its new one."""
    schedule(READER, "0 * * * *", "append")
    sandbox.knobs(tinybird__copy_rows_per_s=10.0)
    at(sandbox, drive, 0)
    drive.let_pass(HOUR_S)
    sandbox.knobs(tinybird__copy_rows_per_s=1_000_000.0)
    run = drive.run("/tb copies reschedule pull*")
    moved = drive.view(run).steps[0].params["minutes"]
    assert moved > 1, "what it reads takes minutes"
    at(sandbox, drive, 0.5)  # the old time is over, the new one is not
    began = sandbox.clock.time()
    drive.until(run, "succeeded")
    assert sandbox.clock.time() - began > (moved - 1) * 60
    drive.let_pass(HOUR_S)
    jobs = sandbox.tb(
        f"SELECT count() AS n FROM tinybird.jobs_log WHERE JSONExtractString(job_metadata, 'pipe_name') = '{READER}' "
        f"AND toUnixTimestamp(created_at) >= {int(began) - 60} AND toUnixTimestamp(created_at) < {int(began) + 3500}"
    )
    assert int(jobs[0]["n"]) == 1


def test_doctor_has_a_line_on_copies(people: People, drive: Drive, sandbox: Sandbox, collide: None) -> None:
    people.ana.types("/tb doctor")
    drive()
    assert "*Copy pipes* – 2 findings; `/tb copies` shows them" in people.ana.sees()[-1].words


def test_a_question_that_no_worker_answers_leaves_no_file(people: People, drive: Drive) -> None:
    people.ana.types("/tb copies")
    with drive.product.pool.connection() as conn:
        for number in inbox.unhandled(conn, 0):
            bot.jobs.inbox(number)
    assert not [m for m in people.ben.sees() if m.shown["files"]]
    workers.context.configure(drive.worker)
    workers.jobs.question(1)
    drive.talk()
    assert [m for m in people.ben.sees() if m.shown["files"]]
