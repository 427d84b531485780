"""Who looks after a pipe, by the settings as they are now."""

from config.settings import Settings
from ledger.incidents import Incident


def owner_of(settings: Settings, incident: Incident) -> str:
    """Empty where no owner is named."""
    environment = settings.environments.get(incident.environment)
    if environment is None:
        return incident.told.owner
    return environment.watch.of(incident.name, environment.limits.copy_timeout_s).owner
