"""Apart from the settings, so that the command line knows it without loading them."""


class SettingsError(Exception):
    """A setting is missing or wrong; the message names it, as people must write it."""
