"""What the watch on copy pipes goes by. Limits that are not set are learnt from each pipe's own runs."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

_T = TypeVar("_T")


def _an_http_url(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(("http://", "https://")):
        raise ValueError("must be an http:// or https:// address")
    return value


class WatchedPipe(BaseModel):
    """What is different for pipes, or for data sources whose quarantine is watched, of this ``pattern`` (``*`` stands
    for anything). Of several that fit, the last that says something counts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pattern: str
    owner: str | None = None  # whom its card names
    silent: bool | None = None  # nothing is told of it
    grace_s: float | None = Field(default=None, gt=0)  # a run may begin so long after its tick
    long_s: float | None = Field(default=None, gt=0)  # a run may take so long
    few_ratio: float | None = Field(default=None, ge=0, le=1)  # of its usual rows: fewer are too few
    stale_s: float | None = Field(default=None, gt=0)  # its target's newest row may be so old
    stale_column: str | None = None  # the target's column that says how new a row is


@dataclass(frozen=True)
class PipeLimits:
    """What holds for one pipe. None: it is learnt."""

    timeout_s: float
    long_share: float
    few_ratio: float
    owner: str = ""
    silent: bool = False
    grace_s: float | None = None
    long_s: float | None = None
    stale_s: float | None = None
    stale_column: str = ""


class WatchSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    every_s: float = Field(default=60.0, gt=0)  # by the machine's clock
    overlap_s: float = Field(default=5400.0, ge=0)  # read again each time: rows of a log come late (procedures.md §6)
    grace_s: float | None = Field(default=None, gt=0)
    long_share: float = Field(default=0.8, gt=0, le=1)  # of limits.copy_timeout_s
    few_ratio: float = Field(default=0.5, ge=0, le=1)
    flap_s: float = Field(default=6 * 3600.0, ge=0)  # the same trouble within this time is the same incident
    storm: int = Field(default=5, ge=2)  # so many new incidents in one look are told as one
    quarantine_rows: int = Field(default=1, ge=1)  # within an hour
    check_in: Annotated[SecretStr, AfterValidator(_an_http_url)] | None = None  # asked for after each good look
    pipes: tuple[WatchedPipe, ...] = ()

    def of(self, name: str, timeout_s: float) -> PipeLimits:
        """What holds for the pipe, or data source, of this name."""
        fit = [each for each in self.pipes if fnmatchcase(name, each.pattern)]
        return PipeLimits(
            timeout_s=timeout_s,
            long_share=self.long_share,
            few_ratio=_last((each.few_ratio for each in fit), self.few_ratio),
            owner=_last((each.owner for each in fit), ""),
            silent=_last((each.silent for each in fit), False),
            grace_s=_last((each.grace_s for each in fit), self.grace_s),
            long_s=_last((each.long_s for each in fit), None),
            stale_s=_last((each.stale_s for each in fit), None),
            stale_column=_last((each.stale_column for each in fit), ""),
        )


def _last(said: Iterable[_T | None], otherwise: _T) -> _T:
    found = otherwise
    for each in said:
        found = found if each is None else each
    return found
