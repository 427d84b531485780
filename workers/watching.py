"""The watch: copies that failed are told of in the channel for alerts, each once."""

from ledger import calls
from systems.permit import read_only
from workers.context import Context


def watch(context: Context, number: int) -> None:
    """Look once at the copy jobs of one environment, the ``number``-th (from 0) by name. Raises ``SystemsError``."""
    names = sorted(context.settings.environments)
    if number >= len(names):
        return
    environment = names[number]
    channel = context.settings.environment(environment).channels.alerts
    failed = [
        job for job in context.site(environment, 0, read_only).tinybird.jobs(kind="copy") if job.status == "error"
    ]
    for job in failed:
        text = f"The copy {job.pipe_name} failed in {environment}: {job.error or 'Tinybird gave no reason'}."
        with context.pool.connection() as conn:
            called = calls.call(conn, f"job/{environment}/{job.id}", channel, {"text": text})
        if called is not None:
            context.bell.ring("publish", called)
