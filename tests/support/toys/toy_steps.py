"""Small real steps against a Postgres table that stands for the outside; found by ``op`` like any other."""

from typing import Any, ClassVar, cast

from runbooks.site import Site
from runbooks.step import Astray, Done, Progress, Seen, Step, Todo, Wait
from tests.support.outside import Outside


def outside(at: Site) -> Outside:
    return cast(Outside, at.tinybird)


class Put(Step):
    """Have ``name`` hold ``value``."""

    op: ClassVar[str] = "test.put/1"
    settle_s: ClassVar[float] = 0.05

    name: str
    value: str
    shared: tuple[str, ...] = ()

    def title(self) -> str:
        return f"Put {self.value} into {self.name}"

    def reads(self) -> tuple[str, ...]:
        return (f"outside/{self.name}",)

    def writes(self) -> tuple[str, ...]:
        return self.reads()

    def locks(self) -> tuple[str, ...]:
        return self.shared

    def remember(self, at: Site) -> Step | None:
        return PutBack(name=self.name, value=outside(at).get(self.name))

    def look(self, at: Site) -> Seen:
        return Done(f"{self.name} is {self.value}.") if outside(at).get(self.name) == self.value else Todo()

    def act(self, at: Site) -> None:
        outside(at).put(self.name, self.value)


class PutBack(Put):
    op: ClassVar[str] = "test.put-back/1"

    def remember(self, at: Site) -> Step | None:
        return None


class PutIfWhole(PutBack):
    """Puts back only while the table is what it was."""

    op: ClassVar[str] = "test.put-if-whole/1"

    def look(self, at: Site) -> Seen:
        if at.touched - at.proven:
            return Astray("the table is not proven")
        return super().look(at)


class Stop(Put):
    """Stop something that may run again only when the table is whole or proven."""

    op: ClassVar[str] = "test.stop/1"

    def remember(self, at: Site) -> Step | None:
        return PutIfWhole(name=self.name, value=outside(at).get(self.name))


class Change(Put):
    """A change for good: nothing puts it back."""

    op: ClassVar[str] = "test.change/1"

    def remember(self, at: Site) -> Step | None:
        return None


class Rebuild(Change):
    """A change of a table, which the run's own lock keeps as it was from the beginning on."""

    op: ClassVar[str] = "test.rebuild/1"

    def reads(self) -> tuple[str, ...]:
        return (f"tinybird/datasource/{self.name}/schema",)


class Await(Step):
    op: ClassVar[str] = "test.await/1"
    gated: ClassVar[bool] = False
    long: ClassVar[bool] = True

    name: str
    value: str

    def title(self) -> str:
        return f"Wait until {self.name} is {self.value}"

    def look(self, at: Site) -> Seen:
        found = outside(at).get(self.name)
        if found == self.value:
            return Done(found={"proven": [self.name]})
        return Wait(10, f"{self.name} is {found}", Progress(1, 3), memo={"looks": int(at.memo.get("looks", 0)) + 1})

    def act(self, at: Site) -> None:
        raise AssertionError("a wait does nothing")


class Chunks(Step):
    """Several effects, one after another; the memo says which is next."""

    op: ClassVar[str] = "test.chunks/1"
    settle_s: ClassVar[float] = 0.05

    name: str
    count: int

    def title(self) -> str:
        return f"Fill {self.name} in {self.count} parts"

    def look(self, at: Site) -> Seen:
        done = [n for n in range(self.count) if outside(at).get(f"{self.name}-{n}") == "full"]
        if len(done) == self.count:
            return Done()
        memo: dict[str, Any] = {"next": len(done)}
        return Todo(f"part {len(done) + 1}", memo)

    def act(self, at: Site) -> None:
        outside(at).put(f"{self.name}-{at.memo['next']}", "full")


class Unseen(Step):
    """Its effect leaves no trace: only the answer shows that it was had."""

    op: ClassVar[str] = "test.unseen/1"
    settle_s: ClassVar[float] = 0.05

    def title(self) -> str:
        return "Ring"

    def look(self, at: Site) -> Seen:
        return Done() if at.answered else Todo()

    def act(self, at: Site) -> None:
        outside(at).ring()


class Broken(Step):
    op: ClassVar[str] = "test.broken/1"

    def title(self) -> str:
        return "Break"

    def look(self, at: Site) -> Seen:
        raise ZeroDivisionError("a bug")

    def act(self, at: Site) -> None:
        raise AssertionError
