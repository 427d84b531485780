"""Templates in a node's SQL: a subset of Tornado's syntax. SQL that does not start with ``%`` is none."""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.tinybird.errors import ApiError
from sandbox.tinybird.expressions import Raw, Undefined, evaluate, parse
from sandbox.tinybird.functions import FUNCTIONS, TYPES, literal

_PIECE = re.compile(r"\{\{(?P<value>.*?)\}\}|\{%(?P<tag>.*?)%\}|\{#.*?#\}", re.DOTALL)


@dataclass
class Branch:
    """Pieces under one condition, or under one loop."""

    condition: str
    pieces: list[Any] = field(default_factory=list[Any])


@dataclass
class Block:
    kind: str  # if | for
    branches: list[Branch]


def is_template(sql: str) -> bool:
    return sql.lstrip().startswith("%")


def render(sql: str, parameters: Mapping[str, Any]) -> str:
    """The SQL with its template carried out. ApiError 400 for a wrong or a missing parameter."""
    if not is_template(sql):
        return sql
    names: dict[str, Any] = {**FUNCTIONS, **parameters}
    return _write(_read(sql.lstrip()[1:]), names)


def _read(text: str) -> list[Any]:
    root = Branch("")
    open_blocks: list[Block] = []
    current = root
    at = 0
    for match in _PIECE.finditer(text):
        current.pieces.append(text[at : match.start()])
        at = match.end()
        if match["value"] is not None:
            current.pieces.append(parse(match["value"]))
            continue
        word, _, rest = (match["tag"] or "comment").strip().partition(" ")
        if word in ("if", "for"):
            open_blocks.append(Block(word, [Branch(rest)]))
        elif word in ("elif", "else") and open_blocks:
            open_blocks[-1].branches.append(Branch(rest if word == "elif" else "True"))
        elif word == "end" and open_blocks:
            done = open_blocks.pop()
            (open_blocks[-1].branches[-1] if open_blocks else root).pieces.append(done)
        elif word == "set":
            current.pieces.append(("set", rest))
        elif word not in ("comment", "import", "module"):
            raise ApiError(400, f"Template Syntax Error: unexpected '{{% {word} %}}'")
        current = open_blocks[-1].branches[-1] if open_blocks else root
    if open_blocks:
        raise ApiError(400, f"Template Syntax Error: missing {{% end %}} block for {open_blocks[-1].kind}")
    root.pieces.append(text[at:])
    return root.pieces


def _write(pieces: list[Any], names: dict[str, Any]) -> str:
    out: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            out.append(piece)
        elif isinstance(piece, Block):
            out.append(_if(piece, names) if piece.kind == "if" else _for(piece, names))
        elif isinstance(piece, tuple):
            target, _, value = piece[1].partition("=")
            names[target.strip()] = evaluate(parse(value), names)
        else:
            out.append(_value(evaluate(piece, names)))
    return "".join(out)


def _value(value: Any) -> str:
    if isinstance(value, Undefined):
        raise ApiError(400, f"Template Syntax Error: The parameter '{value.name}' is required")
    return "" if value is None else literal(value)


def _if(block: Block, names: dict[str, Any]) -> str:
    for branch in block.branches:
        if evaluate(parse(branch.condition), names):
            return _write(branch.pieces, names)
    return ""


def _for(block: Block, names: dict[str, Any]) -> str:
    targets, _, source = block.branches[0].condition.partition(" in ")
    wanted = [target.strip() for target in targets.split(",")]
    out: list[str] = []
    for item in evaluate(parse(source), names):
        names.update(zip(wanted, item, strict=True) if len(wanted) > 1 else [(wanted[0], item)])
        out.append(_write(block.branches[0].pieces, names))
    return "".join(out)


def parameters_of(sql: str) -> list[dict[str, Any]]:
    """What a node's ``params`` lists: name, type, default, description, required."""
    found: dict[str, dict[str, Any]] = {}
    for expression in _expressions(_read(sql.lstrip()[1:]) if is_template(sql) else []):
        for call in ast.walk(expression):
            if not (
                isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in TYPES and call.args
            ):
                continue
            if isinstance(call.args[0], ast.Name):
                entry = found.setdefault(call.args[0].id, {"name": call.args[0].id, "type": call.func.id})
                position = 2 if call.func.id == "Array" else 1
                if len(call.args) > position and isinstance(call.args[position], ast.Constant):
                    entry["default"] = call.args[position].value  # type: ignore[attr-defined]
                named = {k.arg: k.value.value for k in call.keywords if k.arg and isinstance(k.value, ast.Constant)}
                entry.update({key: named[key] for key in ("description", "required", "default") if key in named})
    return list(found.values())


def _expressions(pieces: list[Any]) -> list[ast.expr]:
    found: list[ast.expr] = []
    for piece in pieces:
        if isinstance(piece, ast.expr):
            found.append(piece)
        elif isinstance(piece, tuple):
            found.append(parse(piece[1].partition("=")[2]))
        elif isinstance(piece, Block):
            for branch in piece.branches:
                condition = branch.condition.partition(" in ")[2] if piece.kind == "for" else branch.condition
                found += [parse(condition), *_expressions(branch.pieces)]
    return found


def declared(sql: str) -> str:
    """The SQL with every branch's text kept and values left out: what may name a table."""
    if not is_template(sql):
        return sql
    return " ".join(_texts(_read(sql.lstrip()[1:])))


def _texts(pieces: list[Any]) -> list[str]:
    out: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            out.append(piece)
        elif isinstance(piece, Block):
            for branch in piece.branches:
                out += _texts(branch.pieces)
        elif isinstance(piece, ast.expr):
            out.append("''")
    return out


__all__ = ["Raw", "declared", "is_template", "parameters_of", "render"]
