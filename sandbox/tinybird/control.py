"""The /sandbox/tinybird/* routes, on Slack's port and on this one: runs that fail, runs that have been."""

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.asking import BadRequest, Impossible, body_of, needed, plainly
from sandbox.tinybird.failures import SAID, Failure
from sandbox.tinybird.history import Run, write
from sandbox.tinybird.model import Pipe
from sandbox.tinybird.platform import Platform

EVERY = "*"
_STATUSES = ("done", "error", "cancelled")


class Control:
    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def fail(self, request: Request) -> Response:
        """The next ``times`` runs of a copy or sink pipe end with ``error``: a class of SAID, or any text. ``pipe``
        ``*`` is every copy pipe; ``times`` 0 takes back what was asked for before."""
        body = await body_of(request)
        name, error = needed(body, "pipe", "error")
        times, after_s = whole(body, "times", 1), number(body, "after_s", 0.0)
        if not isinstance(error, str) or not error:
            raise BadRequest(f"error is a text, or one of {', '.join(SAID)}")
        failure = Failure(SAID.get(error, error), after_s)
        pipes = self._copies() if name == EVERY else [self._pipe(name)]
        for pipe in pipes:
            self._platform.failures.plan(pipe.id, failure, times)
        return JSONResponse({"ok": True, "pipes": len(pipes), "times": times, "error": failure.error})

    async def history(self, request: Request) -> Response:
        """Enter runs of a copy pipe that have ended by now, in any order."""
        name, given = needed(await body_of(request), "pipe", "runs")
        pipe = self._pipe(name)
        target = self._platform.workspace.source(pipe.copy_target or "")
        if target is None:
            raise Impossible(f"the pipe {pipe.name!r} copies into no data source")
        if not isinstance(given, list):
            raise BadRequest("runs is a list of objects")
        runs = [self._run(one) for one in given]
        write(self._platform, pipe, target, runs)
        return JSONResponse({"ok": True, "runs": len(runs)})

    def _pipe(self, name: Any) -> Pipe:
        pipe = self._platform.workspace.pipe(str(name))
        if pipe is None:
            raise Impossible(f"there is no pipe {name!r}")
        return pipe

    def _copies(self) -> list[Pipe]:
        return [pipe for pipe in self._platform.workspace.state.pipes.values() if pipe.type == "copy"]

    def _run(self, given: Any) -> Run:
        if not isinstance(given, dict):
            raise BadRequest("each of runs is an object with created_at")
        (created_at,) = needed(given, "created_at")
        error = given.get("error")
        run = Run(
            moment(created_at),
            str(given.get("status") or ("error" if error else "done")),
            number(given, "seconds", 0.0),
            number(given, "queued_s", 0.0),
            whole(given, "rows", 0),
            SAID.get(str(error), str(error)) if error else None,
            str(given.get("mode") or ""),
        )
        if run.status not in _STATUSES:
            raise BadRequest(f"status is one of {', '.join(_STATUSES)}, not {run.status!r}")
        if run.ended_at > self._platform.workspace.now():
            raise BadRequest(f"the run of {created_at} has not ended by the platform's clock")
        return run


def moment(given: Any) -> datetime:
    """A time in ISO 8601; without a zone it is in UTC, as the logs have it."""
    try:
        read = datetime.fromisoformat(str(given))
    except ValueError as exc:
        raise BadRequest(f"created_at is a time like 2026-01-31T08:00:00Z, not {given!r}") from exc
    return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)


def number(body: dict[str, Any], name: str, default: float) -> float:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        raise BadRequest(f"{name} is a number of 0 or more, not {value!r}")
    return float(value)


def whole(body: dict[str, Any], name: str, default: int) -> int:
    value = number(body, name, default)
    if value != int(value):
        raise BadRequest(f"{name} is a whole number, not {value!r}")
    return int(value)


def routes(platform: Platform) -> list[Route]:
    control = Control(platform)
    return [
        Route("/sandbox/tinybird/fail", plainly(control.fail), methods=["POST"]),
        Route("/sandbox/tinybird/history", plainly(control.history), methods=["POST"]),
    ]
