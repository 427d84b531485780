"""The generated workspace has the estate's size and shapes (facts/estate.md §1), and grows by whole workspaces."""

import re
from collections import Counter

import pytest

from sandbox.seed import estate, seed_named


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return estate.datafiles()


def test_it_has_the_estates_size(files: dict[str, str]) -> None:
    kinds = Counter(path.partition("/")[0] for path in files)
    assert kinds["datasources"] == 138
    assert kinds["pipes"] == 289


def test_it_has_the_estates_kinds_of_pipes(files: dict[str, str]) -> None:
    types = Counter(found[1] for text in files.values() if (found := re.search(r"^TYPE (\w+)$", text, re.M)))
    assert types == {"COPY": 116, "MATERIALIZED": 26, "SINK": 19}
    modes = Counter(found[1] for text in files.values() if (found := re.search(r"^COPY_MODE (\w+)$", text, re.M)))
    assert modes == {"replace": 69, "append": 47}
    assert sum("COPY_SCHEDULE @on-demand" in text for text in files.values()) == 27


def test_it_is_the_same_every_time(files: dict[str, str]) -> None:
    assert estate.datafiles() == files


def test_several_of_them_share_no_name(files: dict[str, str]) -> None:
    three = estate.datafiles(times=3)
    assert len(three) == 3 * len(files)
    assert {path: text for path, text in three.items() if path in files} == files
    others = "\n".join(text for path, text in three.items() if path not in files and path.endswith(".pipe"))
    assert not re.search(r"\b(members_sorted|activityRelations|segments_filtered)\b", others)


def test_every_replicated_table_has_a_data_source_and_every_seed_its_small_part(files: dict[str, str]) -> None:
    seed = seed_named("estate")
    assert {f"datasources/{table}.datasource" for table in seed.replicated} <= set(files)
    assert seed_named("small").datafiles.items() <= files.items()
