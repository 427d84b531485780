"""Reading answers that nobody promised: small functions that turn JSON into typed values or a ``SystemsError``."""

from collections.abc import Mapping
from typing import Any, cast

from systems.errors import SystemsError


class Shape:
    """One JSON object of an answer; a missing or odd key is said with its name."""

    def __init__(self, system: str, call: str, value: object) -> None:
        if not isinstance(value, Mapping):
            raise SystemsError(system, call, said=f"expected an object, got {type(value).__name__}")
        self._system = system
        self._call = call
        self._value = cast(Mapping[str, Any], value)

    def get(self, key: str) -> Any:
        return self._value.get(key)

    def has(self, key: str) -> bool:
        return key in self._value

    def need(self, key: str) -> Any:
        if self._value.get(key) is None:
            raise SystemsError(self._system, self._call, said=f"the answer has no {key!r}")
        return self._value[key]

    def text(self, key: str, default: str = "") -> str:
        value = self._value.get(key)
        return default if value is None else str(value)

    def number(self, key: str) -> int | None:
        value = self._value.get(key)
        try:
            return None if value is None else int(value)
        except (TypeError, ValueError) as exc:
            raise SystemsError(self._system, self._call, said=f"{key!r} is not a number") from exc

    def inside(self, key: str) -> "Shape":
        """The object under ``key``; an empty one if it is missing."""
        return Shape(self._system, self._call, self._value.get(key) or {})

    def each(self, key: str) -> list["Shape"]:
        """The objects in the list under ``key``; none if it is missing."""
        return [Shape(self._system, self._call, item) for item in self.plain(key)]

    def plain(self, key: str) -> list[Any]:
        value: object = self._value.get(key) or []
        if not isinstance(value, list):
            raise SystemsError(self._system, self._call, said=f"{key!r} is not a list")
        return cast(list[Any], value)
