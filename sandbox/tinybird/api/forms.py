"""What a request carries: query, form fields, files, JSON; read once, whatever the encoding."""

import gzip
import json
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from sandbox.tinybird.errors import ApiError


@dataclass
class Form:
    """Parameters of the query and the body together (the body wins), and files by field name."""

    values: dict[str, str] = field(default_factory=dict[str, str])
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    body: bytes = b""

    def get(self, name: str, default: str = "") -> str:
        return self.values.get(name, default)

    def flag(self, name: str) -> bool:
        return self.get(name).lower() == "true"

    def need(self, name: str) -> str:
        value = self.get(name)
        if not value:
            raise ApiError(400, f"Parameter '{name}' is required")
        return value


async def read_form(request: Request) -> Form:
    """The request's form. ApiError 400 when the body is not what its content type says."""
    form = Form(values=query(request))
    form.body = await request.body()
    kind = request.headers.get("content-type", "")
    if request.headers.get("content-encoding") == "gzip":
        try:
            form.body = gzip.decompress(form.body)
        except (OSError, EOFError) as exc:
            raise ApiError(400, "The body is not gzip") from exc
    if kind.startswith("application/x-www-form-urlencoded"):
        form.values |= dict(parse_qsl(form.body.decode("utf-8", "replace"), keep_blank_values=True))
    elif kind.startswith("multipart/form-data"):
        _multipart(form, kind)
    return form


def query(request: Request) -> dict[str, str]:
    """The query's parameters; the CLI may begin it with ``&`` (facts/tinybird.md §10)."""
    return {name: value for name, value in request.query_params.items() if name}


def json_body(form: Form) -> dict[str, Any]:
    try:
        value = json.loads(form.body or b"{}")
    except ValueError as exc:
        raise ApiError(400, f"The body is not JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise ApiError(400, "The body is not a JSON object")
    return value


def _multipart(form: Form, kind: str) -> None:
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + form.body)
    for part in message.iter_parts():  # type: ignore[attr-defined]
        name = str(part.get_param("name", header="content-disposition"))
        payload = part.get_payload(decode=True)
        content = payload if isinstance(payload, bytes) else b""
        if part.get_filename() is not None or name in ("csv", "ndjson"):
            form.files[name] = content
        else:
            form.values[name] = content.decode("utf-8", "replace")
