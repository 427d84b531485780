"""A table as statements make it, one after another: what the catalog will say of it once they have run."""

from dataclasses import dataclass, field, replace

from sqlglot import exp

from runbooks.ddl.statements import Statement, behind, body_of, mentions, name_of, statements
from runbooks.errors import RunbooksError
from runbooks.facts.model import PgColumn, PgTable
from runbooks.types.declared import format_type, serial

_ROWS = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Copy)
_PLAIN_ACTIONS = ("REPLICA", "OWNER", "ENABLE", "DISABLE", "CLUSTER", "VALIDATE")  # of ALTER TABLE: no column changes
_OF_OTHERS = ("FUNCTION", "PROCEDURE", "VIEW", "MATERIALIZED", "EXTENSION", "SEQUENCE")
_BESIDE = ("PUBLICATION", "POLICY", "TRIGGER", "RULE", "STATISTICS")  # about a table, and no column changes
_UPKEEP = ("ANALYZE", "VACUUM", "LOCK", "COMMENT", "GRANT", "REVOKE", "SET")
_OPENS = ("BEGIN", "THEN", "ELSE", "LOOP")  # behind each of them a statement of a block begins
_DYNAMIC = ("EXECUTE", "PERFORM", "CALL")
_SHOWN = 50  # characters of a statement
_IDLE = (exp.CheckColumnConstraint, exp.Reference, exp.CollateColumnConstraint, exp.CommentColumnConstraint)


class NotClear(RunbooksError):
    """A statement is about the table, and what it does to it is not understood. ``str`` is its beginning."""

    def __init__(self, statement: Statement) -> None:
        super().__init__(beginning(statement.text))


@dataclass(frozen=True)
class Part:
    """What one statement is to the table. ``shapes``: columns, keys or indexes come from it. ``again``: it may run a
    second time without harm. ``uses``: tables, and types of somebody's own, that must be there before it."""

    text: str
    shapes: bool
    again: bool
    uses: tuple[str, ...] = ()


@dataclass
class Draft:
    """The table so far; None before a statement makes it, and after one that drops it."""

    schema: str
    name: str
    table: PgTable | None = None
    _indexes: dict[str, tuple[tuple[str, ...], bool]] = field(default_factory=dict[str, "tuple[tuple[str, ...], bool]"])

    def take(self, statement: Statement) -> Part | None:
        """None for a statement that does not matter to the table. Raises ``NotClear``."""
        if not statement.may_name(self.name, *self._indexes):
            return None
        tree = statement.tree
        if tree is None or isinstance(tree, exp.Command):
            return self._half_understood(statement)
        if isinstance(tree, exp.Create):
            return self._created(tree, statement)
        if isinstance(tree, exp.Drop):
            return self._dropped(tree, statement)
        if isinstance(tree, exp.Alter):
            return self._altered(tree, statement)
        if isinstance(tree, exp.TruncateTable) and any(self._is(each) for each in tree.expressions):
            return Part(statement.text, shapes=False, again=False)
        if isinstance(tree, _ROWS) and self._is(tree.this):
            return Part(statement.text, shapes=False, again=False)
        return None

    # -- statements that sqlglot understands

    def _created(self, tree: exp.Create, statement: Statement) -> Part | None:
        kind = str(tree.args.get("kind")).upper()
        of = next((t for t in tree.find_all(exp.TriggerProperties)), None)
        if kind == "TRIGGER" and of is not None and self._is(of.args.get("table")):
            return Part(statement.text, shapes=False, again=bool(tree.args.get("replace")))
        if kind == "INDEX" and isinstance(tree.this, exp.Index) and self._is(tree.this.args.get("table")):
            return self._indexed(tree, tree.this, statement)
        if kind != "TABLE" or not self._is(tree.this) or tree.find(exp.TemporaryProperty):
            return None
        if self.table is not None:
            if not tree.args.get("exists"):
                raise NotClear(statement)
            return Part(statement.text, shapes=True, again=True)
        if not isinstance(tree.this, exp.Schema) or tree.args.get("expression") is not None:
            raise NotClear(statement)
        if tree.find(exp.LikeProperty, exp.InheritsProperty, exp.PartitionedOfProperty):
            raise NotClear(statement)
        partitioned = tree.find(exp.PartitionedByProperty) is not None
        self.table, self._indexes = PgTable(self.schema, self.name, (), partitioned=partitioned), {}
        for each in tree.this.expressions:
            self._defined(each, statement)
        return Part(statement.text, True, bool(tree.args.get("exists")) and not partitioned, self._used_by(tree))

    def _indexed(self, tree: exp.Create, index: exp.Index, statement: Statement) -> Part | None:
        if self.table is None:
            return None
        name, params = name_of(index.this), index.args.get("params")
        if not isinstance(params, exp.IndexParameters):
            raise NotClear(statement)
        where = params.args.get("where")
        if name not in self._indexes:
            listed = tuple(name_of(_inner(each)) for each in params.args.get("columns") or ())
            self._index(name, listed, unique=bool(tree.args.get("unique")) and where is None)
        again = bool(tree.args.get("exists")) and not tree.args.get("concurrently")
        return Part(statement.text, shapes=True, again=again)

    def _dropped(self, tree: exp.Drop, statement: Statement) -> Part | None:
        kind, names = str(tree.args.get("kind")).upper(), tree.args.get("tables") or ()
        if kind == "TABLE" and any(self._is(each) for each in names):
            self.table = None
            return None
        known = [name for each in names if (name := name_of(each.this)) in self._indexes]
        if kind != "INDEX" or self.table is None or not known:
            return None
        self._indexes = {name: index for name, index in self._indexes.items() if name not in known}
        self._keep()
        return Part(statement.text, shapes=True, again=False)

    def _altered(self, tree: exp.Alter, statement: Statement) -> Part | None:
        kind, actions = str(tree.args.get("kind")).upper(), tree.args.get("actions") or ()
        if kind == "INDEX" and isinstance(tree.this, exp.Table) and name_of(tree.this.this) in self._indexes:
            raise NotClear(statement)
        if kind != "TABLE":
            return None
        if not self._is(tree.this):
            if any(isinstance(action, exp.AlterRename) and self._is(action.this) for action in actions):
                raise NotClear(statement)  # another table becomes this one
            return None
        if any(isinstance(action, exp.AlterRename) for action in actions):
            self.table = None
            return None
        if self.table is None:
            return None
        again = [self._action(action, statement) for action in actions]
        return Part(statement.text, shapes=True, again=all(again), uses=self._used_by(tree))

    def _action(self, action: exp.Expr, statement: Statement) -> bool:
        """Of an ALTER TABLE; whether it may run again."""
        if isinstance(action, exp.ColumnDef):
            if action.args.get("exists") and self._column(name_of(action.this)) is not None:
                return True
            self._defined(action, statement)
            return bool(action.args.get("exists"))
        if isinstance(action, exp.AddConstraint):
            for each in action.expressions:
                self._defined(each, statement)
            return False
        if isinstance(action, exp.AlterSet):
            return True
        if isinstance(action, exp.AlterColumn):
            return self._changed(action, statement)
        if isinstance(action, exp.Drop) and str(action.args.get("kind")).upper() == "COLUMN":
            for each in action.args.get("tables") or ():
                self._remove(name_of(each.this), statement)
            return False
        if isinstance(action, exp.RenameColumn):
            self._rename(name_of(_inner(action.this)), name_of(_inner(action.args.get("to"))), statement)
            return False
        raise NotClear(statement)

    def _changed(self, action: exp.AlterColumn, statement: Statement) -> bool:
        column = self._column(name_of(action.this))
        if column is None:
            raise NotClear(statement)
        kind, nullable, default = (action.args.get(part) for part in ("dtype", "allow_null", "default"))
        if isinstance(kind, exp.DataType):
            self._put(replace(column, type=format_type(kind)))
        elif nullable is not None:
            self._put(replace(column, nullable=bool(nullable)))
        elif isinstance(default, exp.Expr):
            self._put(replace(column, default=default.sql("postgres")))
        elif action.args.get("drop"):
            self._put(replace(column, default=None))
        else:
            raise NotClear(statement)
        return kind is None

    # -- what stands between the brackets

    def _defined(self, each: exp.Expr, statement: Statement, name: str = "") -> None:
        if isinstance(each, exp.ColumnDef):
            self._add(each, statement)
        elif isinstance(each, exp.Constraint):
            for inner in each.expressions:
                self._defined(inner, statement, name_of(each.this))
        elif isinstance(each, exp.PrimaryKey):
            self._key(tuple(name_of(_inner(column)) for column in each.expressions), name)
        elif isinstance(each, exp.UniqueColumnConstraint) and isinstance(each.this, exp.Schema):
            self._index(name, tuple(name_of(_inner(column)) for column in each.this.expressions), unique=True)
        elif not isinstance(each, (exp.ForeignKey, exp.CheckColumnConstraint, exp.ExcludeColumnConstraint)):
            raise NotClear(statement)

    def _add(self, column: exp.ColumnDef, statement: Statement) -> None:
        name, kind = name_of(column.this), column.args.get("kind")
        if not name or not isinstance(kind, exp.DataType) or self._column(name) is not None:
            raise NotClear(statement)
        counts = serial(kind)
        made = PgColumn(name, format_type(kind), not counts, f"nextval({name})" if counts else None)
        keys: list[tuple[str, bool]] = []
        for constraint in column.args.get("constraints") or ():
            kept = constraint.args.get("kind")
            if isinstance(kept, exp.NotNullColumnConstraint):
                made = replace(made, nullable=bool(kept.args.get("allow_null")))
            elif isinstance(kept, exp.GeneratedAsIdentityColumnConstraint):
                made = replace(made, nullable=False)
            elif isinstance(kept, (exp.DefaultColumnConstraint, exp.ComputedColumnConstraint)):
                made = replace(made, default=kept.this.sql("postgres"))
            elif isinstance(kept, (exp.PrimaryKeyColumnConstraint, exp.UniqueColumnConstraint)):
                keys.append((name_of(constraint.this), isinstance(kept, exp.PrimaryKeyColumnConstraint)))
            elif not isinstance(kept, _IDLE):
                raise NotClear(statement)
        self._put(made)
        for named, primary in keys:
            if primary:
                self._key((name,), named)
            else:
                self._index(named, (name,), unique=True)

    def _key(self, columns: tuple[str, ...], name: str) -> None:
        if self.table is not None:
            self.table = replace(self.table, primary_key=columns)
        for column in columns:
            if (known := self._column(column)) is not None:
                self._put(replace(known, nullable=False))
        self._index(name or f"{self.name}_pkey", columns, unique=True)

    def _index(self, name: str, columns: tuple[str, ...], *, unique: bool) -> None:
        """One over an expression is no key, and the catalog does not count it."""
        self._indexes[name or f"({len(self._indexes)})"] = (columns, unique)
        self._keep()

    def _keep(self) -> None:
        if self.table is None:
            return
        whole = [(columns, unique) for columns, unique in self._indexes.values() if columns and all(columns)]
        self.table = replace(
            self.table,
            indexes=tuple(columns for columns, _ in whole),
            unique=tuple(columns for columns, unique in whole if unique),
        )

    def _column(self, name: str) -> PgColumn | None:
        return self.table.column(name) if self.table else None

    def _put(self, column: PgColumn) -> None:
        if self.table is None:
            return
        columns = {known.name: known for known in self.table.columns} | {column.name: column}
        self.table = replace(self.table, columns=tuple(columns.values()))

    def _remove(self, name: str, statement: Statement) -> None:
        if self.table is None or name in self.table.primary_key:
            raise NotClear(statement)
        self.table = replace(self.table, columns=tuple(c for c in self.table.columns if c.name != name))
        self._indexes = {key: index for key, index in self._indexes.items() if name not in index[0]}
        self._keep()

    def _rename(self, old: str, new: str, statement: Statement) -> None:
        if self.table is None or self._column(old) is None or not new:
            raise NotClear(statement)

        def called(name: str) -> str:
            return new if name == old else name

        columns = tuple(replace(c, name=called(c.name)) for c in self.table.columns)
        key = tuple(called(name) for name in self.table.primary_key)
        self.table = replace(self.table, columns=columns, primary_key=key)
        self._indexes = {k: (tuple(called(n) for n in names), u) for k, (names, u) in self._indexes.items()}
        self._keep()

    # -- statements of which sqlglot knows the first word

    def _half_understood(self, statement: Statement) -> Part | None:
        if not mentions(statement.text, self.name):
            return None
        first, *rest = statement.words or ("",)
        what = next((word for word in rest if word not in ("OR", "REPLACE", "UNIQUE", "TEMP", "TEMPORARY")), "")
        if first in _UPKEEP or (first in ("CREATE", "ALTER", "DROP") and what in _OF_OTHERS):
            return None
        if first in ("CREATE", "ALTER", "DROP") and what in _BESIDE:
            return Part(statement.text, shapes=False, again=False)
        if (first, what) == ("ALTER", "TABLE"):
            return self._alter_in_words(statement)
        if first == "DO":
            return self._block(statement)
        raise NotClear(statement)

    def _alter_in_words(self, statement: Statement) -> None:
        words = [word for word in statement.words[2:] if word not in ("IF", "EXISTS", "ONLY", "*")]
        named = words[:3:2] if words[1:2] == ["."] else ["", *words[:1]]
        schema, table = ([*named, "", ""])[:2]
        # in capitals here, whatever their case was; one in quotes is as it stands
        if table not in (self.name, self.name.upper()) or schema not in ("", self.schema, self.schema.upper()):
            return
        action = words[3 if words[1:2] == ["."] else 1 :]
        if action[:1] == [] or action[0] not in _PLAIN_ACTIONS or "," in action:
            raise NotClear(statement)

    def _block(self, statement: Statement) -> Part:
        """Of PL/pgSQL: each of its statements that names the table must be one that changes no column. Whether the
        block may run again is not known."""
        inner = [*statements(body_of(statement))]
        if not inner or any(word in _DYNAMIC for each in inner for word in each.words):
            raise NotClear(statement)
        tried = replace(self, _indexes=dict(self._indexes))
        for each in (opened for whole in inner for opened in behind(whole, _OPENS)):
            part = tried.take(each)
            if tried.table != self.table or (part is not None and part.shapes):
                raise NotClear(statement)
        return Part(statement.text, shapes=False, again=False)

    # -- names

    def _is(self, of: object) -> bool:
        table = of.this if isinstance(of, exp.Schema) else of
        if not isinstance(table, exp.Table) or name_of(table.this) != self.name:
            return False
        return not table.db or name_of(table.args["db"]) == self.schema

    def _used_by(self, tree: exp.Expr) -> tuple[str, ...]:
        tables = (name_of(table.this) for table in tree.find_all(exp.Table) if not self._is(table))
        kinds = (kind for kind in tree.find_all(exp.DataType) if kind.this == exp.DataType.Type.USERDEFINED)
        return tuple(dict.fromkeys((*tables, *(format_type(kind) for kind in kinds))))


def beginning(text: str) -> str:
    """Enough of a statement to find it by."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN].rstrip()} …"


def _inner(of: object) -> object:
    """The identifier of a column that stands alone, or in an order."""
    while isinstance(of, (exp.Column, exp.Ordered, exp.Opclass)):
        of = of.this
    return of
