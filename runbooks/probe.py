"""What a workspace can do, found out on throwaway resources (facts/tinybird.md §15): everything that is made is named
after the probe and removed at its end. Strategies plan for both answers to what is not known."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from systems.errors import SystemsError
from systems.tinybird_model import NewDatasource

if TYPE_CHECKING:
    from systems.tinybird import Tinybird

SCHEMA = "`id` String `json:$.id`, `n` Int32 `json:$.n` DEFAULT 0"
READ = "DATASOURCES:READ"
REFUSED, ACCEPTED = "refused", "accepted"


@dataclass(frozen=True)
class Finding:
    """``value`` is what strategies go by, ``said`` what people read."""

    name: str
    value: str
    said: str


@dataclass(frozen=True)
class Bench:
    """One workspace and the names that a probe may use in it."""

    tinybird: Tinybird
    number: int

    def called(self, what: str) -> str:
        return f"tbops_probe_{self.number}_{what}"

    def table(self, what: str, *, key: str = "id", version: str = "n") -> str:
        """A new empty table; its name."""
        name = self.called(what)
        self.tinybird.create_datasource(
            NewDatasource(name=name, schema=SCHEMA, engine="ReplacingMergeTree", sorting_key=key, version=version)
        )
        return name

    def pipe(self, what: str, sql: str, copy_to: str | None = None) -> str:
        name = self.called(what)
        node: dict[str, str] = {"name": f"{name}_0", "type": "standard", "sql": sql, "description": ""}
        body: dict[str, object] = {"name": name, "description": "Made by a probe, which removes it.", "nodes": [node]}
        if copy_to:
            node.update(type="copy", target_datasource=copy_to, copy_schedule="@on-demand", mode="append")
            body.update(target_datasource=copy_to, schedule_cron=None)
        self.tinybird.put_pipe(body)
        return name

    def clear(self) -> None:
        """Remove all that this probe has made, pipes first: a table that is read may not be deleted."""
        mine = self.called("")
        for pipe in self.tinybird.pipes():
            if pipe.name.startswith(mine):
                self.tinybird.delete_pipe(pipe.name)
        for found in self.tinybird.datasources():
            if found.name.startswith(mine):
                self.tinybird.delete_datasource(found.id)
        for token in self.tinybird.tokens():
            if token.name.startswith(mine):
                self.tinybird.delete_token(token.name)


def probe(tinybird: Tinybird, number: int) -> tuple[Finding, ...]:
    """Every finding, in order. ``number`` is the probe's own: what an interrupted one left is removed first.

    Raises ``SystemsError`` where the workspace cannot be cleared or does not answer.
    """
    bench = Bench(tinybird, number)
    bench.clear()
    try:
        return tuple(finding for ask in _PROBES for finding in ask(bench))
    finally:
        bench.clear()


def _rename(bench: Bench) -> tuple[Finding, ...]:
    old, new = bench.table("old"), bench.called("new")
    pipe, token = bench.pipe("reader", f"SELECT id FROM {old}"), bench.called("token")
    bench.tinybird.create_token(token, [f"{READ}:{old}"])
    try:
        bench.tinybird.rename_datasource(old, new)
    except SystemsError as error:
        if error.retryable:
            raise
        return (Finding("rename", REFUSED, f"A table cannot be renamed: {error.said}"),)
    found = bench.tinybird.pipe(pipe)
    sql = found.nodes[0].sql if found else ""
    follows = new in sql
    said = "rewrites the pipes that read the table" if follows else "leaves pipes as they are: they read by name"
    return (
        Finding("rename", "rewrites-references" if follows else "keeps-references", f"A rename {said}."),
        _scopes("scopes-after-rename", bench, token, {old: "stay", new: "follow"}, "After a rename"),
    )


def _scopes(name: str, bench: Bench, token: str, known: dict[str, str], when: str) -> Finding:
    scopes = next((found.scopes for found in bench.tinybird.tokens() if found.name == token), ())
    named = {scope.resource for scope in scopes if scope.resource}
    value = next((word for resource, word in known.items() if resource in named), "drop")
    words = {"stay": "keep the old name", "follow": "follow the table", "keep": "are kept", "drop": "are gone"}
    return Finding(name, value, f"{when}, a token's scopes {words[value]}.")


def _delete(bench: Bench) -> tuple[Finding, ...]:
    name, token = bench.table("remade"), bench.called("token_remade")
    bench.tinybird.create_token(token, [f"{READ}:{name}"])
    bench.tinybird.delete_datasource(name)
    bench.table("remade")
    return (_scopes("scopes-after-delete", bench, token, {name: "keep"}, "After a table is deleted and made anew"),)


_ALTERS = (
    ("alter-nullable", "a nullable column is added", f"{SCHEMA}, `x` Nullable(String) `json:$.x`"),
    ("alter-default", "a column with a default is added", f"{SCHEMA}, `x` String `json:$.x` DEFAULT ''"),
    ("alter-expression", "a default is computed from a column", f"{SCHEMA}, `x` Float32 `json:$.x` DEFAULT n / 2"),
    ("alter-type", "a column's type changes", SCHEMA.replace("Int32", "Int64")),
    ("alter-drop", "a column is dropped", SCHEMA.partition(",")[0]),
)


def _alter(bench: Bench) -> tuple[Finding, ...]:
    """Dry runs: nothing is changed."""
    name = bench.table("altered")
    return tuple(_accepts(bench, key, name, what, schema) for key, what, schema in _ALTERS)


def _accepts(bench: Bench, key: str, name: str, what: str, schema: str) -> Finding:
    try:
        operations = bench.tinybird.alter(name, schema=schema, dry=True)
    except SystemsError as error:
        if error.retryable:
            raise
        return Finding(key, REFUSED, f"An alter in which {what} is refused: {error.said}")
    return Finding(key, ACCEPTED, f"An alter in which {what} is taken: {'; '.join(operations) or 'no operation'}")


def _exchange(bench: Bench) -> tuple[Finding, ...]:
    one, other = bench.table("one"), bench.table("other")
    try:
        bench.tinybird.exchange_datasources(one, other)
    except SystemsError as error:
        if error.retryable:
            raise
        return (Finding("exchange", REFUSED, f"Two tables cannot be exchanged: {error.said}"),)
    return (Finding("exchange", ACCEPTED, "Two tables of one schema can be exchanged."), _exchange_keys(bench))


def _exchange_keys(bench: Bench) -> Finding:
    """Whether a table takes its sorting key along, for all to see: a run knows by nothing else which one it has."""
    name, what = bench.table("keyed", version=""), "Two tables of the same columns with other sorting keys"
    other = bench.table("keyed_anew", key="n, id", version="")
    try:
        bench.tinybird.exchange_datasources(name, other)
    except SystemsError as error:
        if error.retryable:
            raise
        return Finding("exchange-keys", REFUSED, f"{what} cannot be exchanged: {error.said}")
    found = bench.tinybird.datasource(name)
    if found is None or "n" not in re.findall(r"\w+", found.sorting_key):
        return Finding("exchange-keys", REFUSED, f"{what} can be exchanged, but the keys stay where they were.")
    return Finding("exchange-keys", ACCEPTED, f"{what} can be exchanged.")


def _into_itself(bench: Bench) -> tuple[Finding, ...]:
    name = bench.table("self")
    try:
        bench.pipe("into_itself", f"SELECT id, n FROM {name}", copy_to=name)
    except SystemsError as error:
        if error.retryable:
            raise
        return (Finding("copy-into-itself", REFUSED, f"A copy into the table that it reads is refused: {error.said}"),)
    return (Finding("copy-into-itself", ACCEPTED, "A copy into the table that it reads can be made."),)


_PROBES: tuple[Callable[[Bench], tuple[Finding, ...]], ...] = (_rename, _delete, _alter, _exchange, _into_itself)
