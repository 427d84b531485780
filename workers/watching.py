"""The watch: a copy that fails is told of in the channel for alerts, once."""

from ledger import calls, watches
from systems.permit import read_only
from workers.context import Context


def watch(context: Context, number: int) -> None:
    """Look once at the copy jobs of one environment, the ``number``-th (from 0) by name. Raises ``SystemsError``.

    What "since the last look" means is read from the answer itself: the first look only remembers where it is.
    """
    names = sorted(context.settings.environments)
    if number >= len(names):
        return
    environment = names[number]
    channel = context.settings.environment(environment).channels.alerts
    jobs = context.site(environment, 0, read_only).tinybird.jobs(kind="copy")
    with context.pool.connection() as conn:
        seen = watches.seen(conn, environment)
        failed = [job for job in jobs if job.status == "error" and seen is not None and job.updated_at >= seen]
        called = [
            calls.call(
                conn, f"job/{environment}/{job.id}", channel, {"text": _said(environment, job.pipe_name, job.error)}
            )
            for job in failed
        ]
        watches.remember(conn, environment, max((job.updated_at for job in jobs), default=""))
    for message in called:
        if message is not None:
            context.bell.ring("publish", message)


def _said(environment: str, pipe: str, error: str) -> str:
    return f"The copy {pipe} failed in {environment}: {error or 'Tinybird gave no reason'}."
