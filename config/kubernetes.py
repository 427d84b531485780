"""The cluster that writers and Kafka Connect run in, and how its deployments are named."""

import re
import ssl
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, SecretStr

from config.section import Section, Url

DEPLOYMENT = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-.a-z0-9]*[a-z0-9])?")


def _a_deployment(value: str) -> str:
    if not DEPLOYMENT.fullmatch(value):
        raise ValueError("must be <namespace>/<deployment>")
    return value


Writer = Annotated[str, AfterValidator(_a_deployment)]


class KubernetesSettings(Section):
    """The cluster that the writers run in. A pod's own token rotates, so it is read from ``token_file`` each time;
    ``ca_file`` holds the cluster's certificate authority where it is not a public one."""

    url: Url
    token: SecretStr | None = None
    token_file: Path | None = None
    ca_file: Path | None = None

    def model_post_init(self, _context: object) -> None:
        if bool(self.token and self.token.get_secret_value().strip()) == bool(self.token_file):
            raise ValueError("needs either kubernetes.token or kubernetes.token_file")
        for name, file in (("token_file", self.token_file), ("ca_file", self.ca_file)):
            if file and not file.is_file():
                raise ValueError(f"kubernetes.{name} names {file}, which is not a file")
        if self.ca_file:
            _require_certificate(self.ca_file)


def _require_certificate(file: Path) -> None:
    try:
        ssl.create_default_context(cafile=file)
    except OSError as exc:  # ssl's own errors are such
        raise ValueError(f"kubernetes.ca_file names {file}, which holds no certificate: {exc}") from exc
