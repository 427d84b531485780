"""The sandbox's Kubernetes, judged by the real ``kubectl``."""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conformance.tools import LONGEST_S
from tests.support.sandbox import Sandbox
from tests.support.tools import unavailable

NORMAL = "data-sink-worker-normal-dpl"


class Kubectl:
    """``kubectl`` with an empty home, in the writers' namespace."""

    def __init__(self, sandbox: Sandbox, home: Path) -> None:
        program = shutil.which("kubectl")
        if program is None:
            unavailable("kubectl is not installed (Debian: kubernetes-client)")
        self._start = [program, "--server", sandbox.ready["kubernetes"]["url"], "--namespace", sandbox.namespace]
        config = home / "config"
        config.write_text("apiVersion: v1\nkind: Config\n")
        self._env = {**os.environ, "HOME": str(home), "KUBECONFIG": str(config)}

    def __call__(self, *arguments: str, exits: int = 0) -> str:
        done = subprocess.run(
            [*self._start, *arguments], env=self._env, capture_output=True, text=True, timeout=LONGEST_S, check=False
        )
        output = done.stdout + done.stderr
        assert done.returncode == exits, f"kubectl {' '.join(arguments)} ended with {done.returncode}:\n{output}"
        return output


@pytest.fixture
def kubectl(sandbox: Sandbox, tmp_path: Path) -> Kubectl:
    return Kubectl(sandbox, tmp_path)


def test_kubectl_stops_and_starts_a_writer(kubectl: Kubectl, sandbox: Sandbox) -> None:
    sandbox.knobs(kubernetes__pod_end_s=1_000.0)
    assert f"{NORMAL}   2/2" in kubectl("get", "deployments")
    assert f"deployment.apps/{NORMAL} scaled" in kubectl("scale", f"deployment/{NORMAL}", "--replicas=0")
    with ThreadPoolExecutor(1) as beside:  # of pods that are gone before it looks it says that there are none
        after = sandbox.log.last()
        gone = beside.submit(kubectl, "wait", "--for=delete", "pod", "--selector", f"app={NORMAL}", "--timeout=120s")
        sandbox.log.wait("kubernetes", f"GET /api/v1/namespaces/{sandbox.namespace}/pods", after=after)
        sandbox.clock.advance(1_000)
        gone.result()
    assert "No resources found" in kubectl("get", "pods", "--selector", f"app={NORMAL}")
    kubectl("scale", f"deployment/{NORMAL}", "--current-replicas=0", "--replicas=3")
    assert "successfully rolled out" in kubectl("rollout", "status", f"deployment/{NORMAL}", "--timeout=120s")
    assert kubectl("get", "deployment", NORMAL, "--output=jsonpath={.status.readyReplicas}") == "3"
    refused = kubectl("scale", f"deployment/{NORMAL}", "--current-replicas=0", "--replicas=1", exits=1)
    assert "Expected replicas to be 0, was 3" in refused
    assert sandbox.replicas(NORMAL) == 3


def test_kubectl_restarts_a_deployment(kubectl: Kubectl, sandbox: Sandbox) -> None:
    before = set(sandbox.pods("api-dpl"))
    kubectl("rollout", "restart", "deployment/api-dpl")
    kubectl("rollout", "status", "deployment/api-dpl", "--timeout=120s")
    sandbox.clock.advance(60)
    after = set(sandbox.pods("api-dpl"))
    assert len(after) == 2
    assert not before & after


def test_kubectl_is_told_what_is_not_there(kubectl: Kubectl) -> None:
    assert 'deployments.apps "nobody" not found' in kubectl("get", "deployment", "nobody", exits=1)
