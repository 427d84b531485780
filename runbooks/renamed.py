"""What a rename means for the project's files: the datafile goes on under the new name, and readers read that."""

from collections.abc import Mapping
from typing import Any

from runbooks.datafile import read_datasource, read_pipe, write_pipe
from runbooks.errors import DatafileError
from runbooks.facts.model import Facts


def old_of(request: Mapping[str, Any]) -> str:
    """The name that a run took away, from its plan's request; empty for a run that was no rename."""
    return str(request["datasource"]) if request.get("kind") == "rename" else ""


def carried(text: str, before: str, name: str) -> str:
    """The datafile under its new name: the old file itself where it says the same, with its remarks and rights."""
    try:
        same = bool(before) and read_datasource(name, before) == read_datasource(name, text)
    except DatafileError:
        return text
    return before if same else text


def left_out(name: str, text: str, facts: Facts) -> str:
    """Why a reader's file is not written as the run made it: somebody has changed the pipe since. Else empty."""
    pipe = name.removesuffix(".pipe")
    stands = facts.pipes.get(pipe)
    if stands is None:
        return f"{name} is left out, as there is no pipe {pipe} any more"
    made, now = (read_pipe(pipe, each) for each in (text, write_pipe(stands)))
    if [(n.name, n.sql) for n in made.nodes] == [(n.name, n.sql) for n in now.nodes]:
        return ""
    return f"{name} is left out, as {pipe} was changed since: `pull {pipe}` brings it"
