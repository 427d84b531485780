"""A storm: many incidents that begin in one look, told on the card of one of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ledger.incidents import Found
from systems.tinybird_causes import Cause

_BECAUSE: dict[Cause, str] = {
    "memory": "for want of memory",
    "timeout": "because they took too long",
    "quota": "because no copy slot was free",
    "schema": "because SQL and columns do not fit",
    "missing table": "because something that they read does not exist",
    "permission": "because they may not read or write what they must",
    "unknown": "for one reason",
}


def head_of(faults: Sequence[Found]) -> Found:
    """The first, in the order of causes, of those whose cause most of them share."""
    shared, _ = Counter(fault.detail.cause for fault in faults).most_common(1)[0]
    return next(fault for fault in faults if fault.detail.cause == shared)


def _alike(head: Found, faults: Sequence[Found]) -> bool:
    """Whether those of a cause that nobody knows say the same."""
    return all(fault.detail.raw == head.detail.raw for fault in faults if fault.detail.cause == "unknown")


def named(head: Found, faults: Sequence[Found], environment: str) -> Found:
    """The head as what stands for all of them. The card counts them: there may be more in the next look."""
    cause = head.detail.cause
    share = sum(fault.detail.cause == cause for fault in faults)
    much = "most" if share * 2 > len(faults) else "some"
    why = f", {much} of them {_BECAUSE[cause]}" if cause and (cause != "unknown" or _alike(head, faults)) else ""
    said = f"Many copies are in trouble at once in {environment}{why}. The first: {head.detail.said}"
    return replace(head, detail=head.detail.model_copy(update={"storm": True, "said": said}))
