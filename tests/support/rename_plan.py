"""A replicated data source with readers of each kind, and the plan that renames it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from runbooks.facts.model import Facts, Token
from runbooks.names import Names, PropertiesNames
from runbooks.plan import Plan
from runbooks.planner import make_plan
from runbooks.request import Rename, Request
from systems.kafka_model import TopicShape
from tests.support.estate import FILES, live

RAW = "NODE raw\nSQL >\n    SELECT id, name FROM people FINAL\n\nTYPE ENDPOINT\n"
SHARED = "NODE shared\nSQL >\n    SELECT people.id FROM people WHERE country != ''\n"
PAGE = "NODE page\nSQL >\n    SELECT id FROM people_shared\n\nTYPE ENDPOINT\n"
NAMES = Names(connect_restart="kafka/connect", properties=PropertiesNames("acme/cluster", "main", "sink.properties"))
SHAPE = TopicShape(3, 1, {})


def facts(files: Mapping[str, str] | None = None, **other: Any) -> Facts:
    """One replicated table with readers of each kind that can be moved, as the live systems would tell it."""
    known = live(
        {**FILES, "people_raw.pipe": RAW, "people_shared.pipe": SHARED, "people_page.pipe": PAGE, **(files or {})}
    )
    people = replace(known.datasources["people"], id="t_people", tags=("raw",))
    shared = known.pipes["people_shared"]
    plain = replace(shared, kind="pipe", nodes=tuple(replace(node, kind="standard") for node in shared.nodes))
    return replace(
        known,
        **{
            "datasources": {**known.datasources, "people": people},
            "pipes": {**known.pipes, "people_shared": plain},
            "names": NAMES,
            "topics": {"people": SHAPE, "persons": None},
            "tokens": (
                Token("connect", (("DATASOURCES:APPEND", "people"),)),
                Token("readers", (("DATASOURCES:READ", "people:id != ''"), ("PIPES:READ", "people_raw"))),
            ),
            **other,
        },
    )


def planned(known: Facts | None = None, old: str = "people", new: str = "persons") -> Plan:
    return make_plan(Request(text="…", job=Rename(datasource=old, to=new)), known or facts())
