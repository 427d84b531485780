"""Steps that name things after their run, as the run that goes on with it must have them: by the first one's number."""

from runbooks.step import Step
from runbooks.steps.beside import DropBeside
from runbooks.steps.create import CheckReferences, CheckReferencesTo
from runbooks.steps.mirror import DropMirror, EndFeed, EndRunsFeed, feed_name, mirror_name
from runbooks.steps.moves import ReturnReader, numbered
from runbooks.steps.set_aside import kept_name


def numbered_by(step: Step, run: int) -> Step:
    """The same step for what ``run`` made; the step itself where it names nothing so."""
    match step:
        case CheckReferencesTo():
            return step
        case CheckReferences():
            return CheckReferencesTo(table=step.table, kept=kept_name(step.table.name, run))
        case ReturnReader():
            return step.model_copy(update={"nodes": numbered(step.nodes, step.table.name, run)})
        case EndRunsFeed():
            return EndFeed(pipe=feed_name(step.source, run))
        case DropMirror():
            return DropBeside(beside=mirror_name(step.source, run))
        case _:
            return step
