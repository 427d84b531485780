"""What a change is of: a data source that may be changed, and its columns by name."""

import re

from runbooks.errors import Refused
from runbooks.facts.model import Column, Datasource, Facts
from runbooks.fields import nearest
from runbooks.lineage import Lineage
from runbooks.request import NAME

_NAME = re.compile(NAME.removesuffix("$") + r"\Z")
_OF_THE_TABLE_ALONE = ("add index",)  # whoever writes the rows, what they write stays as it is


def target_of(name: str, kind: str, facts: Facts, lineage: Lineage) -> Datasource:
    """The data source of that name, if it may be changed in that way. Raises ``Refused``."""
    checked(name, "data source")
    target = facts.datasources.get(name)
    if target is None:
        near = nearest(name, facts.datasources)
        raise Refused(f"There is no data source `{name}`" + (f"; did you mean `{near}`?" if near else "."), name, near)
    if target.shared:
        raise Refused(
            f"`{name}` is shared between workspaces: one that is made anew must be shared again, which needs a "
            "person's own token. Stop sharing it first, or change it by hand where it was made.",
            name,
        )
    if (writers := lineage.writers(name)) and kind not in _OF_THE_TABLE_ALONE:
        raise Refused(
            f"`{name}` is made by {writers[0].name}: a field there needs that pipe's SQL changed too, which is not "
            "carried out yet.",
            name,
        )
    return target


def checked(name: str, what: str) -> None:
    """Requests are checked where they are parsed; a plan does not rely on it (DESIGN §7)."""
    if not _NAME.match(name):
        raise Refused(
            f"That is no name for a {what}: only letters a to z, digits and _ are allowed, beginning with a letter or "
            "_, at most 128 of them.",
            name,
        )


def existing(target: Datasource, name: str) -> Column:
    """The column of that name. Raises ``Refused``."""
    checked(name, "field")
    found = target.column(name)
    if found is None:
        near = nearest(name, (c.name for c in target.columns))
        hint = f"; did you mean `{near}`?" if near else "."
        raise Refused(f"`{target.name}` has no field `{name}`{hint}", name, near)
    return found
