"""A table replaced by the one beside it in one call, so that no read finds none: the two change names.

Whether their ids change places too is not certain (facts/tinybird.md §15.4), so that each is known by the digest of
its schema: the old one's and the planned one differ. Exchanged twice is not exchanged: what was answered as done is
never asked for again.
"""

from datetime import datetime
from typing import ClassVar

from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Todo, Wait
from runbooks.steps.beside import beside_name
from runbooks.steps.create import moved_to, write_back
from runbooks.steps.set_aside import kept_name
from runbooks.steps.standing import Standing, schema_of, schema_under
from runbooks.steps.switch import Replacing, come_since
from systems.errors import SystemsError
from systems.tinybird_model import DatasourceInfo

LOOK_AGAIN_S = 2.0
UNSEEN_S = 60.0  # so long may an exchange that was answered be unseen
LOST_S = 30.0  # no call lasts so long (DESIGN §5, Act): one that was lost is had by then, or never
REFUSED = 2  # renames that were answered and are not to be seen: it is not to be had


class Exchange(Replacing):
    """Both names in one call. Pipes that it led to the old table are led back; that one has the other name then."""

    op: ClassVar[str] = "tinybird.datasource.exchange/1"
    settle_s: ClassVar[float] = LOST_S

    before: str  # the digest of the old table's schema

    def title(self) -> str:
        return f"Exchange {self.table.name} and the new table in one call; the old one is kept"

    def remember(self, at: Site) -> Step | None:
        name = self.table.name
        return ExchangeBack(
            table=self.table, before=self.before, kept=kept_name(name, at.run), beside=beside_name(name, at.run)
        )

    def look(self, at: Site) -> Seen:
        name, beside = self.table.name, beside_name(self.table.name, at.run)
        stands = at.tinybird.datasource(name)
        if stands is None:
            return Astray(f"there is no data source {name} any more: it was not this run")
        if schema_of(stands) == self.before:
            if stands.id != self.table.id:
                return Astray(f"{name} as the plan knew it (id {self.table.id}) is gone: it was not this run")
            return self._not_yet(at) or _once(at, f"{name} and {beside} change names")
        if schema_of(stands) != self.table.planned:
            return Astray(f"{name} is neither the table that the plan knew nor the new one: it was not this run")
        return self._exchanged(at)

    def act(self, at: Site) -> None:
        name, beside = self.table.name, beside_name(self.table.name, at.run)
        if schema_under(at, name) == self.before:
            at.tinybird.exchange_datasources(name, beside)
        else:
            write_back(at, beside, name)

    def _exchanged(self, at: Site) -> Seen:
        name, beside = self.table.name, beside_name(self.table.name, at.run)
        old = _one_of(at, (kept_name(name, at.run), beside), self.before)
        if old is None:
            return Astray(f"{name} is the new table, and the old one is gone: it was not this run")
        moved = moved_to(at, beside)
        if moved:
            return Todo(f"{moved[0].name}, node {moved[1].name}, followed the old table and is written back")
        return Done(
            f"{name} is the new table; the old one is {old.name}.",
            {"touched": [name], "kept": self._kept(at, old.name, old.id)},
        )


class ExchangeWritten(Exchange):
    """The same for a table whose writers are stopped: nothing may have come since it was found at rest."""

    op: ClassVar[str] = "tinybird.datasource.exchange-written/1"

    topic: str

    def _not_yet(self, at: Site) -> Seen | None:
        return super()._not_yet(at) or come_since(at, self.table.name, self.topic)


class KeepExchanged(Step):
    """Have the old table, which nobody reads now, bear the name that kept tables have. Where a rename is refused it is
    kept under the name that it got."""

    op: ClassVar[str] = "tinybird.datasource.keep-exchanged/1"
    gated: ClassVar[bool] = False
    settle_s: ClassVar[float] = 5.0

    table: str

    def title(self) -> str:
        return f"Rename the old {self.table}, which is kept"

    def look(self, at: Site) -> Seen:
        record: dict[str, str] = at.found.get("kept") or {}
        if not record:
            return Done(f"The old {self.table} keeps the name that another run gave it.")
        name, kept = record["name"], kept_name(self.table, at.run)
        if at.tinybird.datasource(kept) is not None:
            said = f"The old {self.table} is kept as {kept} until {record['retire']}."
            return Done(said, {"kept": {**record, "name": kept}})
        if at.tinybird.datasource(name) is None:
            return Astray(f"the old {self.table}, which was kept as {name}, is gone: it was not this run")
        if at.answered >= REFUSED:
            return Done(f"A rename was refused: the old {self.table} is kept as {name} until {record['retire']}.")
        return Todo(f"{name} is renamed to {kept}")

    def act(self, at: Site) -> None:
        record: dict[str, str] = at.found.get("kept") or {}
        found = at.tinybird.datasource(record["name"]) if record else None
        try:
            if found is not None:
                at.tinybird.rename_datasource(found.id, kept_name(self.table, at.run))
        except SystemsError as error:
            if error.retryable or error.status is None:
                raise


class ExchangeBack(Step):
    """Exchange the two again on a way out, as long as nothing can have been written to the new table, which goes: the
    connector is still paused. Once it runs, the new table, which was proven before, stays."""

    op: ClassVar[str] = "tinybird.datasource.exchange-back/1"
    settle_s: ClassVar[float] = LOST_S

    table: Standing
    before: str
    kept: str
    beside: str

    def title(self) -> str:
        return f"Exchange {self.table.name} with the old table again, unless the new one takes rows already"

    def undone(self, at: Site) -> bool:
        """An exchange stops nothing: that it stays is how it should end."""
        return False

    def look(self, at: Site) -> Seen:
        name, stands = self.table.name, schema_under(at, self.table.name)
        if stands == self.before:
            return self._cleared(at)
        old = _one_of(at, self._names, self.before)
        if stands != self.table.planned:
            where = f"; the old one is kept as {old.name}" if old else ""
            return Astray(f"{name} is neither the old table nor the new one{where}")
        if old is None:
            return Astray(f"the old {name} is gone; the new one, which was proven, stays")
        if at.connect.status(at.names.connector).paused:
            return _once(at, f"{name} and {old.name} change names again")
        return Done(f"{name} is the new table, which was proven; the old one stays aside as {old.name}.")

    def act(self, at: Site) -> None:
        name, stands = self.table.name, schema_under(at, self.table.name)
        if stands == self.table.planned:
            old = _one_of(at, self._names, self.before)
            if old is not None:
                at.tinybird.exchange_datasources(name, old.name)
        elif stands == self.before:
            led = next((other for other in self._names if moved_to(at, other)), None)
            new = _one_of(at, self._names, self.table.planned)
            if led:
                write_back(at, led, name)
            elif new is not None:
                at.tinybird.delete_datasource(new.id)

    @property
    def _names(self) -> tuple[str, str]:
        return self.kept, self.beside

    def _cleared(self, at: Site) -> Seen:
        """Where an exchange rewrites SQL, pipes that had been led back followed the new table away."""
        moved = next((found for found in (moved_to(at, other) for other in self._names) if found), None)
        if moved:
            return Todo(f"{moved[0].name}, node {moved[1].name}, followed the new table and is written back")
        new = _one_of(at, self._names, self.table.planned)
        if new is not None:  # while the old one had its name, dropping it seemed done
            return Todo(f"{new.name}, the new table, is deleted")
        return Done(f"{self.table.name} is the table it was before.")


def _once(at: Site, why: str) -> Seen:
    """Ask for the exchange, but never again once it was answered as done."""
    if not at.answered:
        return Todo(why)
    since = str(at.memo.get("answered") or at.now.isoformat())
    if (at.now - datetime.fromisoformat(since)).total_seconds() < UNSEEN_S:
        return Wait(LOOK_AGAIN_S, f"{why}: it was answered as done and is not to be seen yet", memo={"answered": since})
    return Astray(f"{why}: it was answered as done, and nothing of it is to be seen; asked again it might be undone")


def _one_of(at: Site, names: tuple[str, ...], schema: str) -> DatasourceInfo | None:
    """The first of these data sources that has that schema."""
    found = (at.tinybird.datasource(name) for name in names)
    return next((each for each in found if each is not None and schema_of(each) == schema), None)
