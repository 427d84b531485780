"""The right of Kafka Connect's token to append to one data source: given before the first row, taken after the last.

Tinybird takes a token's whole list of scopes only, so that the list is read again right before it is written.
"""

from typing import ClassVar

from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo
from runbooks.steps.tracking import still_read
from systems.errors import SystemsError
from systems.tinybird_model import TokenInfo

APPEND = "DATASOURCES:APPEND"


class _Scope(Step):
    """What both ways share: the token by its name, and that no other scope of it may go."""

    settle_s: ClassVar[float] = 5.0

    token: str
    datasource: str

    def writes(self) -> tuple[str, ...]:
        return (f"tinybird/token/{self.token}/scopes",)

    def locks(self) -> tuple[str, ...]:
        return (f"token/{self.token}",)

    @property
    def _scope(self) -> str:
        return f"{APPEND}:{self.datasource}"

    def _others(self, token: TokenInfo) -> list[str]:
        return [str(scope) for scope in token.scopes if str(scope) != self._scope]

    def _lost(self, at: Site, token: TokenInfo) -> Astray | None:
        """Somebody may have written the token at the same moment: what was there at the first look must be there."""
        held = set(self._others(token))
        gone = [scope for scope in at.memo.get("others", ()) if scope not in held]
        return Astray(f"the token {self.token} has lost {', '.join(gone)} meanwhile: give it back") if gone else None

    def _remembering(self, at: Site, token: TokenInfo) -> Todo:
        return Todo(memo={"others": at.memo.get("others", self._others(token))})

    def _put(self, at: Site, *more: str) -> None:
        token = find_token(at, self.token)
        if token is None:
            said = f"nothing was sent: the token {self.token} is gone"
            raise SystemsError("tinybird", f"PUT /v0/tokens/{self.token}", said=said)
        at.tinybird.put_token_scopes(self.token, [*self._others(token), *more])


class GrantAppend(_Scope):
    """Let the connector's token append to a data source: without it every batch is refused and lost, and after a few
    the connector's task fails, with all its topics (facts/systems.md §4.3)."""

    op: ClassVar[str] = "tinybird.token.grant-append/1"

    def title(self) -> str:
        return f"Let the token {self.token} append to {self.datasource}"

    def remember(self, at: Site) -> Step | None:
        return TakeBackAppend(token=self.token, datasource=self.datasource)

    def look(self, at: Site) -> Seen:
        token = find_token(at, self.token)
        if token is None:
            return Astray(f"there is no token {self.token} in the workspace (connect.tinybird_token in tbops.toml)")
        lost = self._lost(at, token)
        if lost:
            return lost
        held = {str(scope) for scope in token.scopes}
        if self._scope in held or held & {"ADMIN", APPEND}:
            return Done(f"The token {self.token} may append to {self.datasource}.")
        if at.tinybird.datasource(self.datasource) is None:
            return Astray(f"there is no data source {self.datasource}: create it first")
        return self._remembering(at, token)

    def act(self, at: Site) -> None:
        self._put(at, self._scope)


class RevokeAppend(_Scope):
    """Take that right away, once the connector does not read the topic any more."""

    op: ClassVar[str] = "tinybird.token.revoke-append/1"

    def title(self) -> str:
        return f"Take from the token {self.token} the right to append to {self.datasource}"

    def look(self, at: Site) -> Seen:
        token = find_token(at, self.token)
        if token is None:
            return Done(f"There is no token {self.token}.")
        lost = self._lost(at, token)
        if lost:
            return lost
        if self._scope not in {str(scope) for scope in token.scopes}:
            return Done(f"The token {self.token} has no right of its own to append to {self.datasource}.")
        said = f"the connector {at.names.connector} still reads the topic {self.datasource}"
        so = f"{said}: refused rows would be lost, and end its task with every topic of it"
        return still_read(at, self.datasource, so) or self._remembering(at, token)

    def act(self, at: Site) -> None:
        self._put(at)


class TakeBackAppend(RevokeAppend):
    """The same on a way out. Once the table is replicated and proven there is nothing to take back."""

    op: ClassVar[str] = "tinybird.token.take-back-append/1"

    def look(self, at: Site) -> Seen:
        if self.datasource in at.proven:
            return Done(f"{self.datasource} is replicated and proven; the token {self.token} keeps its right.")
        return super().look(at)


def may_append(at: Site, datasource: str) -> bool:
    """Whether the connector's token may append to it now."""
    token = find_token(at, at.names.connect_token)
    held = {str(scope) for scope in token.scopes} if token else set[str]()
    return bool(held & {"ADMIN", APPEND, f"{APPEND}:{datasource}"})


def find_token(at: Site, name: str) -> TokenInfo | None:
    return next((token for token in at.tinybird.tokens() if token.name == name), None)
