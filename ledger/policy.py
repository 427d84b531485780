"""Who may do what: a pure answer from the environment's rules. Only ``ledger.decisions`` asks.

Default deny. An actor of the command line may nothing unless a rule names that very id; ``*`` means anybody
in the Slack workspace. A group counts only while what is known of it is fresh.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, assert_never

from config.settings import Rules
from ledger.values import Gate, Run

Action = Literal[
    "request", "approve", "reject", "pause", "resume", "abort", "retry", "accept", "restore",
    "freeze", "unfreeze", "incident", "operate",
]  # fmt: skip


@dataclass(frozen=True)
class Actor:
    """``slack:<team>:<user>`` or ``cli:<os user>``. ``groups`` are the ids (``S…``) of the user groups that the
    person was in at ``groups_at`` (machine's clock); None: nothing is known of groups."""

    id: str
    groups: frozenset[str] = frozenset()
    groups_at: datetime | None = None

    @property
    def user(self) -> str | None:
        """The Slack user id, None for the command line."""
        kind, _, rest = self.id.partition(":")
        return rest.rpartition(":")[2] if kind == "slack" else None


@dataclass(frozen=True)
class Allowed:
    pass


@dataclass(frozen=True)
class Denied:
    """``sentence`` is for the actor."""

    sentence: str


def person(actor: str) -> str:
    """An actor as messages name it: a Slack mention, or "ana on the command line"."""
    kind, _, rest = actor.partition(":")
    match kind:
        case "slack":
            return f"<@{rest.rpartition(':')[2]}>"
        case "cli":
            return f"{rest} on the command line"
        case _:
            return actor


def authorize(rules: Rules, actor: Actor, action: Action, run: Run | None, *, now: datetime) -> Allowed | Denied:
    """Whether ``actor`` may do ``action`` (on ``run``, where it is about one). ``now`` is the machine's clock."""
    own = run is not None and run.requester == actor.id
    match action:
        case "request" | "freeze":
            return _among(rules, actor, (*rules.request, *rules.approve), _verb(action), now)
        case "incident":
            return _among(rules, actor, (*rules.request, *rules.approve, *rules.operate), _verb(action), now)
        case "unfreeze":
            return _among(rules, actor, rules.approve, _verb(action), now)
        case "operate":
            return _among(rules, actor, rules.operate, _verb(action), now)
        case "approve" | "accept":
            alone = rules.operate if run is not None and of_copies(run) else ()
            if own and not rules.self_approval:
                others = tuple(entry for entry in rules.approve if entry != (actor.user or actor.id))
                if isinstance(_among(rules, actor, alone, _verb(action), now), Allowed):
                    return Allowed()
                return Denied(f"You asked for this run, so somebody else must {action} it: {names(others)}.")
            return _among(rules, actor, (*rules.approve, *alone), _verb(action), now)
        case "reject" | "pause" | "resume" | "abort" | "retry" | "restore":
            # stopping and going on with one's own run needs no more than having been allowed to ask for it
            entries = (*rules.approve, *rules.request) if own else rules.approve
            entries = (*entries, *rules.operate) if run is not None and of_copies(run) else entries
            return _among(rules, actor, entries, _verb(action), now)
        case _:
            assert_never(action)


def of_copies(run: Run) -> bool:
    """Whether it runs, pauses or resumes copies, and does nothing else."""
    return dict(run.request.get("job") or {}).get("kind") == "copy"


def approvals_needed(rules: Rules, gates: Sequence[Gate]) -> int:
    """How many distinct people must approve a block with these gates."""
    return max(rules.strong_approvals, rules.approvals) if "strong" in gates else rules.approvals


def outside_windows(rules: Rules, now: datetime) -> str | None:
    """The windows in which runs may act, when ``now`` (the calendar's) is in none of them; else None."""
    windows = rules.parsed_windows
    if not windows or any(window.open_at(now) for window in windows):
        return None
    return ", ".join(rules.windows)


def names(entries: Sequence[str]) -> str:
    """A rule's entries as people read them: "<@U1>, <!subteam^S2> or anybody in the workspace"."""
    told = [_name(entry) for entry in dict.fromkeys(entries)]
    if not told:
        return "nobody, by the rules of this environment"
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} or {told[-1]}"


def _name(entry: str) -> str:
    if entry == "*":
        return "anybody in the workspace"
    if entry.startswith("cli:"):
        return person(entry)
    return f"<!subteam^{entry}>" if entry.startswith("S") else f"<@{entry}>"


def _among(rules: Rules, actor: Actor, entries: Sequence[str], verb: str, now: datetime) -> Allowed | Denied:
    entries = tuple(dict.fromkeys(entries))
    if actor.user is None:
        # a rule for anybody or for a group means people of the workspace, whom Slack has identified
        allowed = actor.id in entries and actor.id.startswith("cli:")
        return Allowed() if allowed else _denied(entries, verb)
    if actor.user in entries or "*" in entries:
        return Allowed()
    groups = {entry for entry in entries if entry.startswith("S")}
    if groups and not _fresh(actor, rules.group_age_s, now):
        who = names(sorted(groups))
        return Denied(f"Whether you are in {who} is not known at the moment, so nothing was done; try again.")
    return Allowed() if groups & actor.groups else _denied(entries, verb)


def _fresh(actor: Actor, most_s: int, now: datetime) -> bool:
    return actor.groups_at is not None and abs((now - actor.groups_at).total_seconds()) <= most_s


def _denied(entries: tuple[str, ...], verb: str) -> Denied:
    return Denied(f"You may not {verb}; those who may: {names(entries)}.")


def _verb(action: Action) -> str:
    match action:
        case "request":
            return "ask for runs here"
        case "incident":
            return "answer for incidents here"
        case "freeze" | "unfreeze":
            return f"{action} this environment"
        case "operate":
            return "run, pause and resume copies here alone"
        case "accept":
            return "accept this and continue"
        case "restore":
            return "stop this run and put things back"
        case _:
            return f"{action} this run"
