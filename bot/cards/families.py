"""Names that differ in their numbers alone, shown as one: ``part_0_ds`` to ``part_9_ds`` are ``part_#_ds`` ×10."""

import re
from collections.abc import Iterable, Sequence

from bot.cards.words import code

_FEWEST = 3  # of a family; two names are shown as they are
_NUMBERS = re.compile(r"\d+")


def families(names: Iterable[str]) -> dict[str, list[str]]:
    """What is shown -> the names behind it, in the order of the first of each."""
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(_NUMBERS.sub("#", name), []).append(name)
    shown: dict[str, list[str]] = {}
    for family, members in alike.items():
        shown |= {family: members} if len(members) >= _FEWEST else {name: [name] for name in members}
    return shown


def named(names: Sequence[str], most: int) -> str:
    """`` `a`, `b_#` ×10 and 14 more``: at most ``most`` of them shown, the rest counted name by name."""
    shown = list(families(names).items())
    words = [code(word) + (f" ×{len(members)}" if len(members) > 1 else "") for word, members in shown[:most]]
    rest = sum(len(members) for _, members in shown[most:])
    return ", ".join(words) + (f" and {rest:,} more" if rest else "")
