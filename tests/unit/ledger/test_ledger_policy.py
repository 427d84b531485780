"""Who may: default deny, and every sentence names those who may."""

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from config.settings import Rules
from ledger.policy import Action, Actor, Allowed, Denied, approvals_needed, authorize, names, outside_windows, person
from ledger.values import Run

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)  # a Monday
BEN = Actor("slack:T1:UBEN")
ACTIONS: tuple[Action, ...] = get_args(Action)


DECIDED: tuple[Action, ...] = ("approve", "reject", "pause", "resume", "abort", "retry", "accept", "restore")


def run(requester: str, request: dict[str, Any]) -> Run:
    """A run of somebody's, as far as a rule asks about it."""
    given: dict[str, Any] = dict.fromkeys(Run.__dataclass_fields__) | {"requester": requester, "request": request}
    return Run(**given)


def allowed(rules: Rules, actor: Actor, action: Action = "approve") -> bool:
    return isinstance(authorize(rules, actor, action, None, now=NOW), Allowed)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    "actor", [BEN, Actor("cli:root"), Actor("slack:T1:"), Actor(""), Actor("UBEN"), Actor("web:UBEN")]
)
def test_without_a_rule_nobody_may_anything(action: Action, actor: Actor) -> None:
    assert not allowed(Rules(), actor, action)


def test_a_rule_names_a_user_a_group_or_anybody() -> None:
    assert allowed(Rules(approve=("UBEN",)), BEN)
    assert not allowed(Rules(approve=("UCHEN",)), BEN)
    assert allowed(Rules(approve=("*",)), BEN)
    assert allowed(Rules(approve=("S1",)), Actor(BEN.id, frozenset({"S1"}), NOW))
    assert not allowed(Rules(approve=("S1",)), Actor(BEN.id, frozenset({"S2"}), NOW))


@pytest.mark.parametrize("rule", ["*", "U1", "ana", "cli:anna", "cli:", "cli:*", "S1"])
def test_the_command_line_may_nothing_unless_named_by_that_very_id(rule: str) -> None:
    ana = Actor("cli:ana", frozenset({"S1"}), NOW)
    assert not allowed(Rules(request=(rule,), approve=(rule,)), ana)
    assert allowed(Rules(approve=("cli:ana",)), ana)


def test_a_name_of_the_command_line_does_not_make_a_slack_user() -> None:
    assert not allowed(Rules(approve=("cli:ana",)), Actor("slack:T1:cli:ana"))
    assert not allowed(Rules(approve=("UBEN",)), Actor("cli:UBEN"))


@pytest.mark.parametrize("groups_at", [None, NOW - timedelta(seconds=901), NOW + timedelta(seconds=901)])
def test_old_knowledge_of_groups_counts_as_none_and_says_so(groups_at: datetime | None) -> None:
    stale = Actor(BEN.id, frozenset({"S1"}), groups_at)
    answer = authorize(Rules(approve=("S1",)), stale, "approve", None, now=NOW)
    assert isinstance(answer, Denied)
    assert "Whether you are in <!subteam^S1> is not known at the moment" in answer.sentence
    assert allowed(Rules(approve=("S1", "UBEN")), stale)  # named directly: groups do not matter


def test_whoever_may_ask_may_not_approve_or_unfreeze() -> None:
    rules = Rules(request=("UBEN",), approve=("UCHEN",))
    assert [action for action in ACTIONS if allowed(rules, BEN, action)] == ["request", "freeze", "incident"]


def test_a_denial_names_who_may() -> None:
    ben = Actor(BEN.id, frozenset(), NOW)
    answer = authorize(Rules(approve=("UCHEN", "S1", "cli:ops")), ben, "unfreeze", None, now=NOW)
    assert answer == Denied(
        "You may not unfreeze this environment; those who may: <@UCHEN>, <!subteam^S1> or ops on the command line."
    )
    assert names([]) == "nobody, by the rules of this environment"


def test_a_destructive_step_never_needs_fewer_approvals_than_others() -> None:
    rules = Rules(approvals=3, strong_approvals=2)
    assert approvals_needed(rules, ["approve", "none"]) == 3
    assert approvals_needed(rules, ["none", "strong"]) == 3
    assert approvals_needed(Rules(), ["strong", "none"]) == 2


def test_windows_are_named_when_shut() -> None:
    rules = Rules(windows=("Mon-Fri 08:00-18:00 Europe/Berlin", "Sat 10:00-12:00 UTC"))
    assert outside_windows(rules, NOW) is None
    assert outside_windows(rules, NOW + timedelta(hours=6)) == ", ".join(rules.windows)
    assert outside_windows(Rules(), NOW) is None


def test_people_are_named_as_messages_name_them() -> None:
    assert person("slack:T1:UBEN") == "<@UBEN>"
    assert person("cli:ana") == "ana on the command line"
    assert person("tbops") == "tbops"


def test_who_may_operate_copies_may_decide_on_runs_of_copies_and_on_nothing_else() -> None:
    rules = Rules(request=("UANA",), approve=("UCHEN",), operate=("UBEN",))
    assert [action for action in ACTIONS if allowed(rules, BEN, action)] == ["incident", "operate"]
    of_copies = {"job": {"kind": "copy", "pipe": "x", "deed": "run"}}
    for requester in (BEN.id, "slack:T1:UANA"):
        mine = [a for a in DECIDED if isinstance(authorize(rules, BEN, a, run(requester, of_copies), now=NOW), Allowed)]
        assert mine == list(DECIDED)
    other = {"job": {"kind": "migrate"}}
    assert isinstance(authorize(rules, BEN, "approve", run("slack:T1:UANA", other), now=NOW), Denied)


def test_who_asked_for_a_copy_and_may_not_operate_still_cannot_approve_it() -> None:
    rules = Rules(request=("UBEN",), approve=("UBEN",), operate=("UCHEN",))
    mine = run(BEN.id, {"job": {"kind": "copy"}})
    answer = authorize(rules, BEN, "approve", mine, now=NOW)
    assert isinstance(answer, Denied)
    assert answer.sentence.startswith("You asked for this run")
