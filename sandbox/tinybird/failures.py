"""Runs that are to end badly: asked for by a control route, in the words in which such runs really end."""

from dataclasses import dataclass


def too_long(limit_s: float) -> str:
    """How a copy ends that worked for the longest time it may."""
    limit = round(limit_s * 1000)
    return (
        f"Code: 159. DB::Exception: Timeout exceeded: elapsed {limit}.023 ms, maximum: {limit} ms: While executing "
        "MergeTreeSelect. (TIMEOUT_EXCEEDED)"
    )


# What ClickHouse says, by the class of the fault: as chDB said it here, but for the access, which it has no users for.
SAID = {
    "schema": "Code: 47. DB::Exception: Unknown expression identifier `memberCount` in scope SELECT id, memberCount "
    "FROM members. (UNKNOWN_IDENTIFIER)",
    "missing table": "Code: 60. DB::Exception: Unknown table expression identifier 'members' in scope SELECT id FROM "
    "members. (UNKNOWN_TABLE)",
    "memory": "Code: 241. DB::Exception: Query memory limit exceeded: would use 9.32 GiB (attempt to allocate chunk of "
    "128.00 MiB), maximum: 9.31 GiB: While executing AggregatingTransform. (MEMORY_LIMIT_EXCEEDED)",
    "timeout": too_long(3600),
    "permission": "Code: 497. DB::Exception: Not enough privileges. To execute this query, it's necessary to have the "
    "grant SELECT(id) ON members. (ACCESS_DENIED)",
    "quota": "You have reached the maximum number of copy jobs (12)",
}


@dataclass(frozen=True)
class Failure:
    """``after_s``: how long the run works first, by the platform clock."""

    error: str
    after_s: float = 0.0


class Failures:
    """The failures that are still to come, by the pipe's id: a renamed pipe keeps them."""

    def __init__(self) -> None:
        self._planned: dict[str, list[Failure]] = {}

    def plan(self, pipe_id: str, failure: Failure, times: int) -> None:
        """Behind those that are planned already; no times at all takes those back."""
        self._planned[pipe_id] = [*self._planned.get(pipe_id, []), *[failure] * times] if times else []

    def take(self, pipe_id: str) -> Failure | None:
        planned = self._planned.get(pipe_id)
        return planned.pop(0) if planned else None

    def clear(self) -> None:
        self._planned.clear()
