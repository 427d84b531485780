"""A run is aborted after each of its steps, and an answer of each effect is lost once (facts/procedures.md §2.3).

Before the table is touched all is as it was, but for added columns, which stay. After it the Sequin sink and the
connector run; copies stay paused until the table is proven or the old one is back; no copy target ever loses a row.
"""

from collections.abc import Callable

import pytest

from tests.support.aborting import A_WHILE_S, FED, SINK_HELD, aborted, arrived, change
from tests.support.drive import Drive
from tests.support.ending import COPIES_OF_MEMBERS, Ending
from tests.support.people import People
from tests.support.sandbox import Sandbox

pytestmark = pytest.mark.faults

ALTER, RECREATE = 5, 21  # steps of each
LIKE_THEIR_NEIGHBOURS = (
    1,
    2,
    4,
    6,
    7,
    9,
    11,
    12,
    13,
    15,
    16,
    17,
    18,
    19,
)  # with --long alone, for time: what is stopped, touched or fed by then, it is in a later one of the others too


@pytest.mark.parametrize("done", range(ALTER))
def test_an_aborted_alter_leaves_everything_running_and_says_what_stays(
    watched: Drive, people: People, sandbox: Sandbox, ending: Ending, migrate: Callable[[str], int], done: int
) -> None:
    run = migrate("alter")
    aborted(watched, people, run, done)
    ending.nothing_is_paused()
    ending.the_ledger_is_sound(run)
    assert len(ending.changes()) == (0, 1, 2, 2, 3)[done]  # the third step is SQL
    card = watched.card(run)
    assert "Nothing is left paused" in card.text
    assert ("What was added stays: members_sorted has nickname" in card.text) == (done > 0)
    assert ("Postgres has members.nickname" in card.text) == (done > 2)
    change(sandbox)
    watched.let_pass(A_WHILE_S)
    assert arrived(sandbox)


@pytest.mark.parametrize(
    "done", [pytest.param(n, marks=pytest.mark.long) if n in LIKE_THEIR_NEIGHBOURS else n for n in range(RECREATE)]
)
def test_an_aborted_recreate_puts_back_what_is_safe_and_says_what_is_not(
    watched: Drive, people: People, sandbox: Sandbox, ending: Ending, migrate: Callable[[str], int], done: int
) -> None:
    run = migrate("recreate")
    before = sandbox.tinybird.get("/v0/datasources/members").json()["id"]
    watched.until_step(run, min(done, SINK_HELD) + 1)
    change(sandbox)
    aborted(watched, people, run, done)
    assert ending.running() == {"sink": "active", "connector": "RUNNING"}
    view = watched.view(run)
    old = sandbox.tinybird.get("/v0/datasources/members").json()["id"] == before
    assert old == (done < FED)
    if old or "members" in view.run.found.get("proven", ()):
        ending.nothing_is_paused()
    else:
        for pipe in COPIES_OF_MEMBERS:
            assert ending.schedule(pipe) == "shutdown"
            assert f"{pipe} stays paused: the new members is not proven" in watched.card(run).words
        assert "left as found" in watched.card(run).text
    if old:
        ending.the_ledger_is_sound(run)
    watched.let_pass(A_WHILE_S)
    assert arrived(sandbox), f"the change that was made after step {min(done, SINK_HELD)} was lost"


def test_a_table_that_is_fed_is_not_taken_away_though_no_row_is_seen_in_it_yet(
    watched: Drive, people: People, sandbox: Sandbox, migrate: Callable[[str], int]
) -> None:
    """Rows on their way into a table that is removed would be refused by Tinybird and dropped by the connector."""
    run = migrate("recreate")
    watched.until_step(run, SINK_HELD + 1)
    change(sandbox)
    watched.until_step(run, FED)
    sandbox.knobs(tinybird__events_visible_after_s=600.0)
    aborted(watched, people, run, FED)
    assert "the Sequin sink members_sink feeds the new members already" in watched.card(run).words
    assert sandbox.log.count("tinybird", "DELETE /v0/datasources/*") == 0
    watched.let_pass(A_WHILE_S)
    assert not arrived(sandbox)
    watched.let_pass(600.0)
    assert arrived(sandbox)


@pytest.mark.parametrize("strategy", ["alter", "recreate"])
def test_an_effect_whose_answer_is_lost_is_found_and_not_repeated(
    watched: Drive, sandbox: Sandbox, ending: Ending, migrate: Callable[[str], int], strategy: str
) -> None:
    run = migrate(strategy)
    for system, match in LOST[strategy]:
        sandbox.faults.add(system, match, "drop_after")
    watched.until(run, "succeeded")
    ending.it_succeeded(run)
    dropped = [(e["system"], e["method"], e["path"]) for e in sandbox.log.entries() if e["fault"]]
    assert len(dropped) == len(LOST[strategy])
    repeated = {call: n for call, n in ending.had().items() if n > 1}
    assert set(repeated) <= {"sequin PATCH /api/sinks/members_sink"}


# Every call of each strategy that changes something in a system, as the request log has it; a dry run of an
# alteration comes before it, by the same path.
LOST = {
    "alter": [
        ("tinybird", "POST /v0/datasources/members_sorted/alter"),
        ("tinybird", "POST /v0/datasources/members/alter"),
        ("sequin", "POST /api/postgres_databases/*/refresh_tables"),
    ],
    "recreate": [
        ("tinybird", "POST /v0/datasources/members_sorted/alter"),
        ("sequin", "POST /api/postgres_databases/*/refresh_tables"),
        ("tinybird", "POST /v0/pipes/*/copy/pause"),
        ("sequin", "PATCH /api/sinks/members_sink"),
        ("connect", "PUT /connectors/*/pause"),
        ("tinybird", "PUT /v0/datasources/*"),
        ("tinybird", "POST /v0/datasources"),
        ("tinybird", "PUT /v0/tokens/connect"),
        ("connect", "PUT /connectors/*/resume"),
        ("sequin", "POST /api/sinks/members_sink/backfills"),
        ("tinybird", "POST /v0/pipes/*/copy"),
        ("tinybird", "POST /v0/pipes/*/copy/resume"),
        ("tinybird", "PUT /v0/tags/raw"),
    ],
}
