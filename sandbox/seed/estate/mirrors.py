"""The materialized views beside the buckets': backups of activities, counters, and the stages of pull requests."""

from collections.abc import Iterator

from sandbox.seed.estate.text import Column, Engine, copied, datasource, materialized, pipe

_LOW = "LowCardinality(String)"
ACTIVITY = (
    Column("id", "String", "the key"),
    Column("type", _LOW, "what kind of activity"),
    Column("timestamp", "DateTime", "when it happened"),
    Column("platform", _LOW, "where it happened"),
    Column("isContribution", "UInt8", "1 when it counts as a contribution"),
    Column("score", "Int8", "weight"),
    Column("sourceId", "String", "id given by the platform"),
    Column("createdAt", "DateTime64(3)", "when the row was made"),
    Column("updatedAt", "DateTime64(3)", "when the row last changed"),
    Column("sourceParentId", "String", "platform's id of the parent"),
    Column("attributes", "String", "what only this platform knows, JSON"),
    Column("title", "String", "title"),
    Column("body", "String", "text, cut"),
    Column("channel", "String", "repository or room"),
    Column("url", "String", "address"),
    Column("sentimentLabel", "String", "mood in a word"),
    Column("sentimentScore", "Float32", "mood"),
    Column("sentimentScoreMixed", "Float32", "share of mixed mood"),
    Column("sentimentScoreNeutral", "Float32", "share of neutral mood"),
    Column("sentimentScoreNegative", "Float32", "share of negative mood"),
    Column("sentimentScorePositive", "Float32", "share of positive mood"),
    Column("gitIsMainBranch", "UInt8", "1 on the main branch"),
    Column("gitIsIndirectFork", "UInt8", "1 in a fork of a fork"),
    Column("gitIsMerge", "UInt8", "1 for a merge"),
    Column("gitLines", "Int32", "lines"),
    Column("gitInsertions", "Int32", "lines added"),
    Column("gitDeletions", "Int32", "lines removed"),
)
_REPLACING = Engine("ReplacingMergeTree", "id", "toYear(createdAt)", "updatedAt")


def datafiles() -> Iterator[tuple[str, str]]:
    yield from _backups()
    yield from _counters()
    yield from _segments()
    yield from _stages()


def _mirror(name: str, target: str, about: str, text: str) -> tuple[str, str]:
    return f"pipes/{name}.pipe", pipe(about, "mirror", [(f"{name}_rows", text)], *materialized(target))


def _backups() -> Iterator[tuple[str, str]]:
    yield (
        "datasources/activities_backup.datasource",
        datasource("Every activity, as it came.", "backup", ACTIVITY, _REPLACING),
    )
    yield _mirror(
        "activities_backup_mv", "activities_backup", "Keeps every activity as it comes.", "SELECT * FROM activities"
    )
    kept = ACTIVITY[:15]
    yield (
        "datasources/activities_backup_cleaned.datasource",
        datasource("Activities without mood and git figures.", "backup", kept, _REPLACING),
    )
    names = ",\n    ".join(column.name for column in kept)
    cleaned = f"SELECT\n    {names}\nFROM activities"
    yield _mirror(
        "activities_backup_cleaned_mv", "activities_backup_cleaned", "Keeps the columns that are read.", cleaned
    )
    twin = """\
SELECT
    id,
    type,
    timestamp,
    platform,
    isContribution,
    score,
    sourceId,
    sourceParentId,
    channel,
    title,
    url,
    createdAt,
    updatedAt,
    gitInsertions
FROM activities FINAL
WHERE updatedAt > now() - INTERVAL 3 HOUR"""
    yield (
        "pipes/activities_deduplicated_copy_pipe_append_mode.pipe",
        pipe(
            "Appends what came in three hours.",
            "activities",
            [("activities_lately", twin)],
            *copied("activities_deduplicated_ds", "append", "45 */2 * * *"),
        ),
    )


def _counters() -> Iterator[tuple[str, str]]:
    for what, key in (("member", "memberId"), ("organization", "organizationId")):
        target = f"cdp_{what}_segment_aggregates_ds"
        columns = (
            Column("segmentId", "String", "the segment"),
            Column(key, "String", f"the {what}"),
            Column("activityCount", "AggregateFunction(count)", "state of the number of activities"),
            Column("lastActive", "AggregateFunction(max, DateTime)", "state of the latest activity"),
        )
        yield (
            f"datasources/{target}.datasource",
            datasource(
                f"Activities of each {what} in each segment.",
                "aggregate",
                columns,
                Engine("AggregatingMergeTree", f"segmentId, {key}"),
            ),
        )
        counted = f"SELECT\n    segmentId, {key}, countState() AS activityCount, maxState(timestamp) AS lastActive\nFROM activityRelations{{}}\nGROUP BY segmentId, {key}"
        yield _mirror(
            f"cdp_{what}_segment_aggregates_MV",
            target,
            f"Counts as relations come, a {what} at a time.",
            counted.format(""),
        )
        yield (
            f"pipes/cdp_{what}_segment_aggregates_initial_snapshot.pipe",
            pipe(
                "Counts everything once.",
                "aggregate",
                [(f"{what}_counts", counted.format(" FINAL"))],
                *copied(target, "replace", "@on-demand"),
            ),
        )


def _segments() -> Iterator[tuple[str, str]]:
    segments = (
        Column("segmentId", "String", "the segment"),
        Column("members", "AggregateFunction(uniq, String)", "state of the number of people"),
        Column("organizations", "AggregateFunction(uniq, String)", "state of the number of organizations"),
    )
    yield (
        "datasources/segmentsAggregatedMV.datasource",
        datasource(
            "People and organizations of each segment.",
            "aggregate",
            segments,
            Engine("AggregatingMergeTree", "segmentId"),
        ),
    )
    uniq = "SELECT\n    segmentId, uniqState(memberId) AS members, uniqState(organizationId) AS organizations\nFROM {}\nGROUP BY segmentId"
    first = pipe(
        "Counts each segment once.",
        "aggregate",
        [("segment_states_first", uniq.format("activityRelations FINAL"))],
        *copied("segmentsAggregatedMV", "replace", "@on-demand"),
    )
    yield "pipes/segmentId_aggregates_initial_snapshot.pipe", first
    hourly = pipe(
        "Counts each segment anew.",
        "aggregate",
        [("segment_states", uniq.format("activityRelations_deduplicated_ds"))],
        *copied("segmentsAggregatedMV", "replace", "55 * * * *"),
    )
    yield "pipes/segmentId_aggregates_snapshot.pipe", hourly


def _stages() -> Iterator[tuple[str, str]]:
    columns = (
        Column("id", "String", "the pull request"),
        Column("segmentId", "String", "segment it is filed under"),
        Column("channel", "String", "repository"),
        Column("openedAt", "DateTime", "when it was opened"),
        Column("snapshotAt", "DateTime64(3)", "version of the row"),
    )
    target = "pull_requests_baseline_ds"
    yield (
        f"datasources/{target}.datasource",
        datasource(
            "Pull requests as they are opened.",
            "mirror",
            columns,
            Engine("ReplacingMergeTree", "segmentId, id", "", "snapshotAt"),
        ),
    )
    opened = """\
SELECT
    activityId AS id, segmentId, channel, timestamp AS openedAt, updatedAt AS snapshotAt
FROM activityRelations_enrich_snapshot_MV_ds
WHERE type = 'pull_request-opened'"""
    yield _mirror("pull_request_analysis_baseline_merge_MV", target, "Keeps the opening of each pull request.", opened)
    once = """\
%
SELECT
    o.id AS id,
    o.segmentId AS segmentId,
    o.channel AS channel,
    o.openedAt AS openedAt,
    CAST(NULL AS Nullable(DateTime)) AS mergedAt,
    CAST(NULL AS Nullable(Int64)) AS mergedInSeconds
FROM pull_requests_baseline_ds AS o FINAL
WHERE cityHash64(o.id) % {{ UInt8(num_buckets, 10) }} = {{ UInt8(bucket_id, 0) }}"""
    yield (
        "pipes/pull_request_analysis_initial_snapshot.pipe",
        pipe(
            "Fills a tenth of the pull requests.",
            "activities",
            [("pull_requests_tenth", once)],
            *copied("pull_requests_analyzed", "append", "@on-demand"),
        ),
    )
