"""One grammar for the slash command, the mention and the command line: ``parse(text) -> Command | Refusal``."""

from bot.grammar.commands import (
    Command,
    Copies,
    Decide,
    Doctor,
    Freeze,
    Help,
    Incident,
    Incidents,
    Lineage,
    Runs,
    Show,
    Silence,
    Unfreeze,
    Unsilence,
)  # fmt: skip
from bot.grammar.help import OPTIONS, Entry, entries
from bot.grammar.parse import parse
from bot.grammar.refusal import Refusal

__all__ = [
    "OPTIONS", "Command", "Copies", "Decide", "Doctor", "Entry", "Freeze", "Help", "Incident",
    "Incidents", "Lineage",
    "Refusal", "Runs", "Show", "Silence", "Unfreeze", "Unsilence", "entries", "parse",
]  # fmt: skip
