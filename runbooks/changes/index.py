"""``add index``: a skip index, for which nothing is written anew: rows get into it as they are merged or inserted."""

import re
from dataclasses import replace

from runbooks.changes.made import made
from runbooks.changes.target import checked
from runbooks.datafile import schema_sql
from runbooks.errors import Refused
from runbooks.expressions import BadExpression, columns_in
from runbooks.facts.model import Datasource, Facts, Index
from runbooks.fields import nearest, shown, where
from runbooks.lineage import Lineage
from runbooks.questions import Rehearsal
from runbooks.request import AddIndex
from runbooks.steps.datasource_modify import index_lines
from runbooks.strategies import Altered, PlannedChange
from runbooks.strategies.parts import ALTER

KINDS = ("minmax", "set", "bloom_filter", "ngrambf_v1", "tokenbf_v1")  # facts/tinybird.md §3
_SHAPE = re.compile(r"(\w+)\s*(?:\(\s*[\d.]+(?:\s*,\s*[\d.]+)*\s*\))?")
_NEEDS = {"set": "set(100)", "ngrambf_v1": "ngrambf_v1(3, 256, 2, 0)", "tokenbf_v1": "tokenbf_v1(256, 2, 0)"}


def add_index(target: Datasource, change: AddIndex, facts: Facts, lineage: Lineage) -> tuple[PlannedChange, list[str]]:
    checked(change.name, "index")
    if any(index.name.lower() == change.name.lower() for index in target.indexes):
        raise Refused(f"`{target.name}` has an index `{change.name}` already.", change.name)
    index = Index(change.name, _expression(target, change.expression), _kind(change.type))
    if twin := next((i for i in target.indexes if _bare(i) == _bare(index)), None):
        raise Refused(f"`{target.name}` has that index already: it is called `{twin.name}`.", change.name, twin.name)
    altered = Altered(target, replace(target, indexes=(*target.indexes, index)))
    request = {
        "kind": "migrate",
        "change": "add index",
        "datasource": target.name,
        "index": {"name": index.name, "expression": index.expression, "type": index.type},
    }
    asked = Rehearsal(ALTER, target.name, schema_sql(target.columns), index_lines(altered.after.indexes))
    planned = made(change.kind, request, altered, where(target, facts), facts, lineage)
    said = f"{index.name}: parts that are there get it when they are merged, new ones at once"
    return replace(planned, questions=(asked,)), [said]


def _expression(target: Datasource, typed: str) -> str:
    try:
        named = columns_in(typed, "what is indexed")
    except BadExpression as exc:
        raise Refused(f"That cannot be indexed: {shown(str(exc))}.", typed) from exc
    known = {c.name for c in target.columns}
    if strange := sorted(named - known):
        near = nearest(strange[0], known)
        hint = f"; did you mean `{near}`?" if near else "."
        raise Refused(f"`{target.name}` has no column `{strange[0]}`{hint}", strange[0], near)
    if not named:
        raise Refused("What is indexed names no column.", typed)
    return typed.strip()


def _kind(typed: str) -> str:
    kind = " ".join(typed.split())
    found = _SHAPE.fullmatch(kind)
    if not found or found.group(1) not in KINDS:
        near = nearest(kind.partition("(")[0], KINDS)
        hint = f"; did you mean `{near}`?" if near else f"; there are {', '.join(KINDS)}."
        raise Refused(f"There is no index of type `{shown(kind)}`{hint}", typed, near)
    if kind in _NEEDS:
        raise Refused(f"An index of type `{kind}` needs its sizes, such as `{_NEEDS[kind]}`.", typed, _NEEDS[kind])
    return kind


def _bare(index: Index) -> tuple[str, str]:
    return "".join(index.expression.split()), "".join(index.type.split())
