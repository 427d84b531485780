"""What a line must be before it is read: one line, of visible characters, with the phone's typography undone."""

import re
import unicodedata

from bot.grammar.refusal import Refused, shown

LONGEST = 1000  # characters; a longer line was pasted by mistake

# What phones and word processors make of quotes, dashes and spaces.
_TYPOGRAPHY = str.maketrans(
    {
        "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201b": "'", "\u2032": "'",
        "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u201f": '"', "\u2033": '"', "\u00ab": '"', "\u00bb": '"',
        "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\t": " ",
    }
)  # fmt: skip
_DASHED_OPTION = re.compile(r"(?<!\S)[\u2013\u2014](?=[A-Za-z])")  # a phone makes one dash of the two


def clean(text: str) -> str:
    """The line to be read. Raises Refused for what could not be shown or meant: many lines, unseen characters."""
    line = _DASHED_OPTION.sub("--", text.translate(_TYPOGRAPHY)).strip(" \r\n")
    if "\n" in line or "\r" in line:
        raise Refused("A command is one line, and this has more than one")
    if len(line) > LONGEST:
        raise Refused(f"This is {len(line):,} characters long, and a command has at most {LONGEST:,}")
    for place, char in enumerate(line, start=1):
        if not char.isprintable() or unicodedata.category(char) in ("Cf", "Cc", "Co", "Cs", "Cn"):
            raise Refused(
                f"Character {place} cannot be seen ({named(char)}) in {shown(line)}; type the line anew without it"
            )
    return line


def named(char: str) -> str:
    """A character by number and name, for people who cannot see what is wrong with it."""
    return f"U+{ord(char):04X} {unicodedata.name(char, 'a control character')}"
