"""What is pushed is what is pulled: descriptions, tags, copies and kinds of pipes come and go, and nothing is left."""

import pytest

from tests.support.drive import Drive
from tests.support.limiter import unhurried
from tests.support.people import People
from tests.support.project import merge, text
from tests.support.sandbox import Sandbox

COPY = "members_sorted_copy_pipe"
COUNT = "members_count"
TABLE = """DESCRIPTION >
    Bots, by what they wrote.
    - `id` of a member

TAGS "members, all of it"

SCHEMA >
    `id` String `json:$.record.id`,
    `tags` Array(String) `json:$.record.tags[:]`,
    `at` DateTime64(3) `json:$.record.at` DEFAULT now64(3),
    `n` Nullable(Int32) `json:$.record.n` CODEC(ZSTD(1))

INDEXES >
    by_n n TYPE minmax GRANULARITY 2

ENGINE ReplacingMergeTree
ENGINE_PARTITION_KEY toYYYYMM(at)
ENGINE_SORTING_KEY id, at
ENGINE_TTL toDateTime(at) + toIntervalDay(90)
ENGINE_VER at
"""
KEPT = "SCHEMA >\n    `id` String,\n    `n` UInt64\n\nENGINE MergeTree\nENGINE_SORTING_KEY id\n"
ASKED = """DESCRIPTION >
    Who wrote how much.

TAGS "all of it"

NODE counted
DESCRIPTION >
    By member,
    one row each.

SQL >
    %
    SELECT id, count() AS n FROM members
    WHERE id != {{String(not_this, '', description='left out')}}
    GROUP BY id

NODE shown
SQL >
    SELECT * FROM counted
"""
COPIED = """DESCRIPTION >
    Kept by the hour.

NODE counted_again
SQL >
    SELECT id, count() AS n FROM members GROUP BY id

TYPE COPY
TARGET_DATASOURCE counts
COPY_MODE replace
COPY_SCHEDULE 30 4 * * *
"""
ON_DEMAND = COPIED.replace("30 4 * * *", "@on-demand").replace("replace", "append").replace("by the hour", "when asked")
VIEW = """TAGS "members"

NODE through
DESCRIPTION >
    What comes, at once.

SQL >
    SELECT id, toUInt64(1) AS n FROM members

TYPE MATERIALIZED
DATASOURCE counts
"""
FILES = {
    "bots_written__datasource": TABLE,
    "counts__datasource": KEPT,
    "counts_asked__pipe": ASKED,
    "counts_kept__pipe": COPIED,
    "counts_wanted__pipe": ON_DEMAND,
    "counts_live__pipe": VIEW,
}


def same(people: People, drive: Drive, run: int) -> None:
    """Neither way is there anything left."""
    for number, (command, what) in enumerate((("/tb pull", "pull"), ("/tb push", "push"))):
        people.ana.types(command)
        drive()
        assert drive.view(run + number).run.reason == f"sandbox and git hold the same. There is nothing to {what}."


def pipe(sandbox: Sandbox, name: str) -> dict[str, object]:
    found = sandbox.tinybird.get(f"/v0/pipes/{name}").json()
    return {key: found.get(key) for key in ("type", "description", "schedule", "copy_mode", "endpoint", "tags")}


@pytest.mark.long
def test_what_is_pushed_is_pulled_alike_and_what_people_change_comes_back(
    sandbox: Sandbox, people: People, drive: Drive
) -> None:
    unhurried(sandbox)
    same(people, drive, 1)
    merge(sandbox, **FILES)
    run = drive.run("/tb push")
    drive.until(run, "succeeded")
    same(people, drive, run + 1)
    assert sandbox.tinybird.get("/v0/datasources/bots_written").json()["tags"] == {
        "__filtering": ["all of it", "members"]
    }

    moved = ASKED.replace("Who wrote", "Who has written").replace("one row", "a row").replace("all of it", "x")
    less = TABLE.replace("Bots, by", "Members, by").replace('TAGS "members, all of it"\n\n', "")
    later = COPIED.replace("30 4", "45 5").replace("replace", "append").replace("by the hour", "by the day")
    merge(sandbox, counts_asked__pipe=moved, bots_written__datasource=less, counts_kept__pipe=later)
    shown = drive.run("/tb push", approve=False)
    assert 'TAGS "x"' in drive.card(shown).words
    plan = drive.view(shown).run.plan or {}
    diffs = "\n".join(plan["diffs"].values())
    for line in ("-    Who wrote how much.", '+TAGS "x"', "+COPY_SCHEDULE 45 5 * * *", "+    Members, by what they"):
        assert line in diffs
    drifted = [(row["resource"], row["elsewhere"]) for row in plan["drift"]]
    assert drifted == [
        (name, {"sandbox": "differs"}) for name in ("bots_written.datasource", "counts_asked.pipe", "counts_kept.pipe")
    ]
    drive.approve(shown)
    drive.until(shown, "succeeded")
    same(people, drive, shown + 1)
    assert pipe(sandbox, "counts_kept")["schedule"] == {
        "cron": "45 5 * * *", "status": "running", "timezone": "Etc/UTC"
    }  # fmt: skip

    sandbox.tinybird.post("/v0/datasources/counts/alter", data={"description": "By hand.", "dry": "false"})
    sandbox.tinybird.put("/v0/pipes/counts_asked", data={"description": "By hand too."})
    node = sandbox.tinybird.get("/v0/pipes/counts_kept").json()["copy_node"]
    sandbox.tinybird.put(f"/v0/pipes/counts_kept/nodes/{node}/copy", data={"schedule_cron": "None"})
    pulled = drive.run("/tb pull")
    drive.until(pulled, "succeeded")
    assert "By hand." in text(sandbox, "datasources/counts.datasource")
    assert "COPY_SCHEDULE @on-demand" in text(sandbox, "pipes/counts_kept.pipe")
    same(people, drive, pulled + 1)


@pytest.mark.long
def test_a_paused_copy_stays_paused_whatever_of_it_is_pushed_or_taken_back(
    sandbox: Sandbox, people: People, drive: Drive
) -> None:
    unhurried(sandbox)
    assert sandbox.tinybird.post(f"/v0/pipes/{COPY}/copy/pause").status_code == 200
    was = pipe(sandbox, COPY)
    old = text(sandbox, f"pipes/{COPY}.pipe")
    lead, _, rest = old.partition("NODE ")
    merge(sandbox, **{f"{COPY}__pipe": f"{lead}NODE everybody\nSQL >\n    SELECT 1 AS one\n\nNODE {rest}"})
    run = drive.run("/tb push")
    drive.until_step(run, 2)
    assert sandbox.tinybird.get(f"/v0/pipes/{COPY}").json()["nodes"][0]["name"] == "everybody"
    assert pipe(sandbox, COPY) == was
    people.ana.types(f"/tb abort {run}")
    drive.until(run, "aborted")
    assert pipe(sandbox, COPY) == was
    assert len(sandbox.tinybird.get(f"/v0/pipes/{COPY}").json()["nodes"]) == old.count("NODE ")
    merge(sandbox, **{f"{COPY}__pipe": old.replace("COPY_SCHEDULE ", "COPY_SCHEDULE 1,")})
    again = drive.run("/tb push")
    drive.until(again, "succeeded")
    schedule = was["schedule"]
    assert isinstance(schedule, dict)
    assert pipe(sandbox, COPY)["schedule"] == schedule | {"cron": f"1,{schedule['cron']}"}


@pytest.mark.long
def test_an_endpoint_becomes_a_copy_and_an_abort_makes_it_answer_again(
    sandbox: Sandbox, people: People, drive: Drive
) -> None:
    unhurried(sandbox)
    was, answer = pipe(sandbox, COUNT), sandbox.tinybird.get(f"/v0/pipes/{COUNT}.json").json()["data"]
    old = text(sandbox, f"pipes/{COUNT}.pipe")
    counts = "SCHEMA >\n    `count` UInt64,\n    `bots` UInt64\n\nENGINE MergeTree\nENGINE_SORTING_KEY count\n"
    copy = "TYPE COPY\nTARGET_DATASOURCE counted\nCOPY_MODE replace\nCOPY_SCHEDULE 1 1 * * *\n"
    merge(sandbox, counted__datasource=counts, **{f"{COUNT}__pipe": f"{old}\n{copy}"})
    run = drive.run("/tb push")
    drive.until_step(run, 3)
    made = pipe(sandbox, COUNT)
    assert (made["type"], made["copy_mode"], made["endpoint"]) == ("copy", "replace", None)
    people.ana.types(f"/tb abort {run}")
    drive.until(run, "aborted")
    assert pipe(sandbox, COUNT) == was
    assert sandbox.tinybird.get(f"/v0/pipes/{COUNT}.json").json()["data"] == answer
    again = drive.run("/tb push")
    drive.until(again, "succeeded")
    same(people, drive, again + 1)
    merge(sandbox, **{f"{COUNT}__pipe": old})
    back = drive.run("/tb push")
    drive.until(back, "succeeded")
    assert pipe(sandbox, COUNT) == was
    same(people, drive, back + 1)
