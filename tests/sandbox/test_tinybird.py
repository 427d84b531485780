"""The Tinybird stand-in answers as the real one is known to (facts/tinybird.md), and as its knobs say."""

import gzip
import json
import threading
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.support.sandbox import ANSWER_S, PATIENCE_S
from tests.support.tinybird_server import Tinybird, member

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("tinybird")]

SCHEMA = (
    "`id` String `json:$.record.id`,`n` Int32 `json:$.record.n` DEFAULT 7,"
    "`updatedAt` DateTime64(3) `json:$.record.updatedAt`"
)
AT = "2026-01-01T00:00:00Z"
COPY = "/v0/pipes/members_sorted_copy_pipe/copy"


def event(n: int, **fields: object) -> str:
    return json.dumps({"record": member(n, **fields), "action": "update"})


def create(tb: Tinybird, name: str, schema: str = SCHEMA, **more: str) -> httpx.Response:
    data = {"name": name, "schema": schema, "format": "ndjson", "engine": "ReplacingMergeTree"}
    data |= {"engine_sorting_key": "id", "engine_ver": "updatedAt", **more}
    return tb.client.post("/v0/datasources", data=data)


def alter(tb: Tinybird, name: str, **data: str) -> httpx.Response:
    return tb.client.post(f"/v0/datasources/{name}/alter", data={"dry": "false", **data})


def schema_of(tb: Tinybird, name: str) -> str:
    return tb.client.get(f"/v0/datasources/{name}").json()["schema"]["sql_schema"]


# -- who may


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer p.nobody"}, {"Authorization": ""}])
def test_a_missing_or_wrong_token_is_refused_with_403(tb: Tinybird, headers: dict[str, str]) -> None:
    answer = httpx.get(f"{tb.url}/v0/datasources", headers=headers, timeout=ANSWER_S)
    assert answer.status_code == 403
    assert answer.json()["error"]


def test_a_method_or_a_path_that_there_is_not_is_told_as_any_error(tb: Tinybird) -> None:
    for method, path, status in (("PATCH", "/v0/datasources", 405), ("GET", "/v0/events", 405), ("GET", "/v0/no", 404)):
        answer = tb.client.request(method, path)
        assert (answer.status_code, sorted(answer.json())) == (status, ["error"])


def test_the_token_may_come_in_the_query(tb: Tinybird) -> None:
    answer = httpx.get(f"{tb.url}/v0/sql?&token={tb.stand_in.admin_token}&q=SELECT%201", timeout=ANSWER_S)
    assert (answer.status_code, answer.text) == (200, "1\n")


def test_the_append_token_appends_and_does_nothing_else(tb: Tinybird) -> None:
    token = tb.stand_in.append_token
    assert tb.events("members", event(1), token=token).status_code == 202
    for method, path in (("POST", "/v0/datasources?name=x"), ("DELETE", "/v0/datasources/members"), ("POST", COPY)):
        answer = tb.client.request(method, path, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 403, path
    refused = tb.client.get("/v0/sql?q=SELECT+1+FROM+members", headers={"Authorization": f"Bearer {token}"})
    assert refused.status_code == 403


# -- events


def test_an_event_is_mapped_by_its_paths_and_microseconds_are_cut(tb: Tinybird) -> None:
    row = event(900, updatedAt="2026-01-01T10:00:00.123999Z", attributes={"location": {"default": "Lima"}})
    answer = tb.events("members", row, wait="true")
    assert (answer.status_code, answer.json()) == (200, {"successful_rows": 1, "quarantined_rows": 0})
    found = tb.rows(
        "SELECT location, isBot, score, toString(updatedAt) AS u FROM members WHERE displayName = 'Person 00900'"
    )
    assert found == [{"location": "Lima", "isBot": 0, "score": 0, "u": "2026-01-01 10:00:00.123"}]


def test_gzip_and_unusual_characters_arrive_unchanged(tb: Tinybird) -> None:
    name = "Zoë \u2028 '; DROP TABLE members; -- \\ \" \U0001f600"
    body = gzip.compress((event(901, displayName=name) + "\n").encode())
    answer = tb.client.post("/v0/events?name=members", content=body, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 202
    assert tb.rows("SELECT displayName FROM members WHERE joinedAt = (SELECT max(joinedAt) FROM members)") == [
        {"displayName": name}
    ]


def test_of_equal_versions_the_last_one_stays(tb: Tinybird) -> None:
    for score in range(1, 10):
        tb.events("members", event(5, score=score), event(6, score=9 - score))
    assert tb.rows(
        "SELECT score FROM members FINAL WHERE displayName IN ('Person 00005', 'Person 00006') ORDER BY id"
    ) == [
        {"score": 9},
        {"score": 0},
    ]


def test_a_row_that_does_not_fit_goes_to_the_quarantine_with_the_reason(tb: Tinybird) -> None:
    bad = json.dumps({"record": {"id": "x", "createdAt": AT, "joinedAt": "soon", "score": 1000}})
    answer = tb.events("members", event(1), bad, wait="true")
    assert answer.json() == {"successful_rows": 1, "quarantined_rows": 1}
    found = tb.rows("SELECT id, c__error_column FROM members_quarantine")
    assert found == [{"id": "x", "c__error_column": ["joinedAt", "score", "updatedAt"]}]


def test_null_into_a_default_column_follows_the_knob(tb: Tinybird) -> None:
    assert tb.events("members", event(1, score=None), wait="true").json()["quarantined_rows"] == 0
    assert tb.value("SELECT score FROM members FINAL WHERE displayName = 'Person 00001'") == -1
    tb.knob("null_takes_default", False)
    assert tb.events("members", event(1, score=None), wait="true").json()["quarantined_rows"] == 1


def test_an_event_for_a_deleted_table_creates_it_by_guess_only_if_the_token_may(tb: Tinybird) -> None:
    token = tb.stand_in.append_token
    assert tb.client.delete("/v0/datasources/members?force=true").status_code == 204
    assert tb.events("members", event(1), token=token).status_code == 403
    assert tb.client.get("/v0/datasources/members").status_code == 404
    assert tb.events("members", event(1)).status_code == 202
    assert "`record_displayName` Nullable(String)" in schema_of(tb, "members")


@pytest.mark.parametrize("dropped", [True, False])
def test_scopes_of_a_deleted_table_are_lost_or_kept_by_the_knob(tb: Tinybird, dropped: bool) -> None:
    tb.knob("delete_drops_scopes", dropped)
    schema = schema_of(tb, "members")
    tb.client.delete("/v0/datasources/members?force=true")
    assert create(tb, "members", schema).status_code == 200
    answer = tb.events("members", event(1), token=tb.stand_in.append_token)
    assert answer.status_code == (403 if dropped else 202)


@pytest.mark.parametrize(
    ("body", "params", "status"),
    [
        ("{}", {}, 400),
        ("not json", {"name": "members"}, 400),
        ("", {"name": "members"}, 400),
        ("{}", {"name": "x y"}, 400),
    ],
)
def test_a_wrong_request_is_a_400(tb: Tinybird, body: str, params: dict[str, str], status: int) -> None:
    assert tb.client.post("/v0/events", params=params, content=body).status_code == status


def test_202_comes_before_rows_are_visible_when_the_knob_says_so(tb: Tinybird) -> None:
    tb.knob("events_visible_after_s", 3600)
    tb.events("members", event(950))
    count = "SELECT count() FROM members WHERE displayName LIKE 'Person 0095%'"
    assert tb.value(count) == 0
    tb.events("members", event(951), wait="true")
    assert tb.value(count) == 2, "an acknowledged write waits for those before it"


# -- schema


def test_alter_adds_a_column_that_reads_its_default_for_old_rows(tb: Tinybird) -> None:
    wanted = schema_of(tb, "members") + ",`nick` String `json:$.record.nick` DEFAULT 'none'"
    dry = alter(tb, "members", dry="true", schema=wanted)
    assert dry.json()["operations"] == ["ADD COLUMN `nick` String `json:$.record.nick` DEFAULT 'none'"]
    assert "members_sorted_copy_pipe" in dry.json()["dependencies"]
    assert "nick" not in schema_of(tb, "members")
    assert alter(tb, "members", schema=wanted).status_code == 200
    assert schema_of(tb, "members") == wanted
    tb.events("members", event(1, nick="Ann"))
    assert tb.rows("SELECT nick, count() AS n FROM members FINAL GROUP BY nick ORDER BY n") == [
        {"nick": "Ann", "n": 1},
        {"nick": "none", "n": 199},
    ]


def test_alter_with_nothing_to_do_is_a_400(tb: Tinybird) -> None:
    answer = alter(tb, "members", schema=schema_of(tb, "members"))
    assert answer.status_code == 400
    assert "There were no operations to perform" in answer.json()["error"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("`score` Int8", "`score` Int32", "Changing the type of column 'score'"),
        ("`json:$.record.score`", "`json:$.record.points`", "Changing the jsonpath of column 'score'"),
        ("`score` Int8 `json:$.record.score` DEFAULT -1,", "", "Removing columns is not supported: 'score'"),
        ("`id` String", "`id` Nullable(String)", "used by the engine"),
        ("`score` Int8", "`x` Int8 DEFAULT nope `json:$.record.x`,`score` Int8", "nope"),
        ("`score` Int8", "`x` String,`score` Int8", "jsonpath"),
    ],
)
def test_alter_refuses_what_classic_cannot_do_and_changes_nothing(
    tb: Tinybird, old: str, new: str, reason: str
) -> None:
    before = schema_of(tb, "members")
    answer = alter(tb, "members", schema=before.replace(old, new, 1))
    assert answer.status_code == 400
    assert reason in answer.json()["error"]
    assert schema_of(tb, "members") == before
    assert tb.value("SELECT count() FROM members FINAL") == 200


def test_alter_can_make_nullable_and_change_default_ttl_indexes_and_description(tb: Tinybird) -> None:
    create(tb, "things")
    wanted = SCHEMA.replace("`n` Int32 `json:$.record.n` DEFAULT 7", "`n` Nullable(Int32) `json:$.record.n` DEFAULT 8")
    more = {
        "ttl": "toDateTime(updatedAt) + INTERVAL 90 DAY",
        "indexes": "i n TYPE minmax GRANULARITY 1",
        "description": "d",
    }
    answer = alter(tb, "things", schema=wanted, **more)
    assert answer.status_code == 200, answer.text
    shown = tb.client.get("/v0/datasources/things").json()
    assert (shown["description"], shown["engine"]["ttl"], shown["indexes"][0]["name"]) == ("d", more["ttl"], "i")


def test_events_may_know_the_old_schema_for_a_while_after_an_alter(tb: Tinybird) -> None:
    tb.knob("events_stale_schema_s", 120)
    alter(tb, "members", schema=schema_of(tb, "members") + ",`nick` String `json:$.record.nick` DEFAULT ''")
    nick = "SELECT nick FROM members FINAL WHERE displayName = 'Person 00001'"
    tb.events("members", event(1, nick="early"))
    assert tb.value(nick) == ""
    tb.world.clock.advance(121)
    tb.events("members", event(1, nick="late"))
    assert tb.value(nick) == "late"


@pytest.mark.parametrize("rewrites", [True, False])
def test_rename_keeps_id_and_rows_and_rewrites_readers_by_the_knob(tb: Tinybird, rewrites: bool) -> None:
    tb.knob("rename_rewrites_references", rewrites)
    before = tb.client.get("/v0/datasources/members_sorted").json()["id"]
    answer = tb.client.put("/v0/datasources/members_sorted?name=members_kept")
    assert answer.json()["id"] == before
    assert tb.value("SELECT count() FROM members_kept") == 200
    called = tb.client.get("/v0/pipes/members_count.json")
    assert called.status_code == (200 if rewrites else 400)
    if not rewrites:
        assert called.headers["X-DB-Exception-Code"] == "60"
    assert tb.client.get("/v0/pipes/members_sorted_copy_pipe").json()["copy_target_datasource"] == before


def test_delete_tells_its_readers_in_a_dry_run(tb: Tinybird) -> None:
    dry = tb.client.delete("/v0/datasources/organizations?dry_run=true&force=false")
    assert dry.status_code == 200
    assert "organizations_geo_distribution" in dry.json()["dependent_pipes"]
    assert tb.client.delete("/v0/datasources/organizations").status_code == 204
    assert tb.client.get("/v0/pipes/organizations_geo_distribution.json").status_code == 400


def test_exchange_needs_the_knob_and_the_same_schema(tb: Tinybird) -> None:
    create(tb, "a")
    create(tb, "b")
    tb.events("a", json.dumps({"record": {"id": "1", "updatedAt": AT}}))
    names = {"datasource_a": "a", "datasource_b": "b"}
    assert tb.client.post("/v0/datasources/exchange", data=names).status_code == 403
    tb.knob("exchange_enabled", True)
    assert tb.client.post("/v0/datasources/exchange", data=names).status_code == 200
    assert (tb.value("SELECT count() FROM a"), tb.value("SELECT count() FROM b")) == (0, 1)
    other = {"datasource_a": "a", "datasource_b": "members"}
    assert tb.client.post("/v0/datasources/exchange", data=other).status_code == 400


@pytest.mark.parametrize(("moves", "rewrites"), [(False, False), (True, False), (True, True)])
def test_an_exchange_takes_rows_key_index_and_quarantine_along_and_ids_by_the_knob(
    tb: Tinybird, moves: bool, rewrites: bool
) -> None:
    tb.knob("exchange_enabled", True)
    tb.knob("exchange_moves_ids", moves)
    tb.knob("rename_rewrites_references", rewrites)
    create(tb, "a", indexes="skip n TYPE minmax GRANULARITY 1")
    create(tb, "b", engine_sorting_key="n, id")
    tb.events("a", json.dumps({"record": {"id": "1", "updatedAt": AT}}), json.dumps({"record": {"id": "2", "n": "x"}}))
    tb.client.post("/v0/pipes", params={"name": "reader", "sql": "SELECT a.id FROM a LEFT JOIN `b` ON a.id = b.id"})
    scopes = [("scope", "DATASOURCES:APPEND:a"), ("scope", "DATASOURCES:READ:b")]
    tb.client.post("/v0/tokens", params=[("name", "writer"), *scopes])
    before = {name: tb.client.get(f"/v0/datasources/{name}").json() for name in "ab"}
    assert tb.client.post("/v0/datasources/exchange", data={"datasource_a": "a", "datasource_b": "b"}).is_success
    after = {name: tb.client.get(f"/v0/datasources/{name}").json() for name in "ab"}
    assert [after[name]["id"] for name in "ab"] == [before[name]["id"] for name in ("ba" if moves else "ab")]
    assert [after[name]["engine"]["sorting_key"] for name in "ab"] == ["n, id", "id"]
    assert [len(after[name]["indexes"]) for name in "ab"] == [0, 1]
    assert [tb.value(f"SELECT count() FROM {name}") for name in ("a", "b", "b_quarantine")] == [0, 1, 1]
    tb.events("a", json.dumps({"record": {"id": "3", "updatedAt": AT}}))
    assert [tb.value(f"SELECT count() FROM {name}") for name in "ab"] == [1, 1]
    sql = tb.client.get("/v0/pipes/reader").json()["nodes"][0]["sql"]
    assert sql.startswith("SELECT b.id FROM b LEFT JOIN a" if rewrites else "SELECT a.id FROM a LEFT JOIN `b`")
    token = next(t for t in tb.client.get("/v0/tokens").json()["tokens"] if t["name"] == "writer")
    named = [scope["resource"] for scope in token["scopes"]]
    assert named == (["b", "a"] if moves else ["a", "b"])


def test_tables_of_other_keys_are_another_schema_by_the_knob(tb: Tinybird) -> None:
    tb.knob("exchange_enabled", True)
    tb.knob("exchange_same_keys_only", True)
    for name, key in (("a", "id"), ("b", "id"), ("c", "n, id")):
        create(tb, name, engine_sorting_key=key)
    for other, status in (("b", 200), ("c", 400)):
        names = {"datasource_a": "a", "datasource_b": other}
        assert tb.client.post("/v0/datasources/exchange", data=names).status_code == status


def test_creating_too_many_in_a_minute_is_a_429_that_says_when(tb: Tinybird) -> None:
    tb.knob("creates_per_minute", 2)
    assert [create(tb, name).status_code for name in ("a", "b", "c")] == [200, 200, 429]
    assert 1 <= int(create(tb, "c").headers["Retry-After"]) <= 60


@pytest.mark.parametrize("name", ["x; DROP TABLE w.members", "`x`", "a b", "", "naïve", "members", "members_count"])
def test_hostile_and_taken_names_are_refused(tb: Tinybird, name: str) -> None:
    assert create(tb, name).status_code in (400, 409)
    assert tb.value("SELECT count() FROM members FINAL") == 200


# -- queries


def test_time_functions_read_the_platform_clock_and_strings_are_left_alone(tb: Tinybird) -> None:
    tb.world.clock.advance(40 * 86_400)
    row = tb.rows("SELECT toUnixTimestamp(now()) AS t, toString(today()) AS d, 'now()' AS s, toString(now64(3)) AS m")[
        0
    ]
    now = tb.world.clock.now()
    assert abs(row["t"] - now.timestamp()) < ANSWER_S
    assert row["s"] == "now()"
    assert row["d"] in (f"{now:%Y-%m-%d}", f"{now - timedelta(seconds=ANSWER_S):%Y-%m-%d}")
    assert row["m"].startswith(row["d"])


@pytest.mark.parametrize(
    ("query", "code"),
    [("SELECT 1 FROM nothing", "60"), ("SELECT nope FROM members", "47"), ("SELECT FROM WHERE", "62")],
)
def test_errors_carry_clickhouses_code(tb: Tinybird, query: str, code: str) -> None:
    answer = tb.client.get("/v0/sql", params={"q": query})
    assert (answer.status_code, answer.headers["X-DB-Exception-Code"]) == (400, code)


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO members (id) VALUES ('1')",
        "DROP TABLE members",
        "SELECT 1; DROP TABLE members",
        "SELECT 1 INTO OUTFILE 'never.tsv'",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT * FROM url('http://127.0.0.1/', 'LineAsString')",
        "SELECT * FROM system.tables",
        "SELECT * FROM seed.members",
    ],
)
def test_only_selects_on_the_workspaces_own_tables_are_run(tb: Tinybird, query: str) -> None:
    assert tb.client.get("/v0/sql", params={"q": query}).status_code in (400, 403)
    assert tb.value("SELECT count() FROM members FINAL") == 200


def test_formats_are_those_asked_for(tb: Tinybird) -> None:
    def text(query: str) -> str:
        return tb.client.get("/v0/sql", params={"q": query}).text

    assert text("SELECT 1 AS a, 'x' AS b") == "1\tx\n"
    assert text("SELECT 1 AS a FORMAT CSVWithNames") == '"a"\n1\n'
    assert text("SELECT 1 AS a FORMAT JSONEachRow;") == '{"a":1}\n'
    assert tb.client.post("/v0/sql", content="SELECT 2").text == "2\n"
    assert tb.client.post("/v0/sql", json={"q": "% SELECT {{Int32(n, 1)}} AS n", "n": 5, "format": "csv"}).text == "5\n"
    assert tb.client.get("/v0/sql", params={"q": "SELECT 1 FORMAT Nonsense"}).status_code == 400


def test_pipes_are_read_as_tables_through_other_pipes(tb: Tinybird) -> None:
    tb.client.post("/v0/pipes", json={"name": "inner_pipe", "nodes": [
        {"name": "first", "sql": "SELECT number AS n FROM numbers(10)"},
        {"name": "second", "sql": "WITH 2 AS k SELECT n * k AS n FROM first"}]})  # fmt: skip
    tb.client.post("/v0/pipes", json={"name": "outer_pipe", "nodes": [
        {"name": "first", "sql": "%SELECT n FROM inner_pipe WHERE n < {{Int32(below, 6)}} UNION ALL SELECT 100"}
    ]})  # fmt: skip
    assert tb.value("SELECT countIf(n < 100) FROM outer_pipe") == 3
    node = tb.client.get("/v0/pipes/outer_pipe").json()["nodes"][0]
    assert node["dependencies"] == ["inner_pipe"]
    assert node["params"] == [{"name": "below", "type": "Int32", "default": 6}]


def test_endpoints_take_parameters_and_refuse_wrong_ones(tb: Tinybird) -> None:
    found = tb.client.get("/v0/pipes/members_list.json", params={"limit": 3, "country": "Peru"}).json()
    assert found["rows"] == 3
    assert found["data"][0]["displayName"] == "Person 00000"
    assert tb.client.get("/v0/pipes/members_list.json", params={"limit": "3; DROP"}).status_code == 400
    hostile = tb.client.get("/v0/pipes/members_list.json", params={"country": "x' OR 1=1 --"}).json()
    assert hostile["rows"] == 0
    assert tb.client.get("/v0/pipes/members_list.csv?limit=1").text.startswith('"id","displayName"')
    assert tb.client.get("/v0/pipes/collections_filtered.json").status_code == 404, "it is not published"
    counted = tb.client.get("/v0/pipes/members_list.json", params={"q": "SELECT count() AS n FROM _", "limit": 7})
    assert counted.json()["data"] == [{"n": 7}]


def test_every_seed_pipe_answers(tb: Tinybird) -> None:
    for pipe in tb.client.get("/v0/pipes").json()["pipes"]:
        answer = tb.client.get("/v0/sql", params={"q": f"SELECT count() AS n FROM {pipe['name']}"})
        assert answer.status_code == 200, answer.text


def test_a_materialized_node_feeds_its_target_guards_its_source_and_counts_twice_when_populated(tb: Tinybird) -> None:
    node = {
        "name": "by_country",
        "type": "materialized",
        "sql": "SELECT country, count() AS n FROM members GROUP BY country",
    }
    node |= {"datasource": "members_by_country", "engine": "SummingMergeTree", "engine_sorting_key": "country"}
    made = tb.client.post("/v0/pipes", json={"name": "country_view", "nodes": [node]}).json()
    assert made["type"] == "materialized"
    tb.events("members", event(1), event(2), wait="true")
    total = "SELECT sum(n) FROM members_by_country"
    assert tb.value(total) == 2
    assert tb.client.delete("/v0/datasources/members?force=true").status_code == 409
    path = f"/v0/pipes/country_view/nodes/{made['nodes'][0]['id']}"
    job = tb.client.post(f"{path}/population").json()["job"]["id"]
    assert tb.finished(job)["status"] == "done"
    assert tb.value(total) == 2 + 202, "old rows, and those of the last insert a second time"
    assert tb.client.delete(f"{path}/materialization").status_code == 204
    tb.events("members", event(3), wait="true")
    assert tb.value(total) == 204
    assert tb.client.delete("/v0/datasources/members").status_code == 204


# -- copies and jobs


def run_copy(tb: Tinybird, **params: str) -> dict[str, object]:
    answer = tb.client.post(COPY, params=params)
    assert answer.status_code == 200, answer.text
    return tb.finished(answer.json()["job"]["job_id"])


def test_a_replace_copy_switches_at_its_end_and_takes_platform_time(tb: Tinybird) -> None:
    tb.knob("copy_rows_per_s", 1.0)
    tb.events("members", *(event(n) for n in range(500, 510)))
    job = tb.client.post(COPY).json()["job"]
    assert tb.value("SELECT count() FROM members_sorted") == 200
    tb.world.clock.advance(100)
    half = tb.client.get(f"/v0/jobs/{job['id']}").json()
    assert half["status"] in ("waiting", "working")
    assert tb.value("SELECT count() FROM members_sorted") == 200
    done = tb.finished(job["id"])
    assert (done["status"], done["progress_percentage"]) == ("done", 100.0)
    assert tb.value("SELECT count() FROM members_sorted") == 210
    took = datetime.fromisoformat(done["updated_at"]) - datetime.fromisoformat(done["started_at"])
    assert took == timedelta(seconds=210)


def test_a_failed_replace_leaves_the_old_rows_and_says_why(tb: Tinybird) -> None:
    alter(tb, "members", schema=schema_of(tb, "members") + ",`nick` String `json:$.record.nick` DEFAULT ''")
    job = run_copy(tb)
    assert job["status"] == "error"
    assert "nick" in str(job["error"])
    assert tb.value("SELECT count() FROM members_sorted") == 200
    failed = tb.rows("SELECT status, error FROM tinybird.jobs_log WHERE status = 'error'")
    assert len(failed) == 1
    assert "nick" in failed[0]["error"]


def test_altering_the_target_first_keeps_a_wildcard_copy_whole(tb: Tinybird) -> None:
    alter(tb, "members_sorted", schema=schema_of(tb, "members_sorted") + ",`nick` String DEFAULT ''")
    assert run_copy(tb)["status"] == "done"
    alter(tb, "members", schema=schema_of(tb, "members") + ",`nick` String `json:$.record.nick` DEFAULT ''")
    tb.events("members", event(1, nick="Ann"))
    assert run_copy(tb)["status"] == "done"
    assert tb.rows("SELECT displayName FROM members_sorted WHERE nick = 'Ann'") == [{"displayName": "Person 00001"}]


def test_an_append_copy_appends(tb: Tinybird) -> None:
    assert run_copy(tb, _mode="append")["status"] == "done"
    assert tb.value("SELECT count() FROM members_sorted") == 400


def test_a_run_over_the_quota_is_refused_and_waiting_jobs_can_be_cancelled(tb: Tinybird) -> None:
    tb.knob("copy_rows_per_s", 0.001)
    tb.knob("copy_quota", 2)
    first, second = (tb.client.post(COPY).json()["job"]["id"] for _ in range(2))
    refused = tb.client.post(COPY)
    assert refused.status_code == 429
    assert "maximum number of copy jobs" in refused.json()["error"]
    assert tb.client.post(f"/v0/jobs/{second}/cancel").json()["status"] == "cancelled"
    assert tb.client.post(f"/v0/jobs/{second}/cancel").status_code == 400
    assert tb.client.post(f"/v0/jobs/{first}/cancel").json()["status"] in ("cancelling", "cancelled")
    assert tb.finished(first)["status"] == "cancelled"
    assert tb.value("SELECT count() FROM members_sorted") == 200


def test_a_copy_that_takes_longer_than_an_hour_times_out(tb: Tinybird) -> None:
    tb.knob("copy_rows_per_s", 0.01)
    job = tb.client.post(COPY).json()["job"]["id"]
    while (state := tb.finished(job))["status"] == "working":
        tb.world.clock.advance(600)
    assert state["status"] == "error"
    assert "TIMEOUT" in state["error"]


def wait_for_jobs(tb: Tinybird, pipe: str, count: int) -> list[dict[str, str]]:
    """The pipe's runs since the reset, once there are so many; long polls the job list."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        jobs = tb.client.get("/v0/jobs", params={"pipe_name": pipe, "status": "done"}).json()["jobs"]
        if len(jobs) >= count:
            return jobs
    raise AssertionError(f"{pipe} did not run {count} times")


def test_schedules_fire_once_for_each_tick_that_the_clock_passes(tb: Tinybird) -> None:
    start = tb.world.clock.now()
    tb.world.clock.advance(3 * 3600)
    jobs = wait_for_jobs(tb, "members_sorted_copy_pipe", 3)
    ticks = sorted(datetime.fromisoformat(job["created_at"]).replace(tzinfo=UTC) for job in jobs)
    assert [tick.minute for tick in ticks] == [8, 8, 8]
    assert len(set(ticks)) == 3
    assert start < ticks[0]
    assert ticks[-1] <= tb.world.clock.now()


@pytest.mark.long
def test_a_jump_of_days_leaves_no_run_of_an_append_copy_out(tb: Tinybird) -> None:
    """Each run of it adds rows; of a replace copy only the newest 50 are run."""
    pipe = tb.client.get("/v0/pipes/members_sorted_copy_pipe").json()
    tb.client.put(f"/v0/pipes/{pipe['id']}/nodes/{pipe['copy_node']}/copy", data={"mode": "append"})
    tb.world.clock.advance(3 * 86_400)
    tb.run(tb.stand_in.platform.jobs.catch_up())
    assert tb.value("SELECT count() FROM members_sorted") == 200 * (1 + 72)
    jobs = tb.stand_in.platform.jobs.all
    newest = sum(job.pipe_name == "insights_projects_populated_copy" for job in jobs)
    assert newest in (50, 51), "of 288 ticks the newest 50, and one more where a quarter of an hour ended meanwhile"


def test_a_paused_copy_does_not_fire_and_shows_it(tb: Tinybird) -> None:
    assert tb.client.post(f"{COPY}/pause").json()["schedule"]["status"] == "shutdown"
    tb.world.clock.advance(3 * 3600)
    wait_for_jobs(tb, "insights_projects_populated_copy", 12)
    assert tb.client.get("/v0/jobs", params={"pipe_name": "members_sorted_copy_pipe"}).json()["jobs"] == []
    assert tb.client.post(f"{COPY}/resume").json()["schedule"]["status"] == "running"


def test_a_run_queued_at_the_moment_of_a_pause_still_runs(tb: Tinybird) -> None:
    tb.knob("copy_rows_per_s", 1.0)
    first, second = (tb.client.post(COPY).json()["job"]["id"] for _ in range(2))
    tb.client.post(f"{COPY}/pause")
    assert [tb.finished(job)["status"] for job in (first, second)] == ["done", "done"]


def test_a_schedule_is_removed_by_the_word_none_and_kept_when_left_out(tb: Tinybird) -> None:
    pipe = tb.client.get("/v0/pipes/members_sorted_copy_pipe").json()
    path = f"/v0/pipes/{pipe['id']}/nodes/{pipe['copy_node']}/copy"
    assert tb.client.put(path, data={"mode": "append"}).json()["schedule"]["cron"] == "8 * * * *"
    assert tb.client.put(path, data={"schedule_cron": "None"}).json()["schedule"] == {}
    assert tb.client.put(path, data={"schedule_cron": "not a cron"}).status_code == 400


def test_the_operations_log_counts_rows_written(tb: Tinybird) -> None:
    tb.events("members", event(1), event(2))
    run_copy(tb)
    found = tb.rows(
        "SELECT event_type, datasource_name, sum(rows) AS n FROM tinybird.datasources_ops_log "
        "WHERE event_type IN ('copy', 'append-hfi') GROUP BY ALL ORDER BY n"
    )
    assert {"event_type": "append-hfi", "datasource_name": "members", "n": 2} in found
    assert {"event_type": "copy", "datasource_name": "members_sorted", "n": 200} in found


# -- the whole


def test_reads_and_events_are_answered_while_a_large_copy_is_computed(tb: Tinybird) -> None:
    """Were they to wait for it, no more than the first of them would be answered before it has ended."""
    create(tb, "wide", "`n` UInt64,`s` String", engine="MergeTree", engine_sorting_key="n", engine_ver="", format="csv")
    tb.client.post("/v0/pipes", json={"name": "wide_copy", "nodes": [
        {"name": "n0", "type": "copy", "target_datasource": "wide", "mode": "replace",
         "sql": "SELECT number AS n, toString(cityHash64(number)) AS s FROM numbers(3000000)"}]})  # fmt: skip
    working, done = threading.Event(), threading.Event()
    answered: list[int] = []

    def read() -> None:
        with httpx.Client(base_url=tb.url, headers=tb.client.headers, timeout=ANSWER_S) as client:
            working.wait()
            while not done.is_set():
                read = client.get("/v0/sql", params={"q": "SELECT count() FROM members"})
                sent = client.post("/v0/events?name=members", content=event(1))
                if not done.is_set():
                    answered.append(read.status_code + sent.status_code)

    reader = threading.Thread(target=read)
    reader.start()
    copy = tb.client.post("/v0/pipes/wide_copy/copy").json()["job"]["id"]
    working.set()
    job = tb.finished(copy)
    done.set()
    reader.join()
    assert job["status"] == "done"
    assert tb.value("SELECT count() FROM wide") == 3_000_000
    assert len(answered) > 2
    assert set(answered) == {200 + 202}


def test_a_reset_brings_the_seed_back(tb: Tinybird) -> None:
    tb.client.delete("/v0/datasources/members?force=true")
    tb.client.post("/v0/datasources/members_sorted/truncate")
    tb.client.put("/v0/datasources/organizations?name=gone")
    create(tb, "extra")
    tb.reset()
    assert tb.value("SELECT count() FROM members FINAL") == 200 == tb.value("SELECT count() FROM members_sorted")
    assert tb.client.get("/v0/datasources/extra").status_code == 404
    assert tb.events("members", event(1), token=tb.stand_in.append_token).status_code == 202


EXPORT = {"service": "kafka", "connection": "estate-kafka", "kafka_topic": "people_sink", "schedule_cron": "30 9 * * *"}


def test_a_sink_pipe_is_made_run_paused_and_taken_back(tb: Tinybird) -> None:
    node = {"name": "rows", "type": "sink", "sql": "SELECT * FROM members FINAL"}
    body = {"name": "people_export", "nodes": [node], **EXPORT}
    made = tb.client.post("/v0/pipes", json=body).json()
    assert (made["type"], made["schedule"]["status"]) == ("sink", "running")
    text = tb.client.get("/v1/pipes/people_export.pipe").text
    assert "TYPE SINK\nEXPORT_SERVICE kafka\nEXPORT_CONNECTION_NAME estate-kafka\nEXPORT_SCHEDULE 30 9 * * *\n" in text
    run = tb.client.post("/v0/pipes/people_export/sink").json()["job"]
    done = tb.finished(run["id"])
    assert (done["kind"], done["status"], done["statistics"]["row_count"]) == ("sink", "done", 200)
    assert tb.client.post("/v0/pipes/people_export/copy").status_code == 400
    paused = tb.client.post("/v0/pipes/people_export/sink/pause").json()
    assert paused["schedule"]["status"] == "shutdown"
    assert tb.client.delete(f"/v0/pipes/people_export/nodes/{made['sink_node']}/sink").status_code == 204
    assert tb.client.get("/v0/pipes/people_export").json()["type"] == "default"


def test_a_sink_pipe_runs_by_its_schedule(tb: Tinybird) -> None:
    node = {"name": "rows", "type": "sink", "sql": "SELECT id FROM members"}
    every = {"name": "often", "nodes": [node], **EXPORT, "schedule_cron": "*/10 * * * *"}
    assert tb.client.post("/v0/pipes", json=every).status_code == 200
    tb.world.clock.advance(1_800)
    tb.run(tb.stand_in.platform.jobs.catch_up())
    ran = [job for job in tb.client.get("/v0/jobs").json()["jobs"] if job["kind"] == "sink"]
    assert len(ran) == 3


@pytest.mark.parametrize("wrong", [{"service": "pigeon"}, {"kafka_topic": ""}, {"schedule_cron": "daily"}])
def test_a_sink_pipe_that_goes_nowhere_is_refused(tb: Tinybird, wrong: dict[str, str]) -> None:
    node = {"name": "rows", "type": "sink", "sql": "SELECT id FROM members"}
    answer = tb.client.post("/v0/pipes", json={"name": "odd", "nodes": [node], **EXPORT, **wrong})
    assert answer.status_code == 400
    assert tb.client.get("/v0/pipes/odd").status_code == 404
