"""Who asks, and what they may: personal tokens, and an App's tokens of one hour by the platform's clock."""

from __future__ import annotations

import base64
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.github.errors import Refused, not_found
from sandbox.standin import World

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

TOKEN = "sandbox-github-token"
READER_TOKEN = "sandbox-github-reader-token"  # may read both repositories and write none
STRANGER_TOKEN = "sandbox-github-stranger-token"  # may see neither
APP_ID = "4711"
INSTALLATION_ID = 815
TOKEN_LIFE_S = 3600.0
JWT_LIFE_S = 600.0
_SKEW_S = 60.0  # GitHub's own advice: an App may be a minute behind


@dataclass(frozen=True)
class Grant:
    """``ends`` by the platform's clock; None for a token that does not end."""

    sees: bool
    writes: bool
    app: bool = False
    ends: float | None = None


_PERSONAL = {
    TOKEN: Grant(sees=True, writes=True),
    READER_TOKEN: Grant(sees=True, writes=False),
    STRANGER_TOKEN: Grant(sees=False, writes=False),
}


class Access:
    def __init__(self, world: World) -> None:
        self._world = world
        self._issued: dict[str, Grant] = {}
        self._key: RSAPrivateKey | None = None

    def make_key(self) -> bytes:
        """The App's private key, new for each sandbox, as PEM. In a thread: its library takes a while to load."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        kind, plain = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        return self._key.private_bytes(serialization.Encoding.PEM, kind, plain)

    def reset(self) -> None:
        self._issued.clear()

    def grant(self, authorization: str) -> Grant:
        """Raises ``Refused``: 401 for a token nobody has, 404 for none, as both repositories are private."""
        if not authorization:
            raise not_found()
        found = self._known(_token(authorization))
        if found is None:
            raise Refused(401, "Bad credentials")
        return found

    def may_git(self, authorization: str) -> bool:
        """A person at this machine needs no password to clone and push; a wrong one is refused."""
        if not authorization:
            return True
        found = self._known(_token(authorization))
        return found is not None and found.sees

    def allow(self, authorization: str, *, write: bool) -> None:
        """Raises ``Refused``: 404 for what may not be seen, 403 for what may only be read."""
        grant = self.grant(authorization)
        if not grant.sees:
            raise not_found()
        if write and not grant.writes:
            kind = "integration" if grant.app else "personal access token"
            raise Refused(403, f"Resource not accessible by {kind}")

    def installation_token(self, authorization: str, installation: str, wanted: dict[str, Any]) -> dict[str, Any]:
        """A token for an App that proves itself by its signature. Its permissions may be fewer than the App's."""
        self._prove(_token(authorization))
        if installation != str(INSTALLATION_ID):
            raise not_found()
        permissions: dict[str, str] = wanted.get("permissions") or {
            "contents": "write",
            "pull_requests": "write",
            "checks": "read",
            "statuses": "read",
            "metadata": "read",
        }
        token, ends = f"ghs_{secrets.token_hex(18)}", self._world.clock.time() + TOKEN_LIFE_S
        self._issued[token] = Grant(True, permissions.get("contents") == "write", app=True, ends=ends)
        return {
            "token": token,
            "expires_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends)),
            "permissions": permissions,
            "repository_selection": "all",
        }

    def _known(self, token: str) -> Grant | None:
        found = _PERSONAL.get(token) or self._issued.get(token)
        if found is None or (found.ends is not None and self._world.clock.time() >= found.ends):
            return None
        return found

    def _prove(self, token: str) -> None:
        """By the machine's clock, which signed it."""
        import jwt

        if self._key is None or not token:
            raise Refused(401, "A JSON web token could not be decoded")
        try:
            options: Any = {"require": ["exp", "iat", "iss"], "verify_iat": False}
            said = jwt.decode(token, self._key.public_key(), algorithms=["RS256"], options=options)
        except jwt.ExpiredSignatureError:
            raise Refused(401, "'Expiration time' claim ('exp') must be a numeric value in the future") from None
        except jwt.InvalidTokenError:
            raise Refused(401, "A JSON web token could not be decoded") from None
        now = time.time()
        if said["exp"] > now + JWT_LIFE_S:
            raise Refused(401, "'Expiration time' claim ('exp') is too far in the future")
        if said["iat"] > now + _SKEW_S:
            raise Refused(401, "'Issued at' claim ('iat') must be an Integer representing a time in the past")
        if str(said["iss"]) != APP_ID:
            raise Refused(404, "Integration not found")


def _token(authorization: str) -> str:
    kind, _, value = authorization.partition(" ")
    if kind.lower() != "basic":
        return value.strip()
    try:
        return base64.b64decode(value).decode().partition(":")[2]
    except ValueError:
        return "-"
