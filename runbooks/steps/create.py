"""A data source made anew, and what hung on the old one put on it."""

import re
from typing import ClassVar, Self

from runbooks.datafile import schema_sql
from runbooks.facts import live
from runbooks.facts.model import Datasource
from runbooks.guards import digest_of_schema
from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo
from runbooks.steps.set_aside import kept_name
from runbooks.steps.standing import Grant, Standing, missing_grants
from runbooks.words import counted
from systems.tinybird_model import NewDatasource, NodeInfo, PipeInfo


class NewTable(Step):
    """What every step that makes a data source knows of it."""

    settle_s: ClassVar[float] = 5.0

    table: Standing
    columns: str  # as the API takes them
    engine: str
    sorting_key: str = ""
    partition_key: str = ""
    version: str = ""
    ttl: str = ""
    settings: str = ""
    indexes: str = ""
    description: str = ""

    @classmethod
    def of(cls, table: Standing, after: Datasource) -> Self:
        return cls(
            table=table,
            columns=schema_sql(after.columns),
            engine=after.engine,
            sorting_key=", ".join(after.sorting_key),
            partition_key=after.partition_key,
            version=after.version,
            ttl=after.ttl,
            settings=after.settings,
            indexes="\n".join(
                f"{i.name} {i.expression} TYPE {i.type} GRANULARITY {i.granularity}" for i in after.indexes
            ),
            description=after.description,
        )

    def named(self, name: str) -> NewDatasource:
        """As the API takes it, under that name."""
        return NewDatasource(
            name=name,
            schema=self.columns,
            engine=self.engine,
            sorting_key=self.sorting_key,
            partition_key=self.partition_key,
            version=self.version,
            ttl=self.ttl,
            settings=self.settings,
            indexes=self.indexes,
            description=self.description,
        )


class CreateDatasource(NewTable):
    """Make the data source with the planned schema. One of that name that is something else was made by a
    straggling event, with a guessed schema (facts/tinybird.md §7): people decide."""

    op: ClassVar[str] = "tinybird.datasource.create/1"

    def title(self) -> str:
        return f"Create {self.table.name} with the new schema"

    def writes(self) -> tuple[str, ...]:
        return (f"tinybird/datasource/{self.table.name}/schema", f"tinybird/datasource/{self.table.name}/id")

    def look(self, at: Site) -> Seen:
        found = at.tinybird.datasource(self.table.name)
        if found is None:
            return Todo()
        if found.id == self.table.id:
            return Astray(f"the old {self.table.name} still stands under its name")
        if digest_of_schema(live.datasource(found)) != self.table.planned:
            return Astray(
                f"a data source {self.table.name} is there that is not the planned one: an event may have made it"
            )
        return Done(f"{self.table.name} stands with the new schema.", {"touched": [self.table.name]})

    def act(self, at: Site) -> None:
        at.tinybird.create_datasource(self.named(self.table.name))


class RestoreScopes(Step):
    """Give tokens back the scopes that a delete may drop; without APPEND the connector's batches would be refused
    and lost (facts/procedures.md §2.8). One token a look, and read back."""

    op: ClassVar[str] = "tinybird.token.restore-scopes/1"
    gated: ClassVar[bool] = False
    settle_s: ClassVar[float] = 5.0

    table: str
    grants: tuple[Grant, ...]

    def title(self) -> str:
        return f"Give tokens their scopes on {self.table} back"

    def look(self, at: Site) -> Seen:
        lacking = missing_grants(at, self.grants)
        if not lacking:
            return Done(f"Tokens may do on {self.table} what they might before: {counted(len(self.grants), 'scope')}.")
        known = {token.name for token in at.tinybird.tokens()}
        gone = [grant.token for grant in lacking if grant.token not in known]
        return (
            Astray(f"the token {gone[0]} is gone: it had {lacking[0].scope}")
            if gone
            else Todo(f"the token {lacking[0].token} lacks a scope")
        )

    def act(self, at: Site) -> None:
        lacking = missing_grants(at, self.grants)
        if not lacking:
            return
        token = next(token for token in at.tinybird.tokens() if token.name == lacking[0].token)
        more = [grant.scope for grant in lacking if grant.token == token.name]
        at.tinybird.put_token_scopes(token.name, [*(str(scope) for scope in token.scopes), *more])


class GiveScopes(RestoreScopes):
    """Give tokens on a new data source what they may do on the one whose place it takes."""

    op: ClassVar[str] = "tinybird.token.give-scopes/1"
    gated: ClassVar[bool] = True

    of: str

    def title(self) -> str:
        return f"Give tokens on {self.table} the scopes that they have on {self.of}"


class CheckReferences(Step):
    """See that pipes still read the table by its name. Where renaming rewrote their SQL to the kept table, it is
    written back, a node a look; where it did not, there is nothing to do [inf: facts/tinybird.md §15.1]."""

    op: ClassVar[str] = "tinybird.pipe.check-references/1"
    gated: ClassVar[bool] = False
    settle_s: ClassVar[float] = 5.0

    table: Standing

    def title(self) -> str:
        return f"Check that every pipe still reads {self.table.name}"

    def look(self, at: Site) -> Seen:
        moved = moved_to(at, self._kept(at))
        if moved is None:
            return Done(f"Every pipe reads {self.table.name}.")
        return Todo(f"{moved[0].name}, node {moved[1].name}, was rewritten to read the kept table")

    def act(self, at: Site) -> None:
        write_back(at, self._kept(at), self.table.name)

    def _kept(self, at: Site) -> str:
        return kept_name(self.table.name, at.run)


class CheckReferencesTo(CheckReferences):
    """The same for a table that another run set aside, as ``kept``."""

    op: ClassVar[str] = "tinybird.pipe.check-references/2"

    kept: str

    def _kept(self, at: Site) -> str:
        return self.kept


def moved_to(at: Site, name: str) -> tuple[PipeInfo, NodeInfo] | None:
    """The first node whose SQL names that table."""
    word = _word(name)
    found = ((pipe, node) for pipe in at.tinybird.pipes() for node in pipe.nodes if word.search(node.sql))
    return next(found, None)


def write_back(at: Site, name: str, to: str) -> None:
    """Have the first node that names the one table name the other."""
    moved = moved_to(at, name)
    if moved is not None:
        pipe, node = moved
        at.tinybird.put_node_sql(pipe.id, node.id, _word(name).sub(to, node.sql))


def _word(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
