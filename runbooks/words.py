"""Amounts as people say them."""


def counted(number: int, unit: str) -> str:
    """1 row, 5,000 rows, no row. ``unit`` is the singular noun; its plural takes an s at the end of its first word:
    "scope", "row of the topic"."""
    if number in (0, 1):
        return f"{'no' if number == 0 else 1} {unit}"
    noun, _, rest = unit.partition(" ")
    return f"{number:,} {noun}s" + (f" {rest}" if rest else "")
