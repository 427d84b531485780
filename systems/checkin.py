"""A check-in with a watcher outside, which calls people when it does not hear from us (facts/anchors.md §3, row 10)."""

from systems.http import Http, Wire
from systems.permit import read_only


def check_in(url: str, *, wire: Wire | None = None) -> None:
    """Ask for the address, which is a secret: no error names it. Raises ``SystemsError``."""
    http = Http("check-in", url, None, read_only, wire=wire)
    try:
        http.fetch("", accept="*/*")
    finally:
        http.close()
