"""What passed in one environment is carried out in production: the same change, planned anew."""

from collections.abc import Iterator

import pytest

import bot.context
from tbops import build
from tests.support.drive import Drive, Product, driving
from tests.support.people import People
from tests.support.project import edit, merge, sql_of, text
from tests.support.sandbox import Sandbox

PIPE, PATH = "members_count", "pipes/members_count.pipe"
NEW = "countIf(isBot = 1) AS bots, uniq(id) AS people"


@pytest.fixture
def both(sandbox: Sandbox, people: People, running_product: Product) -> Iterator[Drive]:
    """A second environment, production, of the same systems: where the workspace is set back it has not come yet."""
    environments = running_product.settings.environments
    production = environments["sandbox"].model_copy(update={"production": True})
    settings = running_product.settings.model_copy(update={"environments": {**environments, "production": production}})
    pool = running_product.pool
    two = Product(settings, pool, bot.context.create(settings, pool, build.bell(settings)))
    with driving(sandbox, people, two) as drive:
        yield drive


@pytest.mark.long
def test_what_passed_elsewhere_is_promoted_and_nothing_else(sandbox: Sandbox, people: People, both: Drive) -> None:
    before = sql_of(sandbox, PIPE)
    said = refused(both, people, "/tb promote", 1)
    assert said == "Nothing has passed anywhere but in production: pull or push it in another environment first."
    merge(sandbox, members_count__pipe=text(sandbox, PATH).replace("countIf(isBot = 1) AS bots", NEW))
    first = both.run("/tb push")
    both.until(first, "succeeded")
    edit(sandbox, PIPE, before[0])
    run = both.run("/tb promote", approve=False)
    assert f"run {first} brought it about in sandbox" in both.card(run).words
    both.approve(run)
    done = both.until(run, "succeeded").run
    assert (done.environment, done.change_hash) == ("production", both.view(first).run.change_hash)
    assert NEW in sql_of(sandbox, PIPE)[0]


@pytest.mark.long
def test_what_git_has_otherwise_by_now_is_not_promoted(sandbox: Sandbox, people: People, both: Drive) -> None:
    before = sql_of(sandbox, PIPE)
    merge(sandbox, members_count__pipe=text(sandbox, PATH).replace("countIf(isBot = 1) AS bots", NEW))
    first = both.run("/tb push")
    both.until(first, "succeeded")
    said = refused(both, people, "/tb promote", first + 1)
    assert said == "production has all that passed elsewhere. There is nothing to promote."
    edit(sandbox, PIPE, before[0])
    merge(sandbox, members_count__pipe=text(sandbox, PATH).replace("uniq(id)", "uniqExact(id)"))
    run = both.run("/tb promote members_count", approve=False)
    assert "git-moved-on" in both.card(run).words
    assert not [label for label in both.card(run).buttons if label.startswith("Approve")]


@pytest.mark.long
def test_what_was_pulled_in_staging_has_passed_there(sandbox: Sandbox, both: Drive) -> None:
    before = sql_of(sandbox, PIPE)
    edit(sandbox, PIPE, before[0].replace("countIf(isBot = 1) AS bots", NEW))
    pulled = both.run("/tb pull", approve=False)
    assert "members_count.pipe  there  differs  differs" in both.card(pulled).words
    both.approve(pulled)
    both.until(pulled, "succeeded")
    edit(sandbox, PIPE, before[0])
    run = both.run("/tb promote")
    done = both.until(run, "succeeded").run
    assert done.change_hash == both.view(pulled).run.change_hash
    assert NEW in sql_of(sandbox, PIPE)[0]


def refused(drive: Drive, people: People, line: str, run: int) -> str:
    people.ana.types(line)
    drive()
    assert drive.state(run) == "refused"
    return str(drive.view(run).run.reason)
