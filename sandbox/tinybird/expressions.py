"""The expressions of a template, evaluated from their syntax tree; no attributes but a few methods of text."""

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.tinybird.errors import ApiError

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}
_METHODS = ("split", "strip", "lower", "upper", "replace", "startswith", "endswith", "join", "get", "items", "append")


class Undefined:
    """A parameter that the caller did not give."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        return ""


class Raw(str):
    """Text that goes into the SQL as it is."""


def parse(text: str) -> ast.expr:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError as exc:
        raise ApiError(400, f"Template Syntax Error: cannot read '{text.strip()}'") from exc


def evaluate(tree: ast.expr, names: Mapping[str, Any]) -> Any:
    """The value of ``tree``; a name that is not known is ``Undefined``. ApiError 400 for what is not supported."""
    match tree:
        case ast.Constant():
            return tree.value
        case ast.Name():
            return names.get(tree.id, Undefined(tree.id))
        case ast.Call():
            return _call(tree, names)
        case ast.BoolOp():
            return _bool(tree, names)
        case ast.UnaryOp(op=ast.Not()):
            return not evaluate(tree.operand, names)
        case ast.UnaryOp(op=ast.USub()):
            return -evaluate(tree.operand, names)
        case ast.BinOp() if type(tree.op) in _BINARY:
            return _BINARY[type(tree.op)](evaluate(tree.left, names), evaluate(tree.right, names))
        case ast.Compare():
            return _compare(tree, names)
        case ast.IfExp():
            return evaluate(tree.body if evaluate(tree.test, names) else tree.orelse, names)
        case ast.List() | ast.Tuple():
            return [evaluate(item, names) for item in tree.elts]
        case ast.Dict():
            return {evaluate(k, names): evaluate(v, names) for k, v in zip(tree.keys, tree.values, strict=True) if k}
        case ast.Subscript():
            return evaluate(tree.value, names)[evaluate(tree.slice, names)]
        case _:
            raise ApiError(400, f"Template Syntax Error: '{ast.unparse(tree)}' is not supported")


def _bool(tree: ast.BoolOp, names: Mapping[str, Any]) -> Any:
    value: Any = None
    for operand in tree.values:
        value = evaluate(operand, names)
        if bool(value) is isinstance(tree.op, ast.Or):
            return value
    return value


def _compare(tree: ast.Compare, names: Mapping[str, Any]) -> bool:
    left = evaluate(tree.left, names)
    for op, right_tree in zip(tree.ops, tree.comparators, strict=True):
        right = evaluate(right_tree, names)
        if not _COMPARE[type(op)](left, right):
            return False
        left = right
    return True


def _call(tree: ast.Call, names: Mapping[str, Any]) -> Any:
    arguments = [evaluate(argument, names) for argument in tree.args]
    named = {keyword.arg: evaluate(keyword.value, names) for keyword in tree.keywords if keyword.arg}
    if isinstance(tree.func, ast.Attribute) and tree.func.attr in _METHODS:
        return getattr(evaluate(tree.func.value, names), tree.func.attr)(*arguments)
    function = names.get(tree.func.id) if isinstance(tree.func, ast.Name) else None
    if not callable(function):
        raise ApiError(400, f"Template Syntax Error: '{ast.unparse(tree.func)}' is not a valid function")
    return function(*arguments, **named)
