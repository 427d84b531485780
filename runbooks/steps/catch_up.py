"""What was written while a table was copied, copied behind it."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from runbooks.proof.chunks import Copied
from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Wait
from runbooks.steps import copying
from runbooks.steps.beside import Jobs, beside
from runbooks.steps.chunks import AGAIN_S, TRIES, since_key
from runbooks.steps.copying import Ended, Wish

Memo = dict[str, Any]


class CatchUp(Step):
    """Copy once more what was written since 12 h before the copy began; rows that are there already are replaced by
    themselves. What it brings is proven by the step after it."""

    op: ClassVar[str] = "tinybird.copy.catch-up/1"
    gated: ClassVar[bool] = False
    long: ClassVar[bool] = True
    settle_s: ClassVar[float] = 10.0

    of: Copied

    def title(self) -> str:
        return f"Copy again what was written to {self.of.source} since the copy began"

    def look(self, at: Site) -> Seen:
        memo = dict(at.memo)
        if "job" not in memo:
            return self._asked(at, memo)
        ended = copying.awaited(at, self._jobs(at), memo)
        if not isinstance(ended, Ended):
            return ended
        if ended.well:
            return Done(f"What was written to {self.of.source} since {self._since(at)} UTC is copied too.")
        failures = memo.get("failures", 0) + 1
        if failures >= TRIES:
            reason = f"the catch-up of {self.of.source} ended as {ended.status} {failures} times: {ended.error}"
            return Astray(reason, {"failures": 0})
        return Wait(AGAIN_S, f"it ended as {ended.status}: {ended.error}; again soon", memo={"failures": failures})

    def act(self, at: Site) -> None:
        copying.have(at, self._jobs(at))

    def _asked(self, at: Site, memo: Memo) -> Seen:
        since = self._since(at)
        wish = Wish("copy", f"rows since {since} UTC", {"params": {"since": since}})
        return copying.asked(at, self._jobs(at), memo, wish)

    def _jobs(self, at: Site) -> Jobs:
        return beside(at, self.of.source)

    def _since(self, at: Site) -> str:
        began = at.found.get(since_key(self.of.source))
        since = datetime.fromisoformat(str(began)) if began else datetime.fromtimestamp(0, UTC)
        return since.strftime("%Y-%m-%d %H:%M:%S")
