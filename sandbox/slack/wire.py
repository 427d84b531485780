"""Reading Web API arguments as they are really sent: JSON bodies, forms with JSON strings, query strings.

The Python SDK mixes JSON and forms, the JavaScript one sends everything as a form whose nested values
are JSON strings (facts/slack.md §2.1).
"""

import json
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from sandbox.slack.errors import SlackRefusal


class Arguments:
    """The arguments of one call, whatever way they came."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def text(self, name: str, default: str = "") -> str:
        value = self._values.get(name)
        if value is None:
            return default
        return value if isinstance(value, str) else json.dumps(value)

    def required(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise missing(name)
        return value

    def number(self, name: str, default: int) -> int:
        try:
            return int(self.text(name, str(default)) or default)
        except ValueError as exc:
            raise SlackRefusal("invalid_arguments", [f"must be an integer [json-pointer:/{name}]"]) from exc

    def flag(self, name: str) -> bool:
        return self.text(name).lower() in ("1", "true")

    def json(self, name: str) -> Any:
        """The decoded value: as it is from a JSON body, parsed from a string. Raises ValueError on bad JSON."""
        value = self._values.get(name)
        return json.loads(value) if isinstance(value, str) else value


def missing(name: str) -> SlackRefusal:
    return SlackRefusal("invalid_arguments", [f"missing required field: {name}"])


async def read(request: Request) -> Arguments:
    """Body arguments win over those of the query; the ``team_id`` that Bolt adds is simply carried along."""
    values: dict[str, Any] = dict(request.query_params)
    body = await request.body()
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "application/json" and body:
        try:
            sent = json.loads(body)
        except ValueError as exc:
            raise SlackRefusal("invalid_json") from exc
        if not isinstance(sent, dict):
            raise SlackRefusal("json_not_object")
        values.update(sent)
    elif body:
        values.update(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    return Arguments(values)


def token(request: Request, arguments: Arguments) -> str:
    """The bearer token of the header, or the ``token`` argument."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else arguments.text("token")
