"""Which pipes a push can bring about."""

from runbooks.facts.model import Pipe
from runbooks.resources.differences import Difference

_OUTPUTS = ("copy", "materialized", "sink")


def unwritable(one: Difference) -> str:
    """Why a pipe is not brought about by a push; empty if it is."""
    kinds = {node.kind for pipe in (one.git, one.live) if isinstance(pipe, Pipe) for node in pipe.nodes}
    if "sink" in kinds:
        return "it exports, and its connection cannot be read"
    if "materialized" in kinds and one.live is not None:
        return "it has a materialized view, which is made anew with every row that it holds"
    before = kind_of(one.live) if one.live else ""
    if one.git and before and "copy" in (before, kind_of(one.git)) and before != kind_of(one.git):
        return f"it is of the kind {before} in the workspace and of the kind {kind_of(one.git)} in git"
    return ""


def kind_of(resource: object) -> str:
    """What comes out of a pipe: copy, materialized, sink, or what an endpoint answers."""
    nodes = resource.nodes if isinstance(resource, Pipe) else ()
    return next((node.kind for node in nodes if node.kind in _OUTPUTS), "endpoint")
