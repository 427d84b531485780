"""The page at the port's root: repositories, branches, pull requests with their diffs, checks and a Merge button.

A person who merges by hand is part of the procedures.
"""

import difflib
from collections.abc import Iterator
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.github.errors import Refused
from sandbox.github.hub import Hub
from sandbox.github.model import Pull
from sandbox.github.repository import Files, Repository

PERSON = "octocat"  # whoever presses Merge on the page
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "pre{background:#f4f4f4;padding:.6rem;overflow:auto;font-size:13px}ins{color:#060;text-decoration:none}"
    "del{color:#900;text-decoration:none}.said{background:#fee;padding:.6rem}"
)
# Nothing is loaded or run; a form goes back here.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"


def routes(hub: Hub) -> list[BaseRoute]:
    async def every(_: Request) -> Response:
        return _page("".join(part for repository in hub.repositories.values() for part in _repository(hub, repository)))

    async def one(request: Request) -> Response:
        try:
            repository, pull = _named(hub, request)
            return _page("".join(_pull(hub, repository, pull)))
        except Refused as refused:
            return _page(_said(refused), refused.status)

    async def merge(request: Request) -> Response:
        try:
            repository, pull = _named(hub, request)
            hub.merge(repository, pull, sha=request.query_params.get("sha", ""), method="squash", by=PERSON)
        except Refused as refused:
            return _page(_said(refused), refused.status)
        return RedirectResponse(_address(repository, pull), status_code=303)

    return [
        Route("/", every),
        Route("/{owner}/{repo}/pull/{number:int}", one),
        Route("/page/{owner}/{repo}/pull/{number:int}/merge", merge, methods=["POST"]),
    ]


def _named(hub: Hub, request: Request) -> tuple[Repository, Pull]:
    repository = hub.repository(request.path_params["owner"], request.path_params["repo"])
    return repository, hub.pull(repository, int(request.path_params["number"]))


def _repository(hub: Hub, repository: Repository) -> Iterator[str]:
    hub.catch_up(repository)
    yield f"<h2>{escape(repository.full_name)}</h2><p>Branches: "
    yield ", ".join(f"<code>{escape(name)}</code> {sha[:7]}" for name, sha in repository.branches().items())
    yield "</p>"
    pulls = hub.kept(repository).pulls
    if not pulls:
        yield "<p>No pull requests.</p>"
    for pull in reversed(pulls):
        yield from _pull(hub, repository, pull)


def _pull(hub: Hub, repository: Repository, pull: Pull) -> Iterator[str]:
    state = "merged" if pull.merged else "open" if pull.open else "closed"
    yield f'<h3><a href="{escape(_address(repository, pull))}">#{pull.number}</a> {escape(pull.title)} — {state}</h3>'
    yield f"<p><code>{escape(pull.head)}</code> into <code>{escape(pull.base)}</code></p>"
    yield f"<p>Labels: {escape(', '.join(pull.labels))}</p>" if pull.labels else ""
    yield f"<p>{escape(pull.body)}</p>" if pull.body else ""
    for run in hub.runs(repository, pull.head_sha):
        yield f"<p>Tinybird-CI: {escape(run.conclusion or run.status)} {escape(run.check.trouble)}</p>"
    for comment in pull.comments:
        yield f"<blockquote>{escape(comment.body)}</blockquote>"
    if pull.open:
        how = hub.mergeable(repository, pull)
        yield f"<p>{escape(how.blocked or how.state)}</p>"
        action = f"/page{_address(repository, pull)}/merge?sha={pull.head_sha}"
        yield f'<form method="post" action="{escape(action)}"><button>Merge #{pull.number}</button></form>'
    yield f"<pre>{''.join(_diff(hub, repository, pull))}</pre>"


def _diff(hub: Hub, repository: Repository, pull: Pull) -> Iterator[str]:
    before, after = hub.sides(repository, pull.base_sha, pull.head_sha)
    for path in hub.changes(repository, pull):
        sides = (_lines(repository, before, path), _lines(repository, after, path))
        for line in difflib.unified_diff(*sides, f"a/{path}", f"b/{path}", lineterm="", n=2):
            tag = {"+": "ins", "-": "del"}.get(line[:1], "span")
            yield f"<{tag}>{escape(line)}</{tag}>\n"


def _lines(repository: Repository, files: Files, path: str) -> list[str]:
    found = files.get(path)
    return repository.blob(found.sha).decode(errors="replace").splitlines() if found else []


def _address(repository: Repository, pull: Pull) -> str:
    return f"/{repository.full_name}/pull/{pull.number}"


def _said(refused: Refused) -> str:
    return f'<p class="said">{escape(refused.message)}</p><p><a href="/">Back</a></p>'


def _page(inside: str, status: int = 200) -> HTMLResponse:
    whole = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>GitHub of the sandbox</title><style>{_STYLE}</style><h1>GitHub of the sandbox</h1>{inside}</html>"
    )
    return HTMLResponse(whole, status, headers={"Content-Security-Policy": _POLICY, "X-Frame-Options": "DENY"})
