"""The large seed in the workspace, asked over its API as the planner asks."""

from runbooks.facts import live
from runbooks.facts.model import Facts
from runbooks.lineage import Lineage
from systems.permit import read_only
from systems.tinybird import Tinybird
from tests.support import walk
from tests.support.estate import NOW
from tests.support.tinybird_server import tinybird_served


def test_every_reader_in_the_workspace_is_named() -> None:
    with tinybird_served(seed="estate") as served:
        asked = Tinybird(served.url, served.stand_in.admin_token, read_only)
        datasources, pipes = asked.datasources(), asked.pipes()
        answered = served.client.get("/v0/pipes").json()["pipes"]
    ids = {datasource.id: datasource.name for datasource in datasources}
    facts = Facts(
        environment="staging",
        now=NOW,
        datasources={datasource.name: live.datasource(datasource) for datasource in datasources},
        pipes={pipe.name: live.pipe(pipe, ids) for pipe in pipes},
    )
    assert len(answered) == 289
    assert walk.differences(Lineage.of(facts).readers, facts.datasources, walk.from_api(answered)) == {}
