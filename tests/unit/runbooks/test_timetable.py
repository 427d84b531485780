"""A proposed timetable: what reads comes after what is read, a slot stays free, and few copies move by few minutes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from runbooks.copies import feeds, timetable
from runbooks.copies.day import Load, clock, first, lag, later, running, starts
from runbooks.copies.feeds import Timed
from runbooks.copies.timetable import Timetable, furthest, moved, propose
from runbooks.lineage import Lineage
from runbooks.schedules import period_s
from tests.support import estate

QUOTA = 12


def copies(*each: tuple[str, str, int]) -> dict[str, Timed]:
    return {name: Timed(name, schedule, lasting) for name, schedule, lasting in each}


def proposed(of: dict[str, Timed], reading: dict[str, dict[str, str]] | None = None, quota: int = QUOTA) -> Timetable:
    return propose(of, {name: (reading or {}).get(name, {}) for name in of}, quota, set(of))


def as_proposed(of: dict[str, Timed], by: Timetable) -> dict[str, Timed]:
    new = {move.pipe: move.new for move in by.moves}
    return {name: Timed(name, new.get(name, copy.schedule), copy.lasting) for name, copy in of.items()}


# -- the day


def test_minutes_go_round_midnight() -> None:
    late = running(starts("58 23 * * *"), 5)
    assert late == sum(1 << minute for minute in (1438, 1439, 0, 1, 2))
    assert later(starts("55 * * * *"), 10) == starts("5 * * * *")
    assert lag(starts("50 23 * * *"), starts("5 0 * * *")) == 15
    assert lag(starts("0 * * * *"), starts("8 2 * * *")) == 8
    assert lag(starts("@on-demand"), starts("8 2 * * *")) is None


def test_a_load_counts_what_runs_at_once() -> None:
    load = Load([running(starts("0 * * * *"), 3)] * 3 + [running(starts("2 1 * * *"), 3)])
    assert load.most == 4
    assert clock(first(load.over(3)) or 0) == "01:02"
    assert load.over(4) == 0
    assert load.over(0).bit_count() == 24 * 3 + 2, "the daily one goes on for two minutes more"


# -- the rules, one by one


def test_a_copy_waits_for_what_it_reads() -> None:
    made = proposed(copies(("clean", "0 * * * *", 8), ("sorted", "5 * * * *", 1)), {"sorted": {"clean": "clean_ds"}})
    assert [(m.pipe, m.new, m.minutes) for m in made.moves] == [("sorted", "8 * * * *", 3)]
    assert made.moves[0].why == "clean, which it reads, takes up to 8 min"
    assert len(made.clashes_before) == 1
    assert not made.clashes


def test_a_copy_that_waits_makes_those_behind_it_wait_too() -> None:
    chain = copies(("a", "50 0 * * *", 20), ("b", "55 0 * * *", 20), ("c", "15 1 * * *", 5))
    made = proposed(chain, {"b": {"a": "a_ds"}, "c": {"b": "b_ds"}})
    assert {m.pipe: m.new for m in made.moves} == {"b": "10 1 * * *", "c": "30 1 * * *"}
    assert "a" not in {m.pipe for m in made.moves}, "moving the reader is enough"


def test_no_more_than_the_quota_less_one_run_at_once() -> None:
    made = proposed(copies(*((f"c{n}", "0 2 * * *", 10) for n in range(14))))
    assert (made.most_before, made.most) == (14, 11)
    assert [(m.pipe, m.minutes) for m in made.moves] == [("c7", 10), ("c8", 10), ("c9", 10)], "three are enough"
    assert made.moves[0].why == "so that no more than 11 run at once"


def test_the_short_ones_make_room_for_the_long_ones() -> None:
    made = proposed(copies(("long", "0 * * * *", 30), ("short", "0 * * * *", 2)), quota=2)
    assert [(m.pipe, m.new) for m in made.moves] == [("short", "30 * * * *")]


def test_a_copy_stays_in_its_own_day_and_its_own_period() -> None:
    assert furthest("50 23 * * *") == 9, "SQL that asks for today would mean another day"
    assert furthest("45 */2 * * *") == 14
    assert moved("45 */2 * * *", 14) == "59 */2 * * *"
    assert moved("50 22 * * *", 15) == "5 23 * * *"
    assert moved("55 * * * *", 10) == "5 * * * *"


def test_other_shapes_than_the_simple_stay() -> None:
    of = copies(("often", "*/15 * * * *", 1), ("monthly", "0 0 1 * *", 1), ("list", "0,30 * * * *", 1),
                ("range", "0 1-5 * * *", 1), ("clean", "0 * * * *", 8))  # fmt: skip
    made = proposed(of, {name: {"clean": "clean_ds"} for name in of if name != "clean"})
    assert not made.moves
    assert len(made.clashes) == 4, "they stay findings"


def test_what_is_read_does_not_pass_its_reader() -> None:
    """Moved behind a reader that stays it would be read a whole day later, and nothing would have been gained."""
    of = copies(("clean", "0 5 * * *", 10), ("weekly", "5 5 * * 1", 5))
    assert not proposed(of, {"weekly": {"clean": "clean_ds"}}).moves


def test_a_reader_that_comes_first_is_not_passed_for_the_quota() -> None:
    """The reader of one period keeps reading that very run, however the quota moves it."""
    of = copies(("x", "0 2 * * *", 30), ("clean", "0 2 * * *", 20), ("sorted", "25 2 * * *", 1))
    made = proposed(of, {"sorted": {"clean": "clean_ds"}}, quota=2)
    after = as_proposed(of, made)
    assert lag(after["clean"].starts, after["sorted"].starts) == 20


def test_only_those_that_were_asked_for_move() -> None:
    of = copies(("clean", "0 * * * *", 8), ("sorted", "5 * * * *", 1), ("other", "5 * * * *", 1))
    reading = {"sorted": {"clean": "t"}, "other": {"clean": "t"}, "clean": {}}
    assert [m.pipe for m in propose(of, reading, QUOTA, {"other"}).moves] == ["other"]


def test_copies_in_a_circle_end_in_some_timetable() -> None:
    of = copies(("a", "0 * * * *", 5), ("b", "0 * * * *", 5))
    made = proposed(of, {"a": {"b": "b_ds"}, "b": {"a": "a_ds"}})
    assert [m.pipe for m in made.moves] == ["b"]
    assert not made.clashes


# -- whatever the estate

_SIMPLE = st.one_of(
    st.integers(0, 59).map(lambda m: f"{m} * * * *"),
    st.tuples(st.integers(0, 59), st.sampled_from((2, 3, 4, 6))).map(lambda at: f"{at[0]} */{at[1]} * * *"),
    st.tuples(st.integers(0, 59), st.integers(0, 23)).map(lambda at: f"{at[0]} {at[1]} * * *"),
)
_ANY = st.one_of(_SIMPLE, st.sampled_from(("*/15 * * * *", "30 0 1 * *", "0 6 * * 1", "0,30 4 * * *")))


@st.composite
def estates(draw: st.DrawFn) -> tuple[dict[str, Timed], dict[str, dict[str, str]], int]:
    """Copies with durations, reading one another without a circle, and a quota."""
    names = [f"c{n:02}" for n in range(draw(st.integers(1, 18)))]
    of = {name: Timed(name, draw(_ANY), draw(st.integers(1, 40))) for name in names}
    reading = {
        name: {up: f"{up}_ds" for up in draw(st.sets(st.sampled_from(names[:n]), max_size=3))} if n else {}
        for n, name in enumerate(names)
    }
    return of, reading, draw(st.integers(2, 12))


@given(estates())
@settings(max_examples=60, deadline=None)
def test_planning_again_proposes_nothing(drawn: tuple[dict[str, Timed], dict[str, dict[str, str]], int]) -> None:
    of, reading, quota = drawn
    made = propose(of, reading, quota, set(of))
    assert not propose(as_proposed(of, made), reading, quota, set(of)).moves


@given(estates())
@settings(max_examples=60, deadline=None)
def test_it_is_never_worse_than_before(drawn: tuple[dict[str, Timed], dict[str, dict[str, str]], int]) -> None:
    of, reading, quota = drawn
    made = propose(of, reading, quota, set(of))
    assert made.most <= max(made.most_before, quota - 1)
    if made.moves:
        before = max(0, made.most_before - (quota - 1)), len(made.clashes_before)
        assert (max(0, made.most - (quota - 1)), len(made.clashes)) < before, "what moves in vain stays"
    after = as_proposed(of, made)
    assert made.most == Load(copy.running for copy in after.values()).most
    assert made.clashes == timetable.clashes(after, reading)
    for move in made.moves:
        assert period_s(move.new) == period_s(move.old), "the period is kept"
        assert starts(move.new) == later(starts(move.old), move.minutes)
        assert 0 < move.minutes <= furthest(move.old), "within its period, and its day"
    assert made == propose(of, reading, quota, set(of)), "the same for the same values"


@given(st.lists(st.integers(0, 59), min_size=1, max_size=100), st.integers(3, 12))
@settings(max_examples=60, deadline=None)
def test_the_quota_holds_wherever_it_can(minutes: list[int], quota: int) -> None:
    of = copies(*((f"c{n:03}", f"{minute} * * * *", 1) for n, minute in enumerate(minutes)))
    assert proposed(of, quota=quota).most <= max(quota - 1, -(-len(minutes) // 60))


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(1, 5)), min_size=2, max_size=9))
@settings(max_examples=60, deadline=None)
def test_a_chain_that_fits_into_its_period_is_read_in_order(drawn: list[tuple[int, int]]) -> None:
    of = copies(*((f"c{n}", f"{minute} * * * *", lasting) for n, (minute, lasting) in enumerate(drawn)))
    reading = {f"c{n + 1}": {f"c{n}": "t"} for n in range(len(drawn) - 1)}
    assert not proposed(of, reading).clashes


# -- the estate's own


def test_the_estate_gets_a_timetable_of_few_moves() -> None:
    facts = estate.of_seed()
    of = feeds.timed(facts)
    reading = feeds.feeds(of, facts, Lineage.of(facts))
    made = propose(of, reading, QUOTA, set(of))
    assert len(of) == 89, "those that run by the clock"
    assert sum(map(len, reading.values())) > 150
    assert 0 < len(made.moves) <= 30
    assert all(move.minutes <= 5 for move in made.moves), "a minute each is all that is known of them"
    assert {clash.pipe for clash in made.clashes} <= {"insights_projects_populated_copy"}, "every quarter of an hour"
    assert made.most < QUOTA
