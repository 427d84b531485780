"""What can go wrong in the ledger.

Exception
└── LedgerError
    ├── NoSuchRun       there is no run of that number
    ├── NoSuchIncident  there is no incident of that number
    ├── NotThatState    a transition was asked for that its state does not allow; nothing was changed
    └── AlreadyBegun    a plan cannot be replaced: the run has had an effect
"""


class LedgerError(Exception):
    """Something the ledger was asked for cannot be."""


class NoSuchRun(LedgerError):
    def __init__(self, run: int) -> None:
        self.run = run
        super().__init__(f"there is no run {run}")


class NoSuchIncident(LedgerError):
    def __init__(self, incident: int) -> None:
        self.incident = incident
        super().__init__(f"there is no incident {incident}")


class NotThatState(LedgerError):
    """``event`` is not possible for ``subject`` as it stands; ``state`` is what it is in, None if it is not there."""

    def __init__(self, subject: str, event: str, state: str | None) -> None:
        self.subject = subject
        self.event = event
        self.state = state
        super().__init__(f"{subject} cannot {event}: it is {state or 'not there'}; nothing was changed")


class AlreadyBegun(LedgerError):
    def __init__(self, run: int) -> None:
        self.run = run
        super().__init__(f"run {run} has had an effect: its plan stays as it is")
