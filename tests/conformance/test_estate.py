"""The large seed as other programs tell of it: the workspace's API, and folders that the real `tb` wrote."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runbooks.facts import live
from runbooks.facts.folder import read_folder
from runbooks.facts.model import Facts
from runbooks.lineage import Lineage
from runbooks.lint import lint
from runbooks.planner import make_plan
from runbooks.request import AddFields, Migrate, NewField, Request
from systems.permit import read_only
from systems.tinybird import Tinybird as Client
from tests.conformance.tools import Tb
from tests.support import walk
from tests.support.estate import NOW, of_seed
from tests.support.tinybird_server import Tinybird, tinybird_served

pytestmark = [pytest.mark.conformance, pytest.mark.xdist_group("tb")]

ADDED = (NewField(name="wanted", type="text"), NewField(name="wantedAt", type="timestamptz"))


@pytest.fixture(scope="module")
def workspace() -> Iterator[Tinybird]:
    with tinybird_served(seed="estate") as served:
        yield served


def test_every_reader_in_the_workspace_is_named(workspace: Tinybird) -> None:
    asked = Client(workspace.url, workspace.stand_in.admin_token, read_only)
    datasources, pipes = asked.datasources(), asked.pipes()
    answered = workspace.client.get("/v0/pipes").json()["pipes"]
    ids = {datasource.id: datasource.name for datasource in datasources}
    facts = Facts(
        environment="staging",
        now=NOW,
        datasources={datasource.name: live.datasource(datasource) for datasource in datasources},
        pipes={pipe.name: live.pipe(pipe, ids) for pipe in pipes},
    )
    assert len(answered) == 289
    assert walk.differences(Lineage.of(facts).readers, facts.datasources, walk.from_api(answered)) == {}


def test_a_folder_as_tb_pulls_it_is_read_as_the_seeds_own_files(workspace: Tinybird, tmp_path: Path) -> None:
    tb = Tb(tmp_path)
    tb("auth", "--token", workspace.stand_in.admin_token, "--host", workspace.url)
    tb("pull")
    pulled, seed = read_folder(tmp_path, environment="staging", now=NOW), of_seed()
    assert pulled.broken == {}
    assert pulled.datasources == seed.datasources
    assert {name: pipe.nodes for name, pipe in pulled.pipes.items()} == {n: p.nodes for n, p in seed.pipes.items()}
    assert lint(pulled) == lint(seed)


@pytest.mark.long
def test_a_sink_pipe_that_tb_pushes_stays_one(workspace: Tinybird, tmp_path: Path) -> None:
    tb = Tb(tmp_path)
    tb("auth", "--token", workspace.stand_in.admin_token, "--host", workspace.url)
    tb("pull", "--match", "segments_sink")
    text = (tmp_path / "pipes/segments_sink.pipe").read_text()
    assert "TYPE SINK" in text
    (tmp_path / "pipes/segments_sink.pipe").write_text(text.replace("30 9 * * *", "45 9 * * *"))
    tb("push", "pipes/segments_sink.pipe", "--force", "--yes", "--no-check")
    shown = workspace.client.get("/v0/pipes/segments_sink").json()
    assert (shown["type"], shown["schedule"]["cron"], shown["kafka_topic"]) == ("sink", "45 9 * * *", "segments_sink")
    assert "** Sinking data" in tb("pipe", "sink", "run", "segments_sink", "--yes", "--wait")


def test_the_datafiles_of_a_plan_are_what_tb_fmt_makes_of_them(tmp_path: Path) -> None:
    facts, planned = of_seed(), dict[str, str]()
    for name, datasource in facts.datasources.items():
        if any(column.jsonpath for column in datasource.columns):
            job = Migrate(datasources=(name,), change=AddFields(fields=ADDED))
            planned |= make_plan(Request(text="", job=job), facts).datafiles
    files = {name: text for name, text in planned.items() if name.endswith(".datasource")}
    assert len(files) > 80
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    Tb(tmp_path)("fmt", "--yes", *sorted(files))
    assert {name: (tmp_path / name).read_text() for name in files} == files
