"""What Sequin's client returns. Apart from the client, so that a plan made offline loads no HTTP."""

from dataclasses import dataclass

from systems.errors import SystemsError

HAS_ACTIVE_BACKFILL = "already has an active backfill"


@dataclass(frozen=True)
class BackfillInfo:
    """``state``: active, paused, completed, failed, cancelled. ``rows_total`` is None until Sequin has counted."""

    id: str
    state: str
    table: str
    rows_total: int | None
    rows_done: int
    inserted_at: str

    @property
    def open(self) -> bool:
        return self.state in ("active", "paused")


@dataclass(frozen=True)
class SinkInfo:
    """``status`` is what was asked for (active, paused, disabled), ``health`` what is so."""

    id: str
    name: str
    database: str
    status: str
    health: str
    tables: tuple[str, ...]  # "public.members"
    topic: str
    batch_size: int
    active_backfills: tuple[BackfillInfo, ...]
    trouble: str  # the first failing check's words


def is_open_backfill(error: SystemsError) -> bool:
    """Whether a create was refused because one is open already."""
    return error.status == 422 and HAS_ACTIVE_BACKFILL in error.said
