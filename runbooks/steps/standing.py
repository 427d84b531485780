"""What a table must be for the things around it to be started again (facts/procedures.md §2.3).

A restore step records the table as it was when something was stopped, by id. The same id means: never
touched, or put back. Another one is a new table, which may be fed once it is what was planned, and may be
read by copies only once it is proven.
"""

from pydantic import BaseModel, ConfigDict

from runbooks.facts import live
from runbooks.guards import digest_of_schema
from runbooks.site import Site
from systems.tinybird_model import DatasourceInfo


class Grant(BaseModel):
    """A scope of a workspace token: ``DATASOURCES:APPEND:members``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: str
    scope: str


class Standing(BaseModel):
    """A table as the plan knows it. ``planned`` is the digest of its schema once the plan is carried out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    id: str
    planned: str
    grants: tuple[Grant, ...] = ()

    def unfit_to_feed(self, at: Site) -> str | None:
        """Why rows may not flow into the table of that name now; None if they may."""
        found = at.tinybird.datasource(self.name)
        if found is None:
            return f"there is no data source {self.name}: an event would make one with a guessed schema"
        if found.id == self.id:
            return None
        if schema_of(found) != self.planned:
            return f"the data source {self.name} does not have the planned schema"
        lacking = missing_grants(at, self.grants)
        if lacking:
            return f"the token {lacking[0].token} may not {lacking[0].scope}: its rows would be refused and lost"
        return None

    def unfit_to_read(self, at: Site) -> str | None:
        """Why a replace copy of the table might empty or spoil its target now; None if it would not."""
        found = at.tinybird.datasource(self.name)
        if found is None:
            return f"there is no data source {self.name}"
        if found.id == self.id or self.name in at.proven:
            return None
        return f"the new {self.name} is not proven: until it is, what copies it keeps its last good rows"


def schema_of(found: DatasourceInfo) -> str:
    """The digest of its schema, as plans have it."""
    return digest_of_schema(live.datasource(found))


def schema_under(at: Site, name: str) -> str | None:
    """The digest of the schema that stands under the name; None if there is no such data source."""
    found = at.tinybird.datasource(name)
    return schema_of(found) if found else None


def missing_grants(at: Site, grants: tuple[Grant, ...]) -> list[Grant]:
    """Those of ``grants`` that the workspace's tokens do not have now."""
    if not grants:
        return []
    held = {token.name: {str(scope) for scope in token.scopes} for token in at.tinybird.tokens()}
    return [g for g in grants if g.scope not in held.get(g.token, set()) and "ADMIN" not in held.get(g.token, set())]
