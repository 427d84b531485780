"""A check-in with a watcher outside, which calls people when it does not hear from us (facts/anchors.md §3, row 10)."""

from urllib.parse import urlsplit

from systems.errors import SystemsError
from systems.http import Http, Wire
from systems.permit import read_only

SYSTEM = "check-in"


def check_in(url: str, *, wire: Wire | None = None) -> None:
    """Ask for the address. It is a secret, so no error names it. Raises ``SystemsError``."""
    parts = urlsplit(url)
    path = url.removeprefix(f"{parts.scheme}://{parts.netloc}") or "/"
    http = Http(SYSTEM, f"{parts.scheme}://{parts.netloc}", None, read_only, wire=wire)
    try:
        http.fetch(path, accept="*/*")
    except SystemsError as error:
        raise SystemsError(SYSTEM, "GET", status=error.status, retryable=error.retryable) from None
    finally:
        http.close()
