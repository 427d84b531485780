"""An incident is one card, edited in place; what people must see of it is in its thread."""

import pytest

from tests.support.drive import Drive
from tests.support.incident_story import PIPE, Story
from tests.support.people import People


@pytest.fixture
def story(drive: Drive, people: People) -> Story:
    return Story(drive, people)


def test_a_card_says_what_failed_and_is_edited_when_it_is_over(story: Story) -> None:
    incident = story.opens()
    card = story.card()
    assert card.text == (f"Incident {incident} in sandbox: The copy {PIPE} failed: it needed too much memory.")
    for said in ("Copy failed", "Nobody has it yet", "memory:", "members_list", "next_copy", "5,000 before"):
        assert said in card.words

    story.closes(incident)

    over = story.card()
    assert over.ts == card.ts
    assert over.text.startswith("Over after 2 min")
    assert "Recovered" in over.words
    assert over.buttons == {}
    assert story.thread() == ["Recovered after 2 min: It ran again and wrote 5,000 rows."]
