"""The answer to ``/tb doctor``: whether every system answers, and lets tbops do its work there."""

from collections.abc import Callable, Sequence
from typing import Any

from ledger.values import Json
from runbooks import tracked
from runbooks.copies import doctor as copy_doctor
from runbooks.facts import live
from runbooks.site import Site
from runbooks.words import counted
from systems.errors import SystemsError

_APPEND = "DATASOURCES:APPEND"


def checked(site: Site, _asked: Json) -> dict[str, Any]:
    """``checks`` of ``{"name", "ok", "said"}``, one a system or a matter of it."""
    return {"checks": [_check(name, ask, site) for name, ask in _CHECKS]}


def _check(name: str, ask: Callable[[Site], str], site: Site) -> dict[str, Any]:
    try:
        return {"name": name, "ok": True, "said": ask(site)}
    except (SystemsError, _Unfit) as wrong:
        return {"name": name, "ok": False, "said": str(wrong)}


class _Unfit(Exception):
    """It answers, but not so that tbops could do its work."""


def _tinybird(site: Site) -> str:
    site.tinybird.require_classic()
    return f"answers; {len(site.tinybird.datasources())} datasources"


def _tokens(site: Site) -> str:
    """The connector's token may append to every tracked table and make none (facts/procedures.md §2.8)."""
    named = site.names.connect_token
    token = next((token for token in site.tinybird.tokens() if token.name == named), None)
    if token is None:
        raise _Unfit(f"there is no workspace token named {named}; name it in tbops.toml as connect.tinybird_token")
    scopes = {str(scope) for scope in token.scopes}
    if {"ADMIN", "DATASOURCES:CREATE"} & scopes:
        raise _Unfit(f"the token {named} may create datasources: an event for a missing one would guess its schema")
    topics = [sink.topic for sink in site.sequin.sinks()]
    lacking = [topic for topic in topics if not {_APPEND, f"{_APPEND}:{topic}"} & scopes]
    if lacking:
        raise _Unfit(f"the token {named} may not append to {', '.join(lacking)}: their rows would be refused and lost")
    return f"the token {named} may append to every tracked table and create none"


def _sequin(site: Site) -> str:
    sinks = site.sequin.sinks()
    unwell = [f"{sink.name} is {sink.health}" for sink in sinks if sink.health != "healthy"]
    if unwell:
        raise _Unfit("; ".join(unwell))
    return f"answers; {len(sinks)} sinks, all healthy"


def _copies(site: Site) -> str:
    """Whether copies collide, lose rows or near the timeout; `copies` says which."""
    found = copy_doctor.findings(live.of_copies(site))
    grave = [hazard for hazard in found if hazard.level != "note"]
    if any(hazard.level == "error" for hazard in grave):
        raise _Unfit(f"{grave[0].message} {grave[0].fix} `/tb copies` shows {counted(len(grave), 'finding')}")
    return f"{counted(len(grave), 'finding')}; `/tb copies` shows them" if grave else "nothing is wrong with them"


def _connect(site: Site) -> str:
    status = site.connect.status(site.names.connector)
    if not status.running:
        raise _Unfit(f"the connector {site.names.connector} is {status.state}")
    return f"the connector {site.names.connector} runs"


def _kafka(site: Site) -> str:
    return f"answers; {len(site.kafka.topics())} topics"


def _postgres(site: Site) -> str:
    slot = site.postgres.slot(site.names.slot)
    if slot is None:
        raise _Unfit(f"there is no replication slot {site.names.slot}")
    if slot.wal_status == "lost":
        raise _Unfit(f"the replication slot {site.names.slot} is lost: Sequin must begin anew")
    return f"answers; the slot {site.names.slot} is {slot.wal_status}"


def _writers(site: Site) -> str:
    """Each listed deployment can be looked at with its pods, and scaled (facts/systems.md §5)."""
    listed = sorted({writer for writers in site.names.writers.values() for writer in writers})
    if not listed:
        return "no writers are listed in tbops.toml, so nothing is asked"
    off = [f"{namespace}/{name}" for namespace, name in listed if not _running(site, namespace, name)]
    said = f"{counted(len(listed), 'writer')} can be stopped and started"
    return f"{said}; {', '.join(off)} has no pod now" if off else said


def _running(site: Site, namespace: str, name: str) -> bool:
    """Whether pods of it are wanted. Raises ``SystemsError`` and ``_Unfit`` where a right is missing."""
    site.cluster.deployment(namespace, name)
    scale = site.cluster.scale(namespace, name)
    site.cluster.pods(namespace, scale.selector)
    if not site.cluster.may("patch", namespace, name):
        raise _Unfit(f"the service account may not patch the scale of {namespace}/{name}: it could not be stopped")
    return scale.replicas > 0


def _github(site: Site) -> str:
    """The token sees each repository, and each has the branch that is merged into."""
    project, properties = site.names.project, site.names.properties
    if project is None:
        return "none is named in tbops.toml, so nothing is asked"
    places = {project.repository: project.branch, **({properties.repository: properties.branch} if properties else {})}
    for repository, branch in places.items():
        if site.hub.repository(repository).head(branch) is None:
            raise _Unfit(f"{repository} has no branch {branch}")
    return f"the token can read {' and '.join(places)}"


def _encrypted(site: Site) -> str:
    """Nothing of what is in the file is said."""
    named, encrypted = site.names.properties, site.encrypted
    if named is None or encrypted is None:
        return "no encrypted properties are named in tbops.toml, so nothing is asked"
    found = site.hub.repository(named.repository).file(named.path, named.branch)
    if found is None:
        raise _Unfit(f"{named.repository} has no file {named.path}")
    try:
        tracked.topics_of(encrypted.opened(found.content).reveal())
    except tracked.TopicsError as wrong:
        raise _Unfit(f"{named.path} can be decrypted, but not edited: {wrong}") from wrong
    return f"{named.path} can be decrypted"


_CHECKS: Sequence[tuple[str, Callable[[Site], str]]] = (
    ("Tinybird", _tinybird),
    ("Tinybird token of the connector", _tokens),
    ("Copy pipes", _copies),
    ("Sequin", _sequin),
    ("Kafka Connect", _connect),
    ("Kafka", _kafka),
    ("Postgres", _postgres),
    ("Kubernetes", _writers),
    ("GitHub", _github),
    ("Properties of the connector", _encrypted),
)
