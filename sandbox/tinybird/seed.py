"""The seed's datafiles into a fresh workspace, and the rows of ``activities``, which no Postgres table feeds."""

import random
import uuid
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import PurePath
from typing import Any

from sandbox.tinybird import datafiles
from sandbox.tinybird.materialized import link
from sandbox.tinybird.model import ENGINE_KEYS, Datasource, Engine, Node, Pipe, Scope, Tag
from sandbox.tinybird.platform import Platform
from sandbox.tinybird.schema import parse_columns
from sandbox.tinybird.sinks import KEYS
from sandbox.tinybird.tables import create, parse_index
from sandbox.tinybird.template import parameters_of
from sandbox.tinybird.workspace import Workspace

_ACTIVITIES = 3_000


async def push(platform: Platform, files: Mapping[str, str]) -> None:
    """Make every data source and pipe of ``files`` (path → text); the append token gets all replicated tables."""
    workspace = platform.workspace
    for path in (PurePath(path) for path in sorted(files) if path.endswith(".datasource")):
        source = _datasource(workspace, path.stem, files[str(path)])
        await create(workspace, source)
        if source.format == "ndjson":
            _scopes(workspace).append(Scope("DATASOURCES:APPEND", source.name))
    for path in (PurePath(path) for path in sorted(files) if path.endswith(".pipe")):
        pipe = _pipe(workspace, path.stem, files[str(path)])
        workspace.state.pipes[pipe.name] = pipe
        platform.jobs.plan(pipe)
    await _link_views(workspace, files)


def _scopes(workspace: Workspace) -> list[Scope]:
    return next(token.scopes for token in workspace.state.tokens if token.token == workspace.append_token)


def _datasource(workspace: Workspace, name: str, text: str) -> Datasource:
    head, _ = datafiles.read(text)
    columns = parse_columns(head.get("SCHEMA"))
    options = {key: head.get(f"ENGINE_{key.upper()}") for key in ENGINE_KEYS if head.get(f"ENGINE_{key.upper()}")}
    now = workspace.now()
    source = Datasource(
        name,
        columns,
        Engine(head.get("ENGINE") or "MergeTree", options),
        now,
        now,
        description=head.get("DESCRIPTION"),
        format="ndjson" if columns[0].jsonpath else "csv",
        indexes=tuple(parse_index(line) for line in head.get("INDEXES").split("\n") if line.strip()),
    )
    _tag(workspace, head.get("TAGS"), source.id, name, "datasource")
    return source


def _pipe(workspace: Workspace, name: str, text: str) -> Pipe:
    head, sections = datafiles.read(text)
    now = workspace.now()
    nodes = [
        Node(
            section.get("NODE"),
            section.get("SQL"),
            now,
            now,
            description=section.get("DESCRIPTION"),
            params=parameters_of(section.get("SQL")),
        )
        for section in sections
    ]
    last = sections[-1]
    pipe = Pipe(name, nodes, now, now, description=head.get("DESCRIPTION"))
    tags = datafiles.tag_names(head.get("TAGS"))
    if last.get("TYPE").upper() == "COPY":
        target = workspace.source(last.get("TARGET_DATASOURCE"))
        nodes[-1].type = "copy"
        pipe.copy_target = target.id if target else None
        pipe.copy_mode = last.get("COPY_MODE") or "append"
        pipe.cron = _scheduled(last.get("COPY_SCHEDULE"))
    elif last.get("TYPE").upper() == "SINK":
        nodes[-1].type = "sink"
        pipe.export = {key: last.get(word) for word, key in KEYS.items() if last.get(word)}
        pipe.cron = _scheduled(pipe.export.pop("schedule_cron", ""))
    elif "endpoint" in tags:  # fmt drops TYPE ENDPOINT, so the tag says which pipes are published
        nodes[-1].type = "endpoint"
    _tag(workspace, head.get("TAGS"), pipe.id, name, "pipe")
    return pipe


def _scheduled(schedule: str) -> str | None:
    return None if schedule in ("", "@on-demand") else schedule


async def _link_views(workspace: Workspace, files: Mapping[str, str]) -> None:
    """The views of materialized nodes, when all that they read is there."""
    for path, text in sorted(files.items()):
        _, sections = datafiles.read(text)
        if path.endswith(".pipe") and sections[-1].get("TYPE").upper() == "MATERIALIZED":
            pipe = workspace.state.pipes[PurePath(path).stem]
            await link(workspace, pipe, pipe.nodes[-1], {"datasource": sections[-1].get("DATASOURCE")})
            pipe.nodes[-1].type = "materialized"


def _tag(workspace: Workspace, text: str, resource_id: str, name: str, kind: str) -> None:
    for tag in datafiles.tag_names(text):
        entry = workspace.state.tags.setdefault(tag, Tag(tag))
        entry.resources.append({"id": resource_id, "name": name, "type": kind})


def activities(workspace: Workspace, *, seed: int = 7) -> Iterator[dict[str, Any]]:
    """Rows of the data source that workers fill, the same ones for the same seed and day."""
    chance = random.Random(seed)
    now = workspace.now().replace(hour=0, minute=0, second=0, microsecond=0)
    for n in range(_ACTIVITIES):
        when = now - timedelta(minutes=chance.randrange(1, 400 * 24 * 60))
        kind = chance.choice(("authored-commit", "pull_request-opened", "pull_request-merged", "issues-opened", "star"))
        yield {
            "id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            "type": kind,
            "timestamp": when.isoformat(),
            "platform": "git" if kind == "authored-commit" else "github",
            "isContribution": int(kind != "star"),
            "score": chance.randrange(0, 10),
            "sourceId": f"s{n:06d}",
            "createdAt": when.isoformat(),
            "updatedAt": (when + timedelta(seconds=chance.randrange(0, 3600))).isoformat(),
            "attributes": "{}",
            "title": f"{kind} {n}",
            "channel": f"https://github.example/project-{n % 40}/repo",
            "gitInsertions": chance.randrange(0, 500),
        }
