"""How this Sequin says no (facts/systems.md §1.7)."""

from typing import Any


class ApiError(Exception):
    """An answer that is not 2xx, with Sequin's body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(body)
        self.status = status
        self.body = body


def bad_request(summary: str) -> ApiError:
    return ApiError(400, {"summary": summary})


def unauthorized(summary: str) -> ApiError:
    return ApiError(401, {"summary": summary})


def not_found(entity: str) -> ApiError:
    return ApiError(404, {"summary": f"Not found: No `{entity}` found matching the provided ID or name"})


def no_route() -> ApiError:
    return ApiError(404, {"errors": {"detail": "Not Found"}})


def invalid(errors: dict[str, Any]) -> ApiError:
    return ApiError(422, {"summary": "Validation failed", "validation_errors": errors})


def refused(summary: str) -> ApiError:
    return ApiError(422, {"summary": summary, "validation_errors": {}, "code": None})
