"""The rows of the source database: made by a seeded generator, the same on every machine and every day.

They hold what breaks naive code: NULLs, empty strings, umlauts and other scripts, quotes, microseconds
and whole seconds, times before 1970, equal slugs, empty arrays.
"""

import json
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

Row = dict[str, Any]

_BEGIN = datetime(2019, 3, 1, tzinfo=UTC)
_NOW = datetime(2026, 6, 1, tzinfo=UTC)
_FIRST = [
    "Ana",
    "Jürgen",
    "Zoë",
    "Łukasz",
    "Mei",
    "Omar",
    "Siobhán",
    "李",
    "Ngozi",
    "Björn",
    "D'Arcy",
    "Søren",
    "Анна",
]
_LAST = [
    "Müller",
    "O'Brien",
    "Garcia",
    "Nguyễn",
    "Smith",
    "Ødegård",
    "Kowalski",
    "Tanaka",
    "Okafor",
    "Straße",
    '"Ace"',
]
_COUNTRIES = [
    "Germany",
    "France",
    "Côte d'Ivoire",
    "Japan",
    "Brazil",
    "India",
    "United States",
    "",
]
_INDUSTRIES = ["Software", "Banking", "Telecommunications", "Research", None]
_SIZES = ["1-10", "11-50", "51-200", "201-500", "1001-5000", None]


class Rows:
    """All rows, table by table, in the order of their creation. ``members`` can be asked for in another number."""

    def __init__(self, *, members: int = 5_000, relations: int = 3_000) -> None:
        self._random = random.Random(20_260_601)
        self.organizations = [self._organization(n) for n in range(300)]
        self.segments = list(self._segments())
        self.collections = [self._collection(n) for n in range(20)]
        self.projects = [self._project(n) for n in range(40)]
        self.repositories = list(self._repositories())
        self.collection_projects = list(self._collection_projects(80))
        self.members = [self._member(n) for n in range(members)]
        self.relations = list(self._relations(relations))
        self.categories = [{"id": self._id(), "name": f"Category {n}", "slug": f"category-{n}"} for n in range(8)]

    def tables(self) -> dict[str, list[Row]]:
        return {
            "organizations": self.organizations,
            "segments": self.segments,
            "collections": self.collections,
            "insightsProjects": self.projects,
            "repositories": self.repositories,
            "collectionsInsightsProjects": self.collection_projects,
            "members": self.members,
            "activityRelations": self.relations,
            "categories": self.categories,
        }

    def _id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def _time(self, after: datetime = _BEGIN) -> datetime:
        """A time between ``after`` and the seed's present; one in ten without microseconds."""
        seconds = self._random.uniform(0, (_NOW - after).total_seconds())
        made = after + timedelta(seconds=seconds)
        return made.replace(microsecond=0) if self._random.random() < 0.1 else made

    def _stamps(self, *, deleted: float | None = None) -> Row:
        created = self._time()
        stamps: Row = {"createdAt": created, "updatedAt": self._time(created)}
        if deleted is not None:
            stamps["deletedAt"] = stamps["updatedAt"] if self._random.random() < deleted else None
        return stamps

    def _maybe(self, value: Any, chance: float = 0.7) -> Any:
        return value if self._random.random() < chance else None

    def _organization(self, n: int) -> Row:
        pick = self._random.choice
        return {
            "id": self._id(),
            "displayName": f"{pick(_LAST)} {pick(['GmbH', 'Inc.', 'S.A.', '株式会社', 'Ltd'])} {n}",
            "description": self._maybe("Makes things, says so.\nOn two lines."),
            "logo": self._maybe(f"https://logos.example/{n}.png"),
            "location": self._maybe("Köln"),
            "country": self._maybe(pick(_COUNTRIES)),
            "industry": pick(_INDUSTRIES),
            "size": pick(_SIZES),
            "employees": self._maybe(self._random.randrange(1, 90_000)),
            "founded": self._maybe(self._random.randrange(1900, 2025)),
            "isTeamOrganization": n == 0,
            **self._stamps(deleted=0.02),
        }

    def _segments(self) -> Iterator[Row]:
        """Four groups with three projects each, every project with the subprojects `core`, `docs` and one more."""
        for group in range(4):
            top = self._segment(f"Group {group}", f"group-{group}", [])
            yield top
            for project in range(3):
                middle = self._segment(f"Project {group}.{project}", f"project-{group}-{project}", [top])
                yield middle
                for name in ("core", "docs", f"tools-{group}-{project}"):
                    yield self._segment(name.title(), name, [middle, top])
        for n in range(8):
            yield self._segment(f"Solo {n}", f"solo-{n}", [])

    def _segment(self, name: str, slug: str, above: list[Row]) -> Row:
        parent: Row = above[0] if above else {}
        grandparent: Row = above[1] if len(above) > 1 else {}
        return {
            "id": self._id(),
            "name": name,
            "slug": slug,
            "url": self._maybe(f"https://{slug}.example"),
            "parentName": parent.get("name"),
            "grandparentName": grandparent.get("name"),
            "parentSlug": parent.get("slug"),
            "grandparentSlug": grandparent.get("slug"),
            "parentId": parent.get("id"),
            "grandparentId": grandparent.get("id"),
            "status": self._random.choice(["active", "active", "archived", "formation", "prospect"]),
            "description": self._maybe(f"What {name} is about"),
            "sourceId": self._maybe(f"src-{slug}"),
            "isLF": self._random.random() < 0.5,
            **self._stamps(),
        }

    def _collection(self, n: int) -> Row:
        return {
            "id": self._id(),
            "name": f"Collection {n} für alle",
            "slug": f"collection-{n}",
            "description": self._maybe(f"Projects of kind {n}"),
            "categoryId": self._maybe(self._id()),
            "isPrivate": n % 7 == 0,
            "starred": n % 3 == 0,
            **self._stamps(),
        }

    def _project(self, n: int) -> Row:
        subprojects = [segment for segment in self.segments if segment["grandparentId"]]
        return {
            "id": self._id(),
            "name": f"Projekt {n} – «ä»",
            "slug": f"projekt-{n}",
            "description": self._maybe("A page of its own"),
            "segmentId": subprojects[n % len(subprojects)]["id"] if n < 38 else None,
            "organizationId": self._maybe(self.organizations[n]["id"]),
            "logoUrl": self._maybe(f"https://logos.example/p{n}.png"),
            "website": self._maybe(f"https://projekt-{n}.example"),
            "github": self._maybe(f"https://github.example/projekt-{n}"),
            "linkedin": self._maybe(f"projekt-{n}", 0.3),
            "twitter": self._maybe(f"@projekt{n}", 0.3),
            "widgets": self._random.sample(["activeContributors", "stars", "forks", "mergeTime"], n % 4),
            "repositories": [f"https://github.example/projekt-{n}/repo-{r}" for r in range(1 + n % 3 if n < 38 else 0)],
            "keywords": ["a,b", 'c"d', "é"][: n % 4],
            "isLF": n % 2 == 0,
            "enabled": n % 9 != 0,
            **self._stamps(deleted=0.05),
        }

    def _repositories(self) -> Iterator[Row]:
        urls = [(project, url) for project in self.projects for url in project["repositories"]]
        for n, (project, url) in enumerate(urls[:50]):
            yield {
                "id": self._id(),
                "url": url,
                "segmentId": project["segmentId"],
                "insightsProjectId": self._maybe(project["id"], 0.9),
                "archived": n % 11 == 0,
                "forkedFrom": self._maybe("https://github.example/upstream", 0.1),
                "stars": self._maybe(self._random.randrange(0, 50_000)),
                "cost": self._maybe(f"{self._random.randrange(0, 10**9) / 100:.2f}"),
                "topics": ["k8s", "ml"][: n % 3],
                **self._stamps(deleted=0.05),
            }

    def _collection_projects(self, count: int) -> Iterator[Row]:
        pairs = [(project["id"], collection["id"]) for project in self.projects for collection in self.collections]
        for project_id, collection_id in self._random.sample(pairs, count):
            starred = self._random.random() < 0.2
            yield {
                "id": self._id(),
                "insightsProjectId": project_id,
                "collectionId": collection_id,
                "starred": starred,
                **self._stamps(),
            }

    def _member(self, n: int) -> Row:
        attributes: Row = {}
        if self._random.random() < 0.8:
            attributes["location"] = {"default": "Zürich, Schweiz", "github": "Zürich"}
            attributes["country"] = {"default": self._random.choice(_COUNTRIES)}
        if self._random.random() < 0.6:
            attributes["avatar"] = {"default": f"https://avatars.example/{n}?v=4"}
        if self._random.random() < 0.3:
            attributes["isBot"] = {"default": n % 40 == 0}
            attributes["isTeamMember"] = {"default": n % 25 == 0}
        joined = datetime(1968, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC) if n == 17 else self._time()
        return {
            "id": self._id(),
            "displayName": "" if n == 23 else f"{self._random.choice(_FIRST)} {self._random.choice(_LAST)}",
            "joinedAt": joined,
            "score": self._maybe(self._random.randrange(0, 11)),
            "manuallyCreated": n % 50 == 0,
            "attributes": json.dumps(attributes, ensure_ascii=False),
            **self._stamps(deleted=0.01),
        }

    def _relations(self, count: int) -> Iterator[Row]:
        places = [(project, url) for project in self.projects for url in project["repositories"]]
        for n in range(count):
            project, channel = places[n // 4 % len(places)]  # a pull request stays in its repository
            created = self._time()
            yield {
                "activityId": self._id(),
                "memberId": self._random.choice(self.members)["id"],
                "organizationId": self._maybe(self._random.choice(self.organizations)["id"]),
                "conversationId": self._maybe(self._id(), 0.2),
                "parentId": None,
                "segmentId": project["segmentId"],
                "username": f"user{n % 700}",
                "objectMemberId": None,
                "objectMemberUsername": None,
                "channel": channel,
                "score": self._maybe(self._random.randrange(0, 10)),
                "sentimentScore": self._maybe(self._random.randrange(0, 101), 0.3),
                "isContribution": n % 4 != 3,
                **self._kind(n),
                "createdAt": created,
                "updatedAt": self._time(created),
            }

    def _kind(self, n: int) -> Row:
        """What happened: commits, and pull requests of which two in three are merged."""
        number = n // 4 * 4
        opened_at = _BEGIN + timedelta(hours=number * 5, microseconds=n)
        kinds: dict[int, Row] = {
            0: {
                "type": "pull_request-opened",
                "sourceId": f"pr-{number}",
                "sourceParentId": None,
            },
            1: {
                "type": "authored-commit",
                "sourceId": f"sha-{n:06x}",
                "sourceParentId": None,
            },
            2: {
                "type": "pull_request-merged",
                "sourceId": f"merge-{n}",
                "sourceParentId": f"pr-{number}",
            },
            3: {
                "type": "pull_request-reviewed",
                "sourceId": f"review-{n}",
                "sourceParentId": f"pr-{number}",
            },
        }
        kind = kinds[1 if n % 12 == 10 else n % 4]
        commit = kind["type"] == "authored-commit"
        return {
            **kind,
            "platform": "git" if commit else "github",
            "timestamp": opened_at + timedelta(hours=n % 4 * 3),
            "gitInsertions": self._random.randrange(0, 900) if commit else None,
            "gitDeletions": self._random.randrange(0, 300) if commit else None,
            "pullRequestReviewState": "APPROVED" if n % 4 == 3 else None,
        }
