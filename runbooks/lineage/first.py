"""The table that a query begins with: rows written into that one, and no other, trigger a materialized view of it."""

from sqlglot import exp


def first_tables(query: exp.Expr, known: dict[str, frozenset[str]] | None = None) -> frozenset[str]:
    """The leftmost tables of ``query``, looked for through subqueries and WITH; several where it is a union."""
    known = dict(known or {})
    if (with_ := query.args.get("with_")) is not None:
        for cte in with_.expressions:
            if not cte.args.get("scalar"):
                known[cte.alias] = first_tables(cte.this, known)
    if isinstance(query, exp.SetOperation):
        return first_tables(query.this, known) | first_tables(query.expression, known)
    if isinstance(query, (exp.Subquery, exp.Final, exp.Paren)):
        return first_tables(query.this, known)
    if isinstance(query, exp.Table):
        name = query.name.rpartition(".")[2]
        return known.get(name, frozenset({name})) if name else frozenset()
    source = query.args.get("from_")
    return first_tables(source.this, known) if source is not None else frozenset()
