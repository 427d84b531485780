"""The copies that run by night and by the hour: figures a project, a repository, an organization; scores made of
them; leaderboards and collections, which several copies append to."""

from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.seed.estate.text import Column, Engine, copied, datasource, pipe

CLEANED = "activityRelations_deduplicated_cleaned_ds"
UNION = "activityRelations_bucket_union"

_KEYS = {
    "segmentId": Column("segmentId", "String", "segment of the project"),
    "channel": Column("channel", "String", "repository or room"),
    "memberId": Column("memberId", "String", "the person"),
    "organizationId": Column("organizationId", "String", "the organization"),
    "platform": Column("platform", "LowCardinality(String)", "where it happened"),
    "month": Column("month", "Date", "first day of the month"),
}
_KEY_SQL = {"month": "toStartOfMonth(timestamp) AS month"}
_MEASURES = {
    "activities": ("count()", Column("activities", "UInt64", "activities")),
    "contributors": ("uniq(memberId)", Column("contributors", "UInt64", "people")),
    "organizations": ("uniq(organizationId)", Column("organizations", "UInt64", "organizations")),
    "lastAt": ("max(timestamp)", Column("lastAt", "DateTime", "latest activity")),
    "firstAt": ("min(timestamp)", Column("firstAt", "DateTime", "first activity")),
    "insertions": ("sum(gitInsertions)", Column("insertions", "Int64", "lines added")),
    "deletions": ("sum(gitDeletions)", Column("deletions", "Int64", "lines removed")),
    "merged": ("countIf(type = 'pull_request-merged')", Column("merged", "UInt64", "merged pull requests")),
    "reviews": ("countIf(type = 'pull_request-reviewed')", Column("reviews", "UInt64", "reviews")),
    "weight": ("avg(score)", Column("weight", "Float64", "mean weight")),
    "days": ("uniq(toDate(timestamp))", Column("days", "UInt64", "days with an activity")),
}


@dataclass(frozen=True)
class Figures:
    """A copy of ``measures`` by ``keys``. ``lately``: only of the last year, so it is another row every night."""

    name: str
    schedule: str
    keys: str
    measures: str
    source: str = CLEANED
    where: str = "isContribution = 1"
    lately: bool = False

    @property
    def target(self) -> str:
        return f"{self.name}_ds"

    @property
    def columns(self) -> list[Column]:
        return [*(_KEYS[key] for key in self.keys.split()), *(_MEASURES[m][1] for m in self.measures.split())]

    @property
    def sql(self) -> str:
        keys = self.keys.split()
        shown = [_KEY_SQL.get(key, key) for key in keys]
        shown += [f"{_MEASURES[m][0]} AS {m}" for m in self.measures.split()]
        lately = " AND timestamp > now() - INTERVAL 1 YEAR" if self.lately else ""
        selected = ",\n    ".join(shown)
        return f"SELECT\n    {selected}\nFROM {self.source}\nWHERE {self.where}{lately}\nGROUP BY {', '.join(keys)}"


FIGURES = (
    Figures("health_contributors", "0 2 * * *", "segmentId", "contributors days", lately=True),
    Figures("health_development", "10 2 * * *", "channel", "activities merged reviews", UNION),
    Figures("health_lifecycle", "15 2 * * *", "channel", "firstAt lastAt days", UNION),
    Figures("health_maintainer", "0 2 * * *", "channel memberId", "merged reviews", UNION, "type != 'star'"),
    Figures("health_impact", "20 2 * * *", "segmentId", "organizations contributors"),
    Figures("org_page_kpis", "15 1 * * *", "organizationId", "activities contributors lastAt", UNION),
    Figures("org_page_projects", "30 1 * * *", "organizationId segmentId", "activities contributors", UNION),
    Figures("org_page_activities_timeseries", "30 1 * * *", "organizationId month", "activities", UNION),
    Figures("org_page_contributors_timeseries", "45 1 * * *", "organizationId month", "contributors", UNION),
    Figures("org_dash_metric", "50 0 * * *", "segmentId organizationId", "activities contributors merged"),
    Figures("maintainers_roles", "0 * * * *", "channel memberId", "reviews merged", where="type != ''"),
    Figures("members_public_names", "5 * * * *", "memberId", "lastAt", "activityRelations_deduplicated_ds", "username != ''"),
    Figures("repositories_populated", "0 * * * *", "channel", "contributors firstAt lastAt"),
    Figures("repos_channels", "0 0 * * *", "channel segmentId", "activities", where="channel != ''"),
    Figures("issues_analyzed", "20 * * * *", "channel segmentId", "activities days", where="type LIKE 'issues-%'"),
    Figures("segments_aggregates_with_ids", "0 * * * *", "segmentId", "contributors organizations"),
    Figures("ai_code_commits", "0 2 * * *", "channel month", "activities insertions", UNION, "type = 'authored-commit'"),
    Figures("project_languages", "40 3 * * *", "segmentId channel", "insertions deletions", UNION),
    Figures("activityRelations_by_member", "35 3 * * *", "memberId segmentId", "activities lastAt", UNION),
    Figures("collection_activities", "15 6 * * *", "segmentId", "activities", "activityRelations_collection_bucket_union"),
    Figures("collection_projects", "0 6 * * *", "segmentId platform", "contributors", "activityRelations_collection_bucket_union"),
    Figures("segment_metrics", "0 9 * * *", "segmentId month", "activities contributors organizations"),
    Figures("contributions_with_local_time", "55 * * * *", "memberId month", "activities", where="platform = 'git'"),
)  # fmt: skip


@dataclass(frozen=True)
class Score:
    """A copy that weighs figures of other copies, and the wildcard copy on top of it."""

    name: str
    schedule: str
    parts: tuple[str, str]
    formula: str


SCORES = (
    Score("health_score", "50 0 * * *", ("health_contributors_ds", "health_impact_ds"), "least(100, a.contributors * 2 + b.organizations * 5)"),
    Score("project_momentum", "0 3 * * *", ("health_impact_ds", "segments_aggregates_with_ids_ds"), "a.contributors / greatest(b.contributors, 1)"),
    Score("project_reach", "10 3 * * *", ("segments_aggregates_with_ids_ds", "health_contributors_ds"), "a.organizations + b.days / 10"),
    Score("project_insights", "20 3 * * *", ("health_score_ds", "project_momentum_ds"), "a.value + b.value"),
)  # fmt: skip
WILDCARDS = {"project_insights_impact": "project_insights_ds", "project_insights_health": "health_score_ds", "org_page_summary": "org_page_kpis_ds", "repo_health": "health_development_ds"}  # fmt: skip
BOARDS = ("avg_commits", "codebase_size", "commits", "forks", "issue_response", "members", "merge_time", "organizations",
          "package_downloads", "active_contributors", "active_organizations", "resolution_rate", "small_projects", "stars")  # fmt: skip
COLLECTIONS = 10


def datafiles() -> Iterator[tuple[str, str]]:
    for figures in FIGURES:
        engine = Engine("MergeTree", figures.keys.replace(" ", ", "))
        yield from _copy(figures.name, figures.target, figures.schedule, figures.columns, engine, figures.sql)
    for score in SCORES:
        yield from _score(score)
    scored = {score.name: _SCORED for score in SCORES} | {figures.name: figures.columns for figures in FIGURES}
    for number, (name, source) in enumerate(WILDCARDS.items()):
        columns = [*scored[source.removesuffix("_ds")], Column("madeAt", "DateTime", "when it was copied")]
        sql = f"SELECT {source}.*, now() AS madeAt\nFROM {source}"
        yield from _copy(
            name, f"{name}_ds", f"{30 + 5 * number} 3 * * *", columns, Engine("MergeTree", columns[0].name), sql
        )
    yield from _boards()
    yield from _aggregates()
    yield from _inputs()


_SCORED = [_KEYS["segmentId"], Column("value", "Float64", "the score")]


def _copy(
    name: str, target: str, schedule: str, columns: list[Column], engine: Engine, sql: str
) -> Iterator[tuple[str, str]]:
    words = name.replace("_", " ")
    yield f"datasources/{target}.datasource", datasource(f"What {name}_copy makes: {words}.", "copy", columns, engine)
    settings = copied(target, "replace", schedule)
    yield f"pipes/{name}_copy.pipe", pipe(f"Makes {words} anew.", "copy", [(f"{name}_rows", sql)], *settings)


def _score(score: Score) -> Iterator[tuple[str, str]]:
    first, second = score.parts
    sql = f"""\
SELECT a.segmentId AS segmentId, toFloat64({score.formula}) AS value
FROM {first} AS a
LEFT JOIN {second} AS b ON b.segmentId = a.segmentId"""
    yield from _copy(score.name, f"{score.name}_ds", score.schedule, _SCORED, Engine("MergeTree", "segmentId"), sql)


def _boards() -> Iterator[tuple[str, str]]:
    columns = [
        Column("board", "LowCardinality(String)", "which leaderboard"),
        Column("id", "String", "what is ranked"),
        Column("value", "Float64", "by what it is ranked"),
        Column("rank", "UInt64", "its place"),
        Column("madeAt", "DateTime", "when the board was made"),
    ]
    engine = Engine("MergeTree", "board, rank", "", "", "madeAt + toIntervalDay(3)")
    yield (
        "datasources/leaderboards_copy_ds.datasource",
        datasource("All leaderboards, three days of them.", "leaderboards", columns, engine),
    )
    for number, board in enumerate(BOARDS):
        ranked = ("segmentId", "channel", "organizationId")[number % 3]
        base = f"SELECT {ranked} AS id, toFloat64(uniq(memberId) + {number}) AS value\nFROM {CLEANED}\nWHERE id != ''\nGROUP BY id"
        sql = f"SELECT\n    '{board}' AS board, id, value, row_number() OVER (ORDER BY value DESC) AS rank, now() AS madeAt\nFROM {board}_values"
        minute, hour = number % 6 * 10, 1 + number // 6
        settings = copied("leaderboards_copy_ds", "append", f"{minute} {hour} * * *")
        yield (
            f"pipes/leaderboards_{board}.pipe",
            pipe(
                f"Ranks by {board.replace('_', ' ')}.",
                "leaderboards",
                [(f"{board}_values", base), (f"{board}_ranked", sql)],
                *settings,
            ),
        )


def _aggregates() -> Iterator[tuple[str, str]]:
    target = "collection_insights_aggregate_ds"
    columns = [
        _KEYS["segmentId"],
        _MEASURES["contributors"][1],
        Column("bucket", "UInt8", "bucket it was counted in"),
        Column("madeAt", "DateTime", "version of the row"),
    ]
    yield (
        f"datasources/{target}.datasource",
        datasource(
            "People of the collections' projects, a bucket at a time.",
            "collections",
            columns,
            Engine("ReplacingMergeTree", "segmentId, bucket", "", "madeAt"),
        ),
    )
    for number in range(COLLECTIONS):
        source = f"activityRelations_collection_deduplicated_cleaned_bucket_{number}_ds"
        sql = f"SELECT segmentId, uniq(memberId) AS contributors, {number} AS bucket, now() AS madeAt\nFROM {source}\nGROUP BY segmentId"
        settings = copied(target, "append", f"{5 + 5 * number} 5 * * *")
        yield (
            f"pipes/collection_insights_aggregate_copy_pipe_{number}.pipe",
            pipe(f"Counts bucket {number}.", "collections", [(f"collection_counts_{number}", sql)], *settings),
        )
    summed = f"SELECT segmentId, sum(contributors) AS contributors\nFROM {target} FINAL\nGROUP BY segmentId"
    made = [_KEYS["segmentId"], _MEASURES["contributors"][1]]
    yield from _copy(
        "collection_insights_projects",
        "collection_insights_projects_ds",
        "0 7 * * *",
        made,
        Engine("MergeTree", "segmentId"),
        summed,
    )


def _inputs() -> Iterator[tuple[str, str]]:
    columns = [
        _KEYS["segmentId"],
        Column("value", "Float64", "the score then"),
        Column("takenAt", "DateTime", "when it was taken"),
    ]
    target = "health_score_history_ds"
    yield (
        f"datasources/{target}.datasource",
        datasource("The scores of each month.", "copy", columns, Engine("MergeTree", "segmentId, takenAt")),
    )
    sql = "SELECT segmentId, value, now() AS takenAt\nFROM health_score_ds"
    settings = copied(target, "append", "30 0 1 * *")
    yield (
        "pipes/health_score_history_copy.pipe",
        pipe("Keeps the scores of each month.", "copy", [("scores_now", sql)], *settings),
    )
