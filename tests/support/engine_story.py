"""A workspace of toys for the engine's tests: a ledger, the outside, people, a clock that can be moved on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, cast

import psycopg

from config.settings import Settings
from ledger import decisions, runs
from ledger.bell import Bell
from ledger.connection import Pool, calendar
from ledger.decisions import Verdict
from ledger.policy import Actor
from ledger.values import RunView
from runbooks.plan import Choice, HoldLimit, Plan, PlannedStep, digest
from runbooks.request import Request
from runbooks.site import Site
from runbooks.step import Step
from systems.permit import Permit
from tests.support.outside import SCHEMA, Faults, Killed, Outside
from workers.context import Context
from workers.engine import Advanced, advance
from workers.planning import proposal

ANA, BEN, CHEN = (Actor(f"slack:T1:U{name}") for name in ("ANA", "BEN", "CHEN"))
CLOCK = "-c tbops.clock=sandbox"
LEASE_S = 60.0  # no machine is too slow to do something under it: a test that is about its end ends it


def settings(dsn: str, **rules: Any) -> Settings:
    environment = {
        "production": False,
        "tinybird": {"url": "http://127.0.0.1:1", "token": "t"},
        "sequin": {"url": "http://127.0.0.1:1", "token": "t", "database": "cm"},
        "connect": {"url": "http://127.0.0.1:1"},
        "kafka": {"bootstrap": "127.0.0.1:1"},
        "postgres": {"dsn": dsn},
        "channels": {"migrations": "C1", "alerts": "C2"},
        "rules": {"request": ["UANA"], "approve": ["UBEN", "UCHEN"], **rules},
    }
    return Settings.model_validate(
        {
            "ledger_dsn": dsn,
            "redis_url": "redis://127.0.0.1:1/0",
            "slack": {"bot_token": "xoxb-1", "app_token": "xapp-1"},
            "environments": {"staging": environment},
            "default_environment": "staging",
            "engine": {"lease_s": LEASE_S},
        }
    )


@dataclass
class Toys:
    """``plan`` lists (step, block, hold, touches)."""

    dsn: str
    pool: Pool
    faults: Faults
    context: Context
    plan: list[tuple[Step, int, int | None, bool]] = field(default_factory=list)
    budget_s: int = 1000
    digests: int = 0

    def value(self, name: str) -> str:
        return Outside(self.dsn, _anything, Faults()).get(name)

    def put(self, name: str, value: str) -> None:
        """Somebody else changes the outside; it is not in the log."""
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            conn.execute(
                "INSERT INTO outside.thing VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                [name, value],
            )

    def log(self) -> list[str]:
        """Every effect there was, in order: "a=on"."""
        with psycopg.connect(self.dsn) as conn:
            rows = conn.execute("SELECT name, value FROM outside.log ORDER BY id").fetchall()
        return [f"{name}={value}" for name, value in rows]

    def made(self) -> Plan:
        steps = [
            PlannedStep(
                op=step.op,
                title=step.title(),
                gate="approve" if step.gated else "none",
                long=step.long,
                params=step.params(),
                reads=step.reads(),
                writes=step.writes(),
                block=block,
                hold=hold,
                touches=touches,
            )
            for step, block, hold, touches in self.plan
        ]
        holds = sorted({hold for *_, hold, _ in self.plan if hold is not None})
        keys = {key for step in steps for key in (*step.reads, *step.writes)}
        return Plan(
            command="toys",
            environment="staging",
            target="table",
            request={"text": "toys"},
            strategy=Choice(name="alter", reasons=()),
            steps=tuple(steps),
            holds=tuple(HoldLimit(hold=hold, budget_s=self.budget_s, formula="") for hold in holds),
            guards={key: digest(self.value(_named(key))) for key in sorted(keys)},
            locks=("table/table",),
        )

    def proposed(self) -> int:
        request = Request.model_validate({"text": "toys", "job": {"kind": "unreplicate", "table": "table"}})
        with self.pool.connection() as conn, conn.transaction():
            run = runs.create(
                conn,
                environment="staging",
                command="toys",
                request=request.model_dump(mode="json"),
                requester=ANA.id,
                channel="C1",
            )
            runs.propose(conn, run, **proposal(self.made(), calendar(conn) + timedelta(days=1)))
        return run

    def running(self, *plan: tuple[Step, int, int | None, bool]) -> int:
        """A run of this plan with everything approved."""
        self.plan = list(plan)
        run = self.proposed()
        self.approved(run)
        return run

    def approved(self, run: int) -> None:
        last = max(block for _, block, *_ in self.plan)
        assert self.decide(run, "approve", up_to=last).accepted

    def decide(self, run: int, action: decisions.Decided, actor: Actor = BEN, **how: Any) -> Verdict:
        rules = self.context.settings.environment("staging").rules
        with self.pool.connection() as conn:
            return decisions.decide(conn, rules, actor, action, run, **how)

    def view(self, run: int) -> RunView:
        with self.pool.connection() as conn:
            return runs.get(conn, run)

    def state(self, run: int) -> str:
        return self.view(run).run.state

    def pass_time(self, seconds: float) -> None:
        with self.pool.connection() as conn:
            conn.execute("UPDATE ledger.clock SET advanced = advanced + make_interval(secs => %s)", [seconds])

    def end_lease(self, run: int) -> None:
        """As if the lease's time had passed since its worker died."""
        with self.pool.connection() as conn:
            conn.execute("UPDATE ledger.run SET lease_until = clock_timestamp() WHERE id = %s", [run])

    def tick(self, run: int) -> Advanced:
        return advance(self.context, run)

    def drive(self, run: int) -> str:
        """Tick until nothing is due, the clock moved on to what is; a killed worker's lease is let end."""
        return self._drive(run, lambda _view: False)

    def drive_until(self, run: int, state: str) -> None:
        self._drive(run, lambda view: view.run.state == state)
        assert self.state(run) == state

    def drive_until_step(self, run: int, number: int) -> None:
        """Until that step is next."""
        self._drive(run, lambda view: all(s.state == "done" for s in view.steps if s.number < number))

    def _drive(self, run: int, enough: Callable[[RunView], bool], most: int = 400) -> str:
        for _ in range(most):
            left = self._due_in(run)
            if left is None or enough(self.view(run)):
                return self.state(run)
            if left > 0:
                self.pass_time(left)
            try:
                advanced = self.tick(run)
            except Killed:
                self.end_lease(run)
            else:
                self._settle(advanced.settle_s)
        raise AssertionError(f"run {run} never rests: {self.view(run)}")

    def _due_in(self, run: int) -> float | None:
        with self.pool.connection() as conn:
            row = conn.execute(
                "SELECT extract(epoch FROM due_at - ledger.now())::float8 AS s FROM ledger.run WHERE id = %s", [run]
            ).fetchone()
        assert row is not None
        return row["s"]

    def _settle(self, seconds: float) -> None:
        """A settle time is the machine's: it cannot be moved on."""
        with self.pool.connection() as conn:
            conn.execute("SELECT pg_sleep(%s)", [seconds])


def _anything(system: str, call: str) -> None:
    """The tests themselves may do anything."""


def toys(dsn: str, pool: Pool, **rules: Any) -> Toys:
    with pool.connection() as conn:
        conn.execute(SCHEMA)
        conn.execute("INSERT INTO ledger.clock (origin, wall) VALUES (clock_timestamp(), clock_timestamp())")
    faults = Faults()
    given = settings(dsn, **rules)

    def site(environment: str, run: int, permit: Permit) -> Site:
        client = cast(Any, Outside(dsn, permit, faults))
        with pool.connection() as conn:
            now = calendar(conn)
        return Site(environment, run, now, client, client, client, client, client)

    context = Context(pool, given, site, Bell("redis://127.0.0.1:1/0"), "worker-1")
    made = Toys(dsn, pool, faults, context)
    made.context = replace(context, make_plan=lambda _request, _site: made.made(), digest_of=_digest_of)
    return made


def _digest_of(site: Site, key: str) -> str:
    return digest(cast(Outside, site.tinybird).get(_named(key)))


def _named(key: str) -> str:
    """Whose guard it is: ``outside/<name>``, or ``tinybird/datasource/<name>/schema``."""
    return key.split("/")[-2 if key.endswith("/schema") else -1]


def plain(*steps: Step) -> Sequence[tuple[Step, int, int | None, bool]]:
    """A block each, no hold."""
    return [(step, number, None, False) for number, step in enumerate(steps, 1)]
