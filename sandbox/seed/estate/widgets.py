"""What pages ask for: endpoints that inline ``segments_filtered``, pipes that only other pipes read, and exports."""

from collections.abc import Iterator

from sandbox.seed.estate.text import Column, Engine, datasource, pipe

CLEANED = "activityRelations_deduplicated_cleaned_ds"
UNION = "activityRelations_bucket_union"
TOPICS = {
    "contributions": "isContribution = 1",
    "commits": "type = 'authored-commit'",
    "pull_requests": "type LIKE 'pull_request-%'",
    "merges": "type = 'pull_request-merged'",
    "reviews": "type = 'pull_request-reviewed'",
    "issues": "type LIKE 'issues-%'",
    "stars": "type = 'star'",
    "forks": "type = 'fork'",
    "discussions": "type LIKE 'discussion-%'",
    "mails": "platform = 'mailinglist'",
    "chats": "platform IN ('slack', 'discord')",
    "newcomers": "isContribution = 1 AND score >= 0",
    "maintenance": "type != 'star' AND type != 'fork'",
}
_TIMES = """\
    {% if defined(startDate) %}
        AND timestamp >= {{ DateTime(startDate, description="From", required=False) }}
    {% end %}
    {% if defined(endDate) %}
        AND timestamp < {{ DateTime(endDate, description="Before", required=False) }}
    {% end %}"""
SHAPES = {
    "count": "SELECT count() AS count, uniq(memberId) AS people\nFROM {filtered}",
    "timeseries": "SELECT\n    toStartOfMonth(timestamp) AS month, count() AS count\nFROM {filtered}\nGROUP BY month\nORDER BY month",
    "by_platform": "SELECT platform, count() AS count\nFROM {filtered}\nGROUP BY platform\nORDER BY count DESC",
    "people": "SELECT m.displayName AS name, count() AS count\nFROM {filtered} AS f\nINNER JOIN members_sorted AS m ON m.id = f.memberId\nGROUP BY name\nORDER BY count DESC\nLIMIT {{{{ Int32(limit, 10) }}}}",
    "organizations": "SELECT organizationName, count() AS count\nFROM {filtered}\nWHERE organizationName != ''\nGROUP BY organizationName\nORDER BY count DESC\nLIMIT {{{{ Int32(limit, 10) }}}}",
    "heatmap": "SELECT\n    toDayOfWeek(timestamp) AS weekday, toHour(timestamp) AS hour, count() AS count\nFROM {filtered}\nGROUP BY weekday, hour",
    "repositories": "SELECT channel, count() AS count\nFROM {filtered}\nWHERE\n    channel IN {{{{ Array(repos, 'String', default='', description=\"Repositories\") }}}} OR 1 = 1\nGROUP BY channel",
}
DIRECT = {
    "organizations_named": ("organizations", "SELECT id, displayName, country\nFROM organizations FINAL\nWHERE isNull (deletedAt)"),
    "collections_index": ("collections", "SELECT collections.id, collections.name, collections.slug\nFROM collections FINAL\nWHERE isPrivate = 0"),
    "category_groups_list": ("categoryGroups", "SELECT name, slug\nFROM categoryGroups FINAL\nORDER BY name"),
    "projects_index": ("insightsProjects", "SELECT id, name, slug\nFROM insightsProjects FINAL\nWHERE isNull (deletedAt)"),
    "projects_widgets": ("insightsProjects", "SELECT slug, arrayJoin(widgets) AS widget\nFROM insightsProjects FINAL"),
    "security_results": ("securityEvaluations", "SELECT e.repo AS repo, e.result AS result, a.requirementId AS requirementId\nFROM securityEvaluations AS e FINAL\nLEFT JOIN securityAssessments AS a FINAL ON a.repo = e.repo"),
    "downloads_total": ("packageDownloads", "SELECT ecosystem, sum(downloads) AS downloads\nFROM packageDownloads FINAL\nGROUP BY ecosystem"),
    "search_volume": ("searchVolume", "SELECT insightsProjectId, date, volume\nFROM searchVolume FINAL"),
    "packages_of_repository": ("packages", "WITH\n    latest AS (SELECT packageId, max(publishedAt) AS publishedAt FROM packageVersions FINAL GROUP BY packageId)\nSELECT p.name AS name, l.publishedAt AS publishedAt\nFROM packages AS p FINAL\nLEFT JOIN latest AS l ON l.packageId = p.id"),
    "repositories_tracked": ("trackedRepositories", "SELECT url, archived\nFROM trackedRepositories FINAL\nWHERE enabled = 1"),
    "activity_labels": ("activityTypes", "SELECT id, platform, label\nFROM activityTypes FINAL"),
    "integrations_connected": ("integrations", "SELECT platform, count() AS count\nFROM integrations FINAL\nWHERE isNull (deletedAt)\nGROUP BY platform"),
    "segments_tree": ("segments", "SELECT slug, parentSlug, grandparentSlug\nFROM segments FINAL"),
    "countries": ("country_mapping", "SELECT country, flag\nFROM country_mapping"),
    "people_by_country": ("members", "SELECT country, uniq(id) AS people\nFROM members FINAL\nWHERE country IN (SELECT country FROM country_mapping_no_flags)\nGROUP BY country"),
    "members_named": ("members", "SELECT members.*\nFROM members FINAL\nWHERE isNull (deletedAt)"),
    "events_to_come": ("events", "SELECT name, city, startsAt\nFROM events FINAL\nWHERE startsAt > now()"),
    "mentions_lately": ("mentions", "SELECT source, count() AS count\nFROM mentions\nGROUP BY source"),
    "leaderboard_page": ("leaderboards_copy_ds", "SELECT id, value, rank\nFROM leaderboards_copy_ds\nWHERE board = {{ String(board, 'commits') }}\nORDER BY rank\nLIMIT {{ Int32(limit, 100) }}"),
    "health_of_project": ("health_score_ds", "SELECT value\nFROM health_score_ds\nWHERE segmentId IN (SELECT segmentId FROM segments_filtered)"),
    "organization_page": ("org_page_kpis_ds", "SELECT *\nFROM org_page_kpis_ds\nWHERE organizationId = {{ String(organization, '') }}"),
    "pull_requests_speed": ("pull_requests_analyzed", "SELECT quantile(0.5)(mergedInSeconds) AS median\nFROM pull_requests_analyzed\nWHERE segmentId IN (SELECT segmentId FROM segments_filtered)"),
    "monitoring_entities": ("", "SELECT 'members' AS entity, count() AS rows FROM members\nUNION ALL\nSELECT 'activities' AS entity, count() AS rows FROM activities"),
    "activity_types_used": ("activities", "SELECT type, count() AS count\nFROM activities_deduplicated_ds\nGROUP BY type"),
}  # fmt: skip
EXPORTS = ("members_sorted", "top_member_org_copy_ds", "health_score_ds", "insights_projects_populated_ds", "org_page_kpis_ds", "segments",
           "segment_metrics_ds", "repositories_populated_ds", "packages", "mentions", "pull_requests_analyzed", "issues_analyzed_ds",
           "org_dash_metric_ds", "project_insights_ds", "maintainers_roles_ds", "leaderboards_copy_ds", "collections", "organizations",
           "health_score_history_ds")  # fmt: skip
WIDGETS = 116  # untyped pipes in all, with DIRECT and the filters


def datafiles() -> Iterator[tuple[str, str]]:
    yield from _fixtures()
    for name, (tag, text) in DIRECT.items():
        templated = "%\n" if "{{" in text or "segments_filtered" in text else ""
        yield (
            f"pipes/{name}.pipe",
            pipe(
                f"For pages: {name.replace('_', ' ')}.",
                ", ".join(filter(None, ("endpoint", tag))),
                [(f"{name}_rows", templated + text)],
            ),
        )
    made = [(topic, shape) for topic in TOPICS for shape in SHAPES][: WIDGETS - len(DIRECT)]
    for number, (topic, shape) in enumerate(made):
        yield _widget(topic, shape, CLEANED if number % 3 else UNION)
    for source in EXPORTS:
        yield _export(source)


def _widget(topic: str, shape: str, source: str) -> tuple[str, str]:
    name, words = f"{topic}_{shape}", topic.replace("_", " ")
    filtered = f"%\nSELECT *\nFROM {source}\nWHERE\n    segmentId IN (SELECT segmentId FROM segments_filtered)\n    AND {TOPICS[topic]}\n{_TIMES}"
    shown = "%\n" + SHAPES[shape].format(filtered=f"{name}_filtered")
    return f"pipes/{name}.pipe", pipe(
        f"{words.capitalize()} of a project: {shape.replace('_', ' ')}.",
        f"endpoint, {topic}",
        [(f"{name}_filtered", filtered), (f"{name}_shown", shown)],
    )


def _export(source: str) -> tuple[str, str]:
    name = f"{source}_sink"
    settings = (
        "TYPE SINK",
        "EXPORT_SERVICE kafka",
        "EXPORT_CONNECTION_NAME estate-kafka",
        "EXPORT_SCHEDULE 30 9 * * *",
        "EXPORT_FORMAT csv",
        "EXPORT_STRATEGY @new",
        f"EXPORT_KAFKA_TOPIC {name}",
    )
    return f"pipes/{name}.pipe", pipe(
        f"Sends {source} to other systems.", "export", [(f"{name}_rows", f"SELECT *\nFROM {source}")], *settings
    )


def _fixtures() -> Iterator[tuple[str, str]]:
    """Data sources that files fill, and the mentions that another service sends."""
    names = {
        "country_mapping": ("country", "flag"),
        "country_mapping_no_flags": ("country", "timezone"),
        "time_zones": ("timezone", "offset"),
        "bot_names": ("username", "reason"),
        "excluded_words": ("word", "language"),
        "exchange_rates": ("currency", "rate"),
    }
    for name, fields in names.items():
        columns = [Column(field, "String", field) for field in fields]
        yield (
            f"datasources/{name}.datasource",
            datasource(f"A list: {name.replace('_', ' ')}.", "fixture", columns, Engine("MergeTree", fields[0])),
        )
    columns = [
        Column("id", "String", "the key", path="$.id"),
        Column("source", "LowCardinality(String)", "where it was said", path="$.source"),
        Column("text", "String", "what was said", "''", "$.text"),
        Column("seenAt", "DateTime64(3)", "version of the row", path="$.seenAt"),
    ]
    yield (
        "datasources/mentions.datasource",
        datasource(
            "What is said of projects elsewhere.",
            "raw",
            columns,
            Engine("ReplacingMergeTree", "id", "toYear(seenAt)", "seenAt"),
        ),
    )
