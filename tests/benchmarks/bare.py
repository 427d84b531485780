"""What the durable ack is measured against: ``python -m tests.benchmarks.bare post|bolt PORT API``.

``post`` answers any POST with an empty 200; ``bolt`` is Slack's own library answering ``/tb`` with its text.
Both are served as the bot is.
"""

import os
import sys
from collections.abc import Awaitable, Callable

import uvicorn
from slack_bolt import App, BoltRequest
from slack_sdk import WebClient
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Endpoint = Callable[[Request], Awaitable[Response]]


async def _post(request: Request) -> Response:
    await request.body()
    return Response()


def _bolt(api: str) -> Endpoint:
    client = WebClient(token=os.environ["TBOPS_SLACK__BOT_TOKEN"], base_url=api)
    app = App(client=client, signing_secret=os.environ["TBOPS_SLACK__SIGNING_SECRET"], process_before_response=True)

    @app.command("/tb")
    def echo(ack: Callable[..., None], body: dict[str, str]) -> None:
        ack(text=body["text"])

    async def events(request: Request) -> Response:
        body = (await request.body()).decode()
        asked = BoltRequest(body=body, query=request.url.query, headers=dict(request.headers))
        answer = await run_in_threadpool(app.dispatch, asked)
        return Response(answer.body, answer.status)

    return events


def main(what: str, port: int, api: str) -> None:
    endpoint = _post if what == "post" else _bolt(api)
    app = Starlette(routes=[Route("/slack/events", endpoint, methods=["POST"])])
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
