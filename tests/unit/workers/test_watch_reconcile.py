"""What is news, and on whose card: one incident a cause, one card a storm."""

from dataclasses import replace

from tests.support.watching import HOUR, Stage, job, pipe, wrote
from workers.watch.reconcile import Closed
from workers.watch.seen import CopyPipe

MEMORY = "Code: 241. DB::Exception: Memory limit exceeded (MEMORY_LIMIT_EXCEEDED)"
SELDOM = "0 0 1 1 *"  # nothing is missed while failures are told
RAW, SORTED, SCORES, OTHER = (pipe(f"{name}_copy", SELDOM) for name in ("raw", "sorted", "scores", "other"))
READS = {SORTED.id: {RAW.id}, SCORES.id: {RAW.id, SORTED.id}}


def follows(one: str, other: str) -> bool:
    return other in READS.get(one, set())


def stage(*pipes: CopyPipe) -> Stage:
    made = Stage(follows=follows)
    made.has(*pipes)
    made.look(0, [job(each, -3000) for each in pipes])
    return made


def fails(stage: Stage, now: float, *pipes: CopyPipe, at: float) -> None:
    stage.look(now, [job(each, at, "error", error=MEMORY) for each in pipes])


def test_what_fails_downstream_is_listed_under_its_cause_whatever_the_order_of_the_log() -> None:
    it = stage(RAW, SORTED, SCORES, OTHER)
    fails(it, 100, SCORES, SORTED, OTHER, RAW, at=2)
    assert sorted(it.told) == [("failed", "other_copy"), ("failed", "raw_copy")]
    raw = next(i for i in it.open if i.name == "raw_copy")
    assert {i.name for i in it.open if i.under == raw.id} == {"sorted_copy", "scores_copy"}


def test_what_fails_later_downstream_is_listed_under_the_open_failure() -> None:
    it = stage(RAW, SORTED, SCORES)
    fails(it, 100, RAW, at=2)
    fails(it, 700, SORTED, at=600)
    fails(it, 1300, SCORES, at=1200)
    assert it.told == [("failed", "raw_copy")]
    assert {i.under for i in it.open} == {None, 1}


def test_what_fails_again_with_its_cause_stays_listed_there() -> None:
    it = stage(RAW, SORTED)
    fails(it, 100, RAW, SORTED, at=2)
    fails(it, 700, RAW, SORTED, at=600)
    assert it.told == [("failed", "raw_copy")]
    assert len(it.open) == 2


def empties(stage: Stage, now: float, *pipes: CopyPipe, at: float, rows: int = 0) -> None:
    runs = [job(each, at, took=10) for each in pipes]
    stage.look(now, runs, [wrote(run, rows) for run in runs])


def test_nothing_fails_because_what_it_reads_is_empty_but_it_may_be_empty_itself() -> None:
    it = stage(RAW, SORTED, SCORES)
    for night in range(1, 8):
        empties(it, 100 * night, RAW, SORTED, SCORES, at=100 * night - 50, rows=500)
    empties(it, 900, RAW, SORTED, at=840)
    fails(it, 960, SCORES, at=900)
    assert it.told == [("few", "raw_copy"), ("failed", "scores_copy")]


def test_what_is_empty_anew_stays_listed_while_another_cause_of_it_is() -> None:
    it = stage(RAW, SORTED, SCORES)
    for night in range(1, 8):
        empties(it, 100 * night, RAW, SORTED, SCORES, at=100 * night - 50, rows=500)
    empties(it, 900, RAW, SORTED, SCORES, at=840)
    empties(it, 1000, RAW, at=940, rows=500)
    empties(it, 1100, SCORES, at=1040)  # it still reads what sorted_copy left
    assert it.told == [("few", "raw_copy")]
    empties(it, 1200, SORTED, at=1140, rows=500)
    empties(it, 1300, SCORES, at=1240)
    assert it.told == [("few", "scores_copy")]


def test_a_failure_upstream_that_comes_later_is_no_cause() -> None:
    it = stage(RAW, SORTED)
    fails(it, 100, SORTED, at=2)
    fails(it, 700, RAW, at=600)
    assert it.told == [("failed", "sorted_copy"), ("failed", "raw_copy")]


def test_nor_is_one_that_is_only_seen_in_the_same_look() -> None:
    it = stage(RAW, SORTED)
    it.look(2000, [job(SORTED, 2, "error", error=MEMORY), job(RAW, 1200, "error", error=MEMORY)])
    assert it.told == [("failed", "sorted_copy"), ("failed", "raw_copy")]


def test_a_card_closes_when_all_that_it_lists_is_over() -> None:
    it = stage(RAW, SORTED)
    fails(it, 100, RAW, SORTED, at=2)
    it.look(HOUR + 100, [job(RAW, HOUR + 2)])
    assert it.told == [("failed", "raw_copy")]
    it.look(HOUR + 1000, [job(SORTED, HOUR + 600)])
    assert it.open == []


def test_a_cause_that_is_over_is_told_on_its_card_once_and_forgotten_when_it_fails_again() -> None:
    it = stage(RAW, SORTED)
    fails(it, 100, RAW, SORTED, at=2)
    it.look(800, [job(RAW, 700)])
    assert it.incidents[1].told.healed == "The copy raw_copy ran well at 00:12 UTC: it took 60 s."
    assert it.look(1000, [job(RAW, 900)]) == [], "each later run would be an edit"
    fails(it, 1200, RAW, at=1100)
    assert it.incidents[1].told.healed == ""
    assert it.told == [("failed", "raw_copy")]


def test_what_fails_anew_though_its_cause_is_over_gets_a_card_of_its_own() -> None:
    it = stage(RAW, SORTED)
    fails(it, 100, RAW, SORTED, at=2)
    it.look(HOUR + 100, [job(RAW, HOUR + 2)])
    fails(it, HOUR + 1000, SORTED, at=HOUR + 600)
    assert it.told == [("failed", "sorted_copy")]
    assert [i.name for i in it.open] == ["sorted_copy"]


def storm(many: int) -> tuple[Stage, list[CopyPipe]]:
    pipes = [pipe(f"copy_{n:03}", SELDOM) for n in range(many)]
    return stage(*pipes), pipes


def test_four_at_once_are_four_and_five_are_a_storm_on_one_card() -> None:
    it, pipes = storm(9)
    fails(it, 100, *pipes[:4], at=2)
    assert len(it.told) == 4
    it, pipes = storm(9)
    fails(it, 100, *pipes[:5], at=2)
    assert it.told == [("failed", "copy_000")]
    assert it.open[0].told.said.startswith(
        "Many copies are in trouble at once in staging, most of them for want of memory. The first: The copy copy_000"
    )


def test_a_storm_that_goes_on_takes_in_what_is_new_and_closes_with_its_last() -> None:
    it, pipes = storm(116)
    it.look(100, [job(p, 2, "error", error=MEMORY) for p in pipes[:60]])
    it.look(160, [job(p, 60, "error", error=MEMORY) for p in pipes[60:]])
    assert len(it.told) == 1
    assert len(it.open) == 116
    it.look(4000, [job(p, 3700) for p in pipes[:115]])
    assert it.told == [("failed", "copy_000")]
    assert [i.name for i in it.open] == ["copy_000", "copy_115"]
    fails(it, 4100, pipes[3], at=4050)
    assert ("failed", "copy_003") in it.told  # a few that are left of it are no storm
    it.look(9000, [job(pipes[115], 8000), job(pipes[3], 8000)])
    assert it.open == []


def test_what_has_another_cause_is_told_beside_a_storm_that_goes_on() -> None:
    it, pipes = storm(8)
    fails(it, 100, *pipes[:6], at=2)
    it.look(160, [job(pipes[6], 60, "error", error=MEMORY), job(pipes[7], 60, "error", error="permission denied")])
    assert it.told == [("failed", "copy_000"), ("failed", "copy_007")]


def test_a_storm_has_the_cause_that_most_share_for_its_head() -> None:
    it, pipes = storm(7)
    errors = ["permission denied"] * 2 + [MEMORY] * 5
    it.look(100, [job(p, 2, "error", error=e) for p, e in zip(pipes, errors, strict=True)])
    (head,) = [i for i in it.open if i.under is None]
    assert head.name == "copy_002"
    assert "Many copies are in trouble at once in staging, most of them for want of memory." in head.told.said


def test_a_storm_claims_one_reason_only_where_all_say_the_same() -> None:
    for errors, claims in ((["the moon"] * 6, True), ([f"moon {n}" for n in range(6)], False)):
        pipes = [pipe(f"copy_{n}") for n in range(6)]
        it = stage(*pipes)
        it.look(100, [job(each, 2, "error", error=error) for each, error in zip(pipes, errors, strict=True)])
        (card,) = (i for i in it.open if i.under is None)
        assert ("for one reason" in card.told.said) is claims


def test_a_storm_that_comes_back_soon_is_the_same_card() -> None:
    it, pipes = storm(8)
    fails(it, 100, *pipes, at=2)
    it.look(700, [job(p, 600) for p in pipes])
    assert it.open == []
    fails(it, 1300, *pipes, at=1200)
    assert len(it.told) == 1
    assert len(it.incidents) == 8


def test_nothing_is_listed_where_nobody_hears_of_it() -> None:
    it = stage(RAW, SORTED)
    it.silenced = {RAW.id}
    fails(it, 100, RAW, SORTED, at=2)
    assert it.told == [("failed", "sorted_copy"), ("failed", "raw_copy")]

    it, pipes = storm(9)
    it.silenced = {pipes[0].id}
    fails(it, 100, *pipes[:5], at=2)
    assert len(it.told) == 5
    fails(it, 700, *pipes[5:], at=600)
    assert len(it.told) == 9


def waits(stage: Stage, now: float, *pipes: CopyPipe, at: float) -> None:
    stage.look(now, [job(each, at, "waiting") for each in pipes])


def test_those_that_find_no_copy_slot_are_told_on_one_card_whenever_each_is_found() -> None:
    pipes = [pipe(f"copy_{n}", f"{n} */6 * * *") for n in range(8)]
    it = stage(*pipes)
    for n, each in enumerate(pipes):
        waits(it, 60 * n, each, at=60 * n)
    for n in range(8):
        it.look(HOUR + 60 * n)
        assert it.told == [("queued", "copy_0")]
    assert len(it.open) == 8
    it.look(HOUR + 700, [job(pipes[0], 0, waited=HOUR + 600)])
    assert it.told == [("queued", "copy_0")]
    assert it.incidents[1].told.healed == "The copy copy_0 has begun a run at 00:00 UTC."


def test_who_finds_no_slot_long_after_the_others_is_told_anew() -> None:
    early, late = pipe("early_copy", "0 */12 * * *"), pipe("late_copy", "0 3,15 * * *")
    it = stage(early, late)
    waits(it, 60, early, at=2)
    waits(it, 3 * HOUR + 60, late, at=3 * HOUR)
    it.look(4 * HOUR + 1)
    assert it.told == [("queued", "early_copy"), ("queued", "late_copy")]


def test_a_pipe_that_was_made_anew_is_not_called_deleted() -> None:
    old, new = pipe("a_copy"), replace(pipe("a_copy"), id="t_new")
    it = stage(old)
    fails(it, 100, old, at=2)
    it.remove(old)
    it.has(new)
    (closed,) = (change for change in it.look(200) if isinstance(change, Closed))
    assert closed.said == "The copy a_copy was made anew since: its next run says how it is."
