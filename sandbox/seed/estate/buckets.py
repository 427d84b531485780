"""Activity relations in ten buckets: mirrored by materialized views, cleaned by copies, joined again by a union.

The families of facts/estate.md §3 (HEAD): a bucket a hash of the segment, once for all and once for collections, and
three buckets that are merged a day at a time.
"""

from collections.abc import Iterator

from sandbox.seed.estate.text import Column, Engine, copied, datasource, materialized, pipe

NUMBER = 10
MERGED = 3

_LOW = "LowCardinality(String)"
RELATION = (
    Column("activityId", "String", "the activity"),
    Column("memberId", "String", "who did it"),
    Column("organizationId", "String", "for whom it was done"),
    Column("conversationId", "String", "thread it belongs to"),
    Column("parentId", "String", "activity it answers"),
    Column("segmentId", "String", "segment it is filed under"),
    Column("platform", _LOW, "where it happened"),
    Column("username", "String", "name used there"),
    Column("objectMemberId", "String", "person it was done to"),
    Column("objectMemberUsername", "String", "that person's name there"),
    Column("sourceId", "String", "id given by the platform"),
    Column("sourceParentId", "String", "platform's id of the parent"),
    Column("type", _LOW, "what kind of activity"),
    Column("timestamp", "DateTime", "when it happened"),
    Column("channel", "String", "repository or room"),
    Column("score", "Int8", "weight, -1 when unknown"),
    Column("sentimentScore", "Int8", "mood from 0 to 100, -1 when unknown"),
    Column("isContribution", "UInt8", "1 when it counts as a contribution"),
    Column("gitInsertions", "Int32", "lines added"),
    Column("gitDeletions", "Int32", "lines removed"),
    Column("pullRequestReviewState", _LOW, "state of a review"),
    Column("createdAt", "DateTime64(3)", "when the row was made"),
    Column("updatedAt", "DateTime64(3)", "when the row last changed"),
)
ENRICHED = (*RELATION, Column("organizationName", "String", "name of the organization"))
KEY = "segmentId, timestamp, type, platform, channel, sourceId"
MIRROR = Engine("ReplacingMergeTree", KEY, "toYear(createdAt)", "updatedAt")
CLEANED = Engine("MergeTree", "segmentId, timestamp, type, platform, memberId", "toYear(timestamp)")


def datafiles() -> Iterator[tuple[str, str]]:
    for number in range(NUMBER):
        yield from _bucket("activityRelations", number, f"cityHash64(segmentId) % {NUMBER} = {number}", "")
        collection = f"cityHash64(channel) % {NUMBER} = {number}"
        yield from _bucket(
            "activityRelations_collection",
            number,
            collection,
            "segmentId IN (SELECT segmentId FROM segments_of_collections)",
        )
    for number in range(MERGED):
        yield from _merged(number)
    yield from _unions()


def _schedule(family: str, number: int) -> str:
    hourly = family == "activityRelations"
    return f"{10 + number // 2 * 4} * * * *" if hourly else f"{number * 5} 4 * * *"


def _bucket(family: str, number: int, share: str, narrowed: str) -> Iterator[tuple[str, str]]:
    mirror, cleaned = f"{family}_bucket_MV_ds_{number}", f"{family}_deduplicated_cleaned_bucket_{number}_ds"
    about = f"Bucket {number} of the relations, as they come."
    yield f"datasources/{mirror}.datasource", datasource(about, "bucket", RELATION, MIRROR)
    about = f"Bucket {number} of the relations, known people only; rebuilt by a copy."
    yield f"datasources/{cleaned}.datasource", datasource(about, "bucket, copy", ENRICHED, CLEANED)
    share_node = f"{family}_share_{number}"
    every = f"SELECT activityRelations.*\nFROM activityRelations\nWHERE {share}"
    yield (
        f"pipes/{family}_bucket_MV_{number}.pipe",
        pipe(f"Mirrors bucket {number} as rows come.", "bucket", [(share_node, every)], *materialized(mirror)),
    )
    final = f"SELECT *\nFROM activityRelations FINAL\nWHERE {share}"
    settings = copied(mirror, "append", "@on-demand")
    yield (
        f"pipes/{family}_bucket_MV_snapshot_{number}.pipe",
        pipe(f"Fills bucket {number} once.", "bucket", [(f"{family}_snapshot_{number}", final)], *settings),
    )
    yield (
        f"pipes/{family}_bucket_clean_enrich_copy_pipe_{number}.pipe",
        pipe(
            f"Cleans bucket {number} and adds the organization's name.",
            "bucket",
            _cleaning(family, number, mirror, narrowed),
            *copied(cleaned, "replace", _schedule(family, number)),
        ),
    )


def _cleaning(family: str, number: int, mirror: str, narrowed: str) -> list[tuple[str, str]]:
    channels = f"{family}_channels_{number}"
    shown = "SELECT arrayJoin(repositories) AS channel\nFROM insightsProjects FINAL\nWHERE isNull (deletedAt)"
    and_narrowed = f"\n    AND {narrowed}" if narrowed else ""
    cleaned = f"""\
SELECT r.*, o.displayName AS organizationName
FROM {mirror} AS r FINAL
LEFT JOIN organizations AS o FINAL ON o.id = r.organizationId
WHERE
    r.memberId IN (SELECT id FROM members_sorted)
    AND (r.platform NOT IN ('git', 'github') OR r.channel IN (SELECT channel FROM {channels})){and_narrowed}"""
    return [(channels, shown), (f"{family}_cleaned_{number}", cleaned)]


def _merged(number: int) -> Iterator[tuple[str, str]]:
    target = f"activityRelations_enriched_deduplicated_bucket_{number}_ds"
    share = f"cityHash64(segmentId) % {MERGED} = {number}"
    yield (
        f"datasources/{target}.datasource",
        datasource(f"Third {number} of the relations, merged once a day.", "bucket, copy", ENRICHED, CLEANED),
    )
    once = f"""\
SELECT r.*, o.displayName AS organizationName
FROM activityRelations AS r FINAL
LEFT JOIN organizations AS o FINAL ON o.id = r.organizationId
WHERE {share.replace("segmentId", "r.segmentId")}"""
    yield (
        f"pipes/activityRelations_enrich_initial_snapshot_{number}.pipe",
        pipe(
            "Fills the third once.", "bucket", [(f"enriched_{number}", once)], *copied(target, "replace", "@on-demand")
        ),
    )
    fresh = f"""\
SELECT *
FROM activityRelations_enrich_snapshot_MV_ds
WHERE {share} AND updatedAt >= (SELECT max(updatedAt) FROM {target}) - INTERVAL 1 DAY"""
    merged = f"SELECT * FROM fresh_{number}\nUNION ALL\nSELECT *\nFROM {target}\nWHERE activityId NOT IN (SELECT activityId FROM fresh_{number})"
    yield (
        f"pipes/activityRelations_snapshot_merger_copy_{number}.pipe",
        pipe(
            "Merges yesterday's relations into the third.",
            "bucket",
            [(f"fresh_{number}", fresh), (f"merged_{number}", merged)],
            *copied(target, "replace", f"{30 + 4 * number} 1 * * *"),
        ),
    )


def _unions() -> Iterator[tuple[str, str]]:
    snapshot = "activityRelations_enrich_snapshot_MV_ds"
    mirrored = "SELECT activityRelations.*, '' AS organizationName\nFROM activityRelations"
    yield (
        f"datasources/{snapshot}.datasource",
        datasource("Relations of the last days, as they come.", "bucket", ENRICHED, MIRROR),
    )
    yield (
        "pipes/activityRelations_enrich_snapshot_MV.pipe",
        pipe(
            "Mirrors relations for the daily merge.", "bucket", [("enriched_mirror", mirrored)], *materialized(snapshot)
        ),
    )
    for family in ("activityRelations", "activityRelations_collection"):
        sources = [f"{family}_deduplicated_cleaned_bucket_{number}_ds" for number in range(NUMBER)]
        union = "\nUNION ALL\n".join(f"SELECT * FROM {source}" for source in sources)
        yield f"pipes/{family}_bucket_union.pipe", pipe("All buckets as one.", "bucket", [(f"{family}_union", union)])
    routed = """\
%
SELECT segmentId, cityHash64(segmentId) % 10 AS bucket
FROM segments_filtered"""
    yield (
        "pipes/activityRelations_bucket_routing.pipe",
        pipe("Which bucket a segment is in.", "bucket", [("bucket_of_segment", routed)]),
    )
    of_collections = """\
SELECT DISTINCT p.segmentId AS segmentId
FROM insightsProjects AS p FINAL
INNER JOIN collectionsInsightsProjects AS c FINAL ON c.insightsProjectId = p.id"""
    yield (
        "pipes/segments_of_collections.pipe",
        pipe("Segments of all collections.", "collections", [("segments_in_collections", of_collections)]),
    )
