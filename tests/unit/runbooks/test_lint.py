"""The lint finds the faults that the estate's history had, and says how to mend them."""

from dataclasses import replace
from pathlib import Path

import pytest

from runbooks.errors import DatafileError
from runbooks.facts.folder import read_folder
from runbooks.facts.model import PgTable
from runbooks.lint import lint
from tests.support.estate import FILES, NOW, PEOPLE, PEOPLE_TABLE, from_files

NAME = "`name` String `json:$.record.name` DEFAULT ''"
SEED = Path(__file__).parents[3] / "sandbox" / "seed" / "small"


def findings(
    old: str = "", new: str = "", table: PgTable | None = PEOPLE_TABLE, more: dict[str, str] | None = None
) -> dict[str, str]:
    """Slug -> level, of the estate with one thing changed in the data source people."""
    assert old in PEOPLE
    files = FILES | {"people.datasource": PEOPLE.replace(old, new) if old else PEOPLE} | (more or {})
    return {h.slug: h.level for h in lint(from_files(files, {"people": table} if table else None))}


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert findings() == {}


@pytest.mark.parametrize(
    ("old", "new", "slug", "level"),
    [
        ("`json:$.record.name`", "`json:$.name`", "json-path-root", "error"),
        ("`json:$.record.name`", "`json:$.record.nome`", "pg-column-missing", "error"),
        ("`name` String `json:$.record.name`", "`karma` String `json:$.record.name`", "path-name-mismatch", "error"),
        ("`name` String `json:$.record.name`", "`title` String `json:$.record.name`", "path-name-mismatch", "note"),
        ("`name` String `json:$.record.name`", "`name` Array(String) `json:$.record.name`", "array-path", "error"),
        ("`name` String `json:$.record.name`", "`name` String `json:$.record.name[:]`", "array-path", "error"),
        (NAME, "`price` Float32 `json:$.record.price` DEFAULT 0", "numeric-as-float", "error"),
        (NAME, "`karma` Int8 `json:$.record.karma` DEFAULT 0", "narrow-integer", "warning"),
        ("`json:$.record.name` DEFAULT ''", "`json:$.record.name`", "null-without-default", "error"),
        ("`json:$.record.updatedAt`", "`json:$.record.updatedAt` DEFAULT ''", "null-without-default", "error"),
        ("ENGINE_SORTING_KEY id", "ENGINE_SORTING_KEY name", "sorting-key-not-unique", "error"),
        ("ENGINE_SORTING_KEY id", "ENGINE_SORTING_KEY id, toDate(madeAt)", "sorting-key-column-missing", "error"),
        ("ENGINE_VER updatedAt", "ENGINE_VER changedAt", "version-column-missing", "error"),
        ("ENGINE_VER updatedAt\n", "", "version-column-missing", "warning"),
        ("toYear(createdAt)", "toYear(updatedAt)", "mutable-partition-key", "error"),
        ("toYear(createdAt)", "name", "mutable-partition-key", "warning"),
        ("`country` String", "`land` String", "column-still-used", "error"),
    ],
)  # fmt: skip
def test_each_fault_of_a_data_source_is_found(old: str, new: str, slug: str, level: str) -> None:
    reader = {"r.pipe": "NODE n\nSQL >\n    SELECT p.id, p.country FROM people AS p FINAL\n"}
    assert findings(old, new, more=reader).get(slug) == level


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ENGINE_SORTING_KEY id", "ENGINE_SORTING_KEY id, toDate(createdAt, 'UTC')"),
        ("ENGINE_SORTING_KEY id", "ENGINE_SORTING_KEY (id, `name`), cityHash64(country) % 10"),
        ("toYear(createdAt)", "(toYear(createdAt), cityHash64(id) % 4)"),
        (NAME, "`name` String `json:$.record.NAME` DEFAULT ''"),
        (
            NAME,
            NAME + ",\n    `op` String `json:$.action` DEFAULT '',\n    `at` String `json:$.metadata.commit_timestamp`",
        ),
        (NAME, NAME + ",\n    `raw` String `json:$`"),
        (NAME, NAME + ",\n    `dashed` String `json:$.record['a-b']` DEFAULT ''"),
        (NAME, NAME + ",\n    `names` Array(String) `json:$.record.attributes[:].name` DEFAULT []"),
        (NAME, NAME + ",\n    `label` LowCardinality(Nullable(String)) `json:$.record.attributes.label`"),
    ],
)
def test_a_sound_data_source_has_no_finding(old: str, new: str) -> None:
    named = {"people_copy.pipe": FILES["people_copy.pipe"].replace("people.*", "id, country")}
    assert findings(old, new, table=None, more=named) == {}


@pytest.mark.parametrize(
    ("table", "slug", "level"),
    [
        (replace(PEOPLE_TABLE, identity="d"), "replica-identity", "error"),
        (replace(PEOPLE_TABLE, granted=False), "grant-missing", "error"),
        (replace(PEOPLE_TABLE, published=False), "publication-column-list", "error"),
        (replace(PEOPLE_TABLE, published_columns=("id",)), "publication-column-list", "warning"),
        (replace(PEOPLE_TABLE, indexes=(("id",),)), "backfill-index-missing", "warning"),
    ],
)
def test_each_fault_of_the_way_from_postgres_is_found(table: PgTable, slug: str, level: str) -> None:
    assert findings(table=table) == {slug: level}


@pytest.mark.parametrize(
    ("sql", "mode", "slug"),
    [
        ("SELECT * FROM events FINAL WHERE id > (SELECT max(id) FROM made)", "replace", "replace-over-incremental"),
        ("SELECT * FROM events FINAL WHERE updatedAt > now() - INTERVAL 1 HOUR", "replace", "replace-over-incremental"),
        ("SELECT * FROM events FINAL WHERE createdAt > now() - INTERVAL 1 YEAR", "replace", None),
        ("SELECT * FROM events FINAL WHERE toDate(updatedAt) >= today() - 1", "replace", "replace-over-incremental"),
        ("SELECT * FROM events FINAL WHERE updatedAt BETWEEN now() - 9 AND 1", "replace", "replace-over-incremental"),
        (
            "WITH (SELECT max(updatedAt) FROM made) AS newest SELECT * FROM events FINAL WHERE updatedAt > newest",
            "replace",
            "replace-over-incremental",
        ),
        (
            "% SELECT * FROM events FINAL WHERE updatedAt > {{ DateTime(job_timestamp, '2020-01-01 00:00:00') }}",
            "replace",
            "replace-over-incremental",
        ),
        ("SELECT * FROM events FINAL WHERE updatedAt > now() - INTERVAL 30 MINUTE", "append", "append-lookback"),
        ("SELECT * FROM events FINAL WHERE updatedAt > now() - INTERVAL 1 HOUR", "append", None),
        ("SELECT * FROM events", "replace", "reader-without-final"),
        ("SELECT FROMM events x y", "replace", "pipe-not-understood"),
        ("SELECT id FROM people_sorted", "replace", "schedule-collision"),
    ],
)  # fmt: skip
def test_each_fault_of_a_copy_is_found(sql: str, mode: str, slug: str | None) -> None:
    pipe = f"NODE n\nSQL >\n    {sql}\n\nTYPE copy\nTARGET_DATASOURCE made\nCOPY_MODE {mode}\nCOPY_SCHEDULE 8 * * * *\n"
    found = findings(more={"c.pipe": pipe, "made.datasource": FILES["events.datasource"]})
    assert set(found) == ({slug} if slug else set())


def test_a_wildcard_that_its_target_has_no_place_for_is_an_error() -> None:
    sorted_without = FILES["people_sorted.datasource"].replace("    `country` String,\n", "")
    assert findings(more={"people_sorted.datasource": sorted_without})["wildcard-reader"] == "error"
    some = FILES["people_copy.pipe"].replace("people.*", "people.* EXCEPT (country)")
    assert findings(more={"people_sorted.datasource": sorted_without, "people_copy.pipe": some}).keys() == {
        "column-still-used"
    }


def test_a_condition_in_a_pipe_that_a_copy_reads_counts_as_its_own() -> None:
    recent = "NODE r\nSQL >\n    SELECT * FROM people FINAL WHERE updatedAt > now() - INTERVAL 1 HOUR\n"
    copy = FILES["people_copy.pipe"].replace("people.*, 1 AS n FROM people FINAL", "*, 1 AS n FROM recent")
    assert findings(more={"recent.pipe": recent, "people_copy.pipe": copy}) == {"replace-over-incremental": "error"}


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT id, nick FROM people FINAL", True),
        ("SELECT count() FROM people FINAL WHERE nick = '' AND id IN ('a', 'b')", True),
        ("SELECT id AS nick, upper(nick) FROM people FINAL ORDER BY nick SETTINGS max_threads = 1", False),
        ("SELECT arrayMap(nick -> nick || 'x', [name]) FROM people FINAL", False),
        ("SELECT nick FROM people FINAL ARRAY JOIN splitByChar(',', name) AS nick", False),
        ("WITH 1 AS nick SELECT nick FROM people FINAL", False),
        ("SELECT nick FROM people FINAL JOIN events AS e ON e.id = id", False),
        ("SELECT dateDiff(day, createdAt, updatedAt), date_trunc('hour', createdAt), _part FROM people FINAL", False),
        ("% SELECT {{ columns(cs, 'nick') }} FROM people FINAL", False),
        ("SELECT COLUMNS('^n'), * EXCEPT (nick) FROM people FINAL", False),
    ],
)
def test_a_column_that_a_reader_names_and_no_table_has_is_an_error(sql: str, found: bool) -> None:
    pipe = {"r.pipe": f"NODE n\nSQL >\n    {sql}\n"}
    assert findings(more=pipe).get("column-still-used") == ("error" if found else None)


@pytest.mark.parametrize(("schedule", "collides"), [("8 2 * * *", True), ("*/8 * * * *", False), ("9 * * * *", False)])
def test_a_copy_that_only_ever_starts_when_its_source_is_written_is_warned_of(schedule: str, collides: bool) -> None:
    sql = "NODE n\nSQL >\n    SELECT id FROM people_sorted\n\nTYPE copy\nTARGET_DATASOURCE made\n"
    pipe = f"{sql}COPY_SCHEDULE {schedule}\n"
    found = findings(more={"c.pipe": pipe, "made.datasource": FILES["events.datasource"]})
    assert found == ({"schedule-collision": "warning"} if collides else {})


def test_a_key_of_a_json_column_without_a_default_is_warned_of() -> None:
    bare = (
        "`country` String `json:$.record.attributes.country.default` DEFAULT ''",
        "`country` String `json:$.record.attributes.country.default`",
    )
    assert findings(*bare, table=None) == {"null-without-default": "warning"}


def test_more_copies_in_one_minute_than_the_quota_is_an_error() -> None:
    pipes = {f"c{n}.pipe": FILES["people_copy.pipe"].replace("newest", f"n{n}") for n in range(13)}
    assert findings(more=pipes)["schedule-collision"] == "error"


def test_a_broken_file_is_a_finding_and_not_a_crash(tmp_path: Path) -> None:
    (tmp_path / "datasources").mkdir()
    (tmp_path / "vendor" / "other").mkdir(parents=True)
    (tmp_path / "datasources" / "people.datasource").write_text(PEOPLE)
    (tmp_path / "datasources" / "odd.datasource").write_text("NONSENSE x\n")
    (tmp_path / "binary.pipe").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "vendor" / "other" / "theirs.datasource").write_text("NONSENSE x\n")
    facts = read_folder(tmp_path, environment="staging", now=NOW)
    assert set(facts.datasources) == {"people"}
    assert {h.resource for h in lint(facts) if h.slug == "datafile-not-understood"} == {"odd.datasource", "binary.pipe"}


def test_a_folder_that_is_not_there_is_said() -> None:
    with pytest.raises(DatafileError, match="nowhere: there is no such folder"):
        read_folder("nowhere", environment="staging", now=NOW)


def test_the_small_seed_has_no_fault_in_its_files() -> None:
    facts = read_folder(SEED, environment="sandbox", now=NOW)
    assert [h for h in lint(facts) if h.level == "error"] == []
