"""A table as statements make it, one after another: what the catalog will say of it once they have run."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlglot import exp

from runbooks.ddl.defined import Defined, default_of
from runbooks.ddl.objects import Index, index_of, inner
from runbooks.ddl.outline import Outline, Unclear
from runbooks.ddl.statements import Statement, behind, body_of, mentions, name_of, statements
from runbooks.errors import RunbooksError
from runbooks.facts.model import PgTable
from runbooks.types.declared import format_type

_ROWS = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Copy)
_IN_PARTS = ("ATTACH", "DETACH")
_PLAIN_ACTIONS = ("REPLICA", "OWNER", "ENABLE", "DISABLE", "CLUSTER", "VALIDATE")  # of ALTER TABLE: no column changes
_OF_OTHERS = ("FUNCTION", "PROCEDURE", "VIEW", "MATERIALIZED", "EXTENSION", "SEQUENCE")
_BESIDE = ("PUBLICATION", "POLICY", "TRIGGER", "RULE", "STATISTICS")  # about a table, and no column changes
_UPKEEP = ("ANALYZE", "VACUUM", "LOCK", "COMMENT", "GRANT", "REVOKE", "SET")
_OPENS = ("BEGIN", "THEN", "ELSE", "LOOP")  # behind each of them a statement of a block begins
_DYNAMIC = ("EXECUTE", "PERFORM", "CALL")
_SHOWN = 50  # characters of a statement
_COPIES = ("DEFAULTS", "GENERATED", "INDEXES")  # of LIKE: what matters here; NOT NULL always comes with a column


class NotClear(RunbooksError):
    """A statement is about the table, and what it does to it is not understood. ``str`` is its beginning, and ``why``
    where more can be said."""

    def __init__(self, statement: Statement, why: str = "") -> None:
        super().__init__(beginning(statement.text) + (f", where {why}" if why else ""))


@dataclass(frozen=True)
class Part:
    """What one statement is to the table. ``shapes``: columns, keys or indexes come from it. ``again``: it may run a
    second time without harm. ``uses``: tables, and types of somebody's own, that must be there before it."""

    text: str
    shapes: bool
    again: bool
    uses: tuple[str, ...] = ()


def _nothing(schema: str, name: str) -> Outline | None:
    return None


@dataclass
class Draft(Defined):
    """``known`` finds another table as it is at that point, by schema and name; None where that is not certain."""

    known: Callable[[str, str], Outline | None] = _nothing

    def take(self, statement: Statement) -> Part | None:
        """None for a statement that does not matter to the table. Raises ``NotClear``."""
        try:
            return self._taken(statement)
        except Unclear as exc:
            raise NotClear(statement, str(exc)) from exc

    def _taken(self, statement: Statement) -> Part | None:
        if not statement.may_name(self.name, *self.indexes):
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
        if kind != "TABLE" or tree.find(exp.TemporaryProperty):
            return None
        whole = tree.find(exp.PartitionedOfProperty)
        if whole is not None and self._is(whole.this):
            return self._divided(tree, statement)
        return self._made(tree, whole, statement) if self._is(tree.this) else None

    def _made(self, tree: exp.Create, whole: exp.PartitionedOfProperty | None, statement: Statement) -> Part:
        if self.table is not None:
            if not tree.args.get("exists"):
                raise Unclear
            return Part(statement.text, shapes=True, again=True)
        if tree.args.get("expression") is not None or tree.find(exp.InheritsProperty):
            raise Unclear
        self.begin(PgTable(self.schema, self.name, (), partitioned=tree.find(exp.PartitionedByProperty) is not None))
        if whole is not None:
            of = whole.this.this if isinstance(whole.this, exp.Schema) else whole.this
            self.partition_of = name_of(of.this)
            return Part(statement.text, shapes=True, again=False)
        if not isinstance(tree.this, exp.Schema):
            raise Unclear
        copied: list[Index] = []
        for each in tree.this.expressions:
            if isinstance(each, exp.LikeProperty):
                copied += self._like(each)
            else:
                self.define(each)
        self.merge()
        for index in copied:
            self.copy(index)
        return Part(statement.text, True, bool(tree.args.get("exists")), self._used_by(tree))

    def _divided(self, tree: exp.Create, statement: Statement) -> Part | None:
        """One of its partitions, which has its columns and indexes. Whether there will be room for rows in one that is
        divided again is not known before those are made."""
        if self.table is None:
            return None
        if not self.table.partitioned:
            raise Unclear
        named = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
        self.partitions = (*self.partitions, name_of(named.this))
        again = bool(tree.args.get("exists")) and tree.find(exp.PartitionedByProperty) is None
        return Part(statement.text, shapes=True, again=again)

    def _like(self, each: exp.LikeProperty) -> tuple[Index, ...]:
        """The columns of another table as it is now; its indexes are copied behind those of the table's own."""
        name = name_of(each.this.this)
        other = self.known(self._schema_of(each.this), name)
        if other is None or other.table is None:
            raise Unclear(f"what {name} is at that point is not certain")
        copies: set[str] = set()
        for option in each.expressions:
            word = option.args["value"].name.upper()
            words = _COPIES if word == "ALL" else (word,)
            copies = copies.union(words) if option.name.upper() == "INCLUDING" else copies.difference(words)
        for column in other.table.columns:
            if self.column(column.name) is not None:
                raise Unclear
            kept = ("GENERATED" if column.generated else "DEFAULTS") in copies
            self.put(column if kept else replace(column, default=None, generated=False))
        return tuple(other.indexes.values()) if "INDEXES" in copies else ()

    def _replaced(self, schema: str, name: str, statement: Statement) -> Part:
        """Another table gets this one's name and place. One that Postgres has may be replicated by its old name."""
        other = self.known(schema, name)
        if other is None or other.deployed:
            raise Unclear
        self.become(other)
        return Part(statement.text, shapes=True, again=False)

    def _indexed(self, tree: exp.Create, index: exp.Index, statement: Statement) -> Part | None:
        if self.table is None:
            return None
        name, params = name_of(index.this), index.args.get("params")
        if not isinstance(params, exp.IndexParameters):
            raise Unclear
        if name not in self.indexes:
            unique = bool(tree.args.get("unique")) and params.args.get("where") is None
            self.index(name, index_of(params, unique=unique))
        again = bool(tree.args.get("exists")) and not tree.args.get("concurrently")
        return Part(statement.text, shapes=True, again=again)

    def _dropped(self, tree: exp.Drop, statement: Statement) -> Part | None:
        kind, names = str(tree.args.get("kind")).upper(), tree.args.get("tables") or ()
        if kind == "TABLE":
            if any(self._is(each) for each in names):
                self.begin(None)
            self.partitions = tuple(p for p in self.partitions if p not in {name_of(each.this) for each in names})
            return None
        if kind != "INDEX" or self.table is None:
            return None
        known = [name for each in names if (name := name_of(each.this)) in self.indexes]
        if not known:
            self.require_named()
            return None
        if any(self.indexes[name].label != "idx" for name in known):
            raise Unclear
        self.indexes = {name: index for name, index in self.indexes.items() if name not in known}
        self._keep()
        return Part(statement.text, shapes=True, again=False)

    def _altered(self, tree: exp.Alter, statement: Statement) -> Part | None:
        kind, actions = str(tree.args.get("kind")).upper(), list(tree.args.get("actions") or [])
        if kind == "INDEX" and isinstance(tree.this, exp.Table) and name_of(tree.this.this) in self.indexes:
            return self._index_renamed(name_of(tree.this.this), actions, statement)
        if kind != "TABLE":
            return None
        renamed = next((action for action in actions if isinstance(action, exp.AlterRename)), None)
        if not self._is(tree.this):
            if renamed is not None and self._is(renamed.this):
                return self._replaced(self._schema_of(tree.this), name_of(tree.this.this), statement)
            return None
        if renamed is not None:
            self.begin(None)
            return None
        if self.table is None:
            return None
        # Postgres drops first, wherever in the list that stands
        again = [self._action(action) for action in sorted(actions, key=lambda a: not _drops(a))]
        return Part(statement.text, shapes=True, again=all(again), uses=self._used_by(tree))

    def _index_renamed(self, name: str, actions: list[exp.Expr], statement: Statement) -> Part:
        match actions:
            case [exp.AlterRename() as renamed]:
                new = name_of(renamed.this.this)
                self.indexes = {new if known == name else known: index for known, index in self.indexes.items()}
                return Part(statement.text, shapes=True, again=False)
            case _:
                raise Unclear

    def _action(self, action: exp.Expr) -> bool:
        """Of an ALTER TABLE; whether it may run again."""
        if isinstance(action, exp.ColumnDef):
            if action.args.get("exists") and self.column(name_of(action.this)) is not None:
                return True
            self.define(action)
            return bool(action.args.get("exists"))
        if isinstance(action, exp.AddConstraint):
            for each in action.expressions:
                self.define(each)
            return False
        if isinstance(action, exp.AlterSet):
            return True
        if isinstance(action, exp.AlterColumn):
            return self._changed(action)
        if isinstance(action, exp.Drop):
            return self._less(action)
        if isinstance(action, exp.RenameColumn):
            self.rename(name_of(inner(action.this)), name_of(inner(action.args.get("to"))))
            return False
        raise Unclear

    def _less(self, action: exp.Drop) -> bool:
        kind, exists = str(action.args.get("kind")).upper(), bool(action.args.get("exists"))
        for each in action.args.get("tables") or ():
            name = name_of(each.this)
            if kind == "COLUMN" and (self.column(name) is not None or not exists):
                self.remove(name, cascades=bool(action.args.get("cascade")))
            elif kind == "CONSTRAINT":
                self.unconstrain(name, exists=exists)
            elif kind != "COLUMN":
                raise Unclear
        return exists

    def _changed(self, action: exp.AlterColumn) -> bool:
        column = self.column(name_of(action.this))
        if column is None:
            raise Unclear
        kind, nullable, default = (action.args.get(part) for part in ("dtype", "allow_null", "default"))
        if isinstance(kind, exp.DataType):
            self.put(replace(column, type=format_type(kind)))
        elif nullable is not None:
            self.put(replace(column, nullable=bool(nullable)))
        elif isinstance(default, exp.Expr):
            self.put(replace(column, default=default_of(default)))
        elif action.args.get("drop"):
            self.put(replace(column, default=None))
        else:
            raise Unclear
        return kind is None

    # -- statements of which sqlglot knows the first word

    def _half_understood(self, statement: Statement) -> Part | None:
        if not any(mentions(statement.text, name) for name in (self.name, *self.indexes)):
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
        raise Unclear

    def _alter_in_words(self, statement: Statement) -> Part | None:
        words = [word for word in statement.words[2:] if word not in ("IF", "EXISTS", "ONLY", "*")]
        qualified = words[1:2] == ["."]
        named, action = (words[:3:2], words[3:]) if qualified else (["", *words[:1]], words[1:])
        schema, table = ([*named, "", ""])[:2]
        mine = self._spelt(table, self.name)
        if mine and action[:2] == ["SET", "SCHEMA"] and len(action) == 3:
            return self._moved(schema, action[2], statement)
        if not mine or (schema and not self._spelt(schema, self.schema)):
            if action[:2] == ["ATTACH", "PARTITION"] and self.table is not None and self._names_me(action[2:]):
                self.partition_of = table if table in statement.text else table.lower()
            return None
        if action[:1] == [] or action[0] not in (*_PLAIN_ACTIONS, *_IN_PARTS) or "," in action[:-1]:
            raise Unclear
        return Part(statement.text, shapes=False, again=False) if action[0] in _IN_PARTS else None

    def _moved(self, schema: str, to: str, statement: Statement) -> Part | None:
        """From one schema to another: out of sight, or here."""
        if self._spelt(to, self.schema) and schema and not self._spelt(schema, self.schema):
            return self._replaced(schema.lower(), self.name, statement)
        if not schema or self._spelt(schema, self.schema):
            self.begin(None)
        return None

    def _names_me(self, words: list[str]) -> bool:
        table = words[2:3] if words[1:2] == ["."] else words[:1]
        return bool(table) and self._spelt(table[0], self.name)

    def _spelt(self, word: str, name: str) -> bool:
        """In capitals here, whatever its case was; one in quotes is as it stands."""
        return word in (name, name.upper())

    def _block(self, statement: Statement) -> Part:
        """Of PL/pgSQL: each of its statements that names the table must be one that changes no column. Whether the
        block may run again is not known."""
        inner = [*statements(body_of(statement))]
        if not inner or any(word in _DYNAMIC for each in inner for word in each.words):
            raise Unclear
        tried = replace(self, indexes=dict(self.indexes), idle={*self.idle}, never_null={*self.never_null})
        for each in (opened for whole in inner for opened in behind(whole, _OPENS)):
            part = tried.take(each)
            if tried.table != self.table or (part is not None and part.shapes):
                raise Unclear
        return Part(statement.text, shapes=False, again=False)

    # -- names

    def _is(self, of: object) -> bool:
        table = of.this if isinstance(of, exp.Schema) else of
        if not isinstance(table, exp.Table) or name_of(table.this) != self.name:
            return False
        return not table.db or name_of(table.args["db"]) == self.schema

    def _schema_of(self, table: exp.Expr) -> str:
        return name_of(table.args.get("db")) or self.schema

    def _used_by(self, tree: exp.Expr) -> tuple[str, ...]:
        tables = (name_of(table.this) for table in tree.find_all(exp.Table) if not self._is(table))
        kinds = (kind for kind in tree.find_all(exp.DataType) if kind.this == exp.DataType.Type.USERDEFINED)
        return tuple(dict.fromkeys((*tables, *(format_type(kind) for kind in kinds))))


def beginning(text: str) -> str:
    """Enough of a statement to find it by."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN].rstrip()} …"


def _drops(action: exp.Expr) -> bool:
    return isinstance(action, exp.Drop)
