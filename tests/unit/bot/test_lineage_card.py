"""``lineage`` says both sides of a resource in words, and what it has no room for it counts."""

import re

import pytest

from bot.cards.answers import found
from bot.cards.blocks import Card
from bot.cards.check import troubles
from bot.cards.families import named
from runbooks.around import Around, Flow
from runbooks.lineage.around import around
from tests.support.estate import seeded

COPY = "members_sorted_copy_pipe"
SOURCES = ("leaderboards_copy_ds", "members", "insightsProjects", "activityRelations", "activities")
NAMES = (*SOURCES, "segments_filtered", COPY)


def card(told: Around) -> Card:
    return found("lineage", {"environment": "prod", "around": told.model_dump(mode="json")}, 1)


@pytest.fixture(scope="module")
def said() -> dict[str, Card]:
    """The cards of some of the large seed's resources."""
    facts = seeded()
    return {name: card(around(facts, name)) for name in NAMES}


def words(told: Card) -> str:
    return "\n".join(str(block.get("text", {}).get("text") or block.get("elements")) for block in told.blocks)


def test_every_card_is_one_that_slack_takes(said: dict[str, Card]) -> None:
    for told in said.values():
        assert troubles(told) == []
        assert len(words(told)) < 12_000


def test_a_data_source_is_told_with_what_feeds_it_and_what_it_feeds(said: dict[str, Card]) -> None:
    told = said["members"]
    assert told.text.startswith("members in prod is read by 4 pipes, and ")
    assert "• Sequin sink `members_sink`, topic `members`" in words(told)
    assert "• copy pipe `members_sorted_copy_pipe` → `members_sorted` (replace, `8 * * * *` UTC)" in words(told)
    assert "• 3 endpoints: `members_named`, `monitoring_entities`, `people_by_country`" in words(told)


def test_what_feeds_a_copys_target_is_told_with_its_schedule(said: dict[str, Card]) -> None:
    told = words(said["leaderboards_copy_ds"])
    assert "• copy pipe `leaderboards_commits` (append, `20 1 * * *` UTC)" in told
    assert "• and 2 more: `leaderboards_small_projects`, `leaderboards_stars`" in told


def test_what_comes_through_a_pipe_says_through_which(said: dict[str, Card]) -> None:
    told = words(said["insightsProjects"])
    through = re.search(r"• (\d+) endpoints through `segments_filtered`: .* and (\d+) more", told)
    assert through
    assert int(through[1]) - int(through[2]) == 20
    copies = "• copy pipes `activityRelations_bucket_clean_enrich_copy_pipe_#` ×10 → "
    assert f"{copies}`activityRelations_deduplicated_cleaned_bucket_#_ds` ×10 (replace, at 5 different times)" in told


def test_a_pipe_is_told_by_what_it_reads_and_writes(said: dict[str, Card]) -> None:
    copy = words(said[COPY])
    assert f"*`{COPY}` in prod*, a copy pipe → `members_sorted` (replace, `8 * * * *` UTC)" in copy
    assert "Nobody reads it." in copy
    assert "• 1 data source: `insightsProjects`" in words(said["segments_filtered"])
    assert "events, sent by whoever has a token" in words(said["activities"])


def test_names_that_differ_in_numbers_are_one_and_counted_each() -> None:
    assert named(["b_0_ds", "a", "b_1_ds", "b_22_ds"], 5) == "`b_#_ds` ×3, `a`"
    assert named(["a", "b_0_ds", "b_1_ds", "b_2_ds", "c"], 1) == "`a` and 4 more"
    assert named(["b_0", "b_1"], 5) == "`b_0`, `b_1`"


def test_names_are_foreign_text() -> None:
    odd = Around(itself=Flow(name="<!channel>`*x*", kind="data source"), not_understood=("a`b<",))
    told = card(odd)
    assert "<" not in told.text + words(told)
    assert troubles(told) == []
