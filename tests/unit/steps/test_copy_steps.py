"""What a copy's run makes of what Tinybird says that the sandbox does not say by itself."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from runbooks.site import Site
from runbooks.step import Astray, Done, Failed, Todo, Wait
from runbooks.steps.copy_once import LOGGED_S, REFUSED_AGAIN_S, UNSEEN_S, RunOnce
from runbooks.steps.copy_stop import StartSchedule, StopSchedule
from tests.support.far import NOW, Far

RUN = RunOnce(pipe="a_copy", target="a_ds", mode="replace")
JOBS, PIPE, SQL = "GET /v0/jobs", "GET /v0/pipes/a_copy", "GET /v0/sql"


def job(name: str, status: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "kind": "copy", "status": status, "pipe_name": "a_copy", "created_at": name, **more}


@pytest.fixture
def far() -> Far:
    far = Far()
    far.say(PIPE, {"id": "t_1", "name": "a_copy", "type": "copy", "nodes": []})
    far.say(SQL, {"data": []})
    far.say(JOBS, {"jobs": []})
    return far


def later(site: Site, seconds: float, memo: Any, answered: int = 0) -> Site:
    return replace(site, now=NOW + timedelta(seconds=seconds), memo=memo, answered=answered)


def test_an_answered_start_that_is_not_to_be_seen_is_never_asked_for_again(far: Far) -> None:
    first = RUN.look(far.site())
    assert isinstance(first, Todo)
    soon = RUN.look(later(far.site(), 60, first.memo, answered=1))
    assert isinstance(soon, Wait)
    assert "was taken, and is not in the list yet" in soon.why
    late = RUN.look(later(far.site(), UNSEEN_S + 1, first.memo, answered=1))
    assert isinstance(late, Astray)
    assert far.sent == []


def test_a_start_that_was_refused_is_asked_for_again_after_a_while(far: Far) -> None:
    first = RUN.look(far.site())
    assert isinstance(first, Todo)
    refused = RUN.look(later(far.site(), 1, first.memo))
    assert isinstance(refused, Wait)
    assert "has not taken it yet" in refused.why
    assert isinstance(RUN.look(later(far.site(), REFUSED_AGAIN_S, refused.memo)), Todo)


def test_a_run_that_only_the_log_knows_of_is_followed(far: Far) -> None:
    first = RUN.look(far.site())
    assert isinstance(first, Todo)
    far.say(SQL, {"data": [{"job": "j2"}]})
    far.say("GET /v0/jobs/j2", job("j2", "working"))
    seen = RUN.look(later(far.site(), 30, first.memo))
    assert isinstance(seen, Wait)
    assert (seen.memo or {})["id"] == "j2"


def test_its_place_in_the_queue_is_told(far: Far) -> None:
    waiting = [job(name, "waiting") for name in ("j1", "j2", "j3")]
    far.say(JOBS, {"jobs": waiting})
    far.say("GET /v0/jobs/j2", waiting[1])
    seen = RUN.look(later(far.site(), 5, {"id": "j2", "known": [], "since": NOW.isoformat()}))
    assert isinstance(seen, Wait)
    assert seen.why == "a_copy waits for a copy slot, number 2 in Tinybird's queue"


def test_rows_that_no_log_has_yet_are_waited_for_and_not_for_ever(far: Far) -> None:
    far.say("GET /v0/jobs/j2", job("j2", "done"))
    memo = {"id": "j2", "known": [], "since": NOW.isoformat()}
    soon = RUN.look(later(far.site(), 0, memo))
    assert isinstance(soon, Wait)
    done = RUN.look(later(far.site(), LOGGED_S, soon.memo))
    assert isinstance(done, Done)
    assert done.said == "a_copy has copied into a_ds; how many rows, no log says."


def test_a_run_that_was_cancelled_fails(far: Far) -> None:
    far.say("GET /v0/jobs/j2", job("j2", "cancelled"))
    seen = RUN.look(later(far.site(), 0, {"id": "j2", "known": [], "since": NOW.isoformat()}))
    assert isinstance(seen, Failed)
    assert "was cancelled in Tinybird" in seen.reason


def test_a_pipe_that_is_gone_has_no_schedule(far: Far) -> None:
    del far.answers[PIPE]
    assert isinstance(StopSchedule(pipe="a_copy").look(far.site()), Failed)
    assert isinstance(StartSchedule(pipe="a_copy").look(far.site()), Failed)
