"""Cards: what people read in each state, and that no plan, however large or hostile, breaks Slack's limits."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.cards import home, notices, progress, run
from bot.cards.answers import plan_file
from bot.cards.buttons import PROPOSES, read_value
from bot.cards.check import characters, troubles
from bot.grammar.forms import NAMES
from ledger.values import Decision, Run, RunState, RunView, StepRow
from runbooks.plan import DriftRow, Estimate, Hazard, HoldLimit, Plan, PlannedStep, Reader
from tests.support.bot_stage import plan, step

NOW = datetime(2026, 11, 22, 10, 5, tzinfo=UTC)
ANA, BEN = "slack:T1:U0ANA0001", "slack:T1:U0BEN0001"
PEOPLE = {ANA: "ana", BEN: "ben"}


def view(state: RunState = "proposed", made: Plan | None = None, *, done: int = 0, **given: Any) -> RunView:
    """A run with the first ``done`` steps over and the next one at its gate."""
    made = made or plan()
    rows = tuple(_row(number, s, done) for number, s in enumerate(made.steps, 1))
    decisions = given.pop("decisions", ())
    restore = given.pop("restore", ())
    columns: dict[str, Any] = dict.fromkeys(Run.__dataclass_fields__)
    columns |= {
        "id": 7, "environment": "sandbox", "command": "migrate members add field nickname text", "requester": ANA,
        "request": {"job": {"kind": "migrate", "datasources": ["members"],
                            "change": {"kind": "add fields", "fields": [{"name": "nickname"}]}}},
        "state": state, "wanted": "run", "reason": "", "world": {}, "found": {}, "acknowledged": [], "fence": 0,
        "rev": 1,
        "created_at": NOW - timedelta(minutes=5), "plan": made.to_json(), "hash": made.hash,
        "started_at": NOW - timedelta(minutes=4) if done else None, **given,
    }  # fmt: skip
    return RunView(Run(**columns), rows, tuple(restore), tuple(decisions), (), (), NOW)


def _row(number: int, planned: PlannedStep, done: int, phase: Any = "plan", state: Any = None, **more: Any) -> StepRow:
    columns: dict[str, Any] = dict.fromkeys(StepRow.__dataclass_fields__)
    now = "done" if number <= done else "gated" if number == done + 1 else "waiting"
    columns |= planned.model_dump() | {
        "run": 7, "phase": phase, "number": number, "state": state or now, "memo": {}, "said": "", "acts": 0, **more,
    }  # fmt: skip
    return StepRow(**columns)


def shown(card: Any) -> str:
    return f"{card.text}\n{card.blocks}"


def labels(card: Any) -> list[str]:
    return [e["text"]["text"] for b in card.blocks if b["type"] == "actions" for e in b["elements"]]


def test_a_proposed_card_says_who_what_where_and_what_is_asked() -> None:
    card = run.root(view(), PEOPLE)
    assert card.text == (
        "Run 7 (migrate members add field nickname text): Waiting for approval of step 1. "
        "5 steps by recreate; ingestion is held for about 40 s."
    )
    for said in (
        "Run 7 · add nickname to members",
        "ana",
        "*sandbox*",
        "ingestion held for about *40 s*",
        "`swap`",
        "ALTER TABLE",
    ):
        assert said in shown(card)
    assert labels(card) == ["Approve step 1", "Approve up to step 5", "Reject"]
    said = shown(run.whole(view()))
    assert "slot restart 15 s + drain 25 s" in said
    assert "`swap`: nothing to derive" in said
    assert "3. Recreate members" in said


def test_far_steps_are_one_line_and_a_hold_covers_only_what_lies_in_it() -> None:
    held = [step("x/1", f"Held {n}", 2, gate="strong" if n == 2 else "none", hold=1) for n in range(2, 13)]
    tail = [step("x/1", f"Tail {n}", 2, gate="none") for n in range(13, 18)]
    made = plan(steps=(step("x/1", "First", 1), *held, *tail))
    made = made.model_copy(update={"holds": (HoldLimit(hold=1, budget_s=3600, formula="x"),)})
    far = shown(run.root(view("proposed", made), PEOPLE))
    assert "2–12. *Hold* of 11 steps, must end within 60 min, from: Held 2" in far
    assert "13–17. 5 steps, from: Tail 13" in far
    asked = shown(run.root(view("running", made, done=1), PEOPLE))
    assert "*Hold*, steps 2–12" in asked
    assert "7. Held 7" in asked
    assert "*Steps 13–17*, under the same approval" in asked
    doing = view("running", made, done=6)
    doing = replace(doing, steps=tuple(replace(s, state="acting") if s.number == 7 else s for s in doing.steps))
    near = shown(run.root(doing, PEOPLE))
    assert "2–5. Done" in near
    assert "7. Held 7" in near
    assert "… 2 more" in near
    assert "Held 12" not in near


def test_a_button_says_how_many_people_it_still_needs() -> None:
    made = plan()
    assert labels(run.root(view("running", made, done=4), PEOPLE, {3: 2}))[0] == "Approve step 5 (2 people needed)"
    one = view("running", made, done=4, decisions=[_approval(3, made.hash)])
    assert labels(run.root(one, PEOPLE, {3: 1}))[0] == "Approve step 5 (1 more needed)"


def test_a_hold_is_one_button_and_its_dialog_names_the_hold() -> None:
    made = plan().model_copy(update={"holds": (HoldLimit(hold=1, budget_s=240, formula="x"),)})
    card = run.root(view("running", made, done=1), PEOPLE)
    assert labels(card)[0] == "Approve steps 2–4"
    assert "at most 4 min" in shown(card)
    value = next(e["value"] for b in card.blocks if b["type"] == "actions" for e in b["elements"])
    pressed = read_value(value)
    assert pressed is not None
    assert (pressed.run, pressed.step, pressed.hash) == (7, 2, made.hash)


def test_held_by_drift_shows_key_expected_and_found() -> None:
    held = {"key": "sequin/sink/members_sink/status", "expected": "paused", "found": "active"}
    card = run.root(view("held", done=2, held=held, reason="somebody resumed the sink"), PEOPLE)
    assert labels(card) == ["Accept and continue", "Stop and restore"]
    assert (
        "`sequin/sink/members_sink/status` is not as the run left it: expected `paused`, found `active`." in card.text
    )


def test_held_by_a_failure_offers_another_try() -> None:
    assert labels(run.root(view("held", done=2, reason="Sequin answered 500"), PEOPLE)) == [
        "Try again",
        "Stop and restore",
    ]


def test_success_shows_the_proof_the_measured_hold_and_what_is_left() -> None:
    proof = {"rows": 500_001, "ghosts": 3, "columns": ["nickname"], "not_proven": ["isBot"]}
    kept = {"of": "members", "name": "members__before_run_7", "retire": "2026-11-29"}
    found = {"proven": ["members"], "proof": proof, "kept": kept}
    seen = view("succeeded", done=5, finished_at=NOW, found=found)
    times = {2: (NOW - timedelta(seconds=200), NOW), 4: (NOW, NOW - timedelta(seconds=40))}
    steps = [
        replace(s, said=f"Came of {s.number}.", started_at=times.get(s.number, (None, None))[0],
                finished_at=times.get(s.number, (None, None))[1])
        for s in seen.steps
    ]  # fmt: skip
    card = run.root(replace(seen, steps=tuple(steps)), PEOPLE)
    assert "Done and proven in 4 min." in card.text
    assert "Done in 4 min." in run.root(replace(seen, run=replace(seen.run, found={}), steps=tuple(steps)), PEOPLE).text
    assert labels(card) == []
    for said in (
        "all 500,001 rows of `members` equal Postgres in `nickname`",
        "*Not compared*: `isBot`",
        "3 rows in Tinybird only",
        "ingestion for 3 min from 10:01 UTC (about 40 s was planned)",
        "the old `members` as `members__before_run_7` until 2026-11-29",
        "drop `members__before_run_7` after that day",
        "All 5 steps are done",
    ):
        assert said in shown(card)
    assert "Came of 3." in shown(notices.event(replace(seen, steps=tuple(steps)), "succeeded", PEOPLE))


def test_a_run_that_held_nothing_says_so() -> None:
    proof = step("proof.values/1", "Prove members", 1, gate="none")
    seen = view("succeeded", plan(steps=(step("postgres.alter/1", "Alter", 1), proof)), done=2, finished_at=NOW)
    steps = (seen.steps[0], replace(seen.steps[1], said="500,001 rows are equal in 3 rounds."))
    card = shown(run.root(replace(seen, steps=steps), PEOPLE))
    assert "*Held*: nothing" in card
    assert "*Left to do*: nothing" in card
    assert "500,001 rows are equal" in card


REPOSITORY, OFFER = "acme/platform", "Open a pull request"


def ended(state: RunState = "succeeded", kind: str = "migrate", **files: str) -> RunView:
    made = plan().model_copy(update={"request": {"kind": kind}, "datafiles": files})
    return view(state, made, done=5, finished_at=NOW)


def test_what_a_run_made_can_be_offered_where_there_is_a_repository() -> None:
    for kind in ("migrate", "replicate", "revert", "finish"):
        card = run.root(ended(kind=kind, members="x", sql="y"), PEOPLE, repository=REPOSITORY)
        assert labels(card) == [OFFER]
        assert "its 2 files can go to `acme/platform` by a pull request, by `/tb propose 7`" in shown(card)
        (pressed,) = (e for b in card.blocks if b["type"] == "actions" for e in b["elements"])
        assert pressed["action_id"] == PROPOSES
        assert read_value(pressed["value"])


@pytest.mark.parametrize(
    ("seen", "repository"),
    [
        (ended(members="x"), ""),
        (ended(), REPOSITORY),
        (ended(kind="propose", members="x"), REPOSITORY),
        (ended("aborted", members="x"), REPOSITORY),
    ],
)
def test_nothing_is_offered_without_a_repository_a_file_or_success(seen: RunView, repository: str) -> None:
    card = run.root(seen, PEOPLE, repository=repository)
    assert OFFER not in labels(card)
    assert "/tb propose" not in shown(card)


def test_an_aborted_run_says_what_was_put_back_and_what_was_left_and_why() -> None:
    rows = [
        _row(1, step("sequin.sink.set/1", "Resume the Sequin sink members_sink", 0), 0, "restore", "done"),
        _row(
            2,
            step("tinybird.copy.resume/1", "Resume members_copy", 0),
            0,
            "restore",
            "left",
            said="members is not proven",
        ),
    ]
    card = run.root(view("aborted", done=2, restore=rows, finished_at=NOW), PEOPLE)
    assert "1 thing was left as found" in card.text
    assert "Resume members_copy – members is not proven" in shown(card)
    assert "Put back" in shown(card)


def test_what_the_run_never_came_to_is_not_called_done() -> None:
    made = plan(steps=(step("x/1", "First", 1), *(step("x/1", f"Later {n}", 2) for n in range(2, 6))))
    ended = view("aborted", made, done=1)
    steps = (ended.steps[0], *(replace(s, state="skipped") for s in ended.steps[1:]))
    card = shown(run.root(replace(ended, steps=steps), PEOPLE))
    assert "2–5. Not begun" in card
    assert "2–5. Done" not in card


def test_an_aborted_run_says_who_ended_it() -> None:
    at = NOW - timedelta(minutes=2)
    by = Decision(1, 7, None, "abort", BEN, "", "", None, at, None, ())
    card = run.root(view("aborted", done=2, decisions=[by], reason="It was aborted"), PEOPLE)
    assert "Aborted by ben." in card.text
    assert "It was aborted" not in card.text


def test_a_pause_that_is_asked_for_can_be_taken_back_and_does_not_hide_the_abort() -> None:
    done = view("running", done=1, wanted="pause")
    doing = replace(done, steps=tuple(replace(s, state="acting") if s.number == 2 else s for s in done.steps))
    assert labels(run.root(doing, PEOPLE))[-2:] == ["Resume", "Abort"]


def test_a_plan_made_again_says_why_it_waits_anew() -> None:
    why = "What the plan relied on has changed, so it was made again"
    assert why in run.root(view("proposed", reason=why), PEOPLE).text


def test_words_that_people_typed_ping_no_group_and_nobody() -> None:
    typed = "<@U0BEN0001> rejected it: <!subteam^S0APPROVE> <!here> <@U0BEN0001>"
    card = run.root(view("rejected", reason=typed), PEOPLE)
    told = notices.alert({"text": typed}, PEOPLE)
    for said in (shown(card), shown(told)):
        assert "ben rejected it: &lt;!subteam^S0APPROVE&gt; &lt;!here&gt; ben" in said
        assert "<!" not in said
        assert "<@" not in said


def test_approvals_name_people_and_times_and_older_plans() -> None:
    made = plan()
    given_ = [_approval(1, made.hash), _approval(1, "0" * 64)]
    card = run.root(view("running", made, done=1, decisions=given_), PEOPLE)
    assert "step 1 approved by ben at 10:03 UTC" in shown(card)
    assert "for an older plan" in shown(card)


def test_one_of_two_approvals_says_that_somebody_else_is_needed() -> None:
    made = plan()
    card = run.root(view("running", made, done=4, decisions=[_approval(3, made.hash)]), PEOPLE)
    assert "ben approved it; one more person must." in card.text


def _approval(block: int, hash_: str) -> Decision:
    at = NOW - timedelta(minutes=2)
    return Decision(1, 7, block, "approve", BEN, hash_, "", None, at, None, ())


@pytest.mark.parametrize("state", get_args(RunState))
def test_every_state_has_a_sentence_and_fits(state: RunState) -> None:
    card = run.root(view(state, done=2, reason="because <@U0BEN0001> said <!channel>"), PEOPLE)
    assert troubles(card) == []
    assert card.text.startswith("Run 7 (")
    assert "<!channel>" not in shown(card)
    assert card.text.endswith((".", "?", "!", ")"))


def test_progress_has_bar_amount_rate_and_time_left() -> None:
    planned = step("sequin.backfill/1", "Backfill members", 1, long=True)
    seen = view("running", plan(steps=(planned,)), done=0)
    acting = replace(
        seen.steps[0], state="acting", started_at=NOW - timedelta(seconds=100),
        progress={"done": 25_000, "total": 100_000, "unit": "rows"},
    )  # fmt: skip
    card = progress.progress(replace(seen, steps=(acting,)), 1)
    assert "25,000 of 100,000 rows · 250 rows/s · about 5 min left." in card.text
    assert "25 %" in shown(card)


def test_a_later_gate_and_an_event_that_is_over_speak_in_the_past() -> None:
    assert "waits for approval of steps 2–4" in notices.gate(view("running", done=1), 2).text
    assert "has been decided" in notices.gate(view("running", done=4), 2).text
    assert "was held here; it is running now" in notices.event(view("running", done=2), "held", PEOPLE).text


def test_help_and_lists_fit() -> None:
    for name in (None, *NAMES):
        assert troubles(notices.help_page(name)) == []
    many = [replace(view().run, id=n, command="x" * 900) for n in range(1, 60)]
    assert troubles(home.listing(many, PEOPLE, NOW)) == []
    assert "and 39 more" in str(home.home(many, PEOPLE, NOW))


@pytest.mark.parametrize(
    "value", ["", "v1|1|1", "v1|a|1|ff", "v1|1|1|zz", "v1|١|1|ff", "v1|1|1|" + "f" * 65, "v2|1|1|ff"]
)
def test_a_value_not_made_here_is_not_read(value: str) -> None:
    assert read_value(value) is None


WILD = st.text(alphabet=st.sampled_from("ab <>&`*_\n\u202e\x00é|@!#😀"), max_size=400)
HAZARDS = st.builds(
    Hazard, slug=WILD, level=st.sampled_from(["error", "warning", "note"]), resource=WILD, message=WILD, fix=WILD
)
READERS = st.builds(Reader, name=WILD, kind=st.just("copy"), direct=st.booleans(), schedule=WILD, mode=WILD)


DRIFTED = st.builds(
    DriftRow, resource=WILD, git=WILD, elsewhere=st.fixed_dictionaries({"staging": WILD}), diffs=st.just({"p": "-x"})
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    count = draw(st.integers(1, 70))
    gates = draw(st.lists(st.sampled_from(["approve", "strong"]), min_size=count, max_size=count))
    title = draw(WILD)
    steps = tuple(step("x/1", f"{title}{n}", n, gate=g, hold=n % 5 or None) for n, g in enumerate(gates, 1))
    return plan(steps=steps).model_copy(
        update={
            "hazards": tuple(draw(st.lists(HAZARDS, max_size=30))),
            "readers": tuple(draw(st.lists(READERS, max_size=30))),
            "sql": tuple(draw(st.lists(WILD, max_size=30))),
            "inferred": tuple(draw(st.lists(WILD, max_size=12))),
            "stale": Estimate(seconds=draw(st.integers(0, 10**7)), formula=draw(WILD)),
            "ghosts": draw(WILD),
            "drift": tuple(draw(st.lists(DRIFTED, max_size=20))),
            "diffs": draw(st.dictionaries(st.sampled_from(["a", "b.pipe", "c.datasource"]), WILD)),
        }
    )


@settings(max_examples=80, deadline=None)
@given(plans(), st.sampled_from(get_args(RunState)), st.integers(0, 70), WILD)
def test_no_plan_breaks_the_limits_or_pings(made: Plan, state: RunState, done: int, reason: str) -> None:
    seen = view(state, made, done=min(done, len(made.steps)), reason=reason)
    card = run.root(seen, PEOPLE)
    assert troubles(card) == []
    assert sum(characters(b) for b in card.blocks) <= 12_000
    assert not [text for text in _marked_up(card.blocks) if "<!" in text]
    assert plan_file(seen).content
    assert troubles(run.whole(seen)) == []
    assert troubles(notices.event(seen, state, PEOPLE)) == []


def _marked_up(part: Any) -> list[str]:
    """Texts in which Slack reads mentions; a button's and a dialog's are plain."""
    if isinstance(part, list | tuple):
        return [text for each in part for text in _marked_up(each)]
    if not isinstance(part, dict):
        return []
    if part.get("type") == "mrkdwn":
        return [part["text"]]
    return [text for value in part.values() for text in _marked_up(value)]
