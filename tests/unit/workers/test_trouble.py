"""What an error means: whether to try again, and whether anybody knows if the effect took."""

import pytest

from systems.errors import NotPermitted, SystemsError
from workers.engine.trouble import back_off, trouble_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("status", "retryable", "definite", "unknown"),
    [
        (None, True, False, True),  # no answer
        (None, False, True, False),  # Postgres refused the statement
        (500, True, False, True),
        (503, True, False, True),
        (408, True, False, True),
        (200, True, False, True),  # an answer that is not to be read
        (429, True, False, False),
        (409, True, False, False),
        (400, False, True, False),
        (403, False, True, False),
        (404, False, True, False),
    ],
)
def test_an_answer_says_whether_to_try_again_and_whether_it_may_have_happened(
    status: int | None, retryable: bool, definite: bool, unknown: bool
) -> None:
    trouble = trouble_of(SystemsError("sequin", "PATCH /x", status=status, retryable=retryable), 0)
    assert (trouble.definite, trouble.unknown) == (definite, unknown)


def test_a_call_that_was_never_permitted_was_never_sent() -> None:
    trouble = trouble_of(NotPermitted("sequin", "PATCH /x"), 0)
    assert (trouble.definite, trouble.unknown) == (True, False)


def test_our_own_bugs_are_tried_again_twice() -> None:
    assert [trouble_of(KeyError("x"), failures).definite for failures in range(3)] == [False, False, True]


def test_looking_again_comes_later_each_time_and_at_least_once_a_minute() -> None:
    waits = [back_off(failures) for failures in range(1, 12)]
    assert waits[:4] == [1, 2, 4, 8]
    assert waits == sorted(waits)
    assert waits[-1] == 60
