"""What people see of copies: who needs somebody comes first, the picture shows the day, and Slack takes all of it."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PIL import Image

from bot import picture
from bot.cards.answers import found
from bot.cards.blocks import Card
from bot.cards.check import troubles
from bot.cards.copies import MOST, findings_file, listing
from bot.cards.day import MOST_ROWS, day, described

NOW = datetime(2026, 11, 28, 12, 5, tzinfo=UTC)
NOTHING = {"moves": 0, "clashes": [0, 0], "most": [1, 1]}


def copy(name: str, state: str = "fine", **more: Any) -> dict[str, Any]:
    last = {"state": "done", "at": "2026-11-28T12:00:00+00:00", "took_s": 84, "error": ""}
    return {
        "pipe": name, "target": f"{name}_ds", "mode": "replace", "schedule": "0 * * * *", "state": state, "last": last,
        "next": "2026-11-28T13:00:00+00:00", "p50_s": 80, "before_s": 71, "p95_s": 90, "rows": 1234,
        "usual_rows": 1200, "day": [], **more,
    }  # fmt: skip


def run(state: str, minutes_ago: float, lasting: float = 5, waited: float = 0) -> list[Any]:
    started = NOW - timedelta(minutes=minutes_ago)
    asked, ended = started - timedelta(minutes=waited), started + timedelta(minutes=lasting)
    return [state, int(asked.timestamp()), int(started.timestamp()), int(ended.timestamp())]


def answer(copies: list[dict[str, Any]], findings: int = 0, gain: dict[str, Any] = NOTHING) -> dict[str, Any]:
    wrong = [
        {"slug": "schedule-collision", "level": "warning", "resource": f"c{n}", "message": f"c{n} " + "x" * 400,
         "fix": "y" * 300}
        for n in range(findings)
    ]  # fmt: skip
    return {
        "environment": "prod",
        "now": NOW.isoformat(),
        "quota": 12,
        "copies": copies,
        "findings": wrong,
        "gain": gain,
    }


def card(*given: Any, **more: Any) -> Card:
    return found("copies", answer(*given, **more), 41)


def told(card: Card) -> str:
    return "\n".join(str(block.get("text", block.get("elements"))) for block in card.blocks)


def test_a_few_are_all_shown_with_how_each_runs() -> None:
    hand = copy("by_hand", "no schedule", schedule=None, next=None, last=None, p50_s=None, rows=None)
    shown = card([copy("sorted"), hand])
    assert shown.text == "There are 2 copy pipes in prod: 1 run by hand, 1 fine."
    assert (
        "✅ `sorted` → `sorted_ds` (replace, `0 * * * *` UTC, last run 12:00 UTC: done in 84 s, usually 80 s (71 s the "
        "week before), 1,234 rows, usually 1,200, next at 13:00 UTC)"
    ) in told(shown)
    assert "✋ `by_hand` → `by_hand_ds` (replace, by hand, did not run in 14 days)" in told(shown)
    assert troubles(shown) == []


def test_who_needs_somebody_comes_first_and_the_rest_is_summed() -> None:
    last = {"state": "error", "at": "2026-11-28T12:00:00+00:00", "took_s": 4, "error": "memory <limit>"}
    failed = copy("z_failed", "failed", last=last)
    shown = card([*(copy(f"a{n}") for n in range(39)), copy("y_paused", "paused", next=None), failed])
    assert shown.text == "There are 41 copy pipes in prod: 1 failed the last time, 1 paused, 39 fine."
    said = told(shown)
    assert said.index("z_failed") < said.index("y_paused")
    assert "memory &lt;limit&gt;" in said
    assert "39 more; all of them are in the list." in said
    assert "Next: `a0` at 13:00 UTC, `a1` at 13:00 UTC, `a10` at 13:00 UTC." in said


def test_a_family_with_one_fault_is_one_line() -> None:
    assert "All of them are in the list." in told(card([copy(f"c{n}") for n in range(13)]))
    said = told(card([copy("a")], findings=9))
    assert said.count("schedule-collision") == 1
    assert "(8 more like it.)" in said
    assert told(card([copy("a")], findings=4)).count("schedule-collision") == 4


@pytest.mark.parametrize("number", [116, 1_000])
def test_slack_takes_it_however_many_there_are(number: int) -> None:
    long = {"state": "error", "at": "2026-11-27T12:00:00+00:00", "took_s": 4, "error": "<&>" * 200}
    copies = [copy(f"activityRelations_bucket_clean_enrich_copy_pipe_{n}", "failed", last=long) for n in range(number)]
    gain = {"moves": 20, "clashes": [29, 1], "most": [14, 11]}
    shown = card(copies, findings=number, gain=gain)
    assert troubles(shown) == []
    assert told(shown).count("❌") == MOST
    lines = list(csv.reader(io.StringIO(str(listing("prod", answer(copies)).content))))
    assert len(lines) == number + 1
    assert {len(line) for line in lines} == {15}
    wrong = findings_file("prod", answer(copies, findings=number))
    assert wrong is not None
    assert str(wrong.content).count("\n") == number


def test_a_timetable_is_offered_where_there_is_something_to_gain() -> None:
    assert "actions" not in {block["type"] for block in card([copy("a")]).blocks}
    shown = card([copy("a")], gain={"moves": 3, "clashes": [5, 0], "most": [14, 11]})
    said = "Other times for 3 copies would mend that: 5 start while what they read is written, then none; "
    assert said + "14 run at once at most, then 11." in told(shown)
    press = shown.blocks[-1]["elements"][0]
    assert (press["text"]["text"], press["value"]) == ("Propose a timetable", "v1|41|0|")


def test_an_answer_of_an_older_worker_is_no_trouble() -> None:
    old = found("copies", {"environment": "prod", "copies": []}, 1)
    assert old.text == "prod: a worker of another version answered. Ask again when it is replaced."


# -- the picture


def labels(drawing: dict[str, Any]) -> list[str]:
    return [row["label"] for row in drawing["rows"]]


def test_families_share_a_row_and_what_neither_runs_nor_will_has_none() -> None:
    family = [copy(f"bucket_copy_{n}", day=[run("done", 60 + n)]) for n in range(10)]
    two = [copy("half_1", day=[run("done", 30)]), copy("half_2", day=[run("done", 29)])]
    by_hand = copy("never", "no schedule", schedule=None)
    hourly = copy("hourly", day=[run("done", 60 * n + 3) for n in range(24)])
    drawing = day("prod", answer([by_hand, *family, *two, hourly]))
    assert labels(drawing) == ["hourly", "bucket_copy_… ×10", "half_1", "half_2"]
    assert [len(row["lanes"]) for row in drawing["rows"]] == [1, 10, 1, 1]
    assert drawing["title"] == "Copies of prod, 24 hours to 28 Nov 2026 12:05 UTC"


def test_so_many_that_they_would_be_too_small_are_one_row() -> None:
    drawing = day("prod", answer([copy(f"c{n}x", day=[run("done", n)] * (n % 7)) for n in range(300)]))
    assert len(drawing["rows"]) == MOST_ROWS
    assert labels(drawing)[-1] == f"{300 - MOST_ROWS + 1} more rows"


def test_who_does_not_see_it_is_told() -> None:
    runs = [run("done", 60, 10), run("error", 55, 10), run("working", 2)]
    assert described("prod", answer([copy("a", day=runs)])) == (
        "Copy pipes of prod from 2026-11-27 12:05 to 2026-11-28 12:05 UTC: 3 runs, 1 of them failed; at most 2 ran at "
        "once, at 11:10 UTC, and 12 may."
    )


def colours(image: Image.Image, box: tuple[int, int, int, int]) -> set[Any]:
    part = image.convert("RGB").crop(box)
    return {colour for _, colour in part.getcolors(part.width * part.height) or ()}


def test_the_picture_is_a_png_with_names_runs_failures_and_waits() -> None:
    copies = [
        copy(f"the_copy_{'abcdefgh'[n]}", day=[run("done", 300 + 40 * n, 30, waited=20), run("error", 90 + 9 * n, 20)])
        for n in range(8)
    ]
    drawing = day("prod", answer(copies))
    image = Image.open(io.BytesIO(picture.drawn(drawing)))
    image.load()
    assert image.format == "PNG"
    assert image.width == 1152
    assert 700 < image.height < 1000
    everything = colours(image, (0, 0, image.width, image.height))
    assert {(0x2B, 0x6C, 0xB0), (0xD6, 0x27, 0x28), (0xA9, 0xC8, 0xEC)} <= everything, "done, failed, waiting"
    left = colours(image, (0, 130, int(image.width * 0.35), image.height // 2))
    assert (0x22, 0x22, 0x22) in left, "the names are written beside their rows"


def test_strange_states_and_no_runs_at_all_are_drawn_too() -> None:
    odd = [["whatever", 1795867200, 1795867300, 1795867400], ["waiting", int(NOW.timestamp()) - 60, None, 0]]
    assert picture.drawn(day("prod", answer([copy("a", day=odd)]))).startswith(b"\x89PNG")
    assert picture.drawn(day("prod", answer([]))).startswith(b"\x89PNG")


def test_what_cannot_be_drawn_is_said() -> None:
    with pytest.raises(picture.NoPicture):
        picture.drawn({"title": "no rows"})


def test_the_values_of_a_picture_are_json() -> None:
    drawing = day("prod", answer([copy("a", day=[run("done", 9)])]))
    assert json.loads(json.dumps(drawing)) == drawing
