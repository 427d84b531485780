"""A pull request of the run is watched until it is green, and merged."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar

from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Todo, Wait
from runbooks.steps.pull_request import OfBranch, short
from systems.errors import SystemsError
from systems.github_model import Checks, Green, PullInfo, Red, Waiting, is_moved, is_unmergeable, verdict

LOOK_AGAIN_S = 15.0
LATE_S = 120.0  # a check that starts by itself has begun by then
CHECKS_S = 3_600  # a check that has said nothing for so long is not coming
MERGE_S = 86_400  # a review may take its day
_BLOCKED = "a review is missing, or a check that this repository requires"

Memo = dict[str, Any]


class OfOpenPull(OfBranch):
    """What waits for what others do with the pull request, up to ``patience_s``."""

    patience_s: int

    def _patient(self, at: Site, why: str, see: str = "") -> Seen:
        memo: Memo = {"since": at.now.isoformat(), **at.memo}
        if _lasted(at, memo) > self.patience_s:
            waited = f"{_span(self.patience_s)} were waited for it"
            return Astray(f"{why}, and {waited}{see}; resuming waits as long again", memo={})
        return Wait(LOOK_AGAIN_S, why, memo=memo)


class AwaitChecks(OfOpenPull):
    """Wait until every one of ``checks`` has run on the run's commit and none is bad. Right after a push there are
    none at all, which is not green (facts/systems.md §6); one that never comes is not waited for for ever."""

    op: ClassVar[str] = "github.checks.await/1"

    checks: tuple[str, ...]
    patience_s: int = CHECKS_S

    def title(self) -> str:
        return f"Wait until {' and '.join(self.checks) or 'every check'} is green"

    def look(self, at: Site) -> Seen:
        pull = self._mine(at)
        if not isinstance(pull, PullInfo):
            return pull
        sha = self._pushed(at) or ""
        found = self._there(at).checks(sha)
        match verdict(found, self.checks):
            case Green():
                return Done(f"{_listed(self.checks)} green on {short(sha)}.")
            case Red(names):
                return Astray(
                    f"{' and '.join(names)} failed on {short(sha)} of pull request #{pull.number}: "
                    f"{_links(found, names) or pull.url}; run it again there and resume, or abort and ask again"
                )
            case Waiting(why, begun=False) if _lasted(at, at.memo) > LATE_S:
                by_hand = f"it may need a label, or be started by hand: {pull.url}"
                return self._patient(at, f"{why} on {short(sha)} for {_lasted(at, at.memo) / 60:.0f} min; {by_hand}")
            case Waiting(why):
                return self._patient(at, f"{why} on {short(sha)}", f": see {pull.url}")


class MergePull(OfOpenPull):
    """Merge the run's pull request, if its head is the commit whose checks were seen. Somebody may merge it on
    GitHub: that is as good. What GitHub does not let through yet (a review, a rule) is waited for."""

    op: ClassVar[str] = "github.pull.merge/1"
    gated: ClassVar[bool] = True
    by_people: ClassVar[bool] = True

    method: str = "squash"
    patience_s: int = MERGE_S

    def title(self) -> str:
        return f"Merge the pull request in {self.repository}"

    def look(self, at: Site) -> Seen:
        pull = self._mine(at)
        if not isinstance(pull, PullInfo):
            return pull
        if pull.merged:
            more = "" if pull.head_sha == self._pushed(at) else ", with what others pushed to it"
            return Done(f"Pull request #{pull.number} {_merged(at, pull)}{more}.")
        if pull.mergeable is None:
            return Wait(2.0, "GitHub is finding out whether it can be merged")
        return self._mergeable(at, pull)

    def act(self, at: Site) -> None:
        pull, pushed = self._pull(at), self._pushed(at)
        if pull is None or pushed is None:
            return
        try:
            self._there(at).merge(pull.number, pushed, self.method)
        except SystemsError as error:
            if is_unmergeable(error):  # what forbids it may pass: GitHub's words are shown until it does
                raise SystemsError(error.system, error.call, status=405, retryable=True, said=error.said) from error
            if not is_moved(error):
                raise

    def _mergeable(self, at: Site, pull: PullInfo) -> Seen:
        where = f"pull request #{pull.number} ({pull.url})"
        match pull.mergeable_state:
            case "dirty":
                return self._conflicts(where)
            case "behind":
                return Astray(
                    f"{self.base} went on, and this repository merges only what follows it: abort and ask again"
                )
            case "blocked":
                return self._patient(at, f"GitHub does not let {where} through yet: {_BLOCKED}")
            case "draft":
                return self._patient(at, f"{where} is a draft")
            case _ if not pull.mergeable:
                return self._conflicts(where)
            case _:
                return Todo()

    def _conflicts(self, where: str) -> Astray:
        return Astray(
            f"{where} conflicts with {self.base}; abort and ask again, and the plan is made from what is there now"
        )


def _merged(at: Site, pull: PullInfo) -> str:
    """Who it was, unless this step asked for it."""
    by_hand = pull.merged_by and not at.answered
    return f"was merged into {pull.base} by {pull.merged_by} on GitHub" if by_hand else f"is merged into {pull.base}"


def _listed(names: tuple[str, ...]) -> str:
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'}" if names else "Every check is"


def _links(found: Checks, names: Iterable[str]) -> str:
    return " ".join(run.url for run in found.runs if run.name in names and run.url)


def _lasted(at: Site, memo: Any) -> float:
    """Since the first look that had to wait, in seconds."""
    return (at.now - datetime.fromisoformat(memo["since"])) / timedelta(seconds=1) if "since" in memo else 0.0


def _span(seconds: int) -> str:
    return f"{seconds // 3600} h" if seconds > 3600 else f"{seconds // 60} min"
