"""A change goes by pull request from branch to merge, and the connector's topics with it, through the clients."""

from pathlib import Path

import pytest

from runbooks import tracked
from systems.encrypted import Plain
from systems.errors import SystemsError
from systems.github import GitHub
from systems.github_app import AppToken
from systems.github_model import Green, Red, Waiting, is_known_branch, is_moved, is_open_pull, is_unmergeable, verdict
from tests.support.sandbox import Sandbox
from tests.support.steps_story import allowed, story

BRANCH = "chatops/run-1"
CI = ("Tinybird-CI",)


def test_datafiles_and_a_migration_go_by_one_pull_request(sandbox: Sandbox) -> None:
    sandbox.knobs(github__required_checks=CI[0], github__check_delay_s=1_000.0, github__check_takes_s=1_000.0)
    sandbox.knobs(github__mergeable_after_s=0.0)  # or two looks are at two answers
    with story(sandbox) as told:
        project = told.at().names.project
        assert project is not None
        platform = told.at().hub.repository(project.repository)
        base = platform.head("main")
        assert base is not None
        files = platform.tree(base, project.datafiles)
        path = f"{project.datafiles}/datasources/members.datasource"
        seen = platform.file(path, base)
        assert seen is not None
        assert files[path] == seen.sha
        migration = f"{project.migrations}/V1764500000__addNickname.sql"
        broken = {path: seen.content.replace(b"SCHEMA >", b"SKEMA >"), migration: b"SELECT 1;\n"}
        first = platform.commit_files(BRANCH, base, broken, "Add nickname")
        with pytest.raises(SystemsError) as again:
            platform.create_branch(BRANCH, base)
        assert is_known_branch(again.value)
        pull = platform.open_pull(BRANCH, "main", "Add nickname", "By run 1.")
        with pytest.raises(SystemsError) as twice:
            platform.open_pull(BRANCH, "main", "Add nickname", "By run 1.")
        assert is_open_pull(twice.value)
        assert platform.pull_of(BRANCH, "main") == platform.pull(pull.number)
        assert verdict(platform.checks(first), CI) == Waiting("Tinybird-CI has not begun", begun=False)
        with pytest.raises(SystemsError) as early:
            platform.merge(pull.number, first, "squash")
        assert is_unmergeable(early.value)
        sandbox.clock.advance(2_000)
        assert verdict(platform.checks(first), CI) == Red(CI)
        mended = platform.commit_files(BRANCH, first, {path: seen.content + b"\n"}, "Mend it")
        assert verdict(platform.checks(mended), CI) == Waiting("Tinybird-CI has not begun", begun=False)
        sandbox.clock.advance(2_000)
        assert verdict(platform.checks(mended), CI) == Green()
        with pytest.raises(SystemsError) as moved:
            platform.merge(pull.number, first, "squash")
        assert is_moved(moved.value)
        merged = platform.merge(pull.number, mended, "squash")
        platform.delete_branch(BRANCH)
        assert (platform.head("main"), platform.head(BRANCH)) == (merged, None)
        after = platform.pull(pull.number)
        assert (after.open, after.merged) == (False, True)
        made = platform.file(migration, "main")
        assert made is not None
        assert made.text == "SELECT 1;\n"


def test_a_topic_is_added_to_the_sealed_properties_and_its_secret_is_shown_nowhere(sandbox: Sandbox) -> None:
    with story(sandbox) as told:
        named, encrypted = told.at().names.properties, told.at().encrypted
        assert named is not None
        assert encrypted is not None
        cluster = told.at().hub.repository(named.repository)
        base = cluster.head(named.branch)
        assert base is not None
        seen = cluster.file(named.path, base)
        assert seen is not None
        plain = encrypted.opened(seen.content).reveal()
        wanted = tracked.with_topic(plain, "repositories")
        cluster.create_branch(BRANCH, base)
        sealed = encrypted.sealed(Plain(wanted))
        cluster.put_file(BRANCH, named.path, sealed, "topics: +repositories", seen=seen)
        with pytest.raises(SystemsError) as late:
            cluster.put_file(BRANCH, named.path, sealed, "topics: +repositories", seen=seen)
        assert is_moved(late.value)
        pull = cluster.open_pull(BRANCH, named.branch, "topics: +repositories", "")
        cluster.merge(pull.number, pull.head_sha, "squash")
        after = cluster.file(named.path, named.branch)
        assert after is not None
        opened = encrypted.opened(after.content).reveal()
        assert opened == plain.replace("activityRelations\n", "activityRelations,repositories\n")
        secret = sandbox.ready["tinybird"]["append_token"]
        assert secret in opened
        assert not any(secret in entry["body"] for entry in sandbox.log.entries() if entry["system"] == "github")


def test_an_app_works_as_a_token_does_and_outlives_its_own(sandbox: Sandbox) -> None:
    ready = sandbox.ready["github"]
    app = ready["app"]
    token = AppToken(ready["url"], app["id"], app["installation_id"], Path(app["private_key_file"]).read_text)
    client = GitHub(ready["url"], token, allowed)
    platform = client.repository(ready["project"])
    base = platform.head("main")
    assert base is not None
    sandbox.clock.advance(3_601)
    assert platform.head("main") == base
    platform.create_branch(BRANCH, base)
    assert sandbox.log.count("github", "POST /app/installations/*") == 2
    client.close()
    token.close()
