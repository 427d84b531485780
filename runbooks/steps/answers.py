"""What endpoints answer before and after a pipe of theirs reads another table, and what the comparison says."""

from typing import Any

from runbooks.site import Site
from runbooks.words import counted
from systems.errors import SystemsError

MOST_ASKED = 10  # endpoints of a pipe that many read: the others answer by the same rows

Memo = dict[str, Any]


def asked(at: Site, endpoints: tuple[str, ...]) -> Memo:
    """By endpoint its columns, rows and digest; what it says instead, where it does not answer without parameters."""
    found: Memo = {}
    for name in endpoints[:MOST_ASKED]:
        try:
            answer = at.tinybird.endpoint(name)
        except SystemsError as error:
            if error.retryable or error.status is None:
                raise
            found[name] = {"said": error.said[:200]}
        else:
            columns = [[column, kind] for column, kind in answer.columns]
            found[name] = {"columns": columns, "rows": answer.rows, "digest": answer.digest}
    return found


def silenced(before: Memo, now: Memo) -> str | None:
    """The first endpoint that answered before and does not now."""
    return next((n for n in now if "said" in now[n] and n in before and "said" not in before[n]), None)


def words(answer: Memo) -> str:
    return str(answer["said"]) if "said" in answer else counted(int(answer["rows"]), "row")


def compared(before: Memo, now: Memo, endpoints: tuple[str, ...]) -> str:
    """What the comparison came to, behind a sentence's first half; empty where there is nothing to say."""
    both = [name for name in now if name in before and "said" not in now[name] and "said" not in before[name]]
    same = [name for name in both if now[name] == before[name]]
    other = [name for name in both if name not in same]
    silent = [name for name in now if "said" in now[name]]
    parts = list[str]()
    if len(same) == 1:
        parts.append(f"{same[0]} answers the same {words(now[same[0]])}")
    elif same:
        parts.append(f"{counted(len(same), 'endpoint')} answer the same")
    if other:
        parts.append(
            f"{other[0]} answers something else ({words(now[other[0]])}; before: {words(before[other[0]])}): rows came "
            "meanwhile, or its answer is another each time"
        )
    if silent:
        parts.append(f"{silent[0]} answers only with parameters and was not compared")
    if len(endpoints) > MOST_ASKED:
        parts.append(f"{len(endpoints) - MOST_ASKED} more were not asked")
    return f"; {'; '.join(parts)}" if parts else ""
