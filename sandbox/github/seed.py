"""What the two repositories hold at first: the project with its datafiles and migrations, the cluster's secrets."""

from collections.abc import Iterator, Mapping
from importlib import resources

from sandbox import age
from sandbox.seed import Seed

DATAFILES = "services/libs/tinybird"
MIGRATIONS = "backend/src/database/migrations"
PROPERTIES = "local/kafka-connect/tinybird-sink.properties.enc"
_TOPICS_PER_LINE = 4

History = Iterator[tuple[str, Mapping[str, bytes]]]


def project(seed: Seed) -> History:
    """The migrations are the pieces of what made the source database, in their order."""
    tables, indexes, replication = _pieces()
    yield "Begin", {"README.md": b"# platform\n\nThe data platform: its database and its datafiles.\n"}
    made = {"V1696118400__createTables.sql": tables, "V1704067200__indexesForBackfills.sql": indexes}
    yield "Make the tables", _in(MIGRATIONS, made)
    yield "Add the Tinybird project", _in(DATAFILES, seed.datafiles)
    more = {"V1712000000__moreTables.sql": seed.more_tables} if seed.more_tables else {}
    yield "Replicate the first tables", _in(MIGRATIONS, {"V1709251200__replicateFirstTables.sql": replication, **more})


def cluster(properties: Mapping[str, str], identity: str) -> History:
    yield "Begin", {"README.md": b"# cluster\n\nWhat runs where. Files ending in .enc are encrypted with age.\n"}
    yield "Configure the Tinybird sink", {PROPERTIES: age.encrypt(text_of(properties).encode(), identity)}


def text_of(properties: Mapping[str, str]) -> str:
    """As people keep it: with remarks, and the topics on several lines."""
    lines = ["# Posts every topic to Tinybird's events API. Restart the pod after a change.", "name=tinybird-sink"]
    for key, value in properties.items():
        if key == "topics":
            lines += ["", "# one topic a data source, of the same name", *_topics(value.split(",")), ""]
        else:
            lines.append(f"{key}={value}")
    return "\n".join(lines) + "\n"


def _topics(names: list[str]) -> Iterator[str]:
    rows = [names[at : at + _TOPICS_PER_LINE] for at in range(0, len(names), _TOPICS_PER_LINE)]
    for number, row in enumerate(rows):
        start = "topics=" if number == 0 else "       "
        yield start + ",".join(row) + ("" if row is rows[-1] else ",\\")


def _pieces() -> tuple[str, str, str]:
    whole = resources.files("sandbox.seed").joinpath("source.sql").read_text()
    indexes, replication = whole.index("CREATE INDEX "), whole.index("ALTER TABLE members REPLICA IDENTITY")
    return whole[:indexes], whole[indexes:replication], whole[replication:]


def _in(folder: str, files: Mapping[str, str]) -> dict[str, bytes]:
    return {f"{folder}/{name}": text.encode() for name, text in files.items()}
