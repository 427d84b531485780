"""How long a Sequin sink may be held (facts/procedures.md §2.2): a full buffer stops every sink of the slot."""

from runbooks.facts.model import Facts, PgTable
from runbooks.plan import Estimate

STEPS_S = (10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600)  # rounded down, so that no plan's hash follows the traffic
QUIET_S = 3600  # what is allowed when the rate is not known or nothing is written: people are called at half of it


def sink_budget(table: PgTable | None, facts: Facts) -> Estimate:
    """The hold's budget in whole seconds: messages or bytes of the buffer by the rate, whichever is full first.

    At most an hour: a rate of two readings a moment apart says little of a night's batch.
    """
    limits = facts.limits
    rate = table.writes_per_s if table else None
    if not rate:
        known = "nothing is written to it now" if rate == 0 else "its rate of writes is not known"
        return Estimate(seconds=QUIET_S, formula=f"{known}: at most {QUIET_S} s")
    by_messages = limits.sink_buffer_messages / rate
    parts = [f"{limits.sink_buffer_messages:,} messages / {rate:.1f} a second = {by_messages:,.0f} s"]
    seconds = by_messages
    if limits.message_bytes:
        by_bytes = limits.sink_buffer_bytes / (rate * limits.message_bytes)
        traffic = f"({rate:.1f} a second × {limits.message_bytes:,} bytes)"
        parts.append(f"{limits.sink_buffer_bytes / 1e6:,.0f} MB / {traffic} = {by_bytes:,.0f} s")
        seconds = min(seconds, by_bytes)
    rounded = max((step for step in STEPS_S if step <= seconds), default=int(seconds))
    return Estimate(seconds=rounded, formula=f"the least of {', '.join(parts)} and {QUIET_S} s, rounded down")
