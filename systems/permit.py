"""The permit: what every call that changes something outside must ask first (DESIGN §5, Effects)."""

from typing import Protocol

from systems.errors import NotPermitted


class Permit(Protocol):
    """Called by a client right before a mutating request; raises ``NotPermitted`` if it may not be sent."""

    def __call__(self, system: str, call: str) -> None: ...


def read_only(system: str, call: str) -> None:
    """The permit of planning, of looking and of questions: nothing may be changed."""
    raise NotPermitted(system, call, said="only reading is allowed here; nothing was sent")
