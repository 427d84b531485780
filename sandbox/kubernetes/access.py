"""Who asks, and what they may: the roles that facts/systems.md §5 gives, and a person who may everything."""

from dataclasses import dataclass
from typing import Any

from sandbox.kubernetes.cluster import ClusterError

NAMESPACE = "crowd"
CONNECT = "kafka-connect-dpl"
WRITERS = {"data-sink-worker-system-dpl": 1, "data-sink-worker-normal-dpl": 2, "data-sink-worker-high-dpl": 1}
ADMIN_TOKEN = "sandbox-kubernetes-token"
SCALER_TOKEN = "sandbox-kubernetes-scaler-token"
_USERS = {ADMIN_TOKEN: "admin", SCALER_TOKEN: f"system:serviceaccount:{NAMESPACE}:tbops"}


@dataclass(frozen=True)
class Ask:
    """What a request wants: ``verb`` get, list, watch, patch, update or create."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""

    @classmethod
    def of_review(cls, spec: Any) -> "Ask":
        """As a SelfSubjectAccessReview words it."""
        said: dict[str, Any] = (spec or {}).get("resourceAttributes") or {}
        resource = "/".join(part for part in (said.get("resource"), said.get("subresource")) if part)
        return cls(
            said.get("verb", ""), said.get("group", ""), resource, said.get("namespace", ""), said.get("name", "")
        )


def user(authorization: str) -> str:
    """Whose token it is. Raises ``ClusterError`` 401. Nobody's is a person at the machine, as on the unencrypted port
    that API servers once had: kubectl sends no token without TLS."""
    if not authorization:
        return "admin"
    found = _USERS.get(authorization.removeprefix("Bearer "))
    if found is None:
        raise ClusterError(401, "Unauthorized", "Unauthorized")
    return found


def allowed(who: str, ask: Ask, *, may_scale: bool) -> bool:
    """``may_scale`` takes the right to patch from the service account, as a wrong role binding does."""
    if who == "admin":
        return True
    if ask.resource == "selfsubjectaccessreviews":
        return ask.verb == "create"
    if ask.namespace != NAMESPACE:
        return False
    if (ask.group, ask.resource) == ("", "pods"):
        return ask.verb == "list"
    change = ("get", "patch") if may_scale else ("get",)
    rights = {"deployments": ("get",), "deployments/scale": change} if ask.name in WRITERS else {}
    if ask.name == CONNECT:
        rights = {"deployments": change}  # a restart is a patch of the deployment itself
    return ask.group == "apps" and ask.verb in rights.get(ask.resource, ())


def forbidden(who: str, ask: Ask) -> ClusterError:
    kind = f"{ask.resource.partition('/')[0]}.{ask.group}" if ask.group else ask.resource
    what = f'{kind} "{ask.name}"' if ask.name else kind
    where = f' in the namespace "{ask.namespace}"' if ask.namespace else " at the cluster scope"
    said = f'cannot {ask.verb} resource "{ask.resource}" in API group "{ask.group}"{where}'
    return ClusterError(403, "Forbidden", f'{what} is forbidden: User "{who}" {said}')
