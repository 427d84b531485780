"""What differs between git and workspaces, and what is planned of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from runbooks.earlier import Passed
from runbooks.errors import Refused
from runbooks.facts.model import Datasource, Facts, Pipe, Sink
from runbooks.facts.project import Checked, Project
from runbooks.names import Names, ProjectNames
from runbooks.plan import Plan
from runbooks.planner import make_plan, questions_of
from runbooks.questions import Datafiles, Elsewhere, Formatting, OwnTexts
from runbooks.request import Promote, Pull, Push, Request
from runbooks.resources.differences import read, written
from runbooks.steps.pull_request import blob_sha

NAMES = Names(project=ProjectNames("acme/platform"))
NODE = "NODE one\nSQL >\n    "
LIST = f"{NODE}SELECT id FROM members\n"
TABLE = (
    "SCHEMA >\n    `id` String `json:$.id`,\n    `at` DateTime `json:$.at`\n\nENGINE ReplacingMergeTree\n"
    "ENGINE_SORTING_KEY id\nENGINE_VER at\n"
)
COPY = (
    f"{NODE}SELECT id FROM members\n\nTYPE COPY\nTARGET_DATASOURCE kept\nCOPY_MODE replace\nCOPY_SCHEDULE 0 * * * *\n"
)


def facts(live: Mapping[str, str], git: Mapping[str, str], checks: str = "", **others: Mapping[str, str]) -> Facts:
    """A workspace that says ``live`` and a repository that holds ``git``, by file name; each was read."""
    there = {label: read(label, text) for label, text in live.items()}
    files = {f"{label.rpartition('.')[2]}s/{label}": text for label, text in git.items()}
    project = Project(
        head="a" * 40,
        files={path: blob_sha(text.encode()) for path, text in files.items()},
        texts=files,
        live=live,
        checked=Checked("a" * 40, checks),
    )
    return Facts(
        environment="staging",
        now=datetime(2026, 11, 28, tzinfo=UTC),
        datasources={one.name: one for one in there.values() if isinstance(one, Datasource)},
        pipes={one.name: one for one in there.values() if isinstance(one, Pipe)},
        names=NAMES,
        project=project,
        elsewhere={
            name: {label: read(label, text) for label, text in listed.items()} for name, listed in others.items()
        },
    )


def pull(known: Facts, pattern: str | None = None) -> Plan:
    return make_plan(Request(text="pull", job=Pull(pattern=pattern)), known)


def push(known: Facts, pattern: str | None = None) -> Plan:
    return make_plan(Request(text="push", job=Push(pattern=pattern)), known)


def slugs(plan: Plan) -> dict[str, str]:
    return {hazard.slug: hazard.level for hazard in plan.hazards}


def test_layout_tokens_and_the_order_of_tags_are_no_difference() -> None:
    git = f'TAGS "a, b"\n\n{LIST}'
    live = 'TOKEN "page" READ\nTAGS "b, a"\n\nNODE one\nSQL >\n\n        SELECT id FROM members\n\nTYPE endpoint\n'
    with pytest.raises(Refused, match="staging and git hold the same"):
        pull(facts({"list.pipe": live}, {"list.pipe": git}))


def test_what_the_workspace_says_is_pulled_and_what_git_alone_has_is_named() -> None:
    live = {"list.pipe": LIST.replace("id FROM", "id, at FROM"), "members.datasource": TABLE, "x__run_7.pipe": LIST}
    plan = pull(facts(live, {"list.pipe": LIST, "other.pipe": LIST}))
    assert list(plan.datafiles) == ["datasources/members.datasource", "pipes/list.pipe"]
    assert plan.datafiles["datasources/members.datasource"] == written(read("members.datasource", TABLE))
    assert "+    SELECT id, at FROM members" in plan.diffs["pipes/list.pipe"]
    assert slugs(plan) == {"only-in-git": "note"}
    assert [row.elsewhere["staging"] for row in plan.drift] == ["only here", "differs", "absent"]
    steps = [step.op for step in plan.steps]
    assert steps == [
        "github.branch.commit/1",
        "github.pull.open/1",
        "github.checks.await/1",
        "github.pull.merge/1",
        "github.branch.delete/1",
    ]
    assert [step.gate for step in plan.steps] == ["approve", "none", "none", "approve", "none"]


def test_a_pattern_is_of_names() -> None:
    live = {name: LIST.replace("id FROM", "at FROM") for name in ("members_list.pipe", "members.pipe", "others.pipe")}
    known = facts(live, dict.fromkeys(live, LIST))
    assert list(pull(known, "members*").datafiles) == ["pipes/members.pipe", "pipes/members_list.pipe"]
    assert list(pull(known, "members").datafiles) == ["pipes/members.pipe"]
    assert list(pull(known, "members.pipe").datafiles) == ["pipes/members.pipe"]
    with pytest.raises(Refused, match="of `nothing`"):
        pull(known, "nothing")


def test_questions_are_asked_in_rounds_and_only_of_what_may_differ() -> None:
    whole = facts({"list.pipe": LIST, "kept.pipe": LIST}, {"list.pipe": LIST.replace("id", "at"), "kept.pipe": LIST})
    assert whole.project is not None
    asked = Request(text="pull", job=Pull())
    first = replace(whole, project=None, elsewhere=None)
    assert questions_of(asked, first) == (Elsewhere(),)
    (files,) = questions_of(asked, replace(first, elsewhere={}))
    assert isinstance(files, Datafiles)
    assert blob_sha(LIST.encode()) in dict(files.alike)["kept.pipe"]
    read_one = {path: text for path, text in whole.project.texts.items() if path == "pipes/list.pipe"}
    project = replace(whole.project, texts=read_one, live={})
    assert questions_of(asked, replace(whole, project=project)) == (OwnTexts(("list.pipe",)),)
    texts, formatting = questions_of(asked, replace(whole, project=replace(project, live={"list.pipe": LIST})))
    assert (texts, formatting) == (OwnTexts(("list.pipe",)), Formatting((("list.pipe", LIST),)))


def test_what_the_projects_own_formatter_makes_of_it_goes_to_git() -> None:
    known = facts({"list.pipe": LIST.replace("id FROM", "at FROM")}, {"list.pipe": LIST})
    assert known.project is not None
    formatted = replace(known.project, formatted={"list.pipe": "formatted\n"})
    assert pull(replace(known, project=formatted)).datafiles == {"pipes/list.pipe": "formatted\n"}


def test_drift_of_other_environments_is_shown_with_what_they_say() -> None:
    other = LIST.replace("id FROM", "at FROM")
    known = facts({"list.pipe": other, "kept.pipe": LIST}, {"list.pipe": LIST, "kept.pipe": LIST},
                  production={"list.pipe": LIST, "kept.pipe": other})  # fmt: skip
    rows = {row.resource: row for row in pull(known).drift}
    assert rows["list.pipe"].elsewhere == {"staging": "differs", "production": "same"}
    assert rows["kept.pipe"].elsewhere == {"staging": "same", "production": "differs"}
    assert "+    SELECT at FROM members" in rows["kept.pipe"].diffs["production"]
    away = {row.resource: row for row in pull(replace(known, elsewhere={"production": None})).drift}
    assert away["list.pipe"].elsewhere["production"] == "not known"
    assert pull(replace(known, elsewhere={"production": None})).hash == pull(known).hash


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("ENGINE_SORTING_KEY id", "ENGINE_SORTING_KEY id, at"), "/tb migrate members sort by id, at"),
        (("`at` DateTime `", "`at` DateTime64(3) `"), "/tb migrate members change field at to DateTime64(3)"),
        ((",\n    `at` DateTime `json:$.at`", ""), "/tb migrate members remove field at"),
        (("ENGINE ReplacingMergeTree", "ENGINE MergeTree"), "its engine is ReplacingMergeTree, and MergeTree in git"),
        (("ENGINE_VER at\n", ""), "its version is at, and none in git"),
    ],
)
def test_what_a_forced_push_leaves_out_is_refused_with_what_to_do(change: tuple[str, str], said: str) -> None:
    git = {"members.datasource": TABLE.replace(*change)}
    with pytest.raises(Refused) as refused:
        push(facts({"members.datasource": TABLE}, git))
    assert said in refused.value.sentence
    beside = facts({"members.datasource": TABLE}, {**git, "list.pipe": LIST})
    assert slugs(push(beside)) == {"not-by-push": "error"}


def test_what_alter_takes_is_altered_and_pipes_follow_in_the_order_of_what_they_read() -> None:
    git = {
        "members.datasource": TABLE.replace("`id` String", "`new` String `json:$.new` DEFAULT '',\n    `id` String"),
        "a.pipe": f"{NODE}SELECT * FROM b\n",
        "b.pipe": LIST,
        "kept.datasource": TABLE,
    }
    known = facts({"members.datasource": TABLE}, git)
    plan = push(known)
    assert [step.title for step in plan.steps[:4]] == [
        "Create the data source kept",
        "Add new String to the data source members",
        "Create the pipe b",
        "Create the pipe a",
    ]
    assert slugs(plan) == {}
    fed = replace(known, sinks={"s": Sink("s", "public.members", "members", "active", "healthy", "cm")})
    assert slugs(push(fed)) == {"column-not-filled": "warning"}


def test_checks_that_are_not_green_forbid_a_push() -> None:
    plan = push(facts({}, {"list.pipe": LIST}, checks="Tinybird-CI failed on pull request #3"))
    (hazard,) = plan.blocked
    assert (hazard.slug, hazard.message) == ("checks-not-green", "Tinybird-CI failed on pull request #3.")
    known = facts({}, {"list.pipe": LIST})
    assert known.project is not None
    assert push(replace(known, project=replace(known.project, checked=None))).blocked


def test_what_a_push_would_drop_or_start_is_named() -> None:
    two = f"{LIST}\nNODE two\nSQL >\n    SELECT 1\n"
    assert slugs(push(facts({"list.pipe": two}, {"list.pipe": LIST}))) == {"node-dropped": "warning"}


def test_a_copy_is_written_by_the_least_call_and_told_of_what_becomes_of_it() -> None:
    def pushed(was: str, will: str, paused: bool = False) -> Plan:
        known = facts({"c.pipe": COPY}, {"c.pipe": COPY.replace(was, will)})
        status = "shutdown" if paused else "running"
        return push(replace(known, pipes={"c": replace(known.pipes["c"], schedule_status=status)}))

    assert pushed("id FROM", "at FROM").locks == ("copy/c",)
    assert slugs(pushed("id FROM", "at FROM", paused=True)) == {}, "its SQL alone touches no schedule"
    assert slugs(pushed("COPY_SCHEDULE 0 * * * *", "COPY_SCHEDULE 5 * * * *")) == {}
    assert slugs(pushed("COPY_SCHEDULE 0 * * * *", "COPY_SCHEDULE 5 * * * *", paused=True)) == {
        "copy-paused": "warning"
    }
    assert slugs(pushed("COPY_SCHEDULE 0 * * * *\n", "")) == {"copy-unscheduled": "warning"}
    assert slugs(pushed("TARGET_DATASOURCE kept", "TARGET_DATASOURCE other")) == {
        "copy-target-moves": "warning",
        "copy-begins": "note",
    }
    assert slugs(pushed("COPY_MODE replace", "COPY_MODE append")) == {"copy-mode-changes": "warning"}
    assert slugs(pushed("NODE one\n", "NODE one\nDESCRIPTION said\n")) == {"copy-off-for-a-moment": "note"}


def test_descriptions_and_tags_are_pushed() -> None:
    said = f'DESCRIPTION >\n    What it is.\n\nTAGS "b, a"\n\n{TABLE}'
    plan = push(facts({"members.datasource": TABLE, "list.pipe": f'TAGS "old"\n\n{LIST}'}, {
        "members.datasource": said, "list.pipe": LIST.replace("NODE one\n", "NODE one\nDESCRIPTION Its ids.\n"),
    }))  # fmt: skip
    assert [step.title for step in plan.steps[:4]] == [
        "Write the description of members",
        "Change the pipe list",
        "Give members the tags b, a",
        "Take all tags off list",
    ]
    assert slugs(plan) == {}
    for_tb = facts({"list.pipe": LIST}, {"list.pipe": f'TAGS "backfill_column=at"\n\n{LIST}'})
    with pytest.raises(Refused, match="backfill_column=at of list stays as it is: it is for tb alone"):
        push(for_tb)


def test_an_endpoint_becomes_a_copy_and_a_copy_an_endpoint() -> None:
    reader = f"{NODE}SELECT * FROM c\n"
    known = facts({"c.pipe": LIST, "r.pipe": reader}, {"c.pipe": COPY, "r.pipe": reader})
    plan = push(replace(known, calls={"c": 12}))
    assert plan.steps[0].title == "Change the pipe c"
    (goes,) = (hazard for hazard in plan.hazards if hazard.slug == "endpoint-goes")
    assert goes.message == (
        "c answers nobody any more, as it becomes a copy; it was asked 12 times in the last 7 days; r read it."
    )
    back = push(facts({"c.pipe": COPY}, {"c.pipe": LIST}))
    assert slugs(back) == {"copy-ends": "warning"}
    assert back.locks == ("copy/c",)


def test_a_copy_that_would_replace_what_others_write_is_warned_of() -> None:
    beside = {"k.pipe": COPY, "kept.datasource": TABLE}
    plan = push(facts(beside, {**beside, "c.pipe": COPY}))
    (hazard,) = plan.hazards
    assert (hazard.slug, hazard.level) == ("copy-replaces-others", "warning")
    assert hazard.message == "Each run of c replaces all of kept, and k write to it too."
    adds = push(facts(beside, {**beside, "c.pipe": COPY.replace("replace", "append")}))
    assert slugs(adds) == {"copy-begins": "note"}


def test_the_engine_of_a_view_is_said_to_stay() -> None:
    with pytest.raises(Refused, match="An engine or another line of v stays as it is"):
        push(facts({"v.pipe": VIEW}, {"v.pipe": f"{VIEW}ENGINE MergeTree\nENGINE_SORTING_KEY id\n"}))


SINK = f"{NODE}SELECT id FROM members\n\nTYPE SINK\nEXPORT_SERVICE s3\nEXPORT_CONNECTION_NAME lake\n"
VIEW = f"{NODE}SELECT id FROM members\n\nTYPE MATERIALIZED\nDATASOURCE kept\n"


@pytest.mark.parametrize(
    ("live", "git", "said"),
    [
        ("", SINK, "it exports by a connection, and that cannot be set here. Make it by `tb push x.pipe`"),
        (SINK, SINK.replace("lake", "pond"), "cannot be set here. Bring that by `tb push x.pipe --force`"),
        (
            VIEW,
            VIEW.replace("id FROM", "at FROM"),
            "would be lacking in kept, and the rows that are there were",
        ),
        (VIEW, VIEW.replace("DATASOURCE kept", "DATASOURCE new"), "move the readers of kept there"),
        (LIST, VIEW, "of the kind endpoint in the workspace and of the kind materialized in git"),
        (SINK, LIST, "of the kind sink in the workspace and of the kind endpoint in git"),
        (VIEW, f"DESCRIPTION x\n\n{VIEW}", "The descriptions of x stay: they come with the whole pipe"),
    ],
)
def test_what_a_push_of_a_pipe_cannot_do_safely_is_refused_with_what_to_do(live: str, git: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        push(facts({"x.pipe": live} if live else {}, {"x.pipe": git}))
    assert said in refused.value.sentence


def test_the_sql_of_a_sink_and_the_tags_of_a_view_are_pushed() -> None:
    plan = push(facts({"s.pipe": SINK, "v.pipe": VIEW}, {
        "s.pipe": SINK.replace("id FROM", "at FROM"), "v.pipe": f'TAGS "a"\n\n{VIEW}',
    }))  # fmt: skip
    assert [step.title for step in plan.steps[:2]] == ["Change the pipe s", "Give v the tag a"]


def test_a_pull_and_the_push_of_its_files_are_one_change() -> None:
    new = LIST.replace("id FROM", "at FROM")
    pulled = pull(facts({"list.pipe": new}, {"list.pipe": LIST}))
    pushed = push(facts({"list.pipe": LIST}, {"list.pipe": new}))
    assert pulled.change_hash == pushed.change_hash
    assert pulled.hash != pushed.hash


def test_the_newest_that_is_lacking_is_promoted_and_what_was_written_over_is_not() -> None:
    new, old = LIST.replace("id FROM", "at FROM"), LIST.replace("id FROM", "max(at) FROM")
    change = push(facts({"list.pipe": LIST}, {"list.pipe": new}))
    passed = (
        Passed(run=9, environment="dev", change_hash=change.change_hash, datafiles=dict(change.datafiles)),
        Passed(run=5, environment="dev", change_hash="x", datafiles={"pipes/list.pipe": old}),
    )
    asked = Request(text="promote", job=Promote(passed=passed))
    plan = make_plan(asked, facts({"list.pipe": LIST}, {"list.pipe": new}))
    assert plan.change_hash == change.change_hash
    assert "run 9 brought it about in dev" in plan.strategy.reasons[0]
    assert slugs(plan) == {}
    moved = make_plan(asked, facts({"list.pipe": LIST}, {"list.pipe": LIST}))
    assert slugs(moved) == {"git-moved-on": "error"}
    with pytest.raises(Refused, match="staging has all that passed elsewhere"):
        make_plan(asked, facts({"list.pipe": new}, {"list.pipe": new}))
    with pytest.raises(Refused, match="Nothing has passed"):
        make_plan(Request(text="promote", job=Promote(passed=())), facts({}, {}))


def test_without_github_or_the_live_systems_nothing_is_planned() -> None:
    known = facts({}, {})
    for job in (Pull(), Push()):
        with pytest.raises(Refused, match="names no GitHub for staging"):
            make_plan(Request(text="x", job=job), replace(known, names=Names()))
        with pytest.raises(Refused, match="were not read"):
            make_plan(Request(text="x", job=job), replace(known, project=None))
