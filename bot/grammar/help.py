"""The page of help, made from the same table that the parser reads."""

from dataclasses import dataclass

from bot.grammar.forms import SHOWN, TAIL

OPTIONS = 'options anywhere: --env NAME  --strategy NAME  --at "2026-12-01 22:00 UTC"  --note "why"'


@dataclass(frozen=True)
class Entry:
    usage: str
    says: str


def entries(command: str | None = None) -> tuple[Entry, ...]:
    """The forms of one command, or of all."""
    return tuple(
        Entry(form.usage + TAIL.get(form.name, ""), form.says) for form in SHOWN if command in (None, form.name)
    )
