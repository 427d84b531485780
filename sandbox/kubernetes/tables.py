"""Lists as tables, which ``kubectl get`` asks for."""

from datetime import datetime
from typing import Any

Json = dict[str, Any]

_COLUMNS = {
    "deployments": ("Name", "Ready", "Up-to-date", "Available", "Age"),
    "pods": ("Name", "Ready", "Status", "Restarts", "Age"),
}


def wanted(accept: str) -> bool:
    return "as=Table" in accept


def table(resource: str, items: list[Json], version: str, now: float) -> Json:
    row = _deployment if resource == "deployments" else _pod
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version},
        "columnDefinitions": [
            {"name": name, "type": "string", "format": "name" if name == "Name" else "", "description": name,
             "priority": 0} for name in _COLUMNS[resource]
        ],
        "rows": [{"cells": [*row(item), _age(item, now)], "object": _partly(item)} for item in items],
    }  # fmt: skip


def _deployment(item: Json) -> list[str]:
    status, wanted_pods = item["status"], item["spec"]["replicas"]
    counts = [str(status.get(key, 0)) for key in ("updatedReplicas", "availableReplicas")]
    return [item["metadata"]["name"], f"{status.get('readyReplicas', 0)}/{wanted_pods}", *counts]


def _pod(item: Json) -> list[str]:
    told = item["status"]["containerStatuses"][0]
    state = told["state"].get("waiting", {}).get("reason") or item["status"]["phase"]
    shown = "Terminating" if "deletionTimestamp" in item["metadata"] else state
    return [item["metadata"]["name"], f"{int(told['ready'])}/1", shown, "0"]


def _age(item: Json, now: float) -> str:
    born = datetime.fromisoformat(item["metadata"]["creationTimestamp"]).timestamp()
    seconds = max(0, int(now - born))
    return f"{seconds // 86400}d" if seconds >= 86400 else f"{seconds // 60}m" if seconds >= 60 else f"{seconds}s"


def _partly(item: Json) -> Json:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": item["metadata"]}
