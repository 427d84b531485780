"""Who writes a table is checked, not believed (facts/procedures.md §4): hazard ``unknown-writer``."""

from dataclasses import replace

import pytest

from runbooks.errors import Refused
from runbooks.facts.model import Connector, Deployment, Facts, Token
from runbooks.guards import digest_of
from runbooks.plan import Plan
from runbooks.planner import make_plan
from runbooks.request import AddFields, Migrate, NewField, Request
from tests.support.estate import live

WRITER = Deployment("crowd", "worker-dpl", replicas=2, ready=2)


def facts(*writers: Deployment, tokens: tuple[Token, ...] = ()) -> Facts:
    connector = Connector("tinybird-sink", "RUNNING", ("RUNNING",), ("people", "events"))
    return replace(live(), connector=connector, tokens=tokens, writers={"events": writers or (WRITER,)})


def plan(of: Facts, strategy: str = "rename") -> Plan:
    job = Migrate(datasources=("events",), change=AddFields(fields=(NewField(name="nickname", type="String"),)))
    return make_plan(Request(text="/tb migrate", job=job, strategy=strategy), of)


def unknown(of: Plan) -> list[tuple[str, str]]:
    return [(hazard.level, hazard.resource) for hazard in of.hazards if hazard.slug == "unknown-writer"]


def test_writers_that_are_known_and_go_through_kafka_are_no_hazard() -> None:
    assert unknown(plan(facts())) == []


def test_writers_past_the_connector_block_a_switch() -> None:
    elsewhere = replace(facts(), connector=Connector("tinybird-sink", "RUNNING", ("RUNNING",), ("people",)))
    assert unknown(plan(elsewhere)) == [("error", "events")]


def test_a_token_that_may_append_is_told_of_unless_it_is_the_connectors() -> None:
    tokens = (
        Token("connect", (("DATASOURCES:APPEND", "events"),)),
        Token("backend", (("DATASOURCES:APPEND", "events"), ("PIPES:READ", "people_list"))),
        Token("reader", (("DATASOURCES:READ", "events"),)),
        Token("other", (("DATASOURCES:APPEND", "people"),)),
    )
    assert unknown(plan(facts(tokens=tokens))) == [("warning", "backend")]


def test_a_writer_that_is_off_is_noted() -> None:
    assert unknown(plan(facts(WRITER, replace(WRITER, name="idle-dpl", replicas=0)))) == [("note", "crowd/idle-dpl")]


def test_what_stops_no_writer_asks_for_none() -> None:
    assert unknown(plan(replace(facts(), writers={}), strategy="alter")) == []


def test_without_a_name_or_a_look_at_it_no_writer_can_be_stopped() -> None:
    with pytest.raises(Refused, match="nobody named the deployments that write events"):
        plan(replace(facts(), writers={}))
    with pytest.raises(Refused, match=r"crowd/worker-dpl nothing is known: it is not there"):
        plan(facts(replace(WRITER, trouble="it is not there")))


def test_a_plan_relies_on_the_replicas_that_it_found() -> None:
    key = "kubernetes/deployment/crowd/worker-dpl/replicas"
    made = plan(facts())
    assert made.guards[key] == digest_of(facts(), key) == "2"
    assert made.hash != plan(facts(replace(WRITER, replicas=3))).hash
