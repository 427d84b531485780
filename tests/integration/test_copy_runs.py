"""Copies run, paused and resumed by people: who may do it alone, what waits, what is refused, what people read."""

from itertools import pairwise

import pytest

from bot import asking
from bot.outcome import Sender
from ledger import inbox, pauses
from runbooks.request import CopyDeed, Request
from tests.support.copy_story import BEHIND, HOURLY, PIPE, asked, board, by_hand, planned, put, rows, unscheduled
from tests.support.drive import Drive
from tests.support.people import People, Person
from tests.support.sandbox import Sandbox

__all__ = ["board"]  # a fixture


def refused(drive: Drive, person: Person, line: str) -> str:
    run = asked(drive, person, line)
    planned(drive, run)
    assert drive.state(run) == "refused"
    return str(drive.view(run).run.reason)


def begun(sandbox: Sandbox, pipe: str) -> int:
    """How many runs of it were asked for and taken."""
    return sum(e["status"] == 200 for e in sandbox.log.find("tinybird", f"POST /v0/pipes/{pipe}/copy"))


def status(sandbox: Sandbox, pipe: str) -> str:
    return str(sandbox.tinybird.get(f"/v0/pipes/{pipe}").json()["schedule"]["status"])


def test_who_may_operate_runs_a_copy_alone(sandbox: Sandbox, people: People, drive: Drive) -> None:
    run = asked(drive, people.ben, f"/tb copy {PIPE} run --note 'it failed'")
    drive.until(run, "succeeded")
    card = drive.card(run)
    assert begun(sandbox, PIPE) == 1
    copied = rows(sandbox, "members_sorted")
    assert f"{PIPE} copied {copied:,} rows into members_sorted" in card.text
    assert "step 1 approved by ben" in card.words
    assert not [label for label in card.buttons if label.startswith("Approve")]
    again = asked(drive, people.ben, f"/tb copy {PIPE} run")
    drive.until(again, "succeeded")
    assert f"the run before copied {copied:,} rows" in drive.card(again).text
    decided = sandbox.ledger("SELECT action, actor FROM ledger.decision WHERE run = %s ORDER BY id", [run])
    assert [row["action"] for row in decided] == ["operate", "approve"]
    audited = sandbox.ledger("SELECT detail ->> 'decision' AS said FROM ledger.audit WHERE action = 'decide'")
    assert [row["said"] for row in audited][:2] == ["operate", "approve"]


def test_others_who_may_ask_get_a_plan_to_approve_and_nobody_else_anything(
    sandbox: Sandbox, people: People, drive: Drive
) -> None:
    people.omar.types(f"/tb copy {PIPE} run")
    drive.talk()
    assert "You may not ask for runs here" in people.omar.sees()[-1].text
    run = asked(drive, people.ana, f"/tb copy {PIPE} run")
    drive()
    assert drive.state(run) == "proposed"
    assert begun(sandbox, PIPE) == 0
    card = drive.card(run)
    assert "run the copy pipe members_sorted_copy_pipe" in card.words
    assert "Each run makes all of members_sorted anew" in card.words
    own = people.ana.clicks("Approve step 1", on=card)
    drive.talk()
    assert "somebody else must approve it" in own.ephemeral().text
    people.ben.clicks("Approve step 1", on=card)
    drive.talk()
    second = people.chen.clicks("Approve step 1", on=card)
    drive.talk()
    assert "already approved by ben" in second.ephemeral().text
    drive.until(run, "succeeded")
    assert begun(sandbox, PIPE) == 1


def test_the_same_line_typed_twice_is_one_run(sandbox: Sandbox, people: People, drive: Drive) -> None:
    run = asked(drive, people.ben, f"/tb copy {PIPE} run")
    assert asked(drive, people.ben, f"/tb copy {PIPE} run") == run
    drive.until(run, "succeeded")
    assert begun(sandbox, PIPE) == 1


def test_two_people_who_run_it_at_once_make_one_run(sandbox: Sandbox, people: People, drive: Drive) -> None:
    sandbox.knobs(tinybird__copy_rows_per_s=400.0)
    first = asked(drive, people.ben, f"/tb copy {PIPE} run")
    drive.until(first, "running")
    said = refused(drive, people.chen, f"/tb copy {PIPE} run")
    assert said.startswith(f"Run {first} has the copy pipe `{PIPE}` in its hands, until about")
    drive.until(first, "succeeded")
    assert begun(sandbox, PIPE) == 1


def test_a_schedule_is_stopped_and_started_again(sandbox: Sandbox, people: People, drive: Drive) -> None:
    run = asked(drive, people.chen, f"/tb copy {PIPE} pause --note 'its source is wrong'")
    drive.until(run, "succeeded")
    assert status(sandbox, PIPE) == "shutdown"
    assert "does not run by its schedule any more" in drive.card(run).text
    assert "“its source is wrong”" in drive.card(run).words
    said = refused(drive, people.ben, f"/tb copy {PIPE} pause")
    assert "is stopped already, so there is nothing to pause: run 1 stopped it at " in said
    assert "(“its source is wrong”)" in said
    with drive.product.pool.connection() as conn:
        known = pauses.stopped(conn, "sandbox")[PIPE]
        assert (known.run, known.note) == (run, "its source is wrong")
        assert known.actor.startswith("slack:")
    back = asked(drive, people.ben, f"/tb copy {PIPE} resume")
    drive.until(back, "succeeded")
    assert status(sandbox, PIPE) == "running"
    assert "run 1 stopped it at" in str((drive.view(back).run.plan or {})["strategy"]["reasons"])
    with drive.product.pool.connection() as conn:
        assert pauses.stopped(conn, "sandbox") == {}
    assert "there is nothing to resume" in refused(drive, people.chen, f"/tb copy {PIPE} resume")


def test_a_copy_on_demand_has_no_schedule_to_stop(sandbox: Sandbox, people: People, drive: Drive, board: str) -> None:
    put(sandbox, "by_hand_copy", "SELECT * FROM board_ds", "board_ds", mode="append", schedule="@on-demand")
    assert "runs on demand only" in refused(drive, people.ben, "/tb copy by_hand_copy pause")
    assert "runs on demand only" in refused(drive, people.ben, "/tb copy by_hand_copy resume")


def test_what_a_migration_has_stopped_stays_stopped(sandbox: Sandbox, people: People, drive: Drive) -> None:
    migration = drive.run("/tb migrate members add field nickname text --strategy recreate")
    pause = next(s.number for s in drive.view(migration).steps if s.op == "tinybird.copy.pause/1")
    drive.until_step(migration, pause + 1)
    assert status(sandbox, PIPE) == "shutdown"
    said = refused(drive, people.ben, f"/tb copy {PIPE} resume")
    assert said.startswith(f"Run {migration} has the copy pipe `{PIPE}` in its hands, until about")
    assert "it can be resumed when that run is over" in said
    assert status(sandbox, PIPE) == "shutdown"
    drive.until(migration, "succeeded")
    assert status(sandbox, PIPE) == "running"


def test_copies_are_run_in_order_each_when_the_one_before_has_ended(
    sandbox: Sandbox, people: People, drive: Drive
) -> None:
    sandbox.tinybird.post("/v0/pipes/top_member_org_copy/copy/pause")
    run = asked(drive, people.ben, f"/tb copy {PIPE} run in order")
    drive.until(run, "succeeded")
    view = drive.view(run)
    wanted = [PIPE, *BEHIND[:-1]]
    assert [step.params["pipe"] for step in view.steps] == wanted
    ends = [(step.started_at, step.finished_at) for step in view.steps]
    assert all(before[1] and after[0] and before[1] <= after[0] for before, after in pairwise(ends))
    assert [begun(sandbox, pipe) for pipe in wanted] == [1] * len(wanted)
    assert begun(sandbox, "top_member_org_copy") == 0
    rejected = {each["name"]: each["reason"] for each in (view.run.plan or {})["strategy"]["rejected"]}
    assert rejected == {"top_member_org_copy": "its schedule is stopped"}


def test_a_run_waits_for_a_slot_as_long_as_it_takes(sandbox: Sandbox, people: People, drive: Drive) -> None:
    unscheduled(sandbox)
    sandbox.knobs(tinybird__copy_rows_per_s=100.0)  # of the platform's clock: a run lasts half a minute or more
    for _ in range(12):
        assert sandbox.tinybird.post(f"/v0/pipes/{HOURLY}/copy").status_code == 200
    run = asked(drive, people.ben, f"/tb copy {PIPE} run")
    for _ in range(5):
        drive.move()
    assert drive.state(run) == "running"
    assert begun(sandbox, PIPE) == 0
    why = str((drive.view(run).steps[0].progress or {})["why"])
    assert why.startswith("all 12 copy slots are taken, and 11 runs wait already; it takes its turn, waiting since ")
    drive.until(run, "succeeded")
    assert begun(sandbox, PIPE) == 1


@pytest.mark.long
def test_a_quota_that_tinybird_alone_knows_of_is_waited_for_too(sandbox: Sandbox, people: People, drive: Drive) -> None:
    unscheduled(sandbox)
    sandbox.knobs(tinybird__copy_rows_per_s=15.0, tinybird__copy_quota=1)  # a run lasts more than three minutes
    assert sandbox.tinybird.post(f"/v0/pipes/{HOURLY}/copy").status_code == 200
    run = asked(drive, people.ben, f"/tb copy {PIPE} run")
    drive.until(run, "succeeded")
    tries = [entry["status"] for entry in sandbox.log.find("tinybird", f"POST /v0/pipes/{PIPE}/copy")]
    assert tries[:-1] == [429] * (len(tries) - 1)
    assert len(tries) > 10, "so often in a row, people would be called"
    assert begun(sandbox, PIPE) == 1


def test_a_run_that_is_under_way_is_awaited_and_no_second_one_begun_beside_it(
    sandbox: Sandbox, people: People, drive: Drive
) -> None:
    unscheduled(sandbox)
    sandbox.knobs(tinybird__copy_rows_per_s=100.0)
    job = sandbox.tinybird.post(f"/v0/pipes/{PIPE}/copy").json()["job"]["id"]
    run = asked(drive, people.ana, f"/tb copy {PIPE} run")
    drive()
    hazards = {h["slug"]: h["message"] for h in (drive.view(run).run.plan or {})["hazards"]}
    assert "no second one begins before it ends" in hazards["copy-in-flight"]
    drive.approve(run)
    drive.move()
    assert begun(sandbox, PIPE) == 1
    drive.until(run, "succeeded")
    assert sandbox.tinybird.get(f"/v0/jobs/{job}").json()["status"] == "done"
    assert begun(sandbox, PIPE) == 2


def test_a_run_that_ends_in_an_error_fails_and_says_why(sandbox: Sandbox, people: People, drive: Drive) -> None:
    before = rows(sandbox, "members_sorted")
    put(
        sandbox, PIPE, "SELECT id, throwIf(id != '', 'no luck') AS score FROM members", "members_sorted", mode="replace"
    )
    run = asked(drive, people.ben, f"/tb copy {PIPE} run")
    drive.until(run, "failed")
    text = drive.card(run).text
    assert f"the run of {PIPE} ended in an error: Code: 395" in text, text
    assert "no luck" in text
    assert "Nothing is left paused" in text
    assert rows(sandbox, "members_sorted") == before
    assert "Plan it again" in drive.card(run).buttons


def test_a_copy_that_empties_its_target_says_so(sandbox: Sandbox, people: People, drive: Drive) -> None:
    by_hand(drive, PIPE)
    before = rows(sandbox, "members_sorted")
    sql = str(sandbox.tinybird.get(f"/v0/pipes/{PIPE}").json()["nodes"][-1]["sql"])
    nodes = sandbox.tinybird.get(f"/v0/pipes/{PIPE}").json()
    node = nodes["nodes"][-1]["id"]
    answer = sandbox.tinybird.put(f"/v0/pipes/{nodes['id']}/nodes/{node}", content=f"{sql}\nLIMIT 0")
    assert answer.status_code == 200, answer.text
    run = asked(drive, people.ben, f"/tb copy {PIPE} run")
    drive.until(run, "succeeded")
    words = drive.card(run).words
    assert f"⚠️ {PIPE} copied no row, so members_sorted is empty now; the run before copied {before:,} rows." in words


def test_the_rows_of_the_last_run_are_shown_and_deleted_before_it_runs_again(
    sandbox: Sandbox, people: People, drive: Drive, board: str
) -> None:
    unscheduled(sandbox)
    by_hand(drive, board)
    by_hand(drive, "other_copy")
    sandbox.clock.advance(3_600)
    by_hand(drive, board)
    assert rows(sandbox, "board_ds") == 30
    said = refused(drive, people.ben, f"/tb copy {board} run")
    assert "the rows of a second run stay beside those of the first" in said
    assert f"`copy {board} run clear` counts and shows the rows" in said

    run = asked(drive, people.ben, f"/tb copy {board} run clear")
    planned(drive, run)
    assert drive.state(run) == "proposed", "rows are deleted: the plan is read first"
    card = drive.card(run)
    assert "board_ds holds 10 rows of its last run, whose madeAt is of that run" in card.words
    people.ben.clicks("Approve step 1", on=card)
    drive.until(run, "succeeded")
    assert "Deleted from board_ds" in drive.card(run).words
    assert rows(sandbox, "board_ds") == 30
    boards = sandbox.tb("SELECT board, count() AS n FROM board_ds GROUP BY board ORDER BY board")
    assert [(found["board"], int(found["n"])) for found in boards] == [("members", 20), ("others", 10)]


def test_rows_that_are_not_told_apart_for_certain_are_not_deleted(
    sandbox: Sandbox, people: People, drive: Drive, board: str
) -> None:
    by_hand(drive, board)
    made = sandbox.tb("SELECT max(toString(madeAt)) AS at FROM board_ds")[0]["at"]
    alike = f"SELECT 'members' AS board, 'x' AS id, toDateTime('{made}') AS madeAt"
    put(sandbox, "third_copy", alike, "board_ds", mode="append")
    said = refused(drive, people.ben, f"/tb copy {board} run clear")
    assert "rows of third_copy, which writes board_ds too, look alike" in said
    by_hand(drive, "third_copy")
    sandbox.tinybird.delete("/v0/pipes/third_copy")
    said = refused(drive, people.chen, f"/tb copy {board} run clear")
    assert said.startswith(f"The last run of `{board}` wrote 10 rows, and 11 rows in `board_ds` look like its own")
    assert rows(sandbox, "board_ds") == 11


def test_a_copy_that_is_not_there_or_is_none_is_refused_with_the_nearest(people: People, drive: Drive) -> None:
    assert "did you mean `members_sorted_copy_pipe`" in refused(drive, people.ben, "/tb copy members_sorted_copy run")
    assert "`members_list` is no copy pipe" in refused(drive, people.ben, "/tb copy members_list run")


def test_a_run_can_have_its_card_and_replies_in_another_thread(sandbox: Sandbox, people: People, drive: Drive) -> None:
    people.ben.types("/tb runs", channel="alerts")
    alerts = drive.product.settings.environment("sandbox").channels.alerts
    root = drive.product.talk.slack.post(alerts, "An incident.")
    with drive.product.pool.connection() as conn, conn.transaction():
        row = inbox.take(conn, sandbox.ledger("SELECT max(id) AS id FROM ledger.inbox")[0]["id"])
        assert row is not None
        ben = Sender(str(row.payload["team"]), str(row.payload["user"]), alerts, None, None)
        wanted = Request(text=f"copy {PIPE} run", job=CopyDeed(pipe=PIPE, deed="run"))
        asking.request(drive.product.talk, conn, row, ben, wanted, asking.Place(alerts, root))
        inbox.finish(conn, row.id, "asked")
    run = int(sandbox.ledger("SELECT max(id) AS run FROM ledger.run")[0]["run"])
    drive.until(run, "succeeded")
    drive.talk()
    thread = [m for m in people.ben.sees("alerts") if m.shown["thread_ts"] == root and m.ts != root]
    assert thread[0].text.startswith(f"Run {run} (copy {PIPE} run): Done in")
    assert any("Done in" in m.text for m in thread[1:]), "its replies too"
    assert not [m for m in people.ben.sees("migrations") if f"Run {run}" in m.text]
