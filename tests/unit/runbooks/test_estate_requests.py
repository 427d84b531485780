"""The requests of the estate's history (facts/estate.md §9), on the large seed's data sources of those shapes.

Replicating and unreplicating a table have tests of their own, and so has renaming (test_rename_plan.py).
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest

from runbooks.errors import Refused
from runbooks.facts.model import Deployment, Facts, Node, PgTable, Pipe
from runbooks.plan import Plan
from runbooks.planner import make_plan
from runbooks.request import AddFields, Change, Migrate, NewField, RemoveFields, Request, SortBy
from tests.support.estate import seeded

DEPLOYMENTS = tuple(Deployment("cdp", f"data-sink-worker-{kind}-dpl", 2, 2) for kind in ("system", "normal", "high"))
RELATION_KEY = ("segmentId", "timestamp", "type", "platform", "channel", "sourceId")


@cache
def estate() -> Facts:
    """As it was before it had materialized views, with those who write activities."""
    facts = seeded()
    pipes = {name: pipe for name, pipe in facts.pipes.items() if pipe.kind != "materialized"}
    return replace(facts, pipes=pipes, writers={"activities": DEPLOYMENTS})


def planned(*on: str, change: Change, facts: Facts | None = None, strategy: str | None = None) -> Plan:
    request = Request(text="", job=Migrate(datasources=on, change=change), strategy=strategy)
    return make_plan(request, facts or estate())


def adding(*fields: NewField) -> AddFields:
    return AddFields(fields=fields)


def hazards(plan: Plan, slug: str) -> dict[str, str]:
    return {h.resource: h.level for h in plan.hazards if h.slug == slug}


def said(plan: Plan) -> str:
    return " ".join(h.message for h in plan.hazards if h.level == "warning")


def ops(plan: Plan) -> list[str]:
    return [step.op.partition("/")[0] for step in plan.steps]


def without(facts: Facts, *names: str) -> Facts:
    """The same before these columns were there."""

    def bare(table: PgTable) -> PgTable:
        return replace(table, columns=tuple(c for c in table.columns if c.name not in names))

    sources = {
        name: replace(d, columns=tuple(c for c in d.columns if c.name not in names))
        for name, d in facts.datasources.items()
    }
    tables = {name: bare(table) for name, table in (facts.tables or {}).items()}
    return replace(facts, datasources=sources, tables=tables)


def test_deleted_at_is_added_to_four_data_sources_with_one_file_of_sql_and_no_hold() -> None:
    tables = ("insightsProjects", "collections", "categoryGroups", "activityTypes")
    deleted = adding(NewField(name="deletedAt", type="Nullable(DateTime64(3))"))
    plan = planned(*tables, change=deleted, facts=without(estate(), "deletedAt"))
    assert plan.strategy.name == "alter"
    assert plan.hold.seconds == plan.downtime.seconds == 0
    line = "`deletedAt` Nullable(DateTime64(3)) `json:$.record.deletedAt`"
    assert all(line in plan.datafiles[f"{table}.datasource"] for table in tables)
    written = [text for name, text in plan.datafiles.items() if name.endswith(".sql")]
    assert len(written) == 1
    assert all(f'"{table}" ADD COLUMN IF NOT EXISTS "deletedAt"' in written[0] for table in tables)
    assert ops(plan).count("proof.values") == 4
    assert len(plan.readers) > 120


def test_a_data_source_that_is_not_called_like_its_topic_gets_no_rows() -> None:
    """As when packages became another name while the topic stayed (facts/estate.md §4b)."""
    facts = estate()
    named = replace(facts.datasources["packages"], name="ossPackages")
    facts = replace(facts, datasources={**facts.datasources, "ossPackages": named})
    field = adding(NewField(name="wanted", type="text"))
    assert hazards(planned("ossPackages", change=field, facts=facts), "name-is-not-topic") == {"ossPackages": "error"}
    assert hazards(planned("packages", change=field, facts=facts), "name-is-not-topic") == {}


def test_a_key_that_deleted_rows_would_share_is_warned_of() -> None:
    facts = without(estate(), "deletedAt")
    by_slug = replace(facts.datasources["categoryGroups"], sorting_key=("slug",))
    facts = replace(facts, datasources={**facts.datasources, "categoryGroups": by_slug})
    deleted = adding(NewField(name="deletedAt", type="timestamptz"))
    other = adding(NewField(name="shownAt", type="timestamptz"))
    shared = "once rows are marked as deleted instead of removed, several may share it"
    assert shared in said(planned("categoryGroups", change=deleted, facts=facts))
    assert shared not in said(planned("categoryGroups", change=other, facts=facts))
    assert shared not in said(planned("collections", change=deleted, facts=facts))  # by its id


def test_fifteen_fields_of_activities_are_altered_in_or_copied_beside_while_writers_run() -> None:
    deleted = NewField(name="deletedAt", type="DateTime64(3)")
    fields = (*(NewField(name=f"part{n}", type="String") for n in range(14)), deleted)
    plan = planned("activities", change=adding(*fields))
    assert plan.strategy.name == "alter"
    line = "`deletedAt` DateTime64(3) `json:$.deletedAt` DEFAULT toDateTime64(0, 3)"
    assert line in plan.datafiles["activities.datasource"]
    switched = ops(planned("activities", change=adding(*fields), strategy="rename"))
    stops = [at for at, op in enumerate(switched) if op == "kubernetes.deployment.stop"]
    assert len(stops) == 3
    assert switched.index("tinybird.copy.chunks") < stops[0]  # copy first, stop last
    assert switched.count("kubernetes.deployment.start") == 3
    assert switched.index("tinybird.datasource.switch-written") > switched.index("connect.connector.pause")


def test_fields_of_mixed_nullability_keep_each_their_own() -> None:
    facts = without(estate(), "changes")
    fields = (
        NewField(name="recommendation", type="text"),
        NewField(name="start", type="Nullable(Int32)"),
        NewField(name="changes", type="jsonb", default="NULL"),
    )
    plan = planned("securityAssessments", change=adding(*fields), facts=facts)
    assert [(f["type"], f["default"]) for f in plan.request["fields"]] == [
        ("String", "''"), ("Nullable(Int32)", None), ("Nullable(String)", None),
    ]  # fmt: skip
    assert plan.strategy.name == "alter"


def test_removing_fields_of_activities_is_blocked_by_the_copy_that_names_them() -> None:
    plan = planned("activities", change=RemoveFields(names=("title", "url", "attributes")))
    assert plan.strategy.name == "pipe-by-pipe"  # an endpoint reads it
    assert "tinybird.datasource.switch-written" in ops(plan)
    assert hazards(plan, "column-still-used") == {"activities.title": "error", "activities.url": "error"}
    readers = {h.message.split()[0] for h in plan.blocked}
    assert "activities_deduplicated_copy_pipe" in readers


def test_removing_fields_of_a_table_that_views_hang_on_names_them() -> None:
    facts = replace(seeded(), writers={"activities": DEPLOYMENTS})
    with pytest.raises(Refused, match="the materialized view activities_backup_cleaned_mv hangs on the table"):
        planned("activities", change=RemoveFields(names=("attributes",)), facts=facts)


def test_a_field_goes_only_after_its_readers_stopped_using_it() -> None:
    blocked = planned("insightsProjects", change=RemoveFields(names=("repositories",)))
    assert hazards(blocked, "column-still-used") == {"insightsProjects.repositories": "error"}
    assert len(blocked.blocked) == 22
    changed = {name: replace(pipe, nodes=tuple(_unread(pipe))) for name, pipe in estate().pipes.items()}
    free = planned(
        "insightsProjects", change=RemoveFields(names=("repositories",)), facts=replace(estate(), pipes=changed)
    )
    assert free.blocked == ()
    assert ops(free)[-2:] == ["postgres.drop-columns", "sequin.tables.refresh-after"]


def _unread(pipe: Pipe) -> Iterator[Node]:
    return (replace(node, sql=node.sql.replace("repositories", "keywords")) for node in pipe.nodes)


def test_a_truncate_with_full_backfill_takes_rows_away_that_postgres_no_longer_has() -> None:
    facts = without(estate(), "deletedAt")
    field = adding(NewField(name="deletedAt", type="timestamptz"))
    altered = planned("advisoryRanges", change=field, facts=facts)
    assert "alter keeps them" in altered.ghosts
    assert hazards(altered, "deleted-rows-stay") == {"advisoryRanges": "warning"}
    fix = next(h.fix for h in altered.hazards if h.slug == "deleted-rows-stay")
    assert "--strategy recreate" in fix
    rebuilt = planned("advisoryRanges", change=field, facts=facts, strategy="recreate")
    assert "they disappear" in rebuilt.ghosts
    assert hazards(rebuilt, "deleted-rows-stay") == {}
    assert ops(rebuilt).index("sequin.backfill.await") < ops(rebuilt).index("proof.values")
    assert rebuilt.downtime.seconds == 0  # nobody reads it


def test_another_sorting_key_is_a_rebuild_that_is_unique_first() -> None:
    facts = estate()
    assert facts.tables is not None
    table = facts.tables["activityRelations"]
    filled = replace(table, columns=tuple(replace(c, nullable=False) for c in table.columns))  # NULLs are never equal
    before = replace(facts.datasources["activityRelations"], sorting_key=("activityId",))
    facts = replace(facts, datasources={**facts.datasources, before.name: before})

    def sorting(source: PgTable) -> Plan:
        known = replace(facts, tables={**(facts.tables or {}), before.name: source})
        return planned(before.name, change=SortBy(columns=RELATION_KEY), facts=known)

    plan = sorting(filled)
    assert plan.strategy.name in ("swap", "recreate")
    assert f"ENGINE_SORTING_KEY {', '.join(RELATION_KEY)}\n" in plan.datafiles["activityRelations.datasource"]
    assert hazards(plan, "sorting-key-not-unique") == {}
    assert hazards(sorting(replace(filled, unique=(("id",),))), "sorting-key-not-unique") == {before.name: "error"}
