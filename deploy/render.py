"""Renders the chart into deploy/k8s/base, which `kubectl apply -k` takes without Helm.

Secrets are left out: a rendered one would be the same for everybody. An overlay brings them. Dashboards are
left out too: Grafana's sidecar is Helm's world.
"""

import subprocess
import sys
from pathlib import Path

import yaml

HERE = Path(__file__).parent
BASE = HERE / "k8s" / "base" / "weirworks.yaml"
_LEFT_OUT = ("Secret", "ConfigMap")
_HEAD = "# Rendered from the chart by make chart; change the chart instead.\n"


def rendered(helm: str) -> str:
    """The chart with its default values as one YAML stream."""
    command = [
        helm,
        "template",
        "weirworks",
        str(HERE / "helm" / "weirworks"),
        "--namespace",
        "weirworks",
        "--kube-version",
        "1.32.0",
    ]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603  (our own chart)
    documents = [each for each in yaml.safe_load_all(out) if each and each["kind"] not in _LEFT_OUT]
    for each in documents:
        each["metadata"].get("labels", {}).pop("app.kubernetes.io/managed-by", None)
    crds = HERE / "helm" / "weirworks" / "crds"
    documents = [yaml.safe_load(each.read_text("utf-8")) for each in sorted(crds.glob("*.yaml"))] + documents
    return _HEAD + yaml.safe_dump_all(documents, sort_keys=False, width=110)


def main() -> int:
    """Writes the file; `render.py HELM`."""
    BASE.write_text(rendered(sys.argv[1] if len(sys.argv) > 1 else "helm"), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
