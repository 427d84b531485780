"""What is around a resource, as a value: who feeds it, who reads it, what is made of it.

``runbooks.lineage.around`` finds it out; whoever shows it needs no parser of SQL.
"""

from typing import Literal

from runbooks.plan import Frozen

FlowKind = Literal[
    "copy", "materialized", "endpoint", "sink", "pipe", "data source", "Sequin sink", "deployment", "events"
]


class Flow(Frozen):
    """One neighbour. ``via`` are the pipes through which it is reached; empty where nothing lies between."""

    name: str
    kind: FlowKind
    via: tuple[str, ...] = ()
    target: str | None = None  # of a copy or a view, where it is another resource; of a Sequin sink its topic
    mode: str | None = None  # append | replace
    schedule: str | None = None  # cron in UTC, or @on-demand
    stopped: bool = False  # a copy whose schedule is paused, a Sequin sink that does not send
    called: int | None = None  # requests in the last days, where known


class Around(Frozen):
    """``itself`` says of a pipe what it does; of a data source its name. ``further`` are the data sources that are
    made of it, near and far, by copies and views; ``not_understood`` the pipes that only seem to read it."""

    itself: Flow
    fed_by: tuple[Flow, ...] = ()
    readers: tuple[Flow, ...] = ()
    further: tuple[str, ...] = ()
    not_understood: tuple[str, ...] = ()
