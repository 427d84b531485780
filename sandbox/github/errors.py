"""The one error of this stand-in: what becomes a refusal as GitHub words it."""

from collections.abc import Sequence
from typing import Any


class Refused(Exception):
    """Answered with ``status`` and ``{"message", "errors", "documentation_url", "status"}``."""

    def __init__(self, status: int, message: str, errors: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = tuple(errors)

    def body(self) -> dict[str, Any]:
        more = {"errors": list(self.errors)} if self.errors else {}
        return {
            "message": self.message,
            **more,
            "documentation_url": "https://docs.github.com/rest",
            "status": str(self.status),
        }


def not_found() -> Refused:
    """For what is not there, and for what the token may not see."""
    return Refused(404, "Not Found")


def invalid(resource: str, field: str, code: str = "invalid", message: str = "") -> Refused:
    """422 "Validation Failed" with its one error."""
    told = {"message": message} if message else {}
    return Refused(422, "Validation Failed", [{"resource": resource, "field": field, "code": code, **told}])
