"""Error texts of ClickHouse and Tinybird to a class and plain words."""

import pytest

from runbooks.copies.causes import why
from systems.tinybird_causes import cause_of

TEXTS = [
    ("memory", "Code: 241. DB::Exception: Memory limit (for query) exceeded. (MEMORY_LIMIT_EXCEEDED)"),
    ("memory", "[Error] Memory limit (total) exceeded"),
    ("timeout", "DB::Exception: Timeout exceeded: elapsed 3600.0 seconds. (TIMEOUT_EXCEEDED)"),
    ("timeout", "Code: 159. DB::Exception: Timeout exceeded: elapsed 3600.01 seconds. (TIMEOUT_EXCEEDED)"),
    ("timeout", "The query took longer than allowed: it timed out"),
    ("quota", "You have reached the maximum number of copy jobs (12)"),
    ("quota", "Code: 202. DB::Exception: Too many simultaneous queries. (TOO_MANY_SIMULTANEOUS_QUERIES)"),
    ("schema", "[Error] Code: 47. DB::Exception: Unknown expression or function identifier `nickname`"
     " in scope SELECT nickname FROM members. (UNKNOWN_IDENTIFIER)"),
    ("schema", "Code: 16. DB::Exception: No such column nickname in table members_sorted. (NO_SUCH_COLUMN_IN_TABLE)"),
    ("schema", "Columns not found in the target Data Source 'members_sorted': nickname"),
    ("schema", "Code: 53. DB::Exception: Type mismatch in IN or VALUES section. (TYPE_MISMATCH)"),
    ("schema", "Code: 349. DB::Exception: Cannot convert NULL value to non-Nullable type."
     " (CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN)"),
    ("missing table", "Code: 60. DB::Exception: Unknown table expression identifier 'members'. (UNKNOWN_TABLE)"),
    ("missing table", "The target Data Source 'members_sorted' of pipe 'a_copy' does not exist"),
    ("missing table", "Resource 'members' not found"),
    ("missing table", "Table d_1.t_2 does not exist. (UNKNOWN_TABLE)"),
    ("missing table", "Unknown table expression identifier 'd_1.t_2' in scope SELECT"),
    ("permission", "Not enough permissions, scope DATASOURCES:READ is forbidden"),
    ("permission", "Code: 497. DB::Exception: default: Not enough privileges. (ACCESS_DENIED)"),
    ("permission", "The token 'copy' has no permission to read 'members'"),
    ("unknown", "Code: 999. DB::Exception: the moon is in the wrong place. (KEEPER_EXCEPTION)"),
    ("unknown", ""),
]  # fmt: skip


@pytest.mark.parametrize(("cause", "text"), TEXTS)
def test_a_text_has_its_class(cause: str, text: str) -> None:
    assert cause_of(text) == cause


def test_the_words_name_what_is_not_there() -> None:
    assert why(TEXTS[7][1]).words == "its SQL does not fit the columns that there are (nickname)"
    assert why("Unknown table expression identifier 'members'. (UNKNOWN_TABLE)").words == (
        "something that it reads or writes does not exist (members)"
    )


def test_an_unknown_reason_is_said_in_the_platforms_own_words() -> None:
    assert why(TEXTS[-2][1]).words.startswith("Code: 999. DB::Exception: the moon")
    assert why("").words == "Tinybird gave no reason"


def test_no_secret_is_shown() -> None:
    raw = why("GET https://api.tinybird.co/v0/x?token=p.eyJ1IjogImFiY2RlZmdoIn0.abc failed: password=hunter2 at x").raw
    assert "hunter2" not in raw
    assert "eyJ" not in raw


def test_a_long_error_keeps_its_end_where_its_name_is() -> None:
    long = f"There was a problem: {'SELECT * FROM x ' * 200}: no such luck (MEMORY_LIMIT_EXCEEDED)"
    assert why(long).cause == "memory"
    assert len(why(long).raw) <= 600
    assert why(why(long).raw) == why(long)
