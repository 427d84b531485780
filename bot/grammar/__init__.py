"""One grammar for the slash command, the mention and the command line: ``parse(text) -> Command | Refusal``."""

from bot.grammar.commands import (
    Command,
    Copies,
    Copy,
    Decide,
    Doctor,
    Freeze,
    Help,
    Incident,
    Lineage,
    PlanOnly,
    Runs,
    Show,
    Unfreeze,
)  # fmt: skip
from bot.grammar.help import OPTIONS, Entry, entries
from bot.grammar.parse import parse
from bot.grammar.refusal import Refusal

__all__ = [
    "OPTIONS", "Command", "Copies", "Copy", "Decide", "Doctor", "Entry", "Freeze", "Help", "Incident", "Lineage",
    "PlanOnly", "Refusal", "Runs", "Show", "Unfreeze", "entries", "parse",
]  # fmt: skip
