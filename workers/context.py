"""What a worker process works with: given once by whoever starts it, asked for by the jobs.

Jobs are named by path and take one integer (DESIGN §5), so that what they need cannot travel with them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from config.settings import Settings
from ledger.bell import Bell
from ledger.connection import Pool
from runbooks import planner
from runbooks.guards import digest_of
from runbooks.plan import Plan
from runbooks.request import Request
from runbooks.site import Site
from systems.permit import Permit
from workers.lease import Desk
from workers.watch.kept import Kept

MakeSite = Callable[[str, int, Permit], Site]  # environment, run (0 while planning), permit


def plan_live(request: Request, site: Site) -> Plan:
    """The plan from the facts of the live systems. Raises ``Refused`` and ``SystemsError``; changes nothing."""
    return planner.make_plan(request, planner.live_facts(request, site))


@dataclass(frozen=True)
class Context:
    """``owner`` names this process in leases (host and pid). ``desk`` shows the pulse the lease being worked under;
    ``kept`` is what the watch remembers."""

    pool: Pool
    settings: Settings
    site: MakeSite
    bell: Bell
    owner: str
    make_plan: Callable[[Request, Site], Plan] = plan_live
    digest_of: Callable[[Site, str], str] = digest_of
    desk: Desk = field(default_factory=Desk)
    kept: Kept = field(default_factory=Kept)


_given: list[Context] = []


def configure(given: Context) -> None:
    """Give this process its context; a later one takes the place of an earlier one (after a fork, in a test)."""
    _given[:] = [given]


def context() -> Context:
    if not _given:
        raise RuntimeError("this process has no context: workers.context.configure was not called")
    return _given[0]
