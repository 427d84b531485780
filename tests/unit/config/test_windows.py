"""Windows are read once and mean local time, daylight saving included."""

from datetime import UTC, datetime

import pytest

from config.windows import parse_window


@pytest.mark.parametrize(
    ("when", "open_"),
    [
        (datetime(2026, 3, 27, 7, 30, tzinfo=UTC), True),  # a Friday, 08:30 in Berlin, winter time
        (datetime(2026, 3, 27, 17, 30, tzinfo=UTC), False),  # 18:30
        (datetime(2026, 3, 30, 6, 30, tzinfo=UTC), True),  # the Monday after the change: 08:30 again
        (datetime(2026, 3, 28, 10, 0, tzinfo=UTC), False),  # a Saturday
    ],
)
def test_local_time_decides(when: datetime, open_: bool) -> None:
    assert parse_window("Mon-Fri 08:00-18:00 Europe/Berlin").open_at(when) is open_


@pytest.mark.parametrize(
    ("when", "open_"),
    [
        (datetime(2026, 5, 1, 23, 0, tzinfo=UTC), True),  # Friday night
        (datetime(2026, 5, 2, 3, 0, tzinfo=UTC), True),  # still Friday's window
        (datetime(2026, 5, 2, 4, 0, tzinfo=UTC), False),
        (datetime(2026, 5, 2, 23, 0, tzinfo=UTC), False),  # Saturday night has none
    ],
)
def test_a_window_may_go_past_midnight(when: datetime, open_: bool) -> None:
    assert parse_window("Fri 22:00-04:00 UTC").open_at(when) is open_


def test_days_may_go_past_sunday() -> None:
    window = parse_window("Sat-Mon 00:00-23:59 UTC")

    assert window.days == {5, 6, 0}
