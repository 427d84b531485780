"""Steps, found by their ``op``: a file of this folder is a small family of them (DESIGN §2)."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, TypeGuard

from runbooks.errors import RunbooksError
from runbooks.step import Step


class UnknownStep(RunbooksError):
    """This version of the program has no step of that ``op``: another worker has to take the run."""


def load(op: str, params: Mapping[str, Any]) -> Step:
    """The step as it was stored. Raises ``UnknownStep``."""
    try:
        kind = _kinds()[op]
    except KeyError:
        raise UnknownStep(f"no step {op!r} is known here") from None
    return kind.model_validate(dict(params))


def known() -> frozenset[str]:
    """Every ``op`` that can be loaded."""
    return frozenset(_kinds())


@cache
def _kinds() -> Mapping[str, type[Step]]:
    found: dict[str, type[Step]] = {}
    for kind in _classes():
        if kind.op in found:
            raise RunbooksError(f"two steps are called {kind.op!r}")
        found[kind.op] = kind
    return found


def _classes() -> Iterator[type[Step]]:
    for module in pkgutil.iter_modules(__path__):
        name = f"{__name__}.{module.name}"
        for value in vars(importlib.import_module(name)).values():
            if _is_step(value) and value.__module__ == name and "op" in vars(value):
                yield value


def _is_step(value: object) -> TypeGuard[type[Step]]:
    return isinstance(value, type) and issubclass(value, Step)
