"""When a system, or our own code, fails a tick: what it means, and the sentence people read."""

from dataclasses import dataclass

from config.log import redact
from systems.errors import NotPermitted, SystemsError

PATIENCE = 10  # failures in a row until people are called: about four minutes
PATIENCE_WITH_OURSELVES = 3
_FIRST_S = 1.0
_LONGEST_S = 60.0
_UNDECIDED = 408  # the one 4xx after which the effect may have happened


@dataclass(frozen=True)
class Trouble:
    """``definite``: trying again will not help. ``unknown``: nobody knows whether the effect took."""

    said: str
    definite: bool
    unknown: bool


def trouble_of(error: Exception, failures: int) -> Trouble:
    """What an error means that looking or acting raised; ``failures`` were before it, in a row."""
    match error:
        case NotPermitted():
            return Trouble(str(error), definite=True, unknown=False)
        case SystemsError(status=int(status)) if 400 <= status < 500 and status != _UNDECIDED:
            return Trouble(_said(error), definite=not error.retryable, unknown=False)
        case SystemsError(status=None, retryable=False):
            return Trouble(_said(error), definite=True, unknown=False)
        case SystemsError():
            return Trouble(_said(error), definite=False, unknown=True)
        case _:
            said = f"tbops itself failed ({type(error).__name__}: {redact(str(error))[:200]})"
            return Trouble(said, definite=failures + 1 >= PATIENCE_WITH_OURSELVES, unknown=True)


def _said(error: SystemsError) -> str:
    name = error.system[:1].upper() + error.system[1:]
    answered = f"answered {error.status}" if error.status else "did not answer"
    if error.status is None and not error.retryable:
        answered = "refused"
    return f"{name} {answered} to {error.call}" + (f": {error.said}" if error.said else "")


def back_off(failures: int) -> float:
    """Seconds until the next look after so many failures in a row."""
    return min(_FIRST_S * 2.0 ** max(failures - 1, 0), _LONGEST_S)
