"""SQL lives in named blocks, each with a line that says what it does."""

from importlib import resources

import pytest

from ledger.queries import load, parse

pytestmark = pytest.mark.unit

FILES = sorted(
    entry.name for entry in resources.files("ledger").joinpath("sql").iterdir() if entry.name.endswith(".sql")
)


@pytest.mark.parametrize("file", FILES)
def test_every_file_is_made_of_named_blocks(file: str) -> None:
    assert load(file.removesuffix(".sql"))


def test_a_block_is_its_name_and_its_query() -> None:
    text = "-- one --\n-- What it does\n-- in two lines\nSELECT 1 -- a note\n\n-- two --\n-- More\nSELECT 2;\n"
    assert parse(text) == {"one": b"SELECT 1 -- a note", "two": b"SELECT 2;"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT 1",
        "SELECT 1\n-- one --\n-- What\nSELECT 1",
        "-- one --\nSELECT 1",  # says not what it does
        "-- one --\n-- What\n-- two --\n-- What\nSELECT 1",
        "-- one --\n-- What\nSELECT 1\n-- one --\n-- What\nSELECT 2",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="block"):
        parse(text)
