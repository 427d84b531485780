"""What a sandbox begins with: a workspace's datafiles, and the Postgres tables that feed its data sources."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sandbox.seed import estate
from sandbox.seed.files import datafiles_in

ROOT = Path(__file__).parent
SMALL_TABLES = (
    "members",
    "organizations",
    "segments",
    "collections",
    "insightsProjects",
    "collectionsInsightsProjects",
    "activityRelations",
)


@dataclass(frozen=True)
class Seed:
    """``replicated`` are the tables in the publication: each has a Sequin sink, a topic and a data source of its
    name. ``more_tables`` is SQL that makes those beside ``source.sql``, with rows. ``datafiles``: path → text."""

    replicated: tuple[str, ...]
    more_tables: str
    datafiles: Mapping[str, str]


@cache
def seed_named(name: str) -> Seed:
    """The seed of that name: ``small`` or ``estate``."""
    if name == "estate":
        return Seed((*SMALL_TABLES, *estate.tables()), estate.ddl(), estate.datafiles())
    return Seed(SMALL_TABLES, "", datafiles_in(ROOT / "small"))
