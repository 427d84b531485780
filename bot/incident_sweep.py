"""What of incidents must be said though nobody did anything: it is still so, it is calm, nobody watches any more."""

from config.settings import Environment, Settings
from ledger import blind, incident_views, incidents, messages, silencing
from ledger.blind import Blind
from ledger.connection import Conn
from ledger.incidents import Detail, Found, Incident, incident_ref

CALM_S = 2 * 3600.0
BLIND_S = 300.0  # a watch that begins anew, or one slow answer of the platform, is no news
LOOKS = 3  # as many of them may fail


def once(conn: Conn, settings: Settings) -> None:
    """Whatever changes is then behind on Slack, and rung for by whoever sweeps messages."""
    silencing.lapse(conn)
    incident_views.wake(conn)
    incident_views.calm(conn, after_s=CALM_S)
    for name, environment in settings.environments.items():
        incident_views.remind(conn, name, every_s=environment.remind_s)
        after_s = max(LOOKS * environment.watch.every_s, BLIND_S)
        _watched(conn, name, environment, blind.of(conn, name, after_s=after_s))


def _watched(conn: Conn, name: str, environment: Environment, found: Blind | None) -> None:
    """The watch itself is watched, from the other process: that it stands still is an incident like any other."""
    known = incident_views.newest(conn, name, name, kind="watch")
    if found is None:
        if known and known.state == "open":
            _seeing_again(conn, known)
        return
    if known and known.state == "open":
        return
    why = f" ({found.trouble.rstrip('.')})" if found.trouble else ""
    said = (
        f"Nothing is known of the copies in {name} since {found.since:%H:%M UTC}: no look at the logs has come to its "
        f"end{why}. Copies may fail unseen until it looks again."
    )
    lately = {row.id for row in incidents.closed_since(conn, name, within_s=environment.watch.flap_s)}
    trouble = Found("watch", name, name, found.since, Detail(said=said))
    with conn.transaction():
        if known and known.id in lately:
            opened = incidents.reopen(conn, known.id, trouble)
        else:
            opened = incidents.open_incident(conn, name, trouble)
        if opened is not None:
            messages.want(conn, "incident", incident_ref(opened.id), environment.channels.alerts)


def _seeing_again(conn: Conn, known: Incident) -> None:
    at = blind.looked_at(conn, known.environment)
    if at is None:
        return
    said = f"The watch of {known.environment} looks again since {at:%H:%M UTC}, and has caught up with what happened."
    with conn.transaction():
        incidents.close(conn, known.id, ended=at, said=said)
