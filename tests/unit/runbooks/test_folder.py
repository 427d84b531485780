"""A folder of datafiles is read whole, whatever lies in it, and nothing outside of it is."""

import os
from pathlib import Path

import pytest

from runbooks.errors import DatafileError, Refused
from runbooks.facts.folder import read_folder
from runbooks.facts.model import Facts
from runbooks.lineage import Lineage
from runbooks.lint import lint
from runbooks.planner import make_plan
from runbooks.request import AddFields, Migrate, NewField, Request
from tests.support.estate import NOW, PEOPLE

READS = "NODE n\nSQL >\n    SELECT id FROM people FINAL\n"


def folder(at: Path, files: dict[str, str | bytes]) -> Facts:
    for name, text in files.items():
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_folder(at, environment="staging", now=NOW)


def readers(facts: Facts) -> set[str]:
    return {reader.name for reader in Lineage.of(facts).readers("people")}


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf" + PEOPLE.encode(),
        PEOPLE.replace("\n", "\r\n"),
        PEOPLE.rstrip("\n"),
        PEOPLE.replace("    ", "\t"),
        PEOPLE.replace("\n", "   \n"),
        PEOPLE.replace("ENGINE_VER", "engine_ver").replace("SCHEMA", "Schema"),
        PEOPLE.replace("ENGINE_VER updatedAt", 'ENGINE_VER "updatedAt"'),
    ],
    ids=["byte order mark", "CRLF", "no end", "tabs", "trailing blanks", "small letters", "quotes"],
)
def test_a_file_reads_the_same_however_an_editor_saved_it(tmp_path: Path, text: str | bytes) -> None:
    plain = folder(tmp_path / "plain", {"people.datasource": PEOPLE}).datasources["people"]
    assert folder(tmp_path / "other", {"people.datasource": text}).datasources["people"] == plain


@pytest.mark.parametrize(
    "text",
    [
        "NODE n\nFORWARD_QUERY >\n    SELECT 1\nSQL >\n    SELECT id FROM people\n",
        "SQL >\n    SELECT id FROM people\n\nTYPE copy\n",
        "NODE n\nSQL >\n    SELECT id FROM people\n\nTYPE copy\n",
        "NODE n\nSQL >\n    SELECT id FROM people\n\nTYPE copy\nTARGET_DATASOURCE x\nCOPY_SCHEDULE every hour\n",
        'INCLUDE "nowhere.incl"\n\nNODE n\nSQL >\n    SELECT id FROM people\n',
        b"NODE n\nSQL >\n    SELECT 'caf\xe9', id FROM people\n",
        b"NODE n\nSQL >\n    SELECT id FROM people\x00\n",
    ],
    ids=["Forward's", "no node", "no target", "no cron", "include missing", "Latin-1", "NUL"],
)
def test_a_pipe_that_cannot_be_read_is_a_reader_of_what_its_text_names(tmp_path: Path, text: str | bytes) -> None:
    facts = folder(tmp_path, {"people.datasource": PEOPLE, "odd.pipe": text})
    assert readers(facts) == {"odd"}
    assert [(h.slug, h.level, h.resource) for h in lint(facts)] == [("datafile-not-understood", "error", "odd.pipe")]
    job = Migrate(datasources=("people",), change=AddFields(fields=(NewField(name="nick", type="text"),)))
    plan = make_plan(Request(text="…", job=job), facts)
    assert [(h.slug, h.level, h.resource) for h in plan.hazards] == [("pipe-not-understood", "warning", "odd")]


def test_one_name_in_two_folders_is_an_error_and_both_pipes_count(tmp_path: Path) -> None:
    facts = folder(
        tmp_path,
        {
            "people.datasource": PEOPLE,
            "pipes/out.pipe": READS.replace("people", "others"),
            "endpoints/out.pipe": READS.replace("people", "somebody"),
            "more/out.pipe": READS,
        },
    )
    assert readers(facts) == {"out"}
    assert "pipes/out.pipe has the name of endpoints/out.pipe" in facts.broken["out.pipe"]


def test_links_that_lead_out_are_not_followed_and_said(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "theirs.pipe").write_text(READS)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "out.pipe").symlink_to(tmp_path / "secret" / "theirs.pipe")
    (inside / "gone.pipe").symlink_to(inside / "nowhere")
    (inside / "round.pipe").symlink_to(inside / "round.pipe")
    (inside / "pipes").symlink_to(tmp_path / "secret")
    (inside / "up").symlink_to(tmp_path)
    facts = folder(inside, {"people.datasource": PEOPLE, "in.pipe": READS, "sub/a.pipe": READS})
    (inside / "again.pipe").symlink_to("in.pipe")
    again = read_folder(inside, environment="staging", now=NOW)
    assert (readers(facts), readers(again)) == ({"in", "a"}, {"in", "a", "again"})
    assert set(facts.broken) == {"out.pipe", "gone.pipe", "round.pipe", "pipes"}


def test_what_is_no_plain_file_is_said_and_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.pipe")
    (tmp_path / "folder.pipe").mkdir()
    facts = folder(tmp_path, {"people.datasource": PEOPLE, "long.pipe": READS + "#" * 5_000_001})
    assert set(facts.broken) == {"fifo.pipe", "folder.pipe", "long.pipe"}


def test_hidden_folders_and_those_of_other_workspaces_are_left_alone(tmp_path: Path) -> None:
    facts = folder(
        tmp_path,
        {"people.datasource": PEOPLE, ".diff_tmp/a.pipe": READS, "vendor/w/datasources/b.datasource": "NONSENSE"},
    )
    assert (set(facts.datasources), facts.pipes, facts.broken) == ({"people"}, {}, {})


def test_what_a_pipe_includes_is_read_where_it_lies_in_the_folder(tmp_path: Path) -> None:
    common = "NODE common\nSQL >\n    SELECT id FROM $TABLE FINAL\n"
    facts = folder(
        tmp_path,
        {
            "people.datasource": PEOPLE,
            "includes/common.incl": common,
            "pipes/a.pipe": 'INCLUDE "../includes/common.incl" "TABLE=people"\n\nNODE out\nSQL >\n    SELECT 1\n',
            "pipes/circle.pipe": 'INCLUDE "circle.pipe"\n\nNODE out\nSQL >\n    SELECT 1\n',
            "pipes/out.pipe": 'INCLUDE "../../../etc/passwd"\n\nNODE out\nSQL >\n    SELECT 1\n',
        },
    )
    assert readers(facts) == {"a"}
    assert "includes what includes it" in facts.broken["circle.pipe"]
    assert "cannot be read in this folder" in facts.broken["out.pipe"]


def test_a_data_source_that_is_shared_is_refused_as_it_is_in_the_workspace(tmp_path: Path) -> None:
    facts = folder(tmp_path, {"people.datasource": f"{PEOPLE.rstrip()}\n\nSHARED_WITH >\n    other, third\n"})
    change = AddFields(fields=(NewField(name="nick", type="text"),))
    with pytest.raises(Refused, match="`people` is shared between workspaces"):
        make_plan(Request(text="…", job=Migrate(datasources=("people",), change=change)), facts)


def test_sql_that_nobody_indented_is_not_taken_for_directives(tmp_path: Path) -> None:
    sql = "SELECT id,\ntype1, version(x), sql(y)\nFROM people\nWHERE type = 1"
    facts = folder(tmp_path, {"people.datasource": PEOPLE, "a.pipe": f"NODE n\nSQL >\n{sql}\n"})
    assert facts.broken == {}
    assert facts.pipes["a"].nodes[0].sql == sql


@pytest.mark.parametrize(
    ("name", "said"),
    [("nowhere", "no such folder"), ("a.txt", "this is a file"), (".", r"no \.datasource and no \.pipe")],
)
def test_a_path_without_datafiles_is_said(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(DatafileError, match=said):
        read_folder(tmp_path / name, environment="staging", now=NOW)
