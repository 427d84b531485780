"""A retry of a run that is over: a run of its own, which is planned from what that one left and approved like any."""

from bot.outcome import Outcome, Ring, Sender
from ledger import messages, runs
from ledger.connection import Conn
from ledger.values import InboxRow, RunView
from runbooks.request import Finish, Request


def go_on(conn: Conn, row: InboxRow, sender: Sender, over: RunView, first: int, note: str) -> Outcome:
    """The new run, in the channel of the old one; ``first`` is the first of the line that both are in."""
    number, home = over.run.id, over.run.channel
    asked = Request(
        text=f"retry {number}",
        job=Finish(run=number, of=runs.get(conn, first).run.command),
        environment=over.run.environment,
        note=note or None,
    )
    run = runs.create(
        conn,
        environment=over.run.environment,
        command=asked.text,
        request=asked.model_dump(mode="json"),
        requester=sender.id,
        inbox=row.id,
        channel=home,
        note=asked.note,
        finishes=first,
    )
    root = messages.root(conn, run)
    rings: tuple[Ring, ...] = (("plan", run), *((("publish", root.id),) if root else ()))
    rings = (*rings, *(("publish", m) for m in messages.behind_of(conn, number)))
    where = f"in <#{home}>" if home else "now"
    said = (
        f"Run {run} is planned {where}: it goes on with what run {number} left. Nothing begins before it is approved."
    )
    return Outcome(f"run {run} goes on with run {number}", rings, {"kind": "rule", "text": said})
