"""What a change does to those behind a table, on the large seed's own shapes: each hazard where it is, and nowhere else
(facts/procedures.md §2.4–2.7, §2.11; facts/estate.md §3)."""

from dataclasses import replace
from functools import cache

import pytest

from runbooks import hazards
from runbooks.changes import resolve
from runbooks.facts.model import Datasource, Facts, Node, Pipe
from runbooks.hazards import Context
from runbooks.lineage import Lineage
from runbooks.lint import lint
from runbooks.plan import Hazard, Plan
from runbooks.planner import make_plan
from runbooks.request import AddFields, Migrate, NewField, Request
from runbooks.strategies import Altered
from tests.support.estate import seeded

NEW = NewField(name="wanted", type="text")
PAUSED, RUN, RESUMED = (f"tinybird.copy.{done}/1" for done in ("pause", "run", "resume"))


@cache
def estate() -> Facts:
    return seeded()


def with_pipe(facts: Facts, name: str, sql: str, **node: str) -> Facts:
    """One pipe more, or another one in its place."""
    made = Pipe(name, (Node(f"{name}_rows", sql, **node),), kind=node.get("kind", "endpoint"))  # type: ignore[arg-type]
    return replace(facts, pipes={**facts.pipes, name: made})


def filled(facts: Facts, table: str, column: str) -> Facts:
    """Postgres has the column already, with values: Tinybird gets them by a backfill alone."""
    assert facts.tables is not None
    known = facts.tables[table]
    more = replace(known.columns[0], name=column, type="text", nullable=True)
    return replace(facts, tables={**facts.tables, table: replace(known, columns=(*known.columns, more))})


def planned(on: str, facts: Facts | None = None, *, field: NewField = NEW, strategy: str | None = None) -> Plan:
    job = Migrate(datasources=(on,), change=AddFields(fields=(field,)))
    return make_plan(Request(text="", job=job, strategy=strategy), facts or estate())


def reaching(table: str) -> tuple[Pipe, ...]:
    return Lineage.of(estate()).copies_reaching(table)


def removing(on: str, *names: str, facts: Facts | None = None) -> list[Hazard]:
    """The hazards of a plan that takes columns away."""
    facts = facts or estate()
    lineage = Lineage.of(facts)
    change, _ = resolve(Migrate(datasources=(on,), change=AddFields(fields=(NEW,))), facts, lineage)
    before = facts.datasources[on]
    after: Datasource = replace(before, columns=tuple(c for c in before.columns if c.name not in names))
    change = replace(change, fields=(), target=Altered(before, after), targets=())
    context = Context(facts, lineage, datasource=before, change=change, strategy="alter")
    return list(hazards.of_plan(context))


def of(plan: Plan | list[Hazard], slug: str) -> dict[str, str]:
    """Resource -> level of the hazards with that slug."""
    found = plan.hazards if isinstance(plan, Plan) else plan
    return {h.resource: h.level for h in found if h.slug == slug}


def test_a_wildcard_view_is_told_apart_from_the_wildcard_copy_into_the_same_table() -> None:
    plan = planned("activityRelations")
    levels = of(plan, "wildcard-reader")
    assert levels["activityRelations_bucket_MV_snapshot_3"] == "note"
    assert levels["activityRelations_bucket_MV_3"] == "warning"
    said = {h.resource: h.message for h in plan.hazards if h.slug == "wildcard-reader"}
    assert "gets the new ones from a copy" in said["activityRelations_bucket_MV_3"]
    assert "has no place for new ones" in said["activityRelations_enrich_snapshot_MV"]
    assert "cdp_member_segment_aggregates_MV" not in levels


def test_targets_of_wildcard_copies_of_wildcard_copies_take_the_field_first() -> None:
    plan = planned("activityRelations")
    altered = [step.params["name"] for step in plan.steps if step.op.startswith("tinybird.datasource.alter/")]
    order = [
        altered.index(name)
        for name in (
            "activityRelations_deduplicated_cleaned_bucket_3_ds",
            "activityRelations_bucket_MV_ds_3",
            "activityRelations",
        )
    ]
    assert order == sorted(order)
    assert "cdp_member_segment_aggregates_ds" not in altered


def test_who_takes_every_column_of_a_target_that_follows_is_told_too() -> None:
    target = "activityRelations_deduplicated_cleaned_bucket_3_ds"
    facts = with_pipe(estate(), "shown", f"SELECT * FROM {target}")
    assert of(planned("activityRelations", facts), "wildcard-reader")["shown"] == "warning"
    viewed = with_pipe(facts, "seen", f"SELECT * FROM {target}", kind="materialized", target="org_page_kpis_ds")
    assert of(planned("activityRelations", viewed), "wildcard-reader")["seen"] == "warning"


def test_a_backfill_that_sums_twice_is_found_at_the_end_of_a_chain() -> None:
    facts = filled(estate(), "activityRelations", "wanted")
    levels = of(planned("activityRelations", facts), "backfill-double-counts")
    assert levels["cdp_member_segment_aggregates_ds"] == "error"  # counts, in the first link
    assert levels["pull_requests_baseline_ds"] == "error"  # the second link: keyed otherwise than what feeds it
    assert "activityRelations_bucket_MV_ds_3" not in levels  # keyed as its source: rows replace each other
    assert of(planned("activityRelations"), "backfill-double-counts") == {}  # nothing is written again
    turned = facts.datasources["activityRelations_bucket_MV_ds_3"]
    turned = replace(turned, sorting_key=turned.sorting_key[::-1])  # the same key in another order
    facts = replace(facts, datasources={**facts.datasources, turned.name: turned})
    assert turned.name not in of(planned("activityRelations", facts), "backfill-double-counts")


def test_a_view_that_only_joins_the_table_counts_nothing_twice() -> None:
    facts = filled(estate(), "organizations", "wanted")
    view = (
        "SELECT r.id, count() AS n FROM activityRelations AS r JOIN organizations AS o ON o.id = r.memberId GROUP BY 1"
    )
    joined = with_pipe(facts, "joins", view, kind="materialized", target="org_page_kpis_ds")
    assert of(planned("organizations", joined), "backfill-double-counts") == {}
    assert of(planned("organizations", joined), "materialized-reader") == {"joins": "note"}
    rebuilt = planned("organizations", joined, strategy="recreate")
    assert [h.message for h in rebuilt.hazards if h.slug == "materialized-reader"] == [
        "joins joins organizations: while that is away, nothing can be written into what feeds the view."
    ]


def test_a_table_that_feeds_views_cannot_be_rebuilt() -> None:
    rebuilt = of(planned("activityRelations", strategy="recreate"), "materialized-reader")
    assert rebuilt["activityRelations_bucket_MV_3"] == "error"
    assert set(of(planned("activityRelations"), "materialized-reader").values()) == {"note"}
    assert of(planned("members", strategy="recreate"), "materialized-reader") == {}


def test_readers_without_final_are_found_in_the_mirrors_too() -> None:
    facts = with_pipe(
        filled(estate(), "activityRelations", "wanted"),
        "mirrored",
        "SELECT count() FROM activityRelations_bucket_MV_ds_3",
    )
    levels = of(planned("activityRelations", facts), "reader-without-final")
    assert levels["mirrored"] == "error"
    assert "activityRelations_bucket_clean_enrich_copy_pipe_3" not in levels  # it says FINAL
    assert "activityRelations_bucket_MV_3" not in levels  # a view sees what is written, once


def test_an_endpoint_that_inlines_a_pipe_without_final_blocks_a_backfill() -> None:
    facts = with_pipe(filled(estate(), "organizations", "wanted"), "plain", "SELECT id FROM organizations")
    facts = replace(facts, pipes={**facts.pipes, "plain": replace(facts.pipes["plain"], kind="pipe")})
    assert of(planned("organizations", facts), "reader-without-final")["plain"] == "warning"
    page = with_pipe(facts, "page", "SELECT count() FROM plain")
    found = next(h for h in planned("organizations", page).hazards if h.resource == "plain")
    assert (found.level, "and 1 endpoint through it" in found.message) == ("error", True)
    assert "reader-without-final" not in {h.slug for h in planned("organizations", estate()).hazards}


def test_a_sink_pipe_would_export_a_rebuilt_table_again() -> None:
    assert of(planned("segments", strategy="recreate"), "sink-pipe-replays") == {"segments_sink": "error"}
    assert of(planned("segments"), "sink-pipe-replays") == {}
    assert of(planned("members", strategy="recreate"), "sink-pipe-replays") == {}  # its export reads the copy


@pytest.mark.parametrize(
    ("sql", "missed"),
    [
        ("SELECT * FROM organizations FINAL WHERE updatedAt > now() - INTERVAL 3 HOUR", True),
        ("SELECT * FROM organizations FINAL", False),  # takes everything each time
        ("SELECT id FROM organizations FINAL WHERE updatedAt > now() - INTERVAL 3 HOUR", False),  # has no such column
    ],
)
def test_an_append_copy_misses_what_a_backfill_brings(sql: str, missed: bool) -> None:
    facts = filled(estate(), "organizations", "wanted")
    copy = {"kind": "copy", "target": "organizations_kept", "mode": "append", "schedule": "45 */2 * * *"}
    facts = with_pipe(facts, "kept_copy", sql, **copy)
    kept = replace(facts.datasources["organizations"], name="organizations_kept")
    facts = replace(facts, datasources={**facts.datasources, "organizations_kept": kept})
    assert of(planned("organizations", facts), "append-copy-misses-rows") == (
        {"kept_copy": "warning"} if missed else {}
    )
    assert (
        of(planned("organizations", field=NewField(name="fresh", type="text"), facts=facts), "append-copy-misses-rows")
        == {}
    )


def test_copies_that_append_behind_a_paused_one_stand_still_too() -> None:
    facts = replace(estate(), limits=replace(estate().limits, slot_restart_s=43_200))  # a hold of a day and more
    plan = planned("members", facts, strategy="recreate")
    levels = of(plan, "schedule-collision")
    assert levels["leaderboards_commits"] == "note"
    assert "health_score_history_copy" not in levels  # once a month: it may
    copies = [(step.op, step.params["pipe"]) for step in plan.steps if step.op.startswith("tinybird.copy.")]
    behind = {pipe for op, pipe in copies if op == PAUSED} - {copy.name for copy in reaching("members")}
    assert behind == levels.keys() - {"members"}
    assert behind.isdisjoint(pipe for op, pipe in copies if op == RUN)  # they are not of this table
    last_run = max(n for n, (op, _) in enumerate(copies) if op == RUN)
    assert behind == {pipe for n, (op, pipe) in enumerate(copies) if op == RESUMED and n > last_run} & behind
    assert {f"copy/{pipe}" for pipe in behind} <= set(plan.locks)
    assert "datasource/leaderboards_copy_ds" in plan.locks


def test_copies_behind_that_may_tick_within_the_hold_or_stand_still_anyhow_are_left_alone() -> None:
    short = planned("members", strategy="recreate")
    assert of(short, "schedule-collision") == {"members": "note"}
    assert {s.params["pipe"] for s in short.steps if s.op == PAUSED} == {copy.name for copy in reaching("members")}
    assert of(planned("members"), "schedule-collision") == {}
    facts = replace(estate(), limits=replace(estate().limits, slot_restart_s=43_200))
    off = replace(facts.pipes["leaderboards_commits"], schedule_status="shutdown")
    facts = replace(facts, pipes={**facts.pipes, off.name: off})
    plan = planned("members", facts, strategy="recreate")
    assert off.name not in {s.params.get("pipe") for s in plan.steps}
    assert of(plan, "schedule-collision").keys() > {"leaderboards_forks"}


def test_endpoints_behind_one_pipe_are_one_hazard_with_their_number() -> None:
    plan = planned("insightsProjects", strategy="recreate")
    raw = {h.resource: h.message for h in plan.hazards if h.slug == "endpoint-reads-raw"}
    assert set(raw) == {"projects_index", "projects_widgets", "segments_filtered", "segments_of_collections"}
    assert "and 95 endpoints through it, reads insightsProjects" in raw["segments_filtered"]
    assert "endpoint-reads-raw" not in {h.slug for h in planned("insightsProjects").hazards}


@pytest.mark.parametrize(
    ("schedule", "level"),
    [
        ("45 * * * *", "note"),
        ("45 */2 * * *", "warning"),
        ("45 */3 * * *", "error"),
        ("@on-demand", None),
        ("45 2 * * 1-5", "error"),
    ],
)
def test_a_look_back_is_held_against_the_longest_time_between_two_runs(schedule: str, level: str | None) -> None:
    """The estate's append twin looks back three hours, every two: without one run, four hours lie between two."""
    lately = "SELECT id, displayName FROM organizations FINAL WHERE updatedAt > now() - INTERVAL 3 HOUR"
    copy = {"kind": "copy", "target": "top_member_org_copy_ds", "mode": "append", "schedule": schedule}
    facts = with_pipe(estate(), "lately_copy", lately, **copy)
    assert of(planned("organizations", facts, strategy="recreate"), "append-lookback").get("lately_copy") == level
    assert of(planned("organizations", facts), "append-lookback") == {}


@pytest.mark.parametrize(("status", "said"), [("working", "awaits it"), ("waiting", "cancels it")])
def test_a_copy_under_way_is_told_and_binds_nothing(status: str, said: str) -> None:
    facts = replace(estate(), in_flight={"members_sorted_copy_pipe": status, "health_score_copy": "working"})
    plan = planned("members", facts, strategy="recreate")
    assert of(plan, "copy-in-flight") == {"members_sorted_copy_pipe": "note"}
    assert said in next(h.message for h in plan.hazards if h.slug == "copy-in-flight")
    assert plan.hash == planned("members", strategy="recreate").hash
    assert of(planned("members", facts), "copy-in-flight") == {}  # alter pauses nothing


def test_a_copy_that_merges_into_its_own_target_is_not_taken_for_one_that_empties_it() -> None:
    levels = {h.resource: h.level for h in lint(estate()) if h.slug == "replace-over-incremental"}
    assert levels == {f"activityRelations_snapshot_merger_copy_{n}": "warning" for n in range(3)}
    anti = "SELECT * FROM organizations FINAL WHERE id NOT IN (SELECT id FROM organizations_kept)"
    copy = {"kind": "copy", "target": "organizations_kept", "mode": "replace"}
    emptied = {
        h.resource: h.level
        for h in lint(with_pipe(estate(), "kept", anti, **copy))
        if h.slug == "replace-over-incremental"
    }
    assert emptied["kept"] == "error"


def test_a_copy_that_merges_keeps_old_values_after_a_backfill() -> None:
    fresh = "SELECT * FROM organizations FINAL WHERE updatedAt > now() - INTERVAL 1 DAY"
    copy = {"kind": "copy", "target": "organizations_kept", "mode": "replace"}
    facts = with_pipe(estate(), "kept", f"{fresh} UNION ALL SELECT * FROM organizations_kept", **copy)
    assert of(planned("organizations", facts), "replace-over-incremental") == {}
    assert of(planned("organizations", filled(facts, "organizations", "wanted")), "replace-over-incremental") == {
        "kept": "warning"
    }


def test_a_removed_field_that_is_named_blocks_and_one_behind_a_star_is_told() -> None:
    assert of(removing("collections", "isPrivate"), "column-still-used") == {"collections.isPrivate": "error"}
    assert of(removing("packages", "downloads"), "column-still-used") == {}
    sink = next(h for h in removing("packages", "downloads") if h.slug == "wildcard-reader")
    assert (sink.resource, sink.message) == (
        "packages_sink",
        "packages_sink takes every column of packages: downloads is no longer among its answers.",
    )
    copies = {h.resource: h.message for h in removing("members", "score") if h.slug == "wildcard-reader"}
    assert copies["members_sorted_copy_pipe"] == (
        "members_sorted_copy_pipe takes every column of members: score of members_sorted is no longer filled, new rows "
        "have the default there."
    )


def test_a_removed_field_is_followed_through_stars_of_nodes_and_pipes() -> None:
    whole = with_pipe(estate(), "whole", "SELECT * FROM packages FINAL")
    page = with_pipe(whole, "page", "SELECT name, downloads FROM whole")
    assert {h.message for h in removing("packages", "downloads", facts=page) if h.slug == "column-still-used"} == {
        "page reads downloads of packages, which is to be removed."
    }
    inner = with_pipe(estate(), "page", "SELECT count() FROM (SELECT * FROM packages FINAL) WHERE downloads > 0")
    assert of(removing("packages", "downloads", facts=inner), "column-still-used") == {"packages.downloads": "warning"}
    other = with_pipe(whole, "page", "SELECT name FROM whole WHERE 'downloads' != ''")
    assert of(removing("packages", "downloads", facts=other), "column-still-used") == {}
