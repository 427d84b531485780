"""The real Tinybird CLI 5.22 drives the stand-in as it drives Tinybird Classic (facts/tinybird.md §10)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.tools import Tb
from tests.support.tinybird_server import Tinybird, tinybird_served

pytestmark = [pytest.mark.conformance, pytest.mark.xdist_group("tb")]

SEED = Path(__file__).parents[2] / "sandbox" / "seed" / "small"

THINGS = """\
DESCRIPTION >
    Things.

TAGS "raw, things"

SCHEMA >
    `id` String `json:$.record.id`,
    `name` String `json:$.record.name` DEFAULT '',
    `tags` Array(String) `json:$.record.tags[:]` DEFAULT [],
    `updatedAt` DateTime64(3) `json:$.record.updatedAt`

ENGINE ReplacingMergeTree
ENGINE_SORTING_KEY id
ENGINE_VER updatedAt
"""
SORTED = """\
SCHEMA >
    `id` String,
    `name` String,
    `tags` Array(String),
    `updatedAt` DateTime64(3)

ENGINE MergeTree
ENGINE_SORTING_KEY name, id
"""
COPY = """\
NODE things_newest
SQL >
    SELECT id, name, tags, updatedAt
    FROM things FINAL

TYPE COPY
TARGET_DATASOURCE things_sorted
COPY_MODE replace
COPY_SCHEDULE 8 * * * *
"""
LIST = """\
DESCRIPTION >
    Things by name.

TAGS "things"

NODE things_page
DESCRIPTION >
    One page.

SQL >
    %
    SELECT id, name
    FROM things_sorted
    ORDER BY name
    LIMIT {{ Int32(limit, 10) }}
"""
FILES = {
    "datasources/things.datasource": THINGS,
    "datasources/things_sorted.datasource": SORTED,
    "pipes/things_copy.pipe": COPY,
    "pipes/things_list.pipe": LIST,
}


@pytest.fixture(scope="module")
def tinybird() -> Iterator[Tinybird]:
    with tinybird_served() as served:
        yield served


@pytest.fixture(scope="module")
def credentials(tinybird: Tinybird, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file that ``tb auth`` leaves: each command of ``tb`` takes a second or two, so it signs in once."""
    signed_in = Tb(tmp_path_factory.mktemp("credentials"))
    signed_in("auth", "--token", tinybird.stand_in.admin_token, "--host", tinybird.url)
    return (signed_in.folder / ".tinyb").read_text()


@pytest.fixture
def tb(tinybird: Tinybird, credentials: str, tmp_path: Path) -> Tb:
    """A folder that is signed in, with our four datafiles in it; nothing pushed yet."""
    tinybird.reset()
    made = Tb(tmp_path)
    (tmp_path / ".tinyb").write_text(credentials)
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return made


@pytest.fixture
def pushed(tb: Tb) -> Tb:
    output = tb("push", *FILES)
    assert all(f"'{Path(name).stem}' created" in output for name in FILES)
    return tb


def append(tb: Tb, *rows: str) -> str:
    (tb.folder / "rows.ndjson").write_text("\n".join(rows) + "\n")
    return tb("datasource", "append", "things", "rows.ndjson")


def test_signs_in_and_lists_the_workspace(tb: Tb) -> None:
    assert "workspace_name: sandbox_small" in tb("auth", "info")
    assert "name: sandbox_small" in tb("workspace", "ls")


def test_a_wrong_token_is_forbidden(tinybird: Tinybird, tmp_path: Path) -> None:
    output = Tb(tmp_path)("auth", "--token", "p.eyJ1IjogIngifQ.wrong", "--host", tinybird.url, exits=1)
    assert "Invalid token" in output or "Forbidden" in output


def test_a_second_push_skips_and_a_forced_one_changes_nothing(pushed: Tb) -> None:
    output = pushed("push", *FILES)
    assert all(f"{Path(name).stem} already exists, skipping" in output for name in FILES)
    output = pushed("push", *FILES, "--force", "--yes", "--no-check")
    assert "has changed" not in output
    assert "ADD COLUMN" not in output


def test_pull_gives_back_what_was_pushed(pushed: Tb, tmp_path: Path) -> None:
    pushed("pull", "--force", "--match", "things")
    for name, text in FILES.items():
        assert (tmp_path / name).read_text() == text


def test_our_own_datafiles_survive_format_push_and_pull(tb: Tb, tinybird: Tinybird, tmp_path: Path) -> None:
    """The seed is written as `tb fmt` writes, and comes back so."""
    paths = [*sorted(SEED.glob("datasources/*")), *sorted(SEED.glob("pipes/*"))]
    for path in paths:
        (tmp_path / path.parent.name / path.name).write_text(path.read_text())
    names = [f"{path.parent.name}/{path.name}" for path in paths]
    tb("fmt", "--yes", *names)
    for path, name in zip(paths, names, strict=True):
        assert (tmp_path / name).read_text() == path.read_text(), name
    again = ("pipes/members_sorted_copy_pipe.pipe", "pipes/activities_count.pipe")
    tb("push", *again, "--force", "--yes", "--no-check")
    tb("pull", "--force")
    for path, name in zip(paths, names, strict=True):
        assert (tmp_path / name).read_text() == path.read_text(), name


def test_a_forced_push_of_a_new_column_alters_in_place(pushed: Tb, tinybird: Tinybird, tmp_path: Path) -> None:
    append(pushed, '{"record": {"id": "1", "updatedAt": "2026-01-01T00:00:00Z"}}')
    text = THINGS.replace("    `updatedAt`", "    `nick` String `json:$.record.nick` DEFAULT 'none',\n    `updatedAt`")
    (tmp_path / "datasources/things.datasource").write_text(text)
    output = pushed("push", "datasources/things.datasource", "--force", "--yes", "--no-check")
    assert "ADD COLUMN `nick`" in output
    assert tinybird.rows("SELECT nick FROM things") == [{"nick": "none"}]


def test_a_forced_push_of_a_new_sorting_key_is_silently_ignored(pushed: Tb, tinybird: Tinybird, tmp_path: Path) -> None:
    text = THINGS.replace("ENGINE_SORTING_KEY id", "ENGINE_SORTING_KEY id, name")
    (tmp_path / "datasources/things.datasource").write_text(text)
    pushed("push", "datasources/things.datasource", "--force", "--yes", "--no-check")
    assert tinybird.client.get("/v0/datasources/things").json()["engine"]["sorting_key"] == "id"


@pytest.mark.long
def test_rows_appended_are_read_listed_and_truncated(pushed: Tb) -> None:
    append(
        pushed,
        '{"record": {"id": "1", "name": "a", "tags": ["x", "y"], "updatedAt": "2026-01-01T00:00:00.123456Z"}}',
        '{"record": {"id": "2", "updatedAt": "2026-01-01T00:00:00Z"}}',
    )
    output = pushed("sql", "SELECT id, name, tags, updatedAt FROM things ORDER BY id")
    assert "['x', 'y']" in output
    assert "2026-01-01 00:00:00.123" in output
    listed = pushed("datasource", "ls")
    assert "name: things\nrow_count: 2" in listed
    pushed("datasource", "truncate", "things", "--yes")
    assert "| 0 |" in pushed("sql", "SELECT count() AS n FROM things")


def test_a_bad_row_fails_the_append_and_is_kept_aside(pushed: Tb, tinybird: Tinybird) -> None:
    (pushed.folder / "rows.ndjson").write_text('{"record": {"id": "1", "updatedAt": "yesterday"}}\n')
    assert "quarantine" in pushed("datasource", "append", "things", "rows.ndjson", exits=1)
    assert tinybird.rows("SELECT id, c__error_column FROM things_quarantine") == [
        {"id": "1", "c__error_column": ["updatedAt"]}
    ]


@pytest.mark.long
def test_wrong_sql_is_told_in_clickhouses_words(pushed: Tb) -> None:
    assert "UNKNOWN_IDENTIFIER" in pushed("sql", "SELECT nope FROM things", exits=1)
    assert "UNKNOWN_TABLE" in pushed("sql", "SELECT 1 FROM nothing_here", exits=1)


@pytest.mark.long
def test_a_copy_run_is_awaited_and_listed(pushed: Tb) -> None:
    append(pushed, '{"record": {"id": "1", "name": "a", "updatedAt": "2026-01-01T00:00:00Z"}}')
    pushed("pipe", "copy", "run", "things_copy", "--wait", "--yes")
    assert "| a " in pushed("sql", "SELECT id, name FROM things_list")
    jobs = pushed("job", "ls")
    assert "kind: copy" in jobs
    assert "status: done" in jobs
    pushed("pipe", "copy", "pause", "things_copy")
    pushed("pipe", "copy", "resume", "things_copy")


@pytest.mark.long
def test_a_failing_copy_run_fails_the_command(pushed: Tb) -> None:
    pushed("datasource", "rm", "things", "--yes")
    assert "things" in pushed("pipe", "copy", "run", "things_copy", "--wait", "--yes", exits=1)


@pytest.mark.long
def test_rows_and_resources_are_removed(pushed: Tb, tinybird: Tinybird) -> None:
    append(pushed, *(f'{{"record": {{"id": "{n}", "updatedAt": "2026-01-01T00:00:00Z"}}}}' for n in range(3)))
    pushed("datasource", "delete", "things", "--sql-condition", "id = '1'", "--yes", "--wait")
    assert tinybird.rows("SELECT id FROM things ORDER BY id") == [{"id": "0"}, {"id": "2"}]
    pushed("pipe", "rm", "things_list", "--yes")
    pushed("datasource", "rm", "things", "--yes")
    assert tinybird.client.get("/v0/datasources/things").status_code == 404
    assert tinybird.client.get("/v0/pipes/things_list").status_code == 404
