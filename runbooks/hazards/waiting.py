"""A migration of the project that does it already and was not deployed (facts/procedures.md §2.14)."""

from collections.abc import Iterator

from runbooks import history
from runbooks.hazards import Context, found, on_plan
from runbooks.plan import Hazard


@on_plan
def migration_waits_for_deploy(at: Context) -> Iterator[Hazard]:
    """A column that Postgres lacks and that the newest word on it in the project's history adds."""
    held, project, table = at.facts.history, at.facts.names.project, at.planned.table
    new = [f.column.name for f in at.planned.fields if f.pg_type and not f.in_postgres]
    if held is None or project is None or table is None or not new:
        return
    if held.trouble:
        yield found(
            "project-not-asked",
            "note",
            project.repository,
            f"Whether a migration there adds it already is not known: {held.trouble}.",
            "Look there, or ask again when GitHub answers.",
        )
        return
    last: dict[str, tuple[str, history.Touch]] = {}
    for path in history.in_order(project.migrations, held.texts):
        for touch in history.touches(held.texts[path], table.schema, table.name):
            last[touch.column] = (path.rpartition("/")[2], touch)
    for column in new:
        file, touch = last.get(column, ("", None))
        if touch is None or touch.does != "add":
            continue
        does = "it will do nothing" if touch.safe else "it fails, as it does not say IF NOT EXISTS"
        yield found(
            "migration-waits-for-deploy",
            "warning",
            f"{table.name}.{column}",
            f"{file} of {project.repository} adds {column} to {table.name}, and Postgres has no such column: it is not "
            "deployed.",
            f"Deploy it and ask again; or go on, and when it is deployed {does}.",
        )
