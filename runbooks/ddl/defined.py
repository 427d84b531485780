"""What stands between the brackets of a CREATE TABLE, and behind ADD: columns and constraints."""

from dataclasses import dataclass, replace

from sqlglot import exp

from runbooks.ddl.objects import Index, columns_of, included, index_of, mentioned
from runbooks.ddl.outline import Outline, Unclear
from runbooks.ddl.statements import name_of
from runbooks.facts.model import PgColumn
from runbooks.types.declared import format_type, serial

_IDLE = (exp.CollateColumnConstraint, exp.CommentColumnConstraint)


@dataclass
class Defined(Outline):
    """A table that can be told what its definitions say, as sqlglot reads them."""

    def define(self, each: exp.Expr, name: str = "") -> None:
        """A column, or a constraint that was given ``name``. Raises ``Unclear``."""
        if isinstance(each, exp.ColumnDef):
            self._add(each)
        elif isinstance(each, exp.Constraint):
            for inner in each.expressions:
                self.define(inner, name_of(each.this))
        elif isinstance(each, exp.PrimaryKey):
            self.key(columns_of(each.expressions), name, beside=included(each))
        elif isinstance(each, exp.UniqueColumnConstraint) and isinstance(each.this, exp.Schema):
            self.index(name, Index.over(columns_of(each.this.expressions), "key", beside=included(each)))
        elif isinstance(each, exp.ExcludeColumnConstraint) and isinstance(each.this, exp.IndexParameters):
            self.index(name, replace(index_of(each.this, unique=False), label="excl"))
        elif isinstance(each, exp.ForeignKey):
            self.restrict(name, columns_of(each.expressions), "fkey")
        elif isinstance(each, exp.CheckColumnConstraint):
            self.restrict(name, mentioned(each), "check")
        else:
            raise Unclear

    def _add(self, column: exp.ColumnDef) -> None:
        name, kind = name_of(column.this), column.args.get("kind")
        if not name or not isinstance(kind, exp.DataType) or self.column(name) is not None:
            raise Unclear
        counts = serial(kind)
        made = PgColumn(name, format_type(kind), not counts, f"nextval({name})" if counts else None)
        keys: list[tuple[str, bool]] = []
        for constraint in column.args.get("constraints") or ():
            kept, called = constraint.args.get("kind"), name_of(constraint.this)
            if isinstance(kept, exp.NotNullColumnConstraint):
                made = replace(made, nullable=bool(kept.args.get("allow_null")))
                self.never_null.update({called} - {""})
            elif isinstance(kept, exp.GeneratedAsIdentityColumnConstraint):
                made = replace(made, nullable=False)
            elif isinstance(kept, (exp.DefaultColumnConstraint, exp.ComputedColumnConstraint)):
                generated = isinstance(kept, exp.ComputedColumnConstraint)
                made = replace(made, default=default_of(kept.this), generated=generated)
            elif isinstance(kept, (exp.PrimaryKeyColumnConstraint, exp.UniqueColumnConstraint)):
                keys.append((called, isinstance(kept, exp.PrimaryKeyColumnConstraint)))
            elif isinstance(kept, exp.Reference):
                self.restrict(called, (name,), "fkey")
            elif isinstance(kept, exp.CheckColumnConstraint):
                self.restrict(called, mentioned(kept), "check")
            elif not isinstance(kept, _IDLE):
                raise Unclear
        self.put(made)
        for named, primary in keys:
            if primary:
                self.key((name,), named)
            else:
                self.index(named, Index.over((name,), "key"))


def default_of(value: exp.Expr) -> str | None:
    """As the catalog would write it, nearly: DEFAULT NULL is none."""
    return None if isinstance(value, exp.Null) else value.sql("postgres")
