-- The source database, as a platform's first years leave it. The columns are described in small/README.md.

CREATE TABLE members (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    "displayName" text NOT NULL,
    "joinedAt" timestamptz NOT NULL,
    score integer,
    "manuallyCreated" boolean NOT NULL DEFAULT false,
    attributes jsonb NOT NULL DEFAULT '{}',
    "createdAt" timestamptz NOT NULL DEFAULT now(),
    "updatedAt" timestamptz NOT NULL DEFAULT now(),
    "deletedAt" timestamptz
);

CREATE TABLE organizations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    "displayName" text NOT NULL,
    description text,
    logo text,
    location text,
    country text,
    industry text,
    size text,
    employees integer,
    founded integer,
    "isTeamOrganization" boolean NOT NULL DEFAULT false,
    "createdAt" timestamptz NOT NULL DEFAULT now(),
    "updatedAt" timestamptz NOT NULL DEFAULT now(),
    "deletedAt" timestamptz
);

CREATE TYPE "segmentsStatus_type" AS ENUM ('active', 'archived', 'formation', 'prospect');

-- the slug alone is not unique, though the data source is sorted by it
CREATE TABLE segments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    slug text NOT NULL,
    url text,
    "parentName" text,
    "grandparentName" text,
    "parentSlug" text,
    "grandparentSlug" text,
    "parentId" uuid,
    "grandparentId" uuid,
    status "segmentsStatus_type" NOT NULL,
    description text,
    "sourceId" text,
    "isLF" boolean NOT NULL DEFAULT false,
    "createdAt" timestamptz NOT NULL DEFAULT now(),
    "updatedAt" timestamptz NOT NULL DEFAULT now(),
    UNIQUE (slug, "parentSlug", "grandparentSlug")
);

CREATE TABLE collections (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    slug text NOT NULL UNIQUE,
    description text,
    "categoryId" uuid,
    "isPrivate" boolean NOT NULL DEFAULT false,
    starred boolean NOT NULL DEFAULT false,
    "createdAt" timestamptz NOT NULL DEFAULT now(),
    "updatedAt" timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE "insightsProjects" (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    slug text NOT NULL UNIQUE,
    description text,
    "segmentId" uuid,
    "organizationId" uuid,
    "logoUrl" text,
    website text,
    github text,
    linkedin text,
    twitter text,
    widgets text[] NOT NULL DEFAULT '{}',
    repositories text[] NOT NULL DEFAULT '{}',
    keywords text[] NOT NULL DEFAULT '{}',
    "isLF" boolean NOT NULL DEFAULT false,
    enabled boolean NOT NULL DEFAULT true,
    "createdAt" timestamptz NOT NULL DEFAULT now(),
    "updatedAt" timestamptz NOT NULL DEFAULT now(),
    "deletedAt" timestamptz
);

CREATE TABLE "collectionsInsightsProjects" (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    "insightsProjectId" uuid NOT NULL,
    "collectionId" uuid NOT NULL,
    starred boolean NOT NULL DEFAULT false,
    "createdAt" timestamptz NOT NULL DEFAULT now(),
    "updatedAt" timestamptz NOT NULL DEFAULT now(),
    UNIQUE ("insightsProjectId", "collectionId")
);

CREATE TABLE "activityRelations" (
    "activityId" uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    "memberId" uuid NOT NULL,
    "organizationId" uuid,
    "conversationId" uuid,
    "parentId" uuid,
    "segmentId" uuid NOT NULL,
    platform text NOT NULL,
    username text NOT NULL,
    "objectMemberId" uuid,
    "objectMemberUsername" text,
    "sourceId" text NOT NULL,
    "sourceParentId" text,
    type text NOT NULL,
    "timestamp" timestamptz NOT NULL,
    channel text NOT NULL,
    score integer,
    "sentimentScore" integer,
    "isContribution" boolean NOT NULL DEFAULT false,
    "gitInsertions" integer,
    "gitDeletions" integer,
    "pullRequestReviewState" text,
    "createdAt" timestamptz NOT NULL DEFAULT now(),
    "updatedAt" timestamptz NOT NULL DEFAULT now(),
    UNIQUE ("segmentId", "timestamp", type, platform, channel, "sourceId")
);

-- Not replicated yet: `replicate repositories` is a job for the product.
CREATE TABLE repositories (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    url text NOT NULL UNIQUE,
    "segmentId" uuid NOT NULL,
    "insightsProjectId" uuid,
    archived boolean NOT NULL DEFAULT false,
    "forkedFrom" text,
    stars integer,
    cost numeric(12, 2),
    topics text[] NOT NULL DEFAULT '{}',
    "createdAt" timestamptz NOT NULL DEFAULT now(),
    "updatedAt" timestamptz NOT NULL DEFAULT now(),
    "deletedAt" timestamptz
);

-- Never replicated. The first has no version column, the second no primary key: both must be refused.
CREATE TABLE categories (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    slug text NOT NULL UNIQUE
);

CREATE TABLE "auditLogs" (
    "actorId" uuid,
    "actionType" text NOT NULL,
    "timestamp" timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX "ix_members_updatedAt_id" ON members ("updatedAt", id);
CREATE INDEX "ix_organizations_updatedAt_id" ON organizations ("updatedAt", id);
CREATE INDEX "ix_segments_updatedAt_id" ON segments ("updatedAt", id);
CREATE INDEX "ix_collections_updatedAt_id" ON collections ("updatedAt", id);
CREATE INDEX "ix_insightsProjects_updatedAt_id" ON "insightsProjects" ("updatedAt", id);
CREATE INDEX "ix_collectionsInsightsProjects_updatedAt_id" ON "collectionsInsightsProjects" ("updatedAt", id);
CREATE INDEX "ix_activityRelations_updatedAt_activityId" ON "activityRelations" ("updatedAt", "activityId");
CREATE INDEX "ix_repositories_updatedAt_id" ON repositories ("updatedAt", id);

ALTER TABLE members REPLICA IDENTITY FULL;
ALTER TABLE organizations REPLICA IDENTITY FULL;
ALTER TABLE segments REPLICA IDENTITY FULL;
ALTER TABLE collections REPLICA IDENTITY FULL;
ALTER TABLE "insightsProjects" REPLICA IDENTITY FULL;
ALTER TABLE "activityRelations" REPLICA IDENTITY FULL;
-- "collectionsInsightsProjects" stays at DEFAULT: such drift exists (facts/systems.md §0)

CREATE PUBLICATION sequin_pub FOR TABLE
    members, organizations, segments, collections, "insightsProjects", "collectionsInsightsProjects", "activityRelations";

GRANT SELECT ON
    members, organizations, segments, collections, "insightsProjects", "collectionsInsightsProjects", "activityRelations"
    TO sequin;
