"""The product in this process, on a running sandbox: the bot listens, and jobs are done when a test says so.

``drive()`` does what talk and work workers would, until nothing is due; where only time is to pass, the sandbox's
clock is moved on. By itself it runs no faster than the machine's, and it is moved on only when the sandbox's movers
have done what was due before: however busy the machine is, no hour passes in which nobody could do anything.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest

import bot.context
import bot.jobs
import workers.context
import workers.jobs
from bot.serve import Bot
from config.settings import Settings, load
from ledger import inbox, messages, questions, runs
from ledger.connection import Conn, Pool
from ledger.values import RunView
from runbooks.plan import Plan
from runbooks.request import Request
from runbooks.site import Site
from tbops import build
from tests.support.people import Message, People
from tests.support.sandbox import ANSWER_S, SETTLE_S, GaveUp, Sandbox
from workers.context import Context, plan_live
from workers.engine import Advanced, advance

LEASE_S = 60.0  # nobody renews it here, and no machine is too slow to act under it: a test ends it (``take_over``)
MOST_TICKS = 3_000

MakePlan = Callable[[Request, Site], Plan]
Engine = Callable[[Context, int], Advanced]


@dataclass
class Product:
    """A bot that listens and a talk worker's context, for the whole session; every reset empties their ledger."""

    settings: Settings
    pool: Pool  # of the talk worker, and of the tests' questions
    talk: bot.context.Context
    make_plan: MakePlan = plan_live

    def with_settings(self, **sections: dict[str, object]) -> "Product":
        """The same with other settings of the sandbox's environment: ``connect={"restart": "rest"}``."""
        name = self.settings.default_environment
        before = self.settings.environments[name]
        changed = {section: getattr(before, section).model_copy(update=new) for section, new in sections.items()}
        environments = {**self.settings.environments, name: before.model_copy(update=changed)}
        settings = self.settings.model_copy(update={"environments": environments})
        return replace(self, settings=settings, talk=bot.context.create(settings, self.pool, build.bell(settings)))

    def worker(self, name: str = "worker") -> Context:
        """A work worker with nothing in its memory: what a process has that was just started."""
        return replace(build.context(self.settings), owner=name, make_plan=self.make_plan)


@contextmanager
def product(sandbox: Sandbox) -> Iterator[Product]:
    with pytest.MonkeyPatch.context() as patched:
        for name, value in sandbox.ready["product"]["env"].items():
            patched.setenv(name, value)
        patched.setenv("TBOPS_ENGINE__LEASE_S", str(LEASE_S))
        patched.setenv("TBOPS_SLACK__PORT", "0")
        settings = load()
    listening = Bot(settings)
    listening.start()
    pool = build.pool(settings, "tbops talk")
    try:
        yield Product(settings, pool, bot.context.create(settings, pool, build.bell(settings)))
    finally:
        listening.stop()
        pool.close()


@dataclass
class Drive:
    sandbox: Sandbox
    people: People
    product: Product
    worker: Context
    engine: Engine = advance  # a test may put something between
    watches: list[Callable[[], None]] = field(default_factory=list)  # called after each move: what must always hold
    workers: int = 1  # that there have been

    def __call__(self) -> None:
        """Until nothing is due."""
        self._until(lambda: False)

    def until(self, run: int, state: str) -> RunView:
        """Until the run is in ``state``; how it then is."""
        self._until(lambda: self.state(run) == state)
        if self.state(run) != state:
            raise GaveUp(f"run {run} is {self.state(run)}, not {state}\n{self.thread(run)}")
        return self.view(run)

    def until_step(self, run: int, number: int) -> None:
        """Until that step of the plan is the next one."""
        self._until(lambda: self.done(run) >= number - 1)

    def run(self, line: str, *, approve: bool = True) -> int:
        """Ana types it, Ben and, where two must, Chen approve all of it; the run's number. Nothing is begun yet."""
        self.people.ana.types(line)
        self.talk()
        run = self._newest()
        workers.context.configure(self.worker)
        workers.jobs.plan(run)
        self.talk()
        if self.state(run) != "proposed":
            raise GaveUp(f"“{line}” is {self.state(run)}\n{self.thread(run)}")
        if approve:
            self.approve(run)
        return run

    def approve(self, run: int) -> None:
        for person in (self.people.ben, self.people.chen):
            card = self.card(run)
            labels = [label for label in card.buttons if label.startswith("Approve")]
            if labels:
                person.clicks(labels[-1], on=card)  # "Approve up to step 9" stands behind "Approve step 1"
                self.talk()

    def card(self, run: int) -> Message:
        """The run's root card as it stands on Slack."""
        with self.product.pool.connection() as conn:
            root = messages.root(conn, run)
        found = [m for m in self.people.ana.sees() if root is not None and m.ts == root.ts]
        if not found:
            raise GaveUp(f"run {run} has no card")
        return found[0]

    def thread(self, run: int) -> str:
        """All that people read of the run, and what the ledger has of it."""
        view = self.view(run)
        rows = [f"  {s.phase} {s.number} {s.state}: {s.title} · {s.said or s.progress or ''}" for s in view.steps]
        rows += [f"  {s.phase} {s.number} {s.state}: {s.title} · {s.said or s.progress or ''}" for s in view.restore]
        self.talk()
        card = self.card(run)
        said = [f"  > {reply.text}" for reply in card.replies()]
        return "\n".join([f"run {run} is {view.run.state}: {view.run.reason}", *rows, card.text, *said])

    def view(self, run: int) -> RunView:
        with self.product.pool.connection() as conn:
            return runs.get(conn, run)

    def state(self, run: int) -> str:
        with self.product.pool.connection() as conn:
            row = conn.execute("SELECT state FROM ledger.run WHERE id = %s", [run]).fetchone()
        assert row is not None, f"there is no run {run}"
        return str(row["state"])

    def done(self, run: int) -> int:
        """How many of the plan's steps are done: they are done in their order."""
        with self.product.pool.connection() as conn:
            row = conn.execute(
                "SELECT count(*) AS n FROM ledger.step WHERE run = %s AND phase = 'plan' AND state = 'done'", [run]
            ).fetchone()
        return int(row["n"]) if row else 0

    def talk(self) -> None:
        """What a talk worker does: take what people sent, publish what is behind."""
        with self.product.pool.connection() as conn:
            for number in inbox.unhandled(conn, 0):
                bot.jobs.inbox(number)
            # A channel takes a message a second once its burst is used up: a test with several runs waits for that.
            self.sandbox.until(lambda: self._published(conn), what="no message behind")

    def _published(self, conn: Conn) -> bool:
        """Publish what is behind, and say whether nothing is any more. Spacing is for Slack's sake; what is shown in
        the end is asked here."""
        for number in self._behind(conn):
            bot.jobs.publish(number)
        return not self._behind(conn)

    def _behind(self, conn: Conn) -> list[int]:
        conn.execute("UPDATE ledger.message SET not_before = NULL WHERE not_before IS NOT NULL")
        return messages.behind(conn, 100)

    def take_over(self) -> Context:
        """The worker is gone with all it knew, and its lease has ended: another one is there."""
        self.worker.pool.close()
        self.workers += 1
        self.worker = self.product.worker(f"worker-{self.workers}")
        with self.product.pool.connection() as conn:
            conn.execute("UPDATE ledger.run SET lease_until = clock_timestamp() WHERE lease_until IS NOT NULL")
        return self.worker

    def move(self) -> bool:
        """Do everything that is due now, or move the clock on to what is due next. False: nothing ever is."""
        with self.product.pool.connection() as conn:
            waiting = inbox.unhandled(conn, 0)
            planning = runs.planning(conn, 0)
            asked = questions.sweep(conn, again_s=0)
            soonest = _soonest(conn)
        workers.context.configure(self.worker)
        for number in waiting:
            bot.jobs.inbox(number)
        for number in planning:
            workers.jobs.plan(number)
        for number in asked:
            workers.jobs.question(number)
        if soonest is None:
            return bool(waiting or planning or asked)
        run, left = soonest
        if left > 0:
            self.let_pass(left)
        self._settled(run, self.engine(self.worker, run))
        return True

    def let_pass(self, seconds: float) -> None:
        """Platform time passes, and the sandbox's movers do what is due by then."""
        self.sandbox.clock.advance(seconds, settle_s=SETTLE_S)

    def _until(self, enough: Callable[[], bool]) -> None:
        for _ in range(MOST_TICKS):
            if enough() or not self.move():
                self.talk()
                return
            for watch in self.watches:
                watch()
        raise GaveUp(f"never at rest\n{self.thread(self._newest())}\n{self.sandbox.log.tail()}")

    def _newest(self) -> int:
        return int(self.sandbox.ledger("SELECT max(id) AS run FROM ledger.run")[0]["run"])

    def _settled(self, run: int, advanced: Advanced) -> None:
        """A settle time is the machine's; as if it had passed, what was begun is older and looked at now."""
        if advanced.settle_s:
            with self.product.pool.connection() as conn:
                conn.execute(
                    "UPDATE ledger.intent SET at = at - make_interval(secs => %(s)s),"
                    " answered_at = answered_at - make_interval(secs => %(s)s) WHERE run = %(run)s",
                    {"run": run, "s": advanced.settle_s},
                )
                conn.execute("UPDATE ledger.run SET due_at = ledger.now() WHERE id = %s", [run])


def _soonest(conn: Conn) -> tuple[int, float] | None:
    """The run that is due first, and in how many seconds of the calendar. One that waits for people is looked at again
    and again meanwhile, but nothing comes of it by itself."""
    row = conn.execute(
        "SELECT id, extract(epoch FROM due_at - ledger.now())::float8 AS s FROM ledger.run r"
        " WHERE due_at IS NOT NULL AND (due_at <= ledger.now() OR"
        " (SELECT state FROM ledger.step WHERE run = r.id AND phase = 'plan' AND state NOT IN ('done', 'skipped')"
        " ORDER BY number LIMIT 1) IS DISTINCT FROM 'gated') ORDER BY due_at LIMIT 1"
    ).fetchone()
    return (row["id"], row["s"]) if row else None


@contextmanager
def driving(sandbox: Sandbox, people: People, given: Product) -> Iterator[Drive]:
    bot.context.configure(given.talk)  # other tests have talk workers too
    sandbox.knobs(slack__rate_limits=False, slack__ack_limit_s=ANSWER_S)
    sandbox.clock.run_at(1.0)
    made = Drive(sandbox, people, given, given.worker())
    try:
        yield made
    finally:
        made.worker.pool.close()
