"""Messages: wanted and sent, claimed by one publisher at a time."""

import pytest

from ledger import messages, questions, runs
from ledger.connection import Conn
from ledger.values import Message
from tests.support.ledger_story import asked, proposed

pytestmark = pytest.mark.integration


def claimed(conn: Conn, message: int) -> Message:
    found = messages.claim(conn, message)
    assert found is not None
    return found


def test_a_run_with_a_channel_has_a_root_message_to_send(conn: Conn) -> None:
    run = asked(conn)
    root = messages.root(conn, run)
    assert root is not None
    assert (root.purpose, root.ref, root.channel) == ("root", f"run/{run}", "C1")
    assert messages.behind(conn, 10) == [root.id]


def test_one_publisher_at_a_time_and_edits_are_coalesced(conn: Conn) -> None:
    run = asked(conn)
    [message] = messages.behind(conn, 10)
    first = claimed(conn, message)
    assert messages.claim(conn, message) is None
    assert messages.behind(conn, 10) == []
    for _ in range(5):
        messages.touch(conn, f"run/{run}")
    assert messages.sent(conn, message, ts="1.1", rev=first.wanted_rev)  # changed meanwhile: again
    second = claimed(conn, message)
    assert second.ts == "1.1"
    assert not messages.sent(conn, message, ts=None, rev=second.wanted_rev)
    assert messages.claim(conn, message) is None
    after = messages.get(conn, message)
    assert after is not None
    assert after.ts == "1.1"


def test_a_claim_nobody_reported_on_is_given_out_again(conn: Conn) -> None:
    asked(conn)
    [message] = messages.behind(conn, 10)
    claimed(conn, message)
    conn.execute("UPDATE ledger.message SET posting_at = posting_at - make_interval(secs => 31)")
    assert messages.behind(conn, 10) == [message]
    assert claimed(conn, message).id == message


def test_spacing_postponing_and_trouble(conn: Conn) -> None:
    asked(conn)
    [message] = messages.behind(conn, 10)
    rev = claimed(conn, message).wanted_rev
    messages.postpone(conn, message, 60)
    assert messages.claim(conn, message) is None
    assert messages.behind(conn, 10) == []
    messages.postpone(conn, message, 0)
    claimed(conn, message)
    assert messages.failed(conn, message, 0) == 1
    claimed(conn, message)
    messages.sent(conn, message, ts="1.1", rev=rev, quiet_s=60)
    messages.touch(conn, "run/1")
    assert messages.claim(conn, message) is None  # too soon after the last edit
    messages.postpone(conn, message, 0)
    messages.trouble(conn, message, "channel_not_found")
    assert messages.claim(conn, message) is None
    assert messages.behind(conn, 10) == []


def test_a_message_that_waits_for_an_answer_is_due_when_it_is_there(conn: Conn) -> None:
    number = questions.ask(conn, kind="doctor", asked={}, asker="slack:T:U1")
    message = messages.want(conn, "answer", questions.question_ref(number), "C1")
    claimed(conn, message)
    messages.postpone(conn, message, 60)
    assert messages.claim(conn, message) is None
    assert questions.answer(conn, number, {"checks": []}) == [message]
    claimed(conn, message)


def test_wanting_again_renders_again_and_keeps_the_body_unless_a_new_one_is_given(conn: Conn) -> None:
    first = messages.want(conn, "ephemeral", "inbox/4", "C1", recipient="UOMAR", body={"text": "No."})
    assert messages.want(conn, "ephemeral", "inbox/4", "C1") == first
    message = messages.get(conn, first)
    assert message is not None
    assert (message.wanted_rev, message.body) == (2, {"text": "No."})


def test_a_runs_messages_are_its_own(conn: Conn) -> None:
    one = proposed(conn)
    root = messages.root(conn, one)
    assert root is not None
    step = messages.want(conn, "progress", messages.step_ref(one, 1), "C1", thread=root.id)
    messages.want(conn, "root", f"run/{one}0", "C1")  # run 10 is not run 1
    assert messages.behind_of(conn, one) == [root.id, step]
    assert [message.id for message in runs.get(conn, one).messages] == [root.id, step]
