"""The last look at a table that was just brought to Tinybird: that what was started runs, and will go on."""

from typing import ClassVar

from runbooks.site import Site
from runbooks.step import Astray, Done, Seen, Step, Wait

LOOK_AGAIN_S = 2.0


class CheckFlow(Step):
    """See that the sink is active and the connector runs with the topic. It stands behind the proof, so that what the
    run would put back if it failed is known to stay."""

    op: ClassVar[str] = "stream.check-flow/1"
    gated: ClassVar[bool] = False

    sink: str
    connector: str
    datasource: str

    def title(self) -> str:
        return f"Check that changes of {self.datasource} flow"

    def look(self, at: Site) -> Seen:
        found = at.sequin.find_sink(self.sink)
        if found is None or found.status != "active":
            return Astray(f"the Sequin sink {self.sink} is {found.status if found else 'gone'}: no change is sent")
        status = at.connect.status(self.connector)
        if not status.running:
            return Wait(LOOK_AGAIN_S, f"the connector {self.connector} is {status.state}")
        if self.datasource not in at.connect.topics(self.connector):
            return Astray(f"the connector {self.connector} does not read the topic {self.datasource}: nothing arrives")
        return Done(f"Changes of {self.datasource} flow from Postgres to Tinybird.")
