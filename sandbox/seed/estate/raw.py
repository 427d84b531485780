"""The replicated tables beside the small seed's: their datafiles, and the Postgres tables that feed them.

Shapes and types as facts/estate.md §2 and §8 have them; names, columns and words are our own where it matters not.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.seed.estate.text import Column, Engine, datasource


@dataclass(frozen=True)
class Kind:
    """A Postgres type, and what ClickHouse makes of it where a value must be there and where it may be missing."""

    postgres: str
    present: str
    missing: str
    default: str | None = None  # in ClickHouse, where it may be missing
    postgres_default: str = ""


KINDS = {
    "uuid": Kind("uuid", "String", "String", "''"),
    "text": Kind("text", "String", "String", "''"),
    "low": Kind("text", "LowCardinality(String)", "LowCardinality(String)", "''"),
    "int": Kind("integer", "Int32", "Nullable(Int32)"),
    "big": Kind("bigint", "UInt64", "UInt64", "0"),
    "flag": Kind("boolean", "UInt8", "UInt8", "0", "false"),
    "time": Kind("timestamptz", "DateTime64(3)", "Nullable(DateTime64(3))"),
    "num": Kind("numeric(12,2)", "String", "String", "'0'"),
    "real": Kind("double precision", "Float64", "Float64", "0"),
    "list": Kind("text[]", "Array(String)", "Array(String)", "[]", "'{}'"),
    "json": Kind("jsonb", "Nullable(String)", "Nullable(String)"),
}


ROWS = 40
VALUES = {  # by Postgres type, from the row's number
    "uuid": "md5('{name} ' || n)::uuid",
    "text": "'{name} ' || n",
    "integer": "n * 7 % 101",
    "bigint": "n::bigint * 1000003",
    "boolean": "n % 4 = 0",
    "timestamptz": "timestamptz '2023-11-05 23:59:59.9999Z' + n * interval '17 hours'",
    "numeric(12,2)": "n * 1.25",
    "double precision": "n / 7.0",
    "text[]": "ARRAY['a,b', 'ü' || n]",
    "jsonb": "jsonb_build_object('n', n)",
}


@dataclass(frozen=True)
class Table:
    """``fields`` are ``name:kind``, with ``!`` behind the kind where NOT NULL; id and the stamps are everywhere."""

    name: str
    about: str
    fields: str
    key: str = "id"
    partition: str = "toYear(createdAt)"

    @property
    def parsed(self) -> tuple[tuple[str, Kind, bool], ...]:
        parts = [field.partition(":") for field in self.fields.split()]
        return tuple((name, KINDS[kind.rstrip("!")], kind.endswith("!")) for name, _, kind in parts)


TABLES = (
    Table("categoryGroups", "Groups of categories on the start page.", "name:text! slug:text! type:low!"),
    Table("criticalityScores", "How much others rely on a repository.", "repoUrl:text! score:real rank:int", "repoUrl"),
    Table("integrations", "Sources that a project has connected.", "platform:low! status:low segmentId:uuid settings:json deletedAt:time"),
    Table("memberships", "Organizations that hold a membership.", "organizationName:text! tier:low status:low installedAt:time price:num"),
    Table("maintainersInternal", "Who maintains which repository.", "repoUrl:text! role:low! memberIdentityId:uuid! startDate:time! endDate:time", "repoUrl, role, memberIdentityId", "toYear(startDate)"),
    Table("memberIdentities", "Names that people go by.", "memberId:uuid! platform:low! value:text! type:low! verified:flag!", "memberId, platform, value, type"),
    Table("organizationIdentities", "Names and domains of organizations.", "organizationId:uuid! platform:low! value:text! type:low! verified:flag!", "organizationId, platform, type, value"),
    Table("packageDownloads", "Downloads of packages, a row a day.", "repoUrl:text! name:text! ecosystem:low! date:time! downloads:big! dependents:big", "repoUrl, name, ecosystem, date"),
    Table("repositoryGroups", "Repositories that a project shows together.", "name:text! slug:text! insightsProjectId:uuid! repositories:list! deletedAt:time"),
    Table("searchVolume", "How often a project is searched for.", "insightsProjectId:uuid! date:time! volume:int!", "insightsProjectId, date"),
    Table("softwareValues", "What a project would cost to write anew.", "repoUrl:text! estimatedCost:real contributors:int", "repoUrl"),
    Table("securityEvaluations", "Security controls, evaluated a repository at a time.", "projectSlug:text! repo:text! controlId:text! result:low message:text corrupted:flag!", "projectSlug, repo, controlId", ""),
    Table("securityAssessments", "Assessments of the controls' requirements.", "projectSlug:text! repo:text! requirementId:text! applicability:list! result:low changes:json steps:int", "projectSlug, repo, requirementId", ""),
    Table("trackedRepositories", "Repositories whose activities are collected.", "url:text! insightsProjectId:uuid segmentId:uuid archived:flag! excluded:flag! enabled:flag! stars:int deletedAt:time"),
    Table("activityTypes", "Kinds of activities, and which count as contributions.", "platform:low! label:text description:text isCode:flag! isCollaboration:flag!", "id"),
    Table("collectionRepositories", "Repositories that a collection names itself.", "collectionId:uuid! repositoryId:uuid! deletedAt:time", "collectionId, repositoryId"),
    Table("advisories", "Published weaknesses of packages.", "source:low! severity:low score:real summary:text publishedAt:time withdrawnAt:time"),
    Table("advisoryRanges", "Versions that a weakness concerns.", "advisoryId:uuid! ecosystem:low! name:text! introduced:text fixed:text deletedAt:time"),
    Table("packages", "Packages of the registries.", "ecosystem:low! name:text! homepage:text licenses:list! latest:text downloads:big deletedAt:time"),
    Table("packageVersions", "Versions of the packages.", "packageId:uuid! number:text! publishedAt:time yanked:flag! size:big"),
    Table("packageDependencies", "What a version needs.", "versionId:uuid! name:text! requirement:text kind:low!"),
    Table("packageMaintainers", "Who may publish a package.", "packageId:uuid! username:text! email:text role:low"),
    Table("sourceRepositories", "Repositories that packages are made from.", "host:low! owner:text! name:text! stars:int forks:int openIssues:int topics:list! archived:flag!"),
    Table("repositorySnapshots", "Figures of a repository, a row a month.", "repositoryId:uuid! month:time! commits:int authors:int stars:int", "repositoryId, month"),
    Table("scorecards", "Results of an automatic security check.", "repoUrl:text! check:low! score:int! reason:text", "repoUrl, check"),
    Table("contributorPolicies", "Agreements that contributors have signed.", "projectId:uuid! memberId:uuid! signedAt:time kind:low!", "projectId, memberId"),
    Table("events", "Conferences and meetups.", "name:text! city:text country:low startsAt:time! endsAt:time attendees:int"),
    Table("eventRegistrations", "Who is registered for an event.", "eventId:uuid! memberId:uuid organizationId:uuid status:low!", "eventId, memberId"),
    Table("mailingLists", "Lists whose mails are counted.", "address:text! insightsProjectId:uuid members:int archived:flag!"),
    Table("blogPosts", "Posts about a project.", "insightsProjectId:uuid! title:text! url:text! publishedAt:time words:int"),
    Table("courses", "Courses and certificates.", "insightsProjectId:uuid title:text! level:low enrolled:int price:num"),
)  # fmt: skip

STAMPS = (
    Column("createdAt", "DateTime64(3)", "when the row was made", path="$.record.createdAt"),
    Column(
        "updatedAt", "DateTime64(3)", "when the row last changed; the version that is kept", path="$.record.updatedAt"
    ),
)


def datafiles() -> Iterator[tuple[str, str]]:
    """``(path, text)`` of every raw data source."""
    for table in TABLES:
        engine = Engine("ReplacingMergeTree", table.key, table.partition, "updatedAt")
        yield f"datasources/{table.name}.datasource", datasource(table.about, "raw", columns(table), engine)


def columns(table: Table) -> list[Column]:
    first = Column("id", "String", "the key", path="$.record.id")
    return [first, *(_column(name, kind, there) for name, kind, there in table.parsed), *STAMPS]


def _column(name: str, kind: Kind, there: bool) -> Column:
    path = f"$.record.{name}" + ("[:]" if kind.present.startswith("Array") else "")
    says = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
    if there and kind.present != "Array(String)":
        return Column(name, kind.present, says, path=path)
    return Column(name, kind.missing, says, kind.default, path)


def ddl() -> str:
    """The Postgres tables with ``ROWS`` rows each, published and granted as the small seed's are."""
    names = ", ".join(f'"{table.name}"' for table in TABLES)
    replicated = f"ALTER PUBLICATION sequin_pub ADD TABLE {names};\nGRANT SELECT ON {names} TO sequin;\n"
    return "\n".join([*(_create(table) for table in TABLES), replicated])


def _create(table: Table) -> str:
    lines = ["id uuid PRIMARY KEY DEFAULT gen_random_uuid()"]
    for name, kind, there in table.parsed:
        default = f" DEFAULT {kind.postgres_default}" if there and kind.postgres_default else ""
        lines.append(f'"{name}" {kind.postgres}{" NOT NULL" if there else ""}{default}')
    lines += [f'"{name}" timestamptz NOT NULL DEFAULT now()' for name in ("createdAt", "updatedAt")]
    if table.key != "id":
        lines.append("UNIQUE ({})".format(", ".join(f'"{name}"' for name in table.key.split(", "))))
    body = ",\n    ".join(lines)
    index = f'CREATE INDEX "ix_{table.name}_updatedAt_id" ON "{table.name}" ("updatedAt", id);'
    identity = f'ALTER TABLE "{table.name}" REPLICA IDENTITY FULL;'
    return f'CREATE TABLE "{table.name}" (\n    {body}\n);\n{index}\n{identity}\n{_rows(table)}\n'


def _rows(table: Table) -> str:
    """Rows by number, the same ones every time; every third value that may be missing is."""
    values = [f"md5('{table.name} ' || n)::uuid"]
    for name, kind, there in table.parsed:
        made = VALUES[kind.postgres].format(name=name)
        values.append(made if there else f"CASE WHEN n % 3 > 0 THEN {made} END")
    created = "timestamptz '2024-03-01 08:15:30.123456Z' + n * interval '31 hours'"
    values += [created, f"{created} + interval '5 days'"]
    return f'INSERT INTO "{table.name}" SELECT {", ".join(values)} FROM generate_series(1, {ROWS}) AS n;'
