"""Who looks after a pipe, by the settings."""

from config.settings import Settings
from ledger.incidents import Incident


def owner_of(settings: Settings, incident: Incident) -> str:
    """Empty where no owner is named."""
    return settings.environment(incident.environment).watch.of(incident.name, 0).owner
