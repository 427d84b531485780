"""Why a line cannot be carried out, in one plain sentence. Plain text: whoever shows it escapes it for its surface."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

CUT = 40  # characters of foreign text that a sentence repeats


@dataclass(frozen=True)
class Refusal:
    """``sentence`` names the word at fault and, where there is one, the nearest right word."""

    sentence: str


class Refused(Exception):
    """The reader stops here; its text is the sentence without its full stop. Never leaves ``bot.grammar``."""


def shown(text: str) -> str:
    """Foreign text inside a sentence: visible, short, in back-ticks that it cannot close."""
    cut = text if len(text) <= CUT else text[:CUT] + "…"
    visible = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in cut)
    return "`" + visible.replace("`", "'") + "`"


def meant(word: str, right: Iterable[str]) -> str:
    """``; did you mean `add`?`` or nothing, when no right word is near."""
    known = {r.lower(): r for r in right}
    near = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.55)
    return f"; did you mean `{known[near[0]]}`?" if near else ""


def sentence(text: str) -> str:
    return text if text.endswith(("?", ".", "!")) else text + "."
