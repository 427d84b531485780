"""`tbops demo`: the main job, played by its people from the command to the proof.

Somebody asks, two approve, people write to the table all the while; it is done once as the planner chooses
and once by rebuilding the table. The exit code is 0 only if everything holds that the end establishes.
"""

import sys
import time
from collections.abc import Mapping
from typing import Any

from tbops.demo.checks import Finding, findings
from tbops.demo.stage import DemoFailed, Stage
from tbops.demo.thread import Thread, buttons, say
from tbops.demo.watcher import Watcher
from tbops.demo.writer import Writer

PATIENCE_S = 180.0
OVER = ("succeeded", "failed", "aborted", "refused", "rejected", "expired")
FIRST, SECOND = "nickname", "pronouns"


def play(*, speed: float) -> int:
    """Play it; returns the exit code."""
    began = time.monotonic()
    try:
        with Stage(speed=speed) as stage:
            say(
                "",
                f"A platform of its own, its clock {speed:g} times as fast as yours. It all happens in #migrations of",
            )
            say("", f"its Slack; see it in a browser while it lasts: {stage.page}")
            say("", "Ana asks, Ben and Chen approve. People insert, update and delete rows of members all the while.")
            found = _story(stage)
            say("", "")
            say("", "What the systems say at the end:")
            for finding in found:
                say("✓" if finding.holds else "✗", finding.said)
            say("", f"{time.monotonic() - began:.0f} s in all.")
            return 0 if all(finding.holds for finding in found) else 1
    except DemoFailed as failed:
        print(f"The demo failed: {failed}", file=sys.stderr)
        return 1


def _story(stage: Stage) -> list[Finding]:
    thread = Thread(stage)
    with Writer(stage) as writer, Watcher(stage, writer.deleted) as watcher:
        say("", "")
        say("", "1. A new column, the way the planner chooses.")
        writer.fills(FIRST)
        _migrate(stage, thread, f"/tb migrate members add field {FIRST} text", refused=True)
        say("", "")
        say(
            "",
            "2. Another one, and this time the table is to be rebuilt, as for a change that cannot be made in place.",
        )
        writer.fills(SECOND)
        _migrate(stage, thread, f"/tb migrate members add field {SECOND} text --strategy recreate", at_once=True)
        stage.advances(3600)  # the hourly copy's next tick
        counts = ", ".join(f"{number} {what}" for what, number in writer.counts.items())
        writer.stop()
        found = list(findings(stage, watcher.seen, (FIRST, SECOND)))
        held = watcher.seen.held_s
    return [
        Finding(sum(writer.counts.values()) > 0, f"People wrote to members all the while: {counts}."),
        Finding(held > 0, f"Ingestion of members was held once, for about {held:.0f} s of the platform's clock."),
        *found,
    ]


def _migrate(stage: Stage, thread: Thread, command: str, *, refused: bool = False, at_once: bool = False) -> None:
    """One run: asked by ana, approved by ben, and by chen where it takes two. ``refused``: ana tries first.
    ``at_once``: all parts are approved together, else one after the other."""
    say("ana", command)
    (before,) = stage.ledger_row("SELECT coalesce(max(id), 0) FROM ledger.run")
    say("tbops", f"(only ana sees this) {stage.types('ana', command)}")
    run = int(before) + 1
    card = _card(stage, thread, run)
    thread.plan(card)
    thread.rejected(_whole(stage, thread, run))
    if refused:
        _refused(stage, card)
    asked: set[tuple[str, str]] = set()
    until = time.monotonic() + PATIENCE_S
    while (state := _state(stage, run)) not in OVER:
        if state == "held" or time.monotonic() > until:
            _told(stage, thread)
            raise DemoFailed(f"run {run} is {state}; its thread is above")
        _approve(stage, thread, run, asked, "approve-up-to" if at_once else "approve")
        _wait(stage)
    _told(stage, thread)
    if state != "succeeded":
        raise DemoFailed(f"run {run} ended as {state}; its thread is above")


def _card(stage: Stage, thread: Thread, run: int) -> Mapping[str, Any]:
    """The run's card once it has a plan."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        found = _root(stage, thread, run)
        if found and buttons(found):
            return found
        if _state(stage, run) == "refused":
            raise DemoFailed(f"run {run} was refused; its thread is above")
        _wait(stage)
    raise DemoFailed(f"run {run} has no plan yet")


def _whole(stage: Stage, thread: Thread, run: int) -> Mapping[str, Any]:
    """The reply that says the run's whole plan."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        for message in thread.read():
            if str(message["text"]).startswith(f"Run {run}, the whole plan"):
                return message
        _wait(stage)
    raise DemoFailed(f"the plan of run {run} is not in its thread")


def _root(stage: Stage, thread: Thread, run: int) -> Mapping[str, Any] | None:
    (ts,) = stage.ledger_row("SELECT max(ts) FROM ledger.message WHERE purpose = 'root' AND ref = %s", f"run/{run}")
    return next((message for message in thread.read() if message["ts"] == ts), None)


def _state(stage: Stage, run: int) -> str:
    return str(stage.ledger_row("SELECT max(state) FROM ledger.run WHERE id = %s", run)[0])


def _refused(stage: Stage, card: Mapping[str, Any]) -> None:
    """The asker presses the button herself; only she sees the answer."""
    action, label = next(button for button in buttons(card) if button[0].startswith("tb:approve:"))
    say("ana", f"presses {label}")
    before = {message["ts"] for message in stage.messages(seen_by="ana")}
    stage.clicks("ana", card, action)
    until = time.monotonic() + 15
    while time.monotonic() < until:
        news = [m for m in stage.messages(seen_by="ana") if m.get("ephemeral") and m["ts"] not in before]
        if news:
            say("tbops", f"(only ana sees this) {news[0]['text']}")
            return
        _wait(stage)
    raise DemoFailed("ana was told nothing when she pressed a button that is not hers")


def _approve(stage: Stage, thread: Thread, run: int, asked: set[tuple[str, str]], deed: str) -> None:
    """Press the next approval, by the button for ``deed`` where there is one: ben, and chen too where the step's gate
    asks for two."""
    card = _root(stage, thread, run)
    found = {action.split(":")[1]: (action, label) for action, label in buttons(card or {})}
    action, label = found.get(deed) or found.get("approve", ("", ""))
    if not card or not action:
        return
    step = action.rpartition(":")[2]
    query = "SELECT max(gate) FROM ledger.step WHERE run = %s AND phase = 'plan' AND number = %s"
    (gate,) = stage.ledger_row(query, run, int(step))
    approvers = ("ben", "chen") if gate == "strong" else ("ben",)
    person = next((name for name in approvers if (name, step) not in asked), None)
    if person:
        asked.add((person, step))
        say(person, f"presses {label}")
        stage.clicks(person, card, action)


def _told(stage: Stage, thread: Thread) -> None:
    """Wait until every message says what is stored, and print the last of them."""
    behind = "SELECT count(*) FROM ledger.message WHERE wanted_rev > sent_rev AND trouble IS NULL"
    until = time.monotonic() + 15
    while stage.ledger_row(behind) != (0,) and time.monotonic() < until:
        _wait(stage)
    thread.read()


def _wait(stage: Stage) -> None:
    """Until something happens on the platform, at most half a second."""
    stage.waits(0.5)
    time.sleep(0.2)  # many requests come together; reading the channel after each would only load it
