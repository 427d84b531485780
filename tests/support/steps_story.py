"""A run's steps walked against the sandbox: looking, acting, remembering, as the engine does, without a ledger."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from runbooks import steps
from runbooks.facts import live
from runbooks.names import Names, ProjectNames, PropertiesNames
from runbooks.plan import Plan
from runbooks.planner import make_plan
from runbooks.request import AddFields, Migrate, NewField, Request
from runbooks.site import Site
from runbooks.step import Astray, Done, Failed, Seen, Step, Todo, Wait
from systems.connect import Connect
from systems.encrypted import Commands, EncryptedFile
from systems.errors import SystemsError
from systems.github import GitHub
from systems.kafka import Kafka
from systems.kubernetes import Kubernetes
from systems.postgres import Postgres
from systems.sequin import Sequin
from systems.tinybird import Tinybird
from tests.support.sandbox import SETTLE_S, Sandbox

RUN = 7
LOOKS = 2_000


def allowed(system: str, call: str) -> None:
    """Everything may be changed in a sandbox."""


@dataclass
class Entry:
    """A way back. ``state``: listed, struck, left or done."""

    step: Step
    state: str = "listed"
    reason: str = ""


@dataclass
class Story:
    sandbox: Sandbox
    base: Site
    found: dict[str, Any] = field(default_factory=dict[str, Any])
    entries: list[Entry] = field(default_factory=list[Entry])
    said: list[str] = field(default_factory=list[str])
    astray: str = ""

    def plan(self, *fields: NewField, strategy: str | None = None, table: str = "members") -> Plan:
        job = Migrate(datasources=(table,), change=AddFields(fields=fields))
        request = Request(text="/tb migrate", job=job, strategy=strategy)
        return make_plan(request, live.read(self.at()))

    def at(self, memo: Any = None, answered: int = 0) -> Site:
        proven = frozenset(self.found.get("proven", ()))
        now = datetime.fromtimestamp(self.sandbox.clock.time(), UTC)
        touched = frozenset(self.found.get("touched", ()))
        seen = replace(self.base, now=now, memo=memo or {}, answered=answered, found=self.found)
        return replace(seen, proven=proven, touched=touched)

    def take(self, *several: Step) -> bool:
        """Steps of no plan, in order; False at the first that goes astray."""
        return all(self._walk(step, step.title()) for step in several)

    def carry_out(self, plan: Plan, *, until: int | None = None) -> None:
        """The plan's steps in order, the first ``until`` of them; stops at the first that goes astray."""
        for planned in plan.steps[:until]:
            if not self._walk(steps.load(planned.op, planned.params), planned.title):
                return

    def put_back(self) -> None:
        """The restore list, last in first out."""
        for entry in reversed(self.entries):
            if entry.state == "listed":
                self._restore(entry)

    def _walk(self, step: Step, title: str) -> bool:
        outcome = self._decided(step, remember=True)
        if isinstance(outcome, Astray):
            self.astray = f"{title}: {outcome.reason}"
            return False
        self.said.append(outcome.said)
        for key, value in outcome.found.items():
            earlier = self.found.get(key)
            self.found[key] = [*earlier, *value] if isinstance(earlier, list) else value
        for entry in self.entries:
            if entry.state == "listed" and isinstance(entry.step.look(self.at()), Done):
                entry.state = "struck"
        return True

    def _restore(self, entry: Entry) -> None:
        outcome = self._decided(entry.step, remember=False)
        entry.state = "left" if isinstance(outcome, Astray) else "done"
        entry.reason = outcome.reason if isinstance(outcome, Astray) else outcome.said

    def _decided(self, step: Step, *, remember: bool) -> Done | Astray:
        memo: Any = {}
        answered = 0
        seen: Seen | None = None
        for _ in range(LOOKS):
            seen = step.look(self.at(memo, answered))
            assert not isinstance(seen, Failed), seen.reason
            memo = memo if isinstance(seen, Done | Astray) or seen.memo is None else seen.memo
            match seen:
                case Done() | Astray():
                    return seen
                case Wait():
                    self._wait()
                case Todo():
                    if remember and not answered:
                        inverse = step.remember(self.at(memo))
                        self.entries += [Entry(steps.load(inverse.op, inverse.params()))] if inverse else []
                    step.act(self.at(memo, answered))
                    answered += 1
        raise AssertionError(f"{step.title()}: not decided after {LOOKS} looks, last {seen}\n{self.sandbox.log.tail()}")

    def _wait(self) -> None:
        """Until something is asked of a system, or a moment of the machine."""
        self.sandbox.log.entries(after=self.sandbox.log.last(), wait_s=0.05)


def to_its_end(run: Story, step: Step, meanwhile: Callable[[Seen], None] = lambda _: None) -> Done | Astray:
    """A step that waits by the clock, which is moved on. ``meanwhile`` is called after each look that was no end."""
    memo, answered = {}, 0
    for _ in range(2_000):
        try:
            seen = step.look(run.at(memo, answered))
        except SystemsError as error:
            if error.status != 408:
                raise
            continue  # as the engine does
        assert not isinstance(seen, Failed), seen.reason
        if isinstance(seen, Done | Astray):
            return seen
        memo = dict(seen.memo) if seen.memo is not None else memo
        if isinstance(seen, Todo):
            step.act(run.at(memo, answered))
            answered += 1
        else:
            run.sandbox.clock.advance(max(seen.after, 5.0), settle_s=SETTLE_S)
        meanwhile(seen)
    raise AssertionError(f"{step.op} came to no end: {memo}")


@contextmanager
def story(sandbox: Sandbox) -> Iterator[Story]:
    ready = sandbox.ready
    site = Site(
        environment="sandbox",
        run=RUN,
        now=datetime.now(UTC),
        tinybird=Tinybird(ready["tinybird"]["url"], ready["tinybird"]["token"], allowed),
        sequin=Sequin(ready["sequin"]["url"], ready["sequin"]["token"], allowed),
        connect=Connect(ready["connect"]["url"], allowed),
        kafka=Kafka(ready["kafka"], None, allowed),
        postgres=Postgres(ready["postgres"], allowed),
        kubernetes=Kubernetes(ready["kubernetes"]["url"], ready["kubernetes"]["scaler_token"], allowed),
        github=GitHub(ready["github"]["url"], ready["github"]["token"], allowed),
        encrypted=EncryptedFile(ready["github"]["properties"], _commands(ready["github"]["identity_file"])),
        names=Names(
            connect_restart=f"{sandbox.namespace}/{ready['kubernetes']['connect']}",
            project=ProjectNames(ready["github"]["project"]),
            properties=PropertiesNames(ready["github"]["cluster"], "main", ready["github"]["properties"]),
            writers={"activities": tuple((sandbox.namespace, name) for name in ready["kubernetes"]["writers"])},
        ),
    )
    try:
        yield Story(sandbox, site)
    finally:
        for client in (site.tinybird, site.sequin, site.connect, site.cluster, site.hub):
            client.close()


def _commands(identity_file: str) -> Commands:
    age = (sys.executable, "-m", "sandbox.age")
    return Commands((*age, "decrypt"), (*age, "encrypt"), {"AGE_KEY_FILE": identity_file})
