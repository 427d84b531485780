"""The paths of the API server that a client of deployments uses (facts/systems.md §5)."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from sandbox.kubernetes import access, discovery, objects, tables, watch
from sandbox.kubernetes.access import Ask
from sandbox.kubernetes.cluster import Cluster, ClusterError
from sandbox.kubernetes.model import Deployment
from sandbox.kubernetes.selectors import matches

Json = dict[str, Any]
PATCHES = ("application/merge-patch+json", "application/strategic-merge-patch+json")
_ONE = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
WATCH_S = 300.0


def application(cluster: Cluster) -> Starlette:
    api = _Api(cluster)
    fixed = {"/version": discovery.VERSION, "/api": discovery.CORE, "/apis": discovery.GROUPS, **discovery.RESOURCES}
    reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    return Starlette(
        routes=[
            *(Route(path, _fixed(answer)) for path, answer in fixed.items()),
            Route(reviews, api.guarded(api.review), methods=["POST"]),
            Route(f"{_ONE}/scale", api.guarded(api.show_scale), methods=["GET"]),
            Route(f"{_ONE}/scale", api.guarded(api.patch_scale), methods=["PATCH"]),
            Route(f"{_ONE}/scale", api.guarded(api.put_scale), methods=["PUT"]),
            Route(_ONE, api.guarded(api.show), methods=["GET"]),
            Route(_ONE, api.guarded(api.patch), methods=["PATCH"]),
            Route("/apis/apps/v1/deployments", api.guarded(api.deployments), methods=["GET"]),
            Route("/apis/apps/v1/namespaces/{namespace}/deployments", api.guarded(api.deployments), methods=["GET"]),
            Route("/api/v1/namespaces/{name}", api.guarded(api.namespace), methods=["GET"]),
            Route("/api/v1/pods", api.guarded(api.pods), methods=["GET"]),
            Route("/api/v1/namespaces/{namespace}/pods", api.guarded(api.pods), methods=["GET"]),
            Route("/api/v1/namespaces/{namespace}/pods/{name}", api.guarded(api.pod), methods=["GET"]),
        ],
        exception_handlers={404: _no_route, 405: _no_method},
    )


class _Api:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def guarded(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """Refusals as ``Status`` objects."""

        async def endpoint(request: Request) -> Response:
            try:
                return await handler(request)
            except ClusterError as refused:
                name = request.path_params.get("name")
                details = {"name": name, "group": "apps", "kind": "deployments"} if name else {}
                return _status(refused.status, refused.reason, str(refused), details)

        return endpoint

    async def show(self, request: Request) -> Response:
        found = self._asked(request, "get", "deployments")
        shown = objects.deployment(found, self._now)
        if tables.wanted(request.headers.get("accept", "")):
            return JSONResponse(tables.table("deployments", [shown], str(found.version), self._now))
        return JSONResponse(shown)

    async def show_scale(self, request: Request) -> Response:
        return JSONResponse(objects.scale(self._asked(request, "get", "deployments/scale")))

    async def patch_scale(self, request: Request) -> Response:
        found = self._asked(request, "patch", "deployments/scale")
        return self._scaled(found, await _patch(request))

    async def put_scale(self, request: Request) -> Response:
        """The whole object, as ``kubectl scale --current-replicas`` sends it: no replicas means 0."""
        found = self._asked(request, "update", "deployments/scale")
        body = await _body(request)
        return self._scaled(found, {**body, "spec": {"replicas": 0, **(body.get("spec") or {})}})

    async def patch(self, request: Request) -> Response:
        found = self._asked(request, "patch", "deployments")
        patch = await _patch(request)
        spec, meta = patch.get("spec") or {}, patch.get("metadata") or {}
        replicas = _count(spec["replicas"]) if "replicas" in spec else found.replicas
        self._cluster.write(found, version=meta.get("resourceVersion"))
        self._cluster.annotate(found, meta.get("annotations") or {})
        template = _merged(found.template, spec.get("template") or {})
        if template != found.template:  # the same annotation again is no change and no rollout
            found.template = template
            self._cluster.roll_out(found)
        self._cluster.want(found, replicas)
        return JSONResponse(objects.deployment(found, self._now))

    async def deployments(self, request: Request) -> Response:
        return await self._list(request, "deployments", "Deployment", "apps/v1", self._all_deployments)

    async def pods(self, request: Request) -> Response:
        return await self._list(request, "pods", "Pod", "v1", self._all_pods)

    async def pod(self, request: Request) -> Response:
        name = str(request.path_params["name"])
        self._authorized(request, "get", "", "pods")
        found = next((pod for pod in self._all_pods() if _matches_field(pod, request, name)), None)
        if found is None:
            raise ClusterError(404, "NotFound", f'pods "{name}" not found')
        return JSONResponse(found)

    async def namespace(self, request: Request) -> Response:
        """kubectl looks for it when something in it is not found."""
        self._authorized(request, "get", "", "namespaces")
        name = str(request.path_params["name"])
        if name != access.NAMESPACE:
            raise ClusterError(404, "NotFound", f'namespaces "{name}" not found')
        return JSONResponse({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}})

    async def review(self, request: Request) -> Response:
        who = self._authorized(request, "create", "authorization.k8s.io", "selfsubjectaccessreviews")
        body = await _body(request)
        may = access.allowed(who, Ask.of_review(body.get("spec")), may_scale=self._may_scale)
        return JSONResponse({**body, "status": {"allowed": may}}, status_code=201)

    @property
    def _now(self) -> float:
        return self._cluster.world.clock.time()

    @property
    def _may_scale(self) -> bool:
        return bool(self._cluster.world.knobs["kubernetes.may_scale"])

    def _authorized(self, request: Request, verb: str, group: str, resource: str) -> str:
        """Who asks. Raises ``ClusterError`` 401 or 403, before anybody learns what exists."""
        who = access.user(request.headers.get("authorization", ""))
        path = request.path_params
        ask = Ask(verb, group, resource, str(path.get("namespace", "")), str(path.get("name", "")))
        if not access.allowed(who, ask, may_scale=self._may_scale):
            raise access.forbidden(who, ask)
        return who

    def _asked(self, request: Request, verb: str, resource: str) -> Deployment:
        self._authorized(request, verb, "apps", resource)
        return self._cluster.get(str(request.path_params["namespace"]), str(request.path_params["name"]))

    def _scaled(self, found: Deployment, body: Json) -> Response:
        replicas = _count((body.get("spec") or {}).get("replicas", found.replicas))
        self._cluster.write(found, version=(body.get("metadata") or {}).get("resourceVersion"))
        self._cluster.want(found, replicas)
        return JSONResponse(objects.scale(found))

    async def _list(
        self, request: Request, resource: str, kind: str, api: str, every: Callable[[], list[Json]]
    ) -> Response:
        query, group = request.query_params, api.rpartition("/")[0]
        watching = query.get("watch") in ("true", "1")
        self._authorized(request, "watch" if watching else "list", group, resource)
        self._cluster.catch_up()
        if watching:
            seconds = float(query.get("timeoutSeconds") or WATCH_S)
            after = int(query.get("resourceVersion") or 0)
            # Without a version, and with 0, a watch first tells of everything that is there.
            there = [] if after else [item for item in every() if _chosen(item, request)]
            after = after or self._cluster.version
            told = watch.lines(self._cluster, resource, there, after, lambda item: _chosen(item, request), seconds)
            return StreamingResponse(told, media_type="application/json")
        items = [item for item in every() if _chosen(item, request)]
        version = self._cluster.version
        if tables.wanted(request.headers.get("accept", "")):
            return JSONResponse(tables.table(resource, items, str(version), self._now))
        return JSONResponse(objects.listed(kind, api, items, version))

    def _all_deployments(self) -> list[Json]:
        return [objects.deployment(found, self._now) for found in self._cluster.deployments.values()]

    def _all_pods(self) -> list[Json]:
        version = str(self._cluster.version)
        return [
            objects.pod(found, pod, self._now, version)
            for found in self._cluster.deployments.values()
            for pod in found.pods
        ]


def _chosen(item: Json, request: Request) -> bool:
    """By namespace, labels and fields."""
    meta = item["metadata"]
    if request.path_params.get("namespace", meta["namespace"]) != meta["namespace"]:
        return False
    fields = {"metadata.name": meta["name"], "metadata.namespace": meta["namespace"]}
    query = request.query_params
    return matches(query.get("labelSelector", ""), meta["labels"]) and matches(query.get("fieldSelector", ""), fields)


def _matches_field(pod: Json, request: Request, name: str) -> bool:
    return pod["metadata"]["name"] == name and _chosen(pod, request)


async def _body(request: Request) -> Json:
    if "protobuf" in request.headers.get("content-type", ""):
        raise ClusterError(415, "UnsupportedMediaType", "the body of the request was in an unknown format")
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError as exc:
        raise ClusterError(400, "BadRequest", f"invalid character in the body: {exc}") from exc
    if not isinstance(body, dict):
        raise ClusterError(400, "BadRequest", "the body must be an object")
    return body


async def _patch(request: Request) -> Json:
    media = request.headers.get("content-type", "").partition(";")[0].strip()
    if media not in PATCHES:
        said = f"the body of the request was in an unknown format - accepted media types include: {', '.join(PATCHES)}"
        raise ClusterError(415, "UnsupportedMediaType", said)
    return await _body(request)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ClusterError(400, "BadRequest", f"spec.replicas must be a whole number, not {value!r}")
    if value < 0:
        said = f"spec.replicas: Invalid value: {value}: must be greater than or equal to 0"
        raise ClusterError(422, "Invalid", said)
    return value


def _merged(known: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7386)."""
    if not isinstance(known, dict) or not isinstance(patch, dict):
        return patch
    merged = dict(known)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key, {} if isinstance(value, dict) else None), value)
    return merged


def _fixed(answer: Json) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(_: Request) -> Response:
        return JSONResponse(answer)

    return endpoint


def _status(code: int, reason: str, message: str, details: Json | None = None) -> Response:
    return JSONResponse(objects.failure(code, reason, message, details), status_code=code)


async def _no_route(_request: Request, _exc: Exception) -> Response:
    return _status(404, "NotFound", "the server could not find the requested resource")


async def _no_method(_request: Request, _exc: Exception) -> Response:
    return _status(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
