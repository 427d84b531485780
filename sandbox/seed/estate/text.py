"""Datafiles as text, the way ``tb fmt`` writes them (facts/tinybird.md §11); SQL as people wrote it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column: ``path`` is its JSON path, ``default`` an SQL literal, ``says`` its line in the description."""

    name: str
    type: str
    says: str
    default: str | None = None
    path: str | None = None

    @property
    def line(self) -> str:
        path = f" `json:{self.path}`" if self.path else ""
        default = f" DEFAULT {self.default}" if self.default is not None else ""
        return f"    `{self.name}` {self.type}{path}{default}"

    @property
    def bare(self) -> "Column":
        """The column as a copy's target has it: neither path nor default."""
        return Column(self.name, self.type, self.says)


@dataclass(frozen=True)
class Engine:
    name: str
    key: str
    partition: str = ""
    version: str = ""
    ttl: str = ""

    @property
    def lines(self) -> str:
        settings = (
            ("PARTITION_KEY", self.partition),
            ("SORTING_KEY", self.key),
            ("TTL", self.ttl),
            ("VER", self.version),
        )
        return "".join([f"ENGINE {self.name}\n", *(f"ENGINE_{name} {value}\n" for name, value in settings if value)])


def datasource(about: str, tags: str, columns: Sequence[Column], engine: Engine, *, indexes: str = "") -> str:
    bullets = "".join(f"    - `{column.name}` {column.says}\n" for column in columns)
    schema = ",\n".join(column.line for column in columns)
    tail = f"\nINDEXES >\n    {indexes}\n" if indexes else ""
    return f'DESCRIPTION >\n    {about}\n{bullets}\nTAGS "{tags}"\n\nSCHEMA >\n{schema}\n\n{engine.lines}{tail}'


def pipe(about: str, tags: str, nodes: Sequence[tuple[str, str]], *settings: str) -> str:
    """``nodes`` are names with their SQL; ``settings`` the lines that end the last node: TYPE and what goes with it."""
    body = "\n".join(f"NODE {name}\nSQL >\n{_indented(text)}\n" for name, text in nodes)
    tail = "".join(f"{line}\n" for line in settings)
    return f'DESCRIPTION >\n    {about}\n\nTAGS "{tags}"\n\n{body}' + (f"\n{tail}" if tail else "")


def copied(target: str, mode: str, schedule: str) -> tuple[str, ...]:
    """The lines of a copy pipe."""
    return ("TYPE COPY", f"TARGET_DATASOURCE {target}", f"COPY_MODE {mode}", f"COPY_SCHEDULE {schedule}")


def materialized(target: str) -> tuple[str, ...]:
    return ("TYPE MATERIALIZED", f"DATASOURCE {target}")


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.strip("\n").split("\n"))
