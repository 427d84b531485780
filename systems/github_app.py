"""A GitHub App's token: asked for with a signed claim, good for an hour (facts/systems.md §6)."""

import threading
import time
from collections.abc import Callable
from datetime import datetime

from systems.errors import SystemsError
from systems.http import Http, Manner, Wire, segment
from systems.permit import read_only
from systems.shapes import Shape

SYSTEM = "github"
EARLY_S = 300.0  # a token is renewed so long before its end
_CLAIM_S = 540  # GitHub takes ten minutes at most; its clock may differ from ours by one
_SKEW_S = 60


class AppToken:
    """Called for the token as it is now. ``key`` gives the App's private key as PEM, each time one is signed: neither
    it nor the token is kept where it could be shown. Safe to use from any thread."""

    def __init__(
        self, url: str, app_id: str, installation_id: int, key: Callable[[], str], *, wire: Wire | None = None
    ) -> None:
        self._app_id = app_id
        self._path = f"/app/installations/{segment(str(installation_id))}/access_tokens"
        self._key = key
        manner = Manner(headers={"Accept": "application/vnd.github+json"})
        # Asking for a token changes nothing that anybody could see, so it needs no permit.
        self._http = Http(SYSTEM, url, self._claim, read_only, manner=manner, wire=wire)
        self._lock = threading.Lock()
        self._token, self._ends = "", 0.0

    def __call__(self) -> str:
        """Raises ``SystemsError``."""
        with self._lock:
            if not self._token or time.time() >= self._ends - EARLY_S:
                shape = Shape(SYSTEM, f"POST {self._path}", self._http.inquire(self._path, {}))
                self._token, self._ends = str(shape.need("token")), _moment(shape.text("expires_at"))
            return self._token

    def forget(self) -> None:
        """It was refused: ask for another one next time."""
        with self._lock:
            self._token = ""

    def close(self) -> None:
        self._http.close()

    def _claim(self) -> str:
        import jwt  # brings a whole cryptography library, which only an App needs

        now = int(time.time())
        claim = {"iat": now - _SKEW_S, "exp": now + _CLAIM_S, "iss": self._app_id}
        key = self._key()
        try:
            return jwt.encode(claim, key, algorithm="RS256")
        except (jwt.PyJWTError, ValueError, TypeError):
            said = "nothing was sent, as the App's private key file holds no RSA key"
            raise SystemsError(SYSTEM, f"POST {self._path}", said=said) from None


def _moment(text: str) -> float:
    """Seconds since 1970; 0, so that the token is asked for each time, where none is told."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0
