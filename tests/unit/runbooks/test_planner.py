"""From a request to a plan: what is chosen and why, what one click approves, what the hash binds."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from runbooks.errors import Refused
from runbooks.facts.model import Facts, Slot, Token
from runbooks.plan import Plan
from runbooks.planner import make_plan
from runbooks.request import AddFields, Migrate, NewField, Request
from runbooks.strategies import NAMES, strategies
from tests.support.estate import FILES, PEOPLE_SINK, PEOPLE_TABLE, from_files, live

NICK = NewField(name="nick", type="text")


def planned(*fields: NewField, on: str = "people", strategy: str | None = None, facts: Facts | None = None) -> Plan:
    job = Migrate(datasources=(on,), change=AddFields(fields=fields or (NICK,)))
    return make_plan(Request(text="/tb migrate …", job=job, strategy=strategy), facts or live())


def unchecked(name: str, datasource: str = "people") -> Request:
    """A request whose names nobody checked: the planner does not rely on the parser."""
    change = AddFields.model_construct(
        fields=(NewField.model_construct(name=name, type="text", default=None, source=None),)
    )
    return Request.model_construct(
        text="…", job=Migrate.model_construct(datasources=(datasource,), change=change), environment=None, strategy=None
    )


def test_a_plan_for_a_new_field_prefers_to_hold_nothing() -> None:
    plan = planned()
    assert plan.strategy.name == "alter"
    assert {r.name for r in plan.strategy.rejected} == set(NAMES) - {"alter"}
    assert all(r.reason for r in plan.strategy.rejected)
    assert (plan.hold.seconds, plan.downtime.seconds, plan.blocked) == (0, 0, ())


def test_the_copys_target_takes_the_field_before_the_table_and_the_table_before_postgres() -> None:
    titles = [step.title for step in planned().steps]
    order = [
        next(n for n, t in enumerate(titles) if word in t)
        for word in ("people_sorted", "data source people", "Postgres")
    ]
    assert order == sorted(order)


def test_the_plan_shows_the_files_as_they_will_stand() -> None:
    files = planned().datafiles
    assert set(files) == {"people.datasource", "people_sorted.datasource", "V{epoch}__add_nick_to_people.sql"}
    assert "    `nick` String `json:$.record.nick` DEFAULT ''\n" in files["people.datasource"]
    assert "    `nick` String DEFAULT ''\n" in files["people_sorted.datasource"]
    assert (
        'ALTER TABLE public."people" ADD COLUMN IF NOT EXISTS "nick" text;' in files["V{epoch}__add_nick_to_people.sql"]
    )


def test_a_field_with_a_default_is_not_null_in_postgres() -> None:
    plan = planned(NewField(name="points", type="integer", default="0"))
    assert plan.sql == ('ALTER TABLE public."people" ADD COLUMN IF NOT EXISTS "points" integer NOT NULL DEFAULT 0;',)


def test_a_field_outside_postgres_runs_no_sql() -> None:
    plan = planned(on="events")
    assert (plan.strategy.name, plan.sql, plan.ghosts) == ("alter", (), "")
    assert list(plan.datafiles) == ["events.datasource"]


def test_several_fields_make_one_plan() -> None:
    plan = planned(NICK, NewField(name="isKing", type="boolean"))
    assert [f["name"] for f in plan.request["fields"]] == ["nick", "isKing"]
    assert len(plan.sql) == 2


@pytest.mark.parametrize("strategy", ["alter", "recreate"])
def test_a_block_has_one_gate_in_front_and_a_hold_is_one_block(strategy: str) -> None:
    plan = planned(strategy=strategy)
    blocks = sorted({s.block for s in plan.steps})
    assert blocks == list(range(1, len(blocks) + 1))
    for number in blocks:
        first, *others = [s for s in plan.steps if s.block == number]
        assert first.gate in ("approve", "strong")
        assert {s.gate for s in others} <= {"none"}
    for hold in {s.hold for s in plan.steps if s.hold}:
        assert len({s.block for s in plan.steps if s.hold == hold}) == 1
    assert [h.hold for h in plan.holds] == sorted({s.hold for s in plan.steps if s.hold})


def test_recreate_is_taken_when_asked_for_and_says_what_it_costs() -> None:
    plan = planned(strategy="recreate")
    assert plan.strategy.name == "recreate"
    assert plan.strategy.reasons[0] == "it was asked for"
    assert plan.hold.seconds > 0
    assert "they disappear" in plan.ghosts
    assert "copy-replace-empties" in {h.slug for h in plan.hazards}


def test_guards_hold_every_key_that_a_step_reads_or_writes_and_every_readers_sql() -> None:
    plan = planned()
    assert {key for s in plan.steps for key in (*s.reads, *s.writes)} <= set(plan.guards)
    assert "tinybird/pipe/people_copy/definition" in plan.guards


def test_locks_take_the_table_its_copies_and_their_targets() -> None:
    assert set(planned().locks) == {"datasource/people", "datasource/people_sorted", "copy/people_copy"}


def test_the_hash_does_not_move_with_time_counts_or_traffic() -> None:
    first = planned(strategy="recreate", facts=live(table=replace(PEOPLE_TABLE, writes_per_s=100.0)))
    busier = replace(PEOPLE_TABLE, rows=5_200, writes_per_s=103.0)
    later = replace(live(table=busier), now=live().now + timedelta(hours=3))
    again = planned(strategy="recreate", facts=later)
    assert (again.hash, again.change_hash) == (first.hash, first.change_hash)


def test_the_hash_moves_with_what_people_approve() -> None:
    hashes = {
        planned().hash,
        planned(strategy="recreate").hash,
        planned(NewField(name="nick", type="varchar(9)")).hash,
        planned(NewField(name="nick", type="text", default="'x'")).hash,
        planned(facts=replace(live(), environment="production")).hash,
    }
    assert len(hashes) == 5
    assert planned().change_hash == planned(facts=replace(live(), environment="production")).change_hash


def test_a_plan_is_json() -> None:
    assert json.loads(json.dumps(planned().to_json()))["strategy"]["name"] == "alter"


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"on": "peple"}, "There is no data source `peple`; did you mean `people`?"),
        ({"on": "zzzz"}, "There is no data source `zzzz`."),
        ({"on": "people_sorted"}, "`people_sorted` is made by people_copy"),
        ({"strategy": "swop"}, "There is no such strategy; did you mean `swap`?"),
        ({"strategy": "swap"}, "`swap` cannot carry this out: the new column's values are not derivable"),
        ({"strategy": "recreate", "on": "events"}, "`recreate` cannot carry this out"),
    ],
)
def test_what_cannot_be_planned_is_refused_with_the_nearest_right_word(request_: dict[str, str], said: str) -> None:
    with pytest.raises(Refused, match=said.replace("?", r"\?").replace("(", r"\(")):
        planned(**request_)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "said"), [("name", "has a field `name` already"), ("NAME", "differs in case only")])
def test_a_field_that_exists_is_refused(name: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        planned(NewField(name=name, type="text"))


def test_a_field_asked_for_twice_is_refused() -> None:
    with pytest.raises(Refused, match="asked for twice"):
        planned(NICK, NICK)


@pytest.mark.parametrize(
    "name", ["x); DROP", "a`b", "{{ x }}", "a\nb", "a\x00b", "<!channel>", "nаme", "ﬁeld", "1x", "", "x" * 129, "a\n"]
)
def test_a_hostile_name_is_refused_in_plain_words_that_do_not_repeat_it(name: str) -> None:
    for request in (unchecked(name), unchecked("nick", datasource=name)):
        with pytest.raises(Refused, match="only letters a to z, digits and _") as caught:
            make_plan(request, live())
        assert len(name) < 2 or name not in str(caught.value)


def test_another_environments_facts_are_not_planned_on() -> None:
    job = Migrate(datasources=("people",), change=AddFields(fields=(NICK,)))
    with pytest.raises(Refused, match="The facts are of `staging`"):
        make_plan(Request(text="…", job=job, environment="production"), live())


def test_a_data_source_that_is_shared_between_workspaces_is_refused() -> None:
    facts = live()
    people = replace(facts.datasources["people"], shared=True)
    with pytest.raises(Refused, match="`people` is shared between workspaces"):
        planned(facts=replace(facts, datasources={**facts.datasources, "people": people}))


def test_every_strategy_of_the_design_is_there() -> None:
    assert tuple(strategies()) == NAMES


def hazards(plan: Plan) -> dict[str, str]:
    return {h.slug: h.level for h in plan.hazards}


def test_an_endpoint_without_final_blocks_a_backfill_into_the_table_it_reads() -> None:
    files = FILES | {"count.pipe": "NODE c\nSQL >\n    SELECT count() AS n FROM people\n"}
    plan = planned(NewField(name="karma"), facts=live(files))
    assert hazards(plan)["reader-without-final"] == "error"
    assert "reader-without-final" not in hazards(planned(facts=live(files)))


def test_a_materialized_view_forbids_to_delete_what_feeds_it() -> None:
    view = "NODE m\nSQL >\n    SELECT id, count() AS n FROM people GROUP BY id\n\nTYPE materialized\nDATASOURCE sums\n"
    files = FILES | {
        "m.pipe": view,
        "sums.datasource": "SCHEMA >\n    id String,\n    n UInt64\n\nENGINE SummingMergeTree\n",
    }
    found = hazards(planned(strategy="recreate", facts=live(files)))
    assert (found["materialized-reader"], found["backfill-double-counts"]) == ("error", "error")
    assert hazards(planned(facts=live(files)))["materialized-reader"] == "note"


def test_an_endpoint_on_the_raw_table_is_named_when_the_table_goes_away() -> None:
    files = FILES | {"page.pipe": "NODE c\nSQL >\n    SELECT id FROM people FINAL\n"}
    plan = planned(strategy="recreate", facts=live(files))
    assert hazards(plan)["endpoint-reads-raw"] == "warning"
    assert plan.downtime.seconds > 0


def test_a_pipe_that_cannot_be_parsed_is_a_reader_and_a_warning() -> None:
    plan = planned(facts=live(FILES | {"odd.pipe": "NODE c\nSQL >\n    SELECT FROMM people x y\n"}))
    assert hazards(plan)["pipe-not-understood"] == "warning"
    assert "odd" in {r.name for r in plan.readers}


def test_a_pipe_that_may_read_any_table_is_noted_and_binds_nothing() -> None:
    plan = planned(facts=live(FILES | {"any.pipe": "NODE c\nSQL >\n    %\n    SELECT 1 FROM {{ table(x) }}\n"}))
    assert ("pipe-not-understood", "note", "any") in {(h.slug, h.level, h.resource) for h in plan.hazards}
    assert plan.hash == planned().hash


def test_a_wildcard_copy_into_a_table_that_nobody_knows_blocks_the_plan() -> None:
    files = {name: text for name, text in FILES.items() if name != "people_sorted.datasource"}
    assert hazards(planned(facts=live(files)))["wildcard-reader"] == "error"


def test_a_wildcard_that_stays_inside_an_endpoint_is_no_more_than_a_note() -> None:
    inside = live(FILES | {"page.pipe": "NODE c\nSQL >\n    SELECT id FROM (SELECT * FROM people FINAL)\n"})
    out = live(FILES | {"page.pipe": "NODE c\nSQL >\n    SELECT * FROM people FINAL\n"})
    levels = [{h.resource: h.level for h in planned(facts=f).hazards}["page"] for f in (inside, out)]
    assert levels == ["note", "warning"]


def test_a_new_decimal_is_an_error_as_sequin_sends_it_as_text() -> None:
    assert hazards(planned(NewField(name="price", type="Decimal(10, 2)")))["numeric-as-float"] == "error"
    assert "numeric-as-float" not in hazards(planned(NewField(name="price", type="numeric(10, 2)")))


def test_a_low_cardinality_of_nullable_needs_no_default() -> None:
    assert planned(NewField(name="label", type="LowCardinality(Nullable(String))")).strategy.name == "alter"


def test_a_sink_that_somebody_paused_is_noticed() -> None:
    paused = live(sink=replace(PEOPLE_SINK, status="paused"))
    assert hazards(planned(facts=paused))["sink-paused-already"] == "warning"
    assert hazards(planned(facts=paused, strategy="recreate"))["sink-paused-already"] == "error"


def test_traffic_that_would_fill_the_buffer_forbids_the_hold() -> None:
    busy = live(table=replace(PEOPLE_TABLE, writes_per_s=2_000.0))
    assert hazards(planned(facts=busy, strategy="recreate"))["sink-buffer"] == "error"
    assert "sink-buffer" not in hazards(planned(facts=busy))


@pytest.mark.parametrize(
    ("slot", "level"),
    [
        (None, "error"),
        (Slot("s", active=True, wal_status="lost", lag_bytes=None), "error"),
        (Slot("s", active=False, wal_status="reserved", lag_bytes=10**9), "warning"),
        (Slot("s", active=False, wal_status="reserved", lag_bytes=10**6), None),
    ],
)
def test_a_slot_that_is_lost_blocks_and_one_that_restarts_does_not(slot: Slot | None, level: str | None) -> None:
    assert hazards(planned(facts=replace(live(), slot=slot))).get("slot-unhealthy") == level


def test_a_cheaper_strategy_is_named_when_another_was_asked_for() -> None:
    rejected = {r.name: r.reason for r in planned(strategy="recreate").strategy.rejected}
    assert rejected["alter"] == "possible, and it would cost less, but another was asked for"
    assert "holds ingestion" in {r.name: r.reason for r in planned().strategy.rejected}["recreate"]


def test_scopes_that_a_delete_may_take_are_shown() -> None:
    facts = replace(live(), tokens=(Token("connect", (("DATASOURCES:APPEND", "people"),)),))
    assert hazards(planned(facts=facts, strategy="recreate"))["token-scope"] == "warning"


def test_a_table_whose_rows_expire_says_that_those_of_postgres_may_not_be_proven() -> None:
    expiring = replace(live().datasources["people"], ttl="toDateTime(createdAt) + toIntervalDay(30)")
    facts = replace(live(), datasources={**live().datasources, "people": expiring})
    found = [h for h in planned(facts=facts).hazards if h.slug == "ttl-not-proven"]
    assert [(h.level, h.resource) for h in found] == [("warning", "people")]
    assert expiring.ttl in found[0].message
    assert "ttl-not-proven" not in {h.slug for h in planned().hazards}


def test_a_lookback_that_is_shorter_than_the_hold_forbids_it() -> None:
    append = (
        "NODE a\nSQL >\n    SELECT id, name FROM people FINAL WHERE updatedAt > now() - INTERVAL 60 MINUTE\n\n"
        "TYPE copy\nTARGET_DATASOURCE kept\nCOPY_MODE append\nCOPY_SCHEDULE 0 * * * *\n"
    )
    files = FILES | {"kept.datasource": FILES["people_sorted.datasource"], "a.pipe": append}
    assert hazards(planned(strategy="recreate", facts=live(files)))["append-lookback"] == "error"
    assert (
        hazards(planned(strategy="recreate", facts=live(files | {"a.pipe": append.replace("60 MINUTE", "3 HOUR")})))[
            "append-lookback"
        ]
        == "note"
    )


def test_a_broken_file_is_shown_in_a_plan_that_does_not_need_it() -> None:
    facts = replace(live(), broken={"odd.pipe": "odd.pipe, line 1: NONSENSE is not a directive"})
    assert hazards(planned(facts=facts))["datafile-not-understood"] == "warning"


def test_the_sql_is_judged_by_squawk_and_taste_is_no_more_than_a_note() -> None:
    found = {h.slug: h.level for h in planned(NewField(name="points", type="integer")).hazards}
    assert found == {"wildcard-reader": "note", "postgres/prefer-bigint-over-int": "note"}


def test_a_column_list_that_leaves_the_new_field_out_blocks_the_plan() -> None:
    listed = live(table=replace(PEOPLE_TABLE, published_columns=("id", "name")))
    assert hazards(planned(facts=listed))["publication-column-list"] == "error"


def test_a_field_that_postgres_generates_and_does_not_send_blocks_the_plan() -> None:
    """A backfill reads it, and the next change of a row comes without it."""
    generated = live(table=replace(PEOPLE_TABLE, unsent=("karma",)))
    assert hazards(planned(NewField(name="karma"), facts=generated))["generated-column"] == "error"
    assert "generated-column" not in hazards(planned(facts=generated))


def test_a_field_that_postgres_has_filled_already_is_backfilled_and_adds_no_column() -> None:
    plan = planned(NewField(name="karma"))
    assert (plan.sql, [f for f in plan.datafiles if f.endswith(".sql")]) == ((), [])
    assert any("backfill" in step.op for step in plan.steps)


def test_fields_of_mixed_nullability_make_one_plan() -> None:
    """The request of 2025-09 (facts/estate.md §9): one text with a default, the others Nullable, one of them jsonb."""
    plan = planned(
        NewField(name="recommendation", type="text"),
        NewField(name="start", type="timestamptz"),
        NewField(name="value", type="Nullable(Float64)"),
        NewField(name="changes", type="jsonb", default="NULL"),
    )
    assert [(f["type"], f["default"]) for f in plan.request["fields"]] == [
        ("String", "''"),
        ("Nullable(DateTime64(3))", None),
        ("Nullable(Float64)", None),
        ("Nullable(String)", None),
    ]


def test_a_plan_from_a_folder_is_the_same_change() -> None:
    offline = planned(facts=from_files(FILES, {"people": PEOPLE_TABLE}))
    assert offline.sql == planned().sql
    assert offline.change_hash == planned().change_hash
