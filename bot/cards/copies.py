"""The answer to ``copies``: those that need somebody, what is wrong, what other times gain; files say the rest."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.cards.blocks import Block, Card, Upload, actions, button, context, section, sections
from bot.cards.words import clock, code, count, cut, prose, some, span
from ledger.values import Json

RESCHEDULES = "tb:timetable"
MOST = 12  # lines of copies: if there are more, those that are fine are summed
MOST_FINDINGS = 5
MOST_NEXT = 3

_ICONS = {  # in the order in which people are needed
    "failed": "❌", "in trouble": "🔴", "paused": "⏸️", "never ran": "⚪", "waiting": "⏳",
    "working": "▶️", "no schedule": "✋", "fine": "✅",
}  # fmt: skip
_SUMMED = {
    "failed": "failed the last time", "in trouble": "with an open incident", "paused": "paused",
    "never ran": "did not run in 14 days", "waiting": "waiting for a slot", "working": "running now",
    "no schedule": "run by hand", "fine": "fine",
}  # fmt: skip
_NEED_SOMEBODY = ("failed", "in trouble", "paused", "never ran")
_NUMBER = re.compile(r"\d+")
_LEVEL = {"error": "⛔", "warning": "⚠️", "note": "ℹ️"}
_COLUMNS = (
    "pipe", "target", "mode", "schedule (UTC)", "state", "last run", "last ended as", "took s", "median s",
    "median s the week before", "95th percentile s", "rows", "rows usually", "next run", "error",
)  # fmt: skip


def card(where: str, answer: Json, question: int) -> Card:
    """Within Slack's limits however many there are. ``question`` names it in the button's value."""
    copies: Sequence[Json] = answer["copies"]
    text = sentence(where, copies)
    now = datetime.fromisoformat(str(answer["now"]))
    shown = _shown(copies)
    rest = len(copies) - len(shown)
    return Card(
        text,
        (
            section(f"*{text}*"),
            *sections([_line(each, now) for each in shown]),
            *([context(f"{f'{count(rest)} more; all' if shown else 'All'} of them are in the list.")] if rest else []),
            *_coming(copies, now),
            *_findings(answer["findings"]),
            *_better(answer, question),
        ),
    )


def sentence(where: str, copies: Sequence[Json]) -> str:
    """``There are 116 copy pipes in prod: 2 failed the last time, 97 fine.``"""
    there = f"There {'is' if len(copies) == 1 else 'are'} {count(len(copies), 'copy pipes')} in {where}"
    states = Counter(str(each["state"]) for each in copies)
    said = [f"{count(states[state])} {_SUMMED[state]}" for state in _ICONS if states[state]]
    return f"{there}: {', '.join(said)}." if said else f"{there}."


def listing(where: str, answer: Json) -> Upload:
    """All of them, a line each, for a spreadsheet."""
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(_COLUMNS)
    for each in answer["copies"]:
        last: Json = each.get("last") or {}
        lines.writerow([
            each["pipe"], each["target"], each["mode"], each["schedule"] or "by hand", each["state"],
            last.get("at", ""), last.get("state", ""), _cell(last, "took_s"), _cell(each, "p50_s"),
            _cell(each, "before_s"), _cell(each, "p95_s"), _cell(each, "rows"), _cell(each, "usual_rows"),
            each["next"] or "", " ".join(str(last.get("error") or "").split()),
        ])  # fmt: skip
    return Upload(f"copies-{where}.csv", f"Every copy pipe of {where}", text.getvalue())


def findings_file(where: str, answer: Json) -> Upload | None:
    """What is wrong in full; None where the card says all of it."""
    found: Sequence[Json] = answer["findings"]
    if len(found) <= MOST_FINDINGS:
        return None
    lines = [f"{f['level']}: {f['slug']} on {f['resource']}: {f['message']} {f['fix']}" for f in found]
    return Upload(f"copies-{where}-findings.txt", f"What is wrong with copies of {where}", "\n".join(lines) + "\n")


def _cell(of: Mapping[str, Any], key: str) -> str:
    return "" if of.get(key) is None else str(of[key])


def _shown(copies: Sequence[Json]) -> list[Json]:
    ordered = sorted(copies, key=lambda each: [*_ICONS].index(str(each["state"])))
    if len(ordered) <= MOST:
        return ordered
    return [each for each in ordered if each["state"] in _NEED_SOMEBODY][:MOST]


def _line(each: Json, now: datetime) -> str:
    said = [prose(str(each["mode"])), f"{code(str(each['schedule']))} UTC" if each["schedule"] else "by hand"]
    said += [*_last(each, now), *_pace(each), *([f"incident {each['incident']}"] if each.get("incident") else [])]
    if each["next"]:
        said.append(f"next at {clock(datetime.fromisoformat(str(each['next'])), now)}")
    last: Json = each.get("last") or {}
    error = str(last.get("error") or "")
    why = f" – {cut(prose(error), 160)}" if error else ""
    icon = _ICONS[str(each["state"])]
    return f"{icon} {code(str(each['pipe']))} → {code(str(each['target']))} ({', '.join(said)}){why}"


def _last(each: Json, now: datetime) -> list[str]:
    last: Json | None = each.get("last")
    if last is None:
        return ["did not run in 14 days"]
    took = f" in {span(last['took_s'])}" if last["took_s"] is not None else ""
    return [f"last run {clock(datetime.fromisoformat(str(last['at'])), now)}: {prose(str(last['state']))}{took}"]


def _pace(each: Json) -> Iterator[str]:
    if each.get("p50_s") is not None:
        before = f" ({span(each['before_s'])} the week before)" if each["before_s"] is not None else ""
        yield f"usually {span(each['p50_s'])}{before}"
    if each.get("rows") is not None:
        yield f"{count(each['rows'], 'rows')}, usually {count(each['usual_rows'])}"


def _coming(copies: Sequence[Json], now: datetime) -> list[Block]:
    if len(copies) <= MOST:
        return []
    coming = sorted((str(each["next"]), str(each["pipe"])) for each in copies if each["next"])
    named = [f"{code(pipe)} at {clock(datetime.fromisoformat(at), now)}" for at, pipe in coming[:MOST_NEXT]]
    return [context(f"Next: {', '.join(named)}.")] if named else []


def _findings(found: Sequence[Json]) -> list[Block]:
    """One line for those that differ in their numbers alone: a family of pipes has a fault together."""
    if not found:
        return []
    alike: dict[str, list[Json]] = {}
    for each in found:
        said = str(each["message"])
        alike.setdefault(_NUMBER.sub("", said) if len(found) > MOST_FINDINGS else said, []).append(each)
    lines = [_finding(first, len(others)) for first, *others in alike.values()]
    more = len(lines) - MOST_FINDINGS
    said = [context(f"{count(more)} more; all of them are in the file.")] if more > 0 else []
    return [*sections(["*What is wrong with them*", *lines[:MOST_FINDINGS]]), *said]


def _finding(each: Json, others: int) -> str:
    like = f" ({count(others)} more like it.)" if others else ""
    message, fix = cut(prose(str(each["message"])), 260), cut(prose(str(each["fix"])), 140)
    return f"{_LEVEL[str(each['level'])]} {code(str(each['slug']))} {message} {fix}{like}"


def _better(answer: Json, question: int) -> list[Block]:
    gain: Json = answer["gain"]
    if not gain["moves"]:
        return []
    before, after = gain["clashes"]
    said = [
        *(
            [f"{count(before)} start while what they read is written, then {after or 'none'}"]
            if before != after
            else []
        ),
        *(
            [f"{gain['most'][0]} run at once at most, then {gain['most'][1]}"]
            if gain["most"][0] != gain["most"][1]
            else []
        ),
    ]
    text = f"Other times for {some([count(gain['moves'], 'copies')], 1)} would mend that: {'; '.join(said)}."
    press = button("Propose a timetable", RESCHEDULES, f"v1|{question}|0|")
    return [section(text), actions([press])]
