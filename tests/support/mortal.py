"""Workers that die on the way, each replaced by the next, who knows nothing of what they knew."""

from collections.abc import Callable

from tests.support.drive import Drive
from tests.support.outside import Killed
from tests.support.seams import Boundary, Seams
from workers.context import Context
from workers.engine import Advanced, advance

LOOKS = 0.04  # the share of mere looks after which a worker dies in CI


class Mortal:
    """From here on the run's workers die where ``strikes`` says."""

    def __init__(self, drive: Drive, run: int, strikes: Callable[[Boundary], bool]) -> None:
        self.deaths: list[Boundary] = []
        self._drive = drive
        self._run = run
        self._seams = Seams(self._place, strikes)
        drive.engine = self._advance

    def _advance(self, worker: Context, run: int) -> Advanced:
        try:
            return advance(self._seams.around(worker), run)
        except Killed:
            self.deaths.append(self._seams.crossed[-1])
            self._drive.take_over()
            return Advanced("running", 0.0)

    def _place(self) -> str:
        """The step that is next, forward or back, and what is known of its last effect: with these a tick knows what
        it does."""
        with self._drive.product.pool.connection() as conn:
            row = conn.execute(_NEXT, [self._run]).fetchone()
        if row is None:
            return "the end"
        effect = (row["answer"] or "not answered") if row["begun"] else "no effect yet"
        return f"{row['phase']} {row['number']}, {row['state']}, {effect}"


_NEXT = """
SELECT s.phase, s.number, s.state, i.id IS NOT NULL AS begun, i.answer
FROM ledger.run r JOIN ledger.step s ON s.run = r.id LEFT JOIN ledger.intent i USING (run, phase, number)
WHERE r.id = %s AND CASE
    WHEN r.state = 'restoring' THEN s.phase = 'restore' AND s.state IN ('listed', 'acting')
    ELSE s.phase = 'plan' AND s.state NOT IN ('done', 'skipped') END
ORDER BY CASE s.phase WHEN 'plan' THEN s.number ELSE -s.number END, i.id DESC
LIMIT 1
"""


def once(wanted: Callable[[Boundary], bool]) -> Callable[[Boundary], bool]:
    """Strike at each boundary that is ``wanted`` when it is crossed for the first time: the next one gets by it."""
    seen: set[Boundary] = set()

    def strikes(boundary: Boundary) -> bool:
        new = boundary not in seen
        seen.add(boundary)
        return new and wanted(boundary)

    return strikes
