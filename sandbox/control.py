"""The /sandbox/* routes on the Slack port: log, faults, reset, clock, knobs, state (DESIGN §8)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.asking import BadRequest, Impossible, body_of, needed, plainly
from sandbox.slack import Slack
from sandbox.slack import control as slack_control
from sandbox.standin import World

Reset = Callable[[float], Awaitable[None]]
Settled = Callable[[float], Awaitable[bool]]
Server = Callable[[str], Awaitable[None]]
LONGEST_WAIT_S = 60.0
SERVERS = ("redis", "postgres")
SYSTEMS = ("slack", "tinybird", "sequin", "connect", "kubernetes", "github")


class WorldControl:
    def __init__(
        self, world: World, slack: Slack, reset: Reset, settled: Settled, take_away: Server, bring_back: Server
    ) -> None:
        self._world = world
        self._slack = slack
        self._reset = reset
        self._settled = settled
        self._servers = {"stop": take_away, "start": bring_back}

    async def log(self, request: Request) -> Response:
        """Requests with a number above ``after``; waits up to ``wait`` seconds for the first one."""
        try:
            after = int(request.query_params.get("after", "0"))
            wait = min(float(request.query_params.get("wait", "0")), LONGEST_WAIT_S)
        except ValueError as exc:
            raise BadRequest("after must be a whole number, wait a number of seconds") from exc
        entries = await self._world.log.wait_after(after, wait)
        return JSONResponse({"ok": True, "entries": entries, "last": entries[-1]["n"] if entries else after})

    async def faults(self, request: Request) -> Response:
        body = await body_of(request)
        system, match, fault = needed(body, "system", "match", "fault")
        if system not in SYSTEMS:
            raise BadRequest(f"unknown system {system!r}; known are {', '.join(SYSTEMS)}")
        try:
            made = self._world.faults.add(system, str(match), str(fault), int(body.get("times", 1)))
        except (TypeError, ValueError) as exc:
            raise BadRequest(str(exc)) from exc
        return JSONResponse({"ok": True, **asdict(made)})

    async def standing_faults(self, _: Request) -> Response:
        """Those that are still to be served."""
        return JSONResponse({"ok": True, "faults": [asdict(fault) for fault in self._world.faults.standing()]})

    async def take_back(self, request: Request) -> Response:
        """One fault is served no more; what it was is answered."""
        number = request.path_params["number"]
        fault = self._world.faults.remove(number)
        if fault is None:
            raise Impossible(f"there is no fault {number}: it was served to its end or never set; nothing was changed")
        return JSONResponse({"ok": True, **asdict(fault)})

    async def reset(self, request: Request) -> Response:
        """Back to the seed. ``ahead_s``: the platform's clock begins so far ahead of the machine's; no schedule had a
        tick in that time."""
        ahead_s = (await body_of(request)).get("ahead_s", 0)
        if isinstance(ahead_s, bool) or not isinstance(ahead_s, (int, float)) or ahead_s < 0:
            raise BadRequest(f"ahead_s is a number of seconds of 0 or more, not {ahead_s!r}")
        await self._reset(ahead_s)
        return JSONResponse({"ok": True})

    async def server(self, request: Request) -> Response:
        """Take Redis or Postgres away, or bring it back."""
        system, do = needed(await body_of(request), "system", "do")
        if system not in SERVERS or do not in self._servers:
            raise BadRequest(f"system is one of {', '.join(SERVERS)}, do one of {', '.join(self._servers)}")
        await self._servers[do](system)
        return JSONResponse({"ok": True})

    async def clock(self, request: Request) -> Response:
        """Move the clock on, or change its pace. With ``settle_s`` the answer comes when the movers have done what is
        due by then, or after so many seconds by the machine's clock: ``settled`` says which."""
        body = await body_of(request)
        try:
            advance_s, settle_s = float(body.get("advance_s", 0)), float(body.get("settle_s", 0))
            if "speed" in body:
                await asyncio.to_thread(self._world.clock.set_speed, float(body["speed"]))
            if advance_s:
                await asyncio.to_thread(self._world.clock.advance, advance_s)
        except (TypeError, ValueError) as exc:
            raise BadRequest(
                f"advance_s and settle_s are numbers of seconds of 0 or more, speed one above 0: {exc}"
            ) from exc
        self._slack.feed.tell("clock", **self._time())
        settled = settle_s > 0 and await self._settled(min(settle_s, LONGEST_WAIT_S))
        return JSONResponse({"ok": True, "settled": settled, **self._time()})

    async def knobs(self, request: Request) -> Response:
        """Set knobs by name; all of them are answered."""
        wanted = await body_of(request)
        for name, value in wanted.items():
            if name not in self._world.knobs:
                raise BadRequest(f"unknown knob {name!r}; known are {', '.join(sorted(self._world.knobs))}")
            _same_kind(name, self._world.knobs[name], value)
        self._world.knobs.update(wanted)
        return JSONResponse({"ok": True, "knobs": self._world.knobs})

    async def state(self, _: Request) -> Response:
        ports = self._world.ports
        names = (*SYSTEMS, "kafka", "postgres", "redis")
        return JSONResponse({"ok": True, "ports": {n: getattr(ports, n) for n in names}, "knobs": self._world.knobs,
                             "seed": self._world.seed, **self._time()})  # fmt: skip

    def _time(self) -> dict[str, Any]:
        clock = self._world.clock
        return {"now": clock.now().isoformat(), "time": clock.time(), "speed": clock.speed}


def _same_kind(name: str, now: Any, wanted: Any) -> None:
    """A knob keeps its kind: a truth stays a truth, a number a number."""
    if isinstance(now, bool) != isinstance(wanted, bool) or not isinstance(wanted, (bool, int, float, str)):
        raise BadRequest(f"knob {name!r} takes a value like {now!r}, not {wanted!r}")
    if isinstance(now, (int, float)) != isinstance(wanted, (int, float)):
        raise BadRequest(f"knob {name!r} takes a value like {now!r}, not {wanted!r}")


def routes(
    world: World, slack: Slack, reset: Reset, settled: Settled, take_away: Server, bring_back: Server
) -> list[BaseRoute]:
    """All control routes, Slack's own included. ``reset`` puts every stand-in back to its seed; ``settled`` waits for
    the movers; ``take_away`` and ``bring_back`` end and start a server."""
    control = WorldControl(world, slack, reset, settled, take_away, bring_back)
    return [
        Route("/sandbox/log", plainly(control.log)),
        Route("/sandbox/faults", plainly(control.faults), methods=["POST"]),
        Route("/sandbox/faults", plainly(control.standing_faults)),
        Route("/sandbox/faults/{number:int}", plainly(control.take_back), methods=["DELETE"]),
        Route("/sandbox/reset", plainly(control.reset), methods=["POST"]),
        Route("/sandbox/server", plainly(control.server), methods=["POST"]),
        Route("/sandbox/clock", plainly(control.clock), methods=["POST"]),
        Route("/sandbox/knobs", plainly(control.knobs), methods=["POST"]),
        Route("/sandbox/state", plainly(control.state)),
        *slack_control.routes(slack),
    ]
