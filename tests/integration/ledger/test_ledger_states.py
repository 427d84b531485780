"""A machine that tries every event on every run: only what DESIGN §5 draws happens, and it leaves its marks."""

from collections.abc import Callable
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ledger import audit, messages, runs, states
from ledger.connection import Conn
from ledger.errors import NotThatState
from ledger.values import FINISHED
from tests.support.ledger_story import asked, proposed

pytestmark = pytest.mark.integration

# Drawn from the design by hand, not from the code's table.
RUN_ARROWS = {
    "planning": {"refused", "proposed"},
    "proposed": {"running", "expired", "rejected", "proposed"},
    "running": {"paused", "held", "succeeded", "restoring", "proposed"},
    "paused": {"running", "restoring"},
    "held": {"running", "restoring"},
    "restoring": {"failed", "aborted", "expired"},
}
STEP_ARROWS = {
    "waiting": {"gated", "skipped"},
    "gated": {"ready", "done", "skipped"},
    "ready": {"acting", "done", "failed", "skipped"},
    "acting": {"done", "failed"},
    "failed": {"ready"},
}
RUN_EVENTS = sorted({event for _, event, _ in states.RUN})
STEP_EVENTS = sorted({event for _, event, _ in states.STEP})


class Walk(RuleBasedStateMachine):
    conn: ClassVar[Conn]

    @initialize()
    def ask(self) -> None:
        self.run = proposed(self.conn, blocks=("approve", "approve"))
        self.conn.execute("UPDATE ledger.run SET state = 'planning' WHERE id = %s", [self.run])
        self.state = "planning"
        self.steps = ["gated", "gated", "waiting", "waiting"]

    def marks(self) -> tuple[int, int, int]:
        root = messages.root(self.conn, self.run)
        assert root is not None
        return runs.get(self.conn, self.run).run.rev, root.wanted_rev, len(audit.about(self.conn, f"run/{self.run}"))

    def tried(self, move: Callable[[], str], arrows: dict[str, set[str]], known: str | None) -> str | None:
        """The state after the move, or None if it was refused; what it left behind is checked here."""
        before, after = self.marks(), None
        try:
            with self.conn.transaction():
                after = move()
        except NotThatState as refused:
            said = refused.state
        else:
            said = known
        assert said == known
        assert after is None or after in arrows[known or ""]
        assert self.marks() == tuple(mark + (after is not None) for mark in before)
        return after

    @rule(event=st.sampled_from(RUN_EVENTS))
    def move_run(self, event: str) -> None:
        after = self.tried(lambda: states.move_run(self.conn, self.run, event), RUN_ARROWS, self.state)
        self.state = after or self.state

    @rule(event=st.sampled_from(STEP_EVENTS), number=st.integers(1, 5))
    def move_step(self, event: str, number: int) -> None:
        known = self.steps[number - 1] if number <= len(self.steps) else None
        after = self.tried(lambda: states.move_step(self.conn, self.run, "plan", number, event), STEP_ARROWS, known)
        if after:
            self.steps[number - 1] = after

    @invariant()
    def stored_is_what_was_said(self) -> None:
        if not hasattr(self, "state"):
            return
        view = runs.get(self.conn, self.run)
        assert view.run.state == self.state
        assert [step.state for step in view.steps] == self.steps
        assert (view.run.finished_at is not None) == (self.state in FINISHED)

    def teardown(self) -> None:
        assert isinstance(audit.verify(self.conn), audit.Sound)


def test_only_the_designs_arrows_can_be_walked(conn: Conn) -> None:
    Walk.conn = conn
    settled = settings(max_examples=20, stateful_step_count=25, deadline=None, print_blob=True)
    run_state_machine_as_test(Walk, settings=settled)


def test_every_arrow_of_the_design_is_in_the_table() -> None:
    def drawn(table: tuple[tuple[str, str, str], ...]) -> dict[str, set[str]]:
        return {before: {after for start, _, after in table if start == before} for before, _, _ in table}

    assert drawn(states.RUN) == RUN_ARROWS
    assert drawn(states.STEP) == STEP_ARROWS


def test_a_missing_run_or_step_is_said_to_be_missing(conn: Conn) -> None:
    with pytest.raises(NotThatState, match="run 99 cannot pause: it is not there; nothing was changed"):
        states.move_run(conn, 99, "pause")


def test_a_restore_entry_goes_its_own_way(conn: Conn) -> None:
    run = asked(conn)
    conn.execute(
        "INSERT INTO ledger.step (run, phase, number, op, params, title, state)"
        " SELECT %(run)s, 'restore', number, 'x/1', '{}', 'X', 'listed' FROM generate_series(1, 3) AS number",
        {"run": run},
    )
    with conn.transaction():
        assert states.move_step(conn, run, "restore", 1, "act") == "acting"
        assert states.move_step(conn, run, "restore", 1, "finish") == "done"
        assert states.move_step(conn, run, "restore", 2, "leave", said="The table is not proven.") == "left"
        assert states.move_step(conn, run, "restore", 3, "leave") == "left"
        assert states.move_step(conn, run, "restore", 3, "strike") == "struck"
    with pytest.raises(NotThatState):
        states.move_step(conn, run, "restore", 2, "finish")
    assert [step.said for step in runs.get(conn, run).restore] == ["", "The table is not proven.", ""]
