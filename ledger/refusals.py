"""Why an effect may not begin now. None of these is an error of anybody: the tick stores what it means.

LedgerError
└── MayNotBegin
    ├── Fenced          another worker has the run: go no further, store nothing
    ├── Asked           people want a pause or an abort
    ├── Frozen          the environment is frozen
    ├── Shut            outside the environment's windows
    ├── NotApproved     no approval with this plan's hash, or it has run out
    └── Elsewhere       another run holds a resource that the step needs
"""

from ledger.errors import LedgerError


class MayNotBegin(LedgerError):
    """The effect was not begun. ``str`` is a plain sentence for people."""


class Fenced(MayNotBegin):
    def __init__(self, run: int) -> None:
        super().__init__(f"run {run} is in other hands")


class Asked(MayNotBegin):
    def __init__(self, wanted: str) -> None:
        self.wanted = wanted
        super().__init__(f"somebody asked for a {wanted}")


class Frozen(MayNotBegin):
    def __init__(self, environment: str, by: str) -> None:
        super().__init__(f"{environment} was frozen by {by}; this goes on when it is unfrozen")


class Shut(MayNotBegin):
    def __init__(self, windows: str) -> None:
        super().__init__(f"outside the hours in which changes may be made ({windows}); this goes on when they begin")


class NotApproved(MayNotBegin):
    """``lapsed``: there was an approval and its life is over."""

    def __init__(self, block: int, *, lapsed: bool) -> None:
        self.lapsed = lapsed
        what = "its approval has run out" if lapsed else "it has no approval for the plan as it is now"
        super().__init__(f"block {block} was not begun: {what}")


class Elsewhere(MayNotBegin):
    def __init__(self, resource: str, holder: int) -> None:
        self.resource = resource
        self.holder = holder
        super().__init__(f"waiting for run {holder}, which holds {resource}")
