"""Tinybird Classic, API v0: a handful of typed calls (facts/tinybird.md)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from systems import tinybird_logs as logs
from systems import tinybird_shapes as shapes
from systems.errors import SystemsError
from systems.http import Http, Wire, segment
from systems.permit import Permit
from systems.shapes import Shape
from systems.tinybird_model import (
    Answer,
    DatasourceInfo,
    Job,
    NewDatasource,
    PipeInfo,
    TagInfo,
    TokenInfo,
    Workspace,
)

SYSTEM = "tinybird"
NO_CHANGE = "no operations to perform"  # an alter that finds nothing to do is refused with these words
_FORWARD = (
    "this workspace was moved to Tinybird Forward, where tables and pipes change only by deployments; "
    "nothing was changed, make the change in the project's files and deploy it"
)
_LONG_SQL = 4000  # longer SQL goes in the body (facts/tinybird.md §6)


class Tinybird:
    """One workspace. Every method raises ``SystemsError``; those that change something ask the permit first."""

    def __init__(self, url: str, token: str, permit: Permit, *, wire: Wire | None = None) -> None:
        self._http = Http(SYSTEM, url, token, permit, wire=wire)

    def permitted(self, permit: Permit) -> "Tinybird":
        """The same workspace, its connections shared, under another permit."""
        other = object.__new__(Tinybird)
        other._http = self._http.permitted(permit)
        return other

    def close(self) -> None:
        self._http.close()

    # -- reading

    def workspace(self) -> Workspace:
        return shapes.workspace(Shape(SYSTEM, "GET /v0/workspace", self._http.get("/v0/workspace")))

    def require_classic(self) -> None:
        """Refuse a Forward workspace with a plain sentence."""
        if self.workspace().forward:
            raise SystemsError(SYSTEM, "GET /v0/workspace", said=_FORWARD)

    def datasources(self) -> list[DatasourceInfo]:
        """All of them, in one call."""
        return [shapes.datasource(item) for item in self._list("/v0/datasources", "datasources")]

    def datasource(self, name_or_id: str) -> DatasourceInfo | None:
        """One data source by name or by id; None if there is none."""
        found = self._find(f"/v0/datasources/{segment(name_or_id)}")
        return shapes.datasource(found) if found else None

    def pipes(self) -> list[PipeInfo]:
        """All of them with nodes, SQL and dependencies, in one call."""
        return [shapes.pipe(item) for item in self._list("/v0/pipes", "pipes", {"dependencies": "true"})]

    def pipe(self, name: str) -> PipeInfo | None:
        found = self._find(f"/v0/pipes/{segment(name)}")
        return shapes.pipe(found) if found else None

    def sql(self, query: str) -> list[dict[str, Any]]:
        """The rows of a SELECT (without FORMAT). Limits: 8 KB of SQL, 10 s, 100 MB. 64-bit numbers may come as text."""
        return [dict(row) for row in self._asked(query).plain("data")]

    def copy_jobs(self, since: datetime) -> logs.LoggedJobs:
        """The copy jobs of ``jobs_log`` that changed at ``since`` or later: not only the last 100."""
        return logs.copy_jobs(self.sql, self._columns, since)

    def copy_writes(self, since: datetime) -> logs.LoggedWrites:
        """Rows written by copies, and rows quarantined, from the minute of ``since`` on."""
        return logs.copy_writes(self.sql, self._columns, since)

    def newest(self, datasource: str, column: str) -> datetime | None:
        """The largest value of a column of times; None in an empty data source. It may read all of that column."""
        quoted = column.replace("`", "")
        # an alias that is also a column's name would stand for it
        rows = self.sql(f"SELECT max(`{quoted}`) AS _newest, count() AS _n FROM `{datasource}`")
        return logs.moment(rows[0]["_newest"]) if rows and int(rows[0]["_n"]) else None

    def time(self) -> datetime:
        """What time it is there."""
        return logs.moment(self.sql("SELECT now() AS now")[0]["now"])

    def endpoint(self, pipe: str) -> Answer:
        """What the endpoint answers without parameters; 400 where it needs some."""
        path = f"/v0/pipes/{segment(pipe)}.json"
        return shapes.answer(Shape(SYSTEM, f"GET {path}", self._http.get(path)))

    def datafile(self, file: str) -> str:
        """A resource as Tinybird itself writes it: ``members.datasource``, ``members_list.pipe``."""
        version = "v1/pipes" if file.endswith(".pipe") else "v0/datasources"
        return self._http.fetch(f"/{version}/{segment(file)}", accept="text/plain").decode()

    def tokens(self) -> list[TokenInfo]:
        """Names and scopes; the values are dropped at once."""
        return [shapes.token(item) for item in self._list("/v0/tokens", "tokens")]

    def tags(self) -> list[TagInfo]:
        """The filtering tags, which no resource's own answer names."""
        return [shapes.tag(item) for item in self._list("/v0/tags", "tags")]

    def jobs(self, *, kind: str | None = None, pipe_name: str | None = None) -> list[Job]:
        """The last 100 jobs of the last 48 h; filtered here too, since the server's filters are not certain."""
        asked = {"kind": kind, "pipe_name": pipe_name}
        found = self._list("/v0/jobs", "jobs", {k: v for k, v in asked.items() if v})
        jobs = [shapes.job(item) for item in found]
        return [j for j in jobs if kind in (None, j.kind) and pipe_name in (None, j.pipe_name)]

    def job(self, job_id: str) -> Job | None:
        """None once it is older than 48 h."""
        found = self._find(f"/v0/jobs/{segment(job_id)}")
        return shapes.job(found) if found else None

    # -- changing

    def alter(
        self,
        name: str,
        *,
        schema: str,
        dry: bool,
        indexes: str | None = None,
        ttl: str | None = None,
        description: str | None = None,
    ) -> list[str]:
        """The operations that the whole new ``schema`` means (dry) or meant; none if it is so already.

        A dry run changes nothing and asks no permit.
        """
        form = {"dry": "true" if dry else "false", "schema": schema}
        if indexes is not None:
            form["indexes"] = indexes
        if ttl is not None:
            form["ttl"] = ttl
        if description is not None:
            form["description"] = description
        path = f"/v0/datasources/{segment(name)}/alter"
        try:
            answer = self._http.rehearse(path, form) if dry else self._http.change("POST", path, form=form)
        except SystemsError as error:
            if error.status == 400 and NO_CHANGE in error.said.lower():
                return []
            raise
        return [str(line) for line in Shape(SYSTEM, f"POST {path}", answer or {}).plain("operations")]

    def create_datasource(self, new: NewDatasource) -> DatasourceInfo:
        form = {
            "name": new.name,
            "schema": new.schema,
            "format": "ndjson" if "`json:" in new.schema else "csv",
            "engine": new.engine,
            "description": new.description,
            "engine_sorting_key": new.sorting_key,
            "engine_partition_key": new.partition_key,
            "engine_ver": new.version,
            "engine_ttl": new.ttl,
            "engine_settings": new.settings,
            "indexes": new.indexes,
        }
        answer = self._http.change("POST", "/v0/datasources", form={k: v for k, v in form.items() if v})
        made = Shape(SYSTEM, "POST /v0/datasources", answer)
        return shapes.datasource(made.inside("datasource"))

    def rename_datasource(self, name_or_id: str, to: str) -> None:
        """[unverified] that it exists, and what it does to pipes: see the capability ``rename``."""
        self._http.change("PUT", f"/v0/datasources/{segment(name_or_id)}", params={"name": to})

    def exchange_datasources(self, one: str, other: str) -> None:
        """The two change names at once, where support has enabled it; their schemas must be the same."""
        self._http.change("POST", "/v0/datasources/exchange", form={"datasource_a": one, "datasource_b": other})

    def delete_datasource(self, name_or_id: str) -> None:
        self._http.change(
            "DELETE", f"/v0/datasources/{segment(name_or_id)}", params={"force": "true", "dry_run": "false"}
        )

    def delete_rows(self, name: str, condition: str) -> None:
        """Begin a job that deletes the rows for which the SQL ``condition`` holds; found in the list by its data
        source. It does not reach materialized views."""
        form = {"delete_condition": condition}
        self._http.change("POST", f"/v0/datasources/{segment(name)}/delete", form=form)

    def put_token_scopes(self, name: str, scopes: Sequence[str]) -> None:
        """The token's whole new list of scopes: ``DATASOURCES:APPEND:members``, …"""
        self._http.change("PUT", f"/v0/tokens/{segment(name)}", params=[("scope", scope) for scope in scopes])

    def create_token(self, name: str, scopes: Sequence[str]) -> None:
        """A token of its own value, which is in the answer and is not kept."""
        self._http.change("POST", "/v0/tokens", params=[("name", name), *(("scope", scope) for scope in scopes)])

    def delete_token(self, name: str) -> None:
        self._http.change("DELETE", f"/v0/tokens/{segment(name)}")

    def put_tag(self, name: str, resources: Sequence[tuple[str, str, str]], *, new: bool) -> None:
        """The tag's whole new list of resources: (id, name, type); ``new``: there is no such tag yet."""
        on = [{"id": known, "name": named, "type": kind} for known, named, kind in resources]
        if new:
            self._http.change("POST", "/v0/tags", body={"name": name, "resources": on})
        else:
            self._http.change("PUT", f"/v0/tags/{segment(name)}", body={"name": name, "resources": on})

    def copy_run(self, pipe: str, *, mode: str | None = None, params: Mapping[str, str] | None = None) -> Job:
        asked = dict(params or {}) | ({"_mode": mode} if mode else {})
        path = f"/v0/pipes/{segment(pipe)}/copy"
        answer = Shape(SYSTEM, f"POST {path}", self._http.change("POST", path, params=asked))
        return shapes.job(answer.inside("job"))

    def copy_pause(self, pipe: str) -> None:
        self._http.change("POST", f"/v0/pipes/{segment(pipe)}/copy/pause")

    def copy_resume(self, pipe: str) -> None:
        self._http.change("POST", f"/v0/pipes/{segment(pipe)}/copy/resume")

    def cancel_job(self, job_id: str) -> None:
        self._http.change("POST", f"/v0/jobs/{segment(job_id)}/cancel")

    def put_pipe(self, body: Mapping[str, Any]) -> PipeInfo:
        """Create or replace a whole pipe, atomically, as ``tb push --force`` does (facts/tinybird.md §10)."""
        answer = self._http.change("POST", "/v0/pipes", params={"force": "true"}, body=dict(body))
        return shapes.pipe(Shape(SYSTEM, "POST /v0/pipes", answer))

    def publish_node(self, pipe_id: str, node_id: str) -> None:
        """Make the node the pipe's endpoint."""
        self._http.change("POST", f"/v0/pipes/{segment(pipe_id)}/nodes/{segment(node_id)}/endpoint")

    def unpublish_node(self, pipe_id: str, node_id: str) -> None:
        """The pipe answers nobody any more, and may become another kind."""
        self._http.change("DELETE", f"/v0/pipes/{segment(pipe_id)}/nodes/{segment(node_id)}/endpoint")

    def unset_copy(self, pipe_id: str, node_id: str) -> None:
        """The pipe copies no more, and has no schedule; the rows of its target stay."""
        self._http.change("DELETE", f"/v0/pipes/{segment(pipe_id)}/nodes/{segment(node_id)}/copy")

    def delete_pipe(self, name: str) -> None:
        self._http.change("DELETE", f"/v0/pipes/{segment(name)}")

    def unlink_view(self, pipe_id: str, node_id: str) -> None:
        """Take a materialized node's view away; its target and the rows in it stay."""
        self._http.change("DELETE", f"/v0/pipes/{segment(pipe_id)}/nodes/{segment(node_id)}/materialization")

    def put_node_sql(self, pipe_id: str, node_id: str, text: str) -> None:
        """One node's new SQL; schedule, target and everything else stay [unverified: the CLI never uses it]."""
        self._http.change("PUT", f"/v0/pipes/{segment(pipe_id)}/nodes/{segment(node_id)}", text=text)

    def set_copy_schedule(self, pipe_id: str, node_id: str, *, cron: str | None, mode: str) -> None:
        """``cron`` None removes the schedule."""
        form = {"schedule_cron": cron or "None", "mode": mode}
        self._http.change("PUT", f"/v0/pipes/{segment(pipe_id)}/nodes/{segment(node_id)}/copy", form=form)

    def change_copy(self, pipe_id: str, node_id: str, changed: Mapping[str, str]) -> None:
        """``mode``, ``schedule_cron`` (``None`` in letters removes it) and ``target_datasource``: what is not named
        stays as it is."""
        self._http.change("PUT", f"/v0/pipes/{segment(pipe_id)}/nodes/{segment(node_id)}/copy", form=dict(changed))

    # -- the API's ways

    def _asked(self, query: str) -> Shape:
        text = f"{query}\nFORMAT JSON"
        if len(text.encode()) > _LONG_SQL:
            return Shape(SYSTEM, "GET /v0/sql", self._http.ask("/v0/sql", body=text))
        return Shape(SYSTEM, "GET /v0/sql", self._http.get("/v0/sql", {"q": text}))

    def _columns(self, table: str) -> frozenset[str]:
        """The columns of a service data source, which no resource describes."""
        return frozenset(column.text("name") for column in self._asked(f"SELECT * FROM {table} LIMIT 0").each("meta"))

    def _list(self, path: str, key: str, params: Mapping[str, str] | None = None) -> list[Shape]:
        return Shape(SYSTEM, f"GET {path}", self._http.get(path, params)).each(key)

    def _find(self, path: str) -> Shape | None:
        try:
            return Shape(SYSTEM, f"GET {path}", self._http.get(path))
        except SystemsError as error:
            if error.status == 404:
                return None
            raise
