"""The sealed properties file gets a topic by a pull request, and nothing that goes wrong changes it or shows it."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from javaproperties import loads

from runbooks.step import Todo, Wait
from runbooks.steps.properties_pull import BRANCH, CommitTopic, MergeTopic
from runbooks.steps.pull_request import DeleteBranch, OpenPull
from runbooks.tracked import topics_of
from sandbox import age
from systems.encrypted import Commands, EncryptedFile, Plain
from systems.errors import SystemsError
from systems.github import Repository
from tests.support.sandbox import Sandbox
from tests.support.steps_story import Story, story

REPOSITORY = "acme/cluster"


@pytest.fixture
def run(sandbox: Sandbox) -> Iterator[Story]:
    with story(sandbox) as told:
        yield told


def steps(run: Story, *, listed: bool = True) -> tuple[CommitTopic, OpenPull, MergeTopic, DeleteBranch]:
    path = str(run.sandbox.ready["github"]["properties"])
    return (
        CommitTopic(repository=REPOSITORY, path=path, topic="releases", listed=listed),
        OpenPull(repository=REPOSITORY, branch=BRANCH, heading="topics: +releases"),
        MergeTopic(repository=REPOSITORY, path=path, topic="releases", listed=listed),
        DeleteBranch(repository=REPOSITORY, branch=BRANCH),
    )


def opened(run: Story, ref: str = "main") -> str:
    found = cluster(run).file(str(run.sandbox.ready["github"]["properties"]), ref)
    assert found is not None
    assert run.base.encrypted is not None
    return run.base.encrypted.opened(found.content).reveal()


def cluster(run: Story) -> Repository:
    return run.base.hub.repository(REPOSITORY)


def sealed_by(run: Story, decrypt: tuple[str, ...], identity: str | None = None) -> None:
    """From here on the file is opened by that command, with that key."""
    ready = run.sandbox.ready["github"]
    age = (sys.executable, "-m", "sandbox.age")
    commands = Commands(decrypt, (*age, "encrypt"), {"AGE_KEY_FILE": identity or ready["identity_file"]})
    run.base = replace(run.base, encrypted=EncryptedFile(ready["properties"], commands))


def test_a_topic_is_added_and_all_else_is_as_it_was(run: Story) -> None:
    before = opened(run)
    assert run.take(*steps(run)), run.astray
    after = opened(run)
    assert topics_of(after) == (*topics_of(before), "releases")
    others = [{k: v for k, v in loads(text).items() if k != "topics"} for text in (before, after)]
    assert others[0] == others[1]
    assert cluster(run).head("tbops/run-7-topics") is None
    run.found.clear()  # another run
    assert run.take(*steps(run, listed=False)), run.astray
    assert opened(run) == before


def test_a_request_of_another_run_goes_first(run: Story) -> None:
    """Any two changes of ciphertext conflict."""
    commit, there = steps(run)[0], cluster(run)
    base = there.head("main")
    assert base is not None
    there.commit_files("tbops/run-6-topics", base, {"topics.enc": b"sealed"}, "topics: +others")
    other = there.open_pull("tbops/run-6-topics", "main", "topics: +others", "")
    seen = commit.look(run.at())
    assert isinstance(seen, Wait)
    assert seen.why == f"run 6 changes the file too: {other.url} is merged or closed first"
    there.close_pull(other.number)
    assert isinstance(commit.look(run.at()), Todo)


@pytest.mark.long
@pytest.mark.parametrize(
    ("decrypt", "said"),
    [
        (("false",), "ended with code 1"),
        (("true",), "wrote nothing"),
        (("cat",), "is no text|has no topics|not a file"),
        (("no-such-program",), "cannot be started"),
    ],
)
def test_a_file_that_cannot_be_opened_is_left_alone(run: Story, decrypt: tuple[str, ...], said: str) -> None:
    sealed_by(run, decrypt)
    seen = ""
    try:
        assert not run.take(steps(run)[0])
        seen = run.astray
    except SystemsError as error:
        seen = str(error)
    assert any(part in seen for part in said.split("|")), seen
    assert cluster(run).head("tbops/run-7-topics") is None


@pytest.mark.long
def test_a_wrong_key_opens_nothing(run: Story, tmp_path: Path) -> None:
    wrong = tmp_path / "identity"
    wrong.write_text(age.new_identity())
    sealed_by(run, (sys.executable, "-m", "sandbox.age", "decrypt"), str(wrong))
    with pytest.raises(SystemsError, match="ended with code"):
        run.take(steps(run)[0])
    assert cluster(run).head("tbops/run-7-topics") is None


@pytest.mark.long
@pytest.mark.parametrize("more", ["topics=twice\n", "topics.regex=.*\n"])
def test_a_file_that_says_it_twice_is_left_to_people(run: Story, more: str) -> None:
    path, text = str(run.sandbox.ready["github"]["properties"]), opened(run) + more
    there, file = cluster(run), run.base.encrypted
    assert file is not None
    there.put_file("main", path, file.sealed(Plain(text)), "by hand", seen=there.file(path, "main"))
    assert not run.take(steps(run)[0])
    assert "was left as it is" in run.astray
    assert there.head("tbops/run-7-topics") is None


@pytest.mark.long
def test_a_change_by_hand_meanwhile_conflicts_and_is_not_written_over(run: Story) -> None:
    commit, pull, merge, _ = steps(run)
    assert run.take(commit, pull), run.astray
    path, text = str(run.sandbox.ready["github"]["properties"]), opened(run) + "# by hand\n"
    there, file = cluster(run), run.base.encrypted
    assert file is not None
    there.put_file("main", path, file.sealed(Plain(text)), "by hand", seen=there.file(path, "main"))
    assert not run.take(merge)
    assert "conflicts with main" in run.astray
    run.put_back()
    assert opened(run) == text
    assert there.head("tbops/run-7-topics") is None
