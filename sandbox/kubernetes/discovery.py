"""What a client asks first: which groups, versions and resources there are."""

from typing import Any

Json = dict[str, Any]

VERSION: Json = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.4-sandbox",
    "gitCommit": "sandbox",
    "gitTreeState": "clean",
    "buildDate": "2025-04-22T00:00:00Z",
    "goVersion": "go1.23.8",
    "compiler": "gc",
    "platform": "linux/amd64",
}
CORE: Json = {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
_READ = ("get", "list", "watch")


def _group(name: str) -> Json:
    version = {"groupVersion": f"{name}/v1", "version": "v1"}
    return {"name": name, "versions": [version], "preferredVersion": version}


GROUPS: Json = {
    "kind": "APIGroupList",
    "apiVersion": "v1",
    "groups": [_group("apps"), _group("authorization.k8s.io")],
}


def _resource(name: str, kind: str, verbs: tuple[str, ...], **more: Any) -> Json:
    return {"name": name, "singularName": more.pop("singular", ""), "namespaced": True, "kind": kind,
            "verbs": list(verbs), **more}  # fmt: skip


def _resources(group: str, *listed: Json) -> Json:
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group, "resources": list(listed)}


RESOURCES: dict[str, Json] = {
    "/api/v1": _resources("v1", _resource("pods", "Pod", _READ, singular="pod", shortNames=["po"], categories=["all"])),
    "/apis/apps/v1": _resources(
        "apps/v1",
        _resource(
            "deployments",
            "Deployment",
            (*_READ, "patch"),
            singular="deployment",
            shortNames=["deploy"],
            categories=["all"],
        ),
        _resource("deployments/scale", "Scale", ("get", "patch", "update"), group="autoscaling", version="v1"),
    ),
    "/apis/authorization.k8s.io/v1": _resources(
        "authorization.k8s.io/v1",
        {**_resource("selfsubjectaccessreviews", "SelfSubjectAccessReview", ("create",)), "namespaced": False},
    ),
}
