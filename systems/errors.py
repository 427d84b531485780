"""The one error of this room, and the only one that crosses rooms.

Exception
└── SystemsError        a call to a system outside failed, or was answered with a refusal
    └── NotPermitted    a call that changes something was made without a live intent: a bug, never sent
"""


class SystemsError(Exception):
    """``system`` said no, or said nothing, when asked ``call``.

    ``status`` is the HTTP status or None where there is none; ``retryable`` says whether the same call
    may succeed later; ``said`` is the system's own words, redacted and cut to a line or two.
    """

    def __init__(
        self, system: str, call: str, *, status: int | None = None, retryable: bool = False, said: str = ""
    ) -> None:
        self.system = system
        self.call = call
        self.status = status
        self.retryable = retryable
        self.said = said
        answered = f"answered {status}" if status else "did not answer"
        super().__init__(f"{system} {answered} to {call}" + (f": {said}" if said else ""))


class NotPermitted(SystemsError):
    """The permit refused: this tick holds no fresh intent under a live fence, so nothing was sent."""
