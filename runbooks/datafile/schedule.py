"""A copy pipe's datafile with another schedule and every other character as it is."""

from runbooks.datafile.lines import directives


def schedule_of(name: str, text: str) -> str | None:
    """Its COPY_SCHEDULE; None where it has none. Raises ``DatafileError``."""
    return next((line.value for line in directives(name, text) if line.keyword == "copy_schedule"), None)


def with_schedule(name: str, text: str, schedule: str) -> str | None:
    """The text with that COPY_SCHEDULE; None where it has no such line, or several. Raises ``DatafileError``."""
    found = [directive for directive in directives(name, text) if directive.keyword == "copy_schedule"]
    if len(found) != 1 or not found[0].value:
        return None
    lines = text.split("\n")
    at = found[0].line - 1
    lines[at] = lines[at].replace(found[0].value, schedule, 1)
    return "\n".join(lines)
