"""What shares a server is run by one pytest worker: the plugin that sees to it fails in silence where it no longer
fits pytest, and each server is started once a worker."""

import pytest


@pytest.mark.xdist_group("groups")
def test_a_group_is_named_where_the_plugin_looks_for_it(request: pytest.FixtureRequest) -> None:
    if "workerinput" not in vars(request.config):
        pytest.skip("one process alone (-n0) runs everything")
    assert request.node.nodeid.endswith("@groups")
