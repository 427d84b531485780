"""Workers that pull and push datafiles are killed, and answers are lost: each effect is had once all the same."""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from tests.support.drive import Drive
from tests.support.ending import Ending
from tests.support.mortal import LOOKS, Mortal, once
from tests.support.people import People
from tests.support.project import FOLDER, REPO, edit, merge, sql_of, text
from tests.support.sandbox import Sandbox
from tests.support.seams import Boundary
from tests.support.seeds import new_seed

pytestmark = [pytest.mark.faults, pytest.mark.long]

SEED = new_seed()
PIPE, PATH = "members_count", "pipes/members_count.pipe"
COPY = "members_sorted_copy_pipe"
SQL = "SELECT count() AS count, countIf(isBot = 1) AS bots, uniq(id) AS people FROM members_sorted"
BRANCH = "heads/tbops/run-1"
SEEN = {  # what others see of a pull: objects that no ref names are none
    f"github POST {REPO}/git/refs",
    f"github POST {REPO}/pulls",
    f"github PUT {REPO}/pulls/1/merge",
    f"github DELETE {REPO}/git/refs/{BRANCH}",
}
TABLE = 'SCHEMA >\n    `id` String `json:$.id`\n\nENGINE MergeTree\nENGINE_PARTITION_KEY ""\nENGINE_SORTING_KEY id\n'
BOTS = "NODE bots\nSQL >\n    SELECT id FROM members_bots\n"
CHANGED = {  # of copies, descriptions and tags: each once, and a pause by "POST pipes node"
    "POST datasources": 1,
    "POST datasources node": 1,
    "DELETE pipes endpoint": 1,
    "POST pipes": 2,
    "PUT pipes copy": 2,
    "POST pipes node": 1,
    "POST tags": 1,
}
WANTED = ((lambda _: False), (lambda at: at.matters or random.Random(SEED).random() < LOOKS), (lambda _: True))
each_death = pytest.mark.parametrize("wanted", WANTED, ids=["none", "around effects", "everywhere"])


@each_death
def test_a_pull_has_each_effect_once(
    drive: Drive, sandbox: Sandbox, ending: Ending, wanted: Callable[[Boundary], bool]
) -> None:
    edit(sandbox, PIPE, SQL)
    run = drive.run("/tb pull")
    after = sandbox.log.last()
    mortal = Mortal(drive, run, once(wanted))
    drive.until(run, "succeeded")
    print(f"seed {SEED}: {len(mortal.deaths)} deaths")
    had = ending.had(after=after)
    assert {call: n for call, n in had.items() if call in SEEN} == dict.fromkeys(SEEN, 1), drive.thread(run)
    assert SQL in text(sandbox, PATH)
    ending.the_ledger_is_sound(run)


@each_death
def test_a_push_has_each_effect_once(
    drive: Drive, sandbox: Sandbox, ending: Ending, wanted: Callable[[Boundary], bool]
) -> None:
    merge(sandbox, bots_list__pipe=BOTS, members_bots__datasource=TABLE, members_count__pipe=pushed(sandbox))
    run = drive.run("/tb push")
    after = sandbox.log.last()
    mortal = Mortal(drive, run, once(wanted))
    drive.until(run, "succeeded")
    print(f"seed {SEED}: {len(mortal.deaths)} deaths")
    had = Counter[str]()
    for call, number in ending.had(after=after).items():
        had[kind(call)] += number
    assert had == {"POST datasources": 1, "POST pipes": 1, "PUT pipes node": 1, "POST pipes endpoint": 1}, had
    assert sql_of(sandbox, PIPE) == [SQL]
    ending.the_ledger_is_sound(run)


@each_death
def test_a_push_of_copies_descriptions_and_tags_ends_as_git_has_them(
    drive: Drive, sandbox: Sandbox, ending: Ending, wanted: Callable[[Boundary], bool]
) -> None:
    assert sandbox.tinybird.post(f"/v0/pipes/{COPY}/copy/pause").status_code == 200
    changed_kinds(sandbox)
    run = drive.run("/tb push")
    after = sandbox.log.last()
    mortal = Mortal(drive, run, once(wanted))
    drive.until(run, "succeeded")
    print(f"seed {SEED}: {len(mortal.deaths)} deaths")
    had = Counter[str]()
    for call, number in ending.had(after=after).items():
        had[kind(call)] += number
    assert had == CHANGED, had
    assert sandbox.tinybird.get(f"/v0/pipes/{COPY}").json()["schedule"]["status"] == "shutdown"
    ending.the_ledger_is_sound(run)


@pytest.mark.parametrize("done", range(6))
def test_an_aborted_push_leaves_copies_and_kinds_as_they_were(
    drive: Drive, people: People, sandbox: Sandbox, ending: Ending, done: int
) -> None:
    assert sandbox.tinybird.post(f"/v0/pipes/{COPY}/copy/pause").status_code == 200
    before = [pipe_of(sandbox, name) for name in (PIPE, COPY)]
    changed_kinds(sandbox)
    run = drive.run("/tb push")
    drive.until_step(run, done + 1)
    people.ben.types(f"/tb abort {run}")
    drive.until(run, "aborted")
    assert [pipe_of(sandbox, name) for name in (PIPE, COPY)] == before
    ending.the_ledger_is_sound(run)


def changed_kinds(sandbox: Sandbox) -> None:
    """An endpoint becomes a copy, a copy has another description, a data source another description and tag."""
    counts = "SCHEMA >\n    `count` UInt64,\n    `bots` UInt64\n\nENGINE MergeTree\nENGINE_SORTING_KEY count\n"
    copy = "TYPE COPY\nTARGET_DATASOURCE counted\nCOPY_MODE replace\nCOPY_SCHEDULE 1 1 * * *\n"
    files = {
        "counted__datasource": counts,
        f"{PIPE}__pipe": f"{text(sandbox, PATH)}\n{copy}",
        f"{COPY}__pipe": text(sandbox, f"pipes/{COPY}.pipe").replace("Keeps the newest", "Has the newest"),
        "members__datasource": described(text(sandbox, "datasources/members.datasource")),
    }
    merge(sandbox, **files)


def described(table: str) -> str:
    lead, tags, rest = table.partition('TAGS "')
    assert tags
    return f'DESCRIPTION >\n    Said anew.\n\nTAGS "brandnew, {rest}' if lead else f"{tags}brandnew, {rest}"


def pipe_of(sandbox: Sandbox, name: str) -> object:
    found = sandbox.tinybird.get(f"/v0/pipes/{name}").json()
    nodes = [(node["name"], node["sql"], node["node_type"], node["description"]) for node in found["nodes"]]
    return [found.get(key) for key in ("id", "type", "description", "schedule", "copy_mode", "endpoint")], nodes


@pytest.mark.parametrize("fault", ["drop_after", "drop_before", "status:502", "status:409"])
@pytest.mark.parametrize(
    "call", [f"POST {REPO}/git/refs", f"POST {REPO}/pulls", f"PUT {REPO}/pulls/1/merge", f"DELETE {REPO}/git/refs/*"]
)
def test_an_answer_of_github_that_is_lost_makes_nothing_twice(
    drive: Drive, sandbox: Sandbox, ending: Ending, call: str, fault: str
) -> None:
    edit(sandbox, PIPE, SQL)
    run = drive.run("/tb pull")
    after = sandbox.log.last()
    sandbox.faults.add("github", call, fault)
    drive.until(run, "succeeded")
    had = ending.had(after=after)
    if fault == "drop_before":  # cut before it was read: logged, and not had
        (cut,) = [e for e in sandbox.log.entries(after=after) if e["fault"] == fault]
        had[f"github {cut['method']} {cut['path']}"] -= 1
    assert {call: n for call, n in had.items() if call in SEEN} == dict.fromkeys(SEEN, 1), drive.thread(run)
    assert SQL in text(sandbox, PATH)
    ending.the_ledger_is_sound(run)


@pytest.mark.parametrize("done", range(4))
def test_an_aborted_pull_leaves_no_branch_and_no_open_pull_request(
    drive: Drive, people: People, sandbox: Sandbox, ending: Ending, done: int
) -> None:
    edit(sandbox, PIPE, SQL)
    run = drive.run("/tb pull")
    drive.until_step(run, done + 1)
    people.ben.types(f"/tb abort {run}")
    drive.until(run, "aborted")
    assert sandbox.github.get(f"{REPO}/git/ref/{BRANCH}").status_code == 404
    assert sandbox.github.get(f"{REPO}/pulls").json() == []
    assert SQL not in text(sandbox, PATH)
    ending.the_ledger_is_sound(run)


@pytest.mark.parametrize("done", range(4))
def test_an_aborted_push_leaves_the_workspace_as_it_was(
    drive: Drive, people: People, sandbox: Sandbox, ending: Ending, done: int
) -> None:
    before = sql_of(sandbox, PIPE)
    merge(sandbox, bots_list__pipe=BOTS, members_bots__datasource=TABLE, members_count__pipe=pushed(sandbox))
    run = drive.run("/tb push")
    drive.until_step(run, done + 1)
    people.ben.types(f"/tb abort {run}")
    drive.until(run, "aborted")
    assert sql_of(sandbox, PIPE) == before
    assert sandbox.tinybird.get("/v0/pipes/bots_list").status_code == 404
    assert sandbox.tinybird.get("/v0/datasources/members_bots").status_code == 404
    ending.the_ledger_is_sound(run)


def kind(call: str) -> str:
    """``PUT pipes node``: without names and ids."""
    _, method, path = call.split(" ")
    parts = path.strip("/").split("/")
    if len(parts) < 4:
        return f"{method} {parts[1]}"
    return f"{method} {parts[1]} {parts[-1] if parts[-1] in ('copy', 'endpoint') else 'node'}"


def pushed(sandbox: Sandbox) -> str:
    old = "SELECT count() AS count, countIf(isBot = 1) AS bots FROM members_sorted"
    there = text(sandbox, PATH)
    assert old in there, f"{FOLDER}/{PATH}"
    return there.replace(old, SQL)
