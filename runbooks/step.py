"""What a step is: a value that knows how to look and how to act (DESIGN §1).

A step is stored as ``(op, params)`` and found again by its ``op``, which holds a name and a version and
never changes. Looking asks and changes nothing; acting has one effect, and only the next look decides
whether it took. What a later look must know of an earlier one travels in ``memo``, which the ledger keeps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from runbooks.site import Site

Memo = Mapping[str, Any]  # JSON; small (a few kB), never a secret


@dataclass(frozen=True)
class Progress:
    """How far a long step is. ``unit`` is a plural noun ("rows"); ``total`` is None while unknown."""

    done: int
    total: int | None
    unit: str = "rows"


@dataclass(frozen=True)
class Done:
    """It is so. ``said`` is one plain sentence for the thread; ``found`` goes into the run's record:
    ``{"proven": [table, …]}`` and ``{"touched": [table, …]}`` are read by later steps through ``Site``, all else by
    its key in ``Site.found``."""

    said: str = ""
    found: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Wait:
    """Not yet, and nothing to do but look again ``after`` seconds (the calendar's, not the machine's)."""

    after: float
    why: str
    progress: Progress | None = None
    memo: Memo | None = None  # None keeps what is stored


@dataclass(frozen=True)
class Todo:
    """Not so: act. After an act the engine looks again before anything else."""

    why: str = ""
    memo: Memo | None = None


@dataclass(frozen=True)
class Astray:
    """The world is not what the plan knows: go no further, tell people. In a restore: left as it is, and why.
    ``memo`` is for the look that follows when people have it tried again: a patience that is over begins anew."""

    reason: str
    memo: Memo | None = None  # None keeps what is stored


@dataclass(frozen=True)
class Failed:
    """It did not come about, and trying the same again by itself would be wrong: the run fails. ``reason`` is a clause
    that follows a colon. In a restore as ``Astray``."""

    reason: str


Seen = Done | Wait | Todo | Astray | Failed


class Step(BaseModel):
    """One thing to bring about. Subclasses are frozen values with an ``op`` of their own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    op: ClassVar[str]  # "sequin.sink.pause/1": name and version, for ever
    long: ClassVar[bool] = False  # reports progress in a reply of its own
    gated: ClassVar[bool] = True  # changes something people must approve; looks, waits and proofs do not
    leads: ClassVar[bool] = False  # belongs to the step behind it: approved with that one, and done right before it
    by_people: ClassVar[bool] = False  # people may do it elsewhere: looked for while its approval is awaited
    destructive: ClassVar[bool] = False  # asks for the strong approval of the policy
    touches: ClassVar[bool] = False  # from here on the table is not what it was (facts/procedures.md §2.3)
    settle_s: ClassVar[float] = 2.0  # how long an effect may take to be seen after a lost answer, machine's clock

    def title(self) -> str:
        """What it does, in the imperative, for the card: "Pause the Sequin sink members_sink"."""
        raise NotImplementedError

    def reads(self) -> tuple[str, ...]:
        """Guard keys compared with the run's world before the first effect."""
        return ()

    def writes(self) -> tuple[str, ...]:
        """Guard keys read again when it is done; they become the run's world."""
        return ()

    def locks(self) -> tuple[str, ...]:
        """Shared resources held from the first effect on, e.g. ``connector/tinybird-sink``, ``slot/sequin_slot``."""
        return ()

    def remember(self, at: Site) -> Step | None:
        """The step that puts back what is there now; stored before the first effect. None: nothing to put back."""
        return None

    def tidies(self, earlier: Step) -> bool:
        """Whether it only clears away what ``earlier`` made: then the click on that one approves this one too."""
        return False

    def undone(self, at: Site) -> bool:
        """Of a way back, while the stop that it would end must stand: whether somebody has ended that stop, even if
        not quite as this step would. Raises what looking does."""
        return isinstance(self.look(at), Done)

    def look(self, at: Site) -> Seen:
        raise NotImplementedError

    def act(self, at: Site) -> None:
        raise NotImplementedError

    def params(self) -> dict[str, Any]:
        return self.model_dump(mode="json")
