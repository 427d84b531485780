"""`tbops plan` and `tbops lint` offline: what they print, where, and with which exit code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tbops.cli import main
from tests.support.estate import FILES

PLAN_KEYS = {
    *("command", "environment", "target", "strategy", "readers", "hazards", "steps", "downtime_s", "hold_s"),
    *("stale_s", "sql", "datafiles", "guards", "hash", "change_hash"),
}
NICK = "migrate people add field nick text"


@pytest.fixture
def estate(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_clean_plan_ends_with_0_and_has_every_key_that_others_read(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", NICK, "--datafiles", str(estate), "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan.keys() >= PLAN_KEYS
    assert plan["command"] == NICK


@pytest.mark.parametrize("typed", [[f"/tb {NICK}"], [f"  @tb {NICK} "], NICK.split()])
def test_the_command_is_taken_as_people_paste_it(
    estate: Path, capsys: pytest.CaptureFixture[str], typed: list[str]
) -> None:
    assert main(["plan", *typed, "--datafiles", str(estate), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["command"] == NICK


def test_a_plan_in_words_names_what_changes_who_reads_and_what_it_costs(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", NICK, "--datafiles", str(estate)]) == 0
    text = capsys.readouterr().out
    for said in (
        "Strategy: alter, because",
        "not recreate:",
        "Readers of people (1)",
        "people_copy   copy, replaces its target by the schedule 8 * * * * (UTC)",
        "whole run              40 s   4 small changes of about 10 s",
        'ALTER TABLE public."people" ADD COLUMN IF NOT EXISTS "nick" text;',
        "    + `nick` String `json:$.record.nick` DEFAULT ''",
    ):
        assert said in text
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize(
    ("words", "sql"),
    [
        ("set default name 'x'", 'ALTER COLUMN "name" SET DEFAULT'),
        ("add index by_made createdAt minmax", ""),
        ("sort by name, id", ""),
        ("change field name to LowCardinality(String)", ""),
        ("change field name to integer", 'ALTER COLUMN "name" TYPE integer USING'),
        ("remove field name", 'DROP COLUMN IF EXISTS "name"'),
    ],
)
def test_every_change_is_planned_from_a_folder_and_shown_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, sql: str
) -> None:
    (tmp_path / "people.datasource").write_text(FILES["people.datasource"])
    code = main(["plan", f"migrate people {words}", "--datafiles", str(tmp_path)])
    said = capsys.readouterr()
    assert code == 0, said.out + said.err
    assert "people.datasource" in said.out
    assert sql in said.out


def test_findings_of_level_error_end_with_1(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "--datafiles", str(estate)]) == 0
    assert capsys.readouterr().out == "No hazard found.\n"
    (estate / "odd.pipe").write_text("NONSENSE\n")
    assert main(["lint", "--datafiles", str(estate)]) == 1
    assert "  error    odd.pipe   datafile-not-understood\n" in (said := capsys.readouterr().out)
    assert said.endswith("\n1 error\n")
    assert main(["lint", "--datafiles", str(estate), "--json"]) == 1
    assert [h["slug"] for h in json.loads(capsys.readouterr().out)] == ["datafile-not-understood"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("migrate peple add field nick text", "There is no data source `peple`; did you mean `people`?"),
        ('migrate "people" add field nick text', "did you mean `people`?"),
        ("migrate people add field x); DROP", "`x);` cannot be the field's name"),
        ("migrate people add field nick\ntext", "A command is one line"),
        ("runs", "`runs` makes no run, so it has no plan"),
        ("", "There is no command"),
        (NICK + " --strategy swop", "did you mean `swap`?"),
    ],
)
def test_what_cannot_be_planned_is_one_sentence_and_ends_with_2(
    estate: Path, capsys: pytest.CaptureFixture[str], words: str, said: str
) -> None:
    assert main(["plan", words, "--datafiles", str(estate)]) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert (told.out, told.err.count("\n")) == ("", 1)


@pytest.mark.parametrize("empty", ["", "  ", "a\0b"])
def test_an_option_whose_value_the_shell_lost_is_not_taken_for_none(empty: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["lint", "--datafiles", empty])
    assert ended.value.code == 2


def test_a_terminal_without_unicode_and_a_reader_that_stops_get_no_traceback(estate: Path) -> None:
    (estate / "people.datasource").write_text(FILES["people.datasource"].replace("People.", "People – “all”."))
    for n in range(200):
        (estate / f"p{n}.pipe").write_text("NONSENSE … " * 20)
    program = f"{sys.executable} -c 'import sys; from tbops.cli import main; sys.exit(main())'"
    for shell in (
        f"PYTHONIOENCODING=ascii {program} plan '{NICK}' --datafiles {estate} --json",
        f"{program} lint --datafiles {estate} | head -n 1",
    ):
        done = subprocess.run(shell, shell=True, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_plan_of_a_folder_loads_no_client_of_any_system(estate: Path) -> None:
    """It is waited for by a person, and half of a second goes by while they load."""
    code = f"""
import sys
from tbops.cli import main
main(["plan", {NICK!r}, "--datafiles", {str(estate)!r}, "--json"])
print(sorted({{"httpx", "rq", "redis", "slack_sdk", "confluent_kafka", "psycopg_pool"}} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
