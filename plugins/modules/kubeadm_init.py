#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Initialise the first control plane of a cluster with kubeadm."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_init
short_description: Initialise the first control plane of a cluster
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Runs C(kubeadm init) with configuration documents of API C(kubeadm.k8s.io/v1beta4), which Kubernetes 1.31 and later understand,
    handed over on standard input.
  - Does nothing on a control plane that serves. Refuses a node that belongs to a cluster in another way.
  - An initialisation that was killed is recognised; with O(reset=true) it is taken back and done again, with the same cluster CA. One that
    ended well although its run was killed is left alone.
  - Returns no secret. kubeadm is told to print neither the bootstrap token nor the certificate key; both expire, and
    M(quorum.kubeadm.join_credentials) mints fresh ones when a node is to join.
extends_documentation_fragment: quorum.kubeadm.attributes.changes
attributes:
  diff_mode:
    description: Shows how kubeadm is run, with its documents; what would let somebody into the cluster is left out of them.
    support: partial
options:
  phase:
    description:
      - V(full) initialises the control plane.
      - V(certificate_authority) makes the cluster's CA alone, when there is none yet. Proxies on other machines can then verify every
        API server from their first check.
    type: str
    choices: [full, certificate_authority]
    default: full
  cluster_configuration:
    description:
      - Fields of kubeadm's ClusterConfiguration.
      - C(kubernetesVersion) has to be among them, since kubeadm would otherwise ask the internet for the newest, and C(controlPlaneEndpoint),
        without which no other control plane can join.
    type: dict
    required: true
  init_configuration:
    description:
      - Fields of kubeadm's InitConfiguration, such as C(localAPIEndpoint), C(nodeRegistration) and C(timeouts).
      - Where it does not say otherwise, C(nodeRegistration.criSocket) is containerd's, and C(nodeRegistration.imagePullPolicy) is V(IfNotPresent).
    type: dict
    default: {}
  kubelet_configuration:
    description: Fields of KubeletConfiguration (C(kubelet.config.k8s.io/v1beta1)) that every node of the cluster gets.
    type: dict
    default: {}
  kube_proxy_configuration:
    description: Fields of KubeProxyConfiguration (C(kubeproxy.config.k8s.io/v1alpha1)).
    type: dict
    default: {}
  certificate_key:
    description: The key that encrypts the uploaded certificates, 64 hexadecimal digits; kubeadm makes one up when it is not given.
    type: str
  upload_certificates:
    description: Whether to store the certificates that control planes share in the cluster, encrypted, for two hours.
    type: bool
    default: true
  reset:
    description:
      - Whether an initialisation that was killed half-way, or a join to a cluster that is gone, may be taken back by C(kubeadm reset) first.
        etcd's data on this node is lost thereby, so it must be known that no other node belongs to the cluster.
      - The cluster's CA is kept when its key is there. A node that serves other nodes, or anybody's pods, is never reset.
    type: bool
    default: false
  kubeconfig:
    description: Where to put a copy of C(/etc/kubernetes/admin.conf), mode 0600, for the user who administers the cluster on this node.
    type: path
"""

EXAMPLES = r"""
- name: Make the cluster's CA
  quorum.kubeadm.kubeadm_init:
    phase: certificate_authority
    cluster_configuration: &cluster
      kubernetesVersion: v1.37.2
      controlPlaneEndpoint: api.example.com:16443
      networking: {podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/12}
      apiServer:
        certSANs: [api.example.com, 192.0.2.10]
        extraArgs:
          - {name: shutdown-delay-duration, value: 5s}
  register: authority

- name: Initialise the control plane
  quorum.kubeadm.kubeadm_init:
    cluster_configuration: *cluster
    init_configuration:
      localAPIEndpoint: {advertiseAddress: 192.0.2.11}
      nodeRegistration:
        name: cp1
        kubeletExtraArgs:
          - {name: node-ip, value: 192.0.2.11}
    kubeconfig: /root/.kube/config
"""

RETURN = r"""
ca_certificate:
  description: The certificate of the cluster's CA, PEM. None in check mode when there is none yet.
  returned: success
  type: str
ca_hash:
  description: The pin of the CA's public key, as nodes that join want it.
  returned: success
  type: str
  sample: sha256:7c2e69131a36ae2a042a339b33381c6d0d43887e2de83720eff5359e26aec866
join:
  description: What kubeadm's own words say about joining; its secrets are withheld. None when nothing was initialised.
  returned: success
  type: dict
  sample:
    endpoint: api.example.com:16443
    token:
    ca_cert_hashes: ["sha256:7c2e69131a36ae2a042a339b33381c6d0d43887e2de83720eff5359e26aec866"]
    certificate_key:
    control_plane: true
reset:
  description: Whether a half-done initialisation, or join, was taken back first.
  returned: success
  type: bool
state:
  description: What the node was found to be; see M(quorum.kubeadm.node_info).
  returned: success
  type: str
  sample: clean
stdout:
  description: kubeadm's own words, without secrets.
  returned: always
  type: str
stderr:
  description: kubeadm's warnings and errors, without secrets.
  returned: always
  type: str
rc:
  description: kubeadm's exit status.
  returned: when kubeadm failed
  type: int
"""

import contextlib
import time
from pathlib import Path
from typing import Any, Mapping, TypedDict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils import kubeadm_config as config
from ansible_collections.quorum.kubeadm.plugins.module_utils.api_server import why_not_ready
from ansible_collections.quorum.kubeadm.plugins.module_utils.certificates import CertificateError
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Runner
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_output import JoinFacts, join_facts
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_run import (
    BusyError,
    KubeadmError,
    command,
    exclusively,
    install_kubeconfig,
    kubeadm,
    reset,
    unfinished,
)
from ansible_collections.quorum.kubeadm.plugins.module_utils.membership import PATIENCE, actual_membership, clear_stale_mark, what_lives_here
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import (
    CA_CERTIFICATE,
    CA_KEY,
    KUBERNETES,
    MEMBER_STATES,
    UNFINISHED_MARK,
    State,
    has_node_traces,
    read_api_server,
    read_authority,
    read_traces,
)

ROOT = Path("/")
AUTHORITY = ["init", "phase", "certs", "ca"]


class Refused(Exception):
    """The node is in a state in which the initialisation must not run."""


class Outcome(TypedDict):
    """What the module returns."""

    changed: bool
    state: str
    reset: bool
    stdout: str
    stderr: str
    join: JoinFacts | None
    ca_certificate: str | None
    ca_hash: str | None
    diff: dict[str, str]


def documents(params: Mapping[str, Any]) -> list[config.Document]:
    """Complete kubeadm's documents, or raise Refused when they lack what kubeadm would make up."""
    missing = [field for field in ("kubernetesVersion", "controlPlaneEndpoint") if not params["cluster_configuration"].get(field)]
    if missing:
        raise Refused(f"cluster_configuration lacks {' and '.join(missing)}: write the exact version, and the name and port that all nodes reach")
    return [
        config.init_configuration(params["init_configuration"], params["certificate_key"]),
        config.cluster_configuration(params["cluster_configuration"]),
        config.kubelet_configuration(params["kubelet_configuration"]),
        config.kube_proxy_configuration(params["kube_proxy_configuration"]),
    ]


def permit_reset(params: Mapping[str, Any], state: State, root: Path) -> None:
    """Raise Refused unless the node may be reset."""
    if not params["reset"]:
        raise Refused(
            f"an earlier kubeadm {'join' if state == 'half_joined' else 'init'} was cut short on this node (see {root / CA_CERTIFICATE} and "
            "beside it). When no other node belongs to its cluster, set reset: true, or run `kubeadm reset` on it, and run again"
        )
    lives = what_lives_here(root)
    if lives:
        raise Refused(
            f"an earlier run on this node looks unfinished, but the node serves {', '.join(lives[:5])}: it is not reset. Mend it by hand, "
            f"delete {root / UNFINISHED_MARK} and run again, or, when nobody needs that, run `kubeadm reset` on it"
        )


def set_orphaned_key_aside(root: Path) -> None:
    """Let kubeadm make a CA where only the key of one is: it writes the key first, so that is what a kill in between leaves."""
    key = root / CA_KEY
    if key.exists() and not (root / CA_CERTIFICATE).exists():
        key.rename(root / KUBERNETES / f"ca.key.{time.strftime('%Y%m%dT%H%M%S')}.orphaned")


def make_authority(params: Mapping[str, Any], check_mode: bool, runner: Runner, root: Path = ROOT) -> Outcome:
    """Make the cluster's CA when there is none."""
    wanted = documents(params)
    traces, state = read_traces(root), actual_membership(root)["state"]
    stdout = stderr = ""
    found = read_authority(root)
    if found is None and traces.ca_key and (state not in ("clean", "initialising") or has_node_traces(traces)):
        raise Refused(
            f"{root / CA_KEY} is here without {root / CA_CERTIFICATE}, on a node that has more of a cluster: it may be the only key of that. "
            "Bring the certificate back (other control planes have it), or run `kubeadm reset` here when that cluster is gone"
        )
    # Of a cluster that the node was to join, and of no use without its key.
    foreign = found is not None and not traces.ca_key and state not in MEMBER_STATES
    if foreign:
        permit_reset(params, state, root)
    missing = found is None or foreign
    if missing and not check_mode:
        with unfinished("init", root) if foreign else contextlib.nullcontext():
            if foreign:
                reset(runner, wanted[0]["nodeRegistration"]["criSocket"], keep_authority=False, root=root)
            set_orphaned_key_aside(root)
            result = kubeadm(runner, AUTHORITY, wanted[:2])
        stdout, stderr = result.stdout, result.stderr
    certificate, pin = (None if missing and check_mode else read_authority(root)) or (None, None)
    return Outcome(
        changed=missing,
        state=state,
        reset=foreign,
        stdout=stdout,
        stderr=stderr,
        join=None,
        ca_certificate=certificate,
        ca_hash=pin,
        diff={"prepared": f"{command(AUTHORITY, foreign)}: the CA of the cluster, {root / CA_CERTIFICATE} and {root / CA_KEY}\n"} if missing else {},
    )


def initialise(params: Mapping[str, Any], check_mode: bool, runner: Runner, root: Path = ROOT) -> Outcome:
    """Initialise the control plane, or say why that must not be."""
    wanted = documents(params)
    traces, membership = read_traces(root), actual_membership(root, PATIENCE)
    state = membership["state"]
    if state == "worker":
        raise Refused(
            "this node is a worker: kubeadm init must not run here. "
            "Choose another first control plane, or remove the node from its cluster and run `kubeadm reset` on it"
        )
    server = read_api_server(root)
    if state == "control_plane" and server:
        reason = why_not_ready(root, server, timeout=10)
        if reason:
            raise Refused(
                f"this node is a control plane already, but its API server is not ready: {reason}. "
                "Look at `journalctl -u kubelet` and `crictl ps -a` on it; kubeadm init must not run again over a cluster's data"
            )
    needed = state != "control_plane"
    must_reset = needed and (has_node_traces(traces) or state == "half_joined" or (traces.ca_certificate and not traces.ca_key))
    if must_reset:
        permit_reset(params, state, root)
    unmarked = clear_stale_mark(root, membership, check_mode)
    arguments = ["init", "--skip-token-print", *(["--upload-certs", "--skip-certificate-key-print"] if params["upload_certificates"] else [])]
    stdout = stderr = ""
    join: JoinFacts | None = None
    if needed and not check_mode:
        with unfinished("init", root):
            if must_reset:
                reset(runner, wanted[0]["nodeRegistration"]["criSocket"], keep_authority=traces.ca_key, root=root)
            set_orphaned_key_aside(root)
            result = kubeadm(runner, arguments, wanted)
        stdout, stderr = result.stdout, result.stderr
        join = join_facts(stdout)
    copied = bool(params["kubeconfig"]) and install_kubeconfig(Path(params["kubeconfig"]), root, check_mode)
    certificate, pin = read_authority(root) or (None, None)
    return Outcome(
        changed=needed or unmarked or copied,
        state=state,
        reset=must_reset,
        stdout=stdout,
        stderr=stderr,
        join=join,
        ca_certificate=certificate,
        ca_hash=pin,
        diff=config.difference(command(arguments, must_reset), wanted) if needed else {},
    )


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "phase": {"type": "str", "choices": ["full", "certificate_authority"], "default": "full"},
            "cluster_configuration": {"type": "dict", "required": True},
            "init_configuration": {"type": "dict", "default": {}},
            "kubelet_configuration": {"type": "dict", "default": {}},
            "kube_proxy_configuration": {"type": "dict", "default": {}},
            "certificate_key": {"type": "str", "no_log": True},
            "upload_certificates": {"type": "bool", "default": True},
            "reset": {"type": "bool", "default": False},
            "kubeconfig": {"type": "path"},
        },
        supports_check_mode=True,
    )
    work = make_authority if module.params["phase"] == "certificate_authority" else initialise
    try:
        with exclusively() as runner:
            module.exit_json(**work(module.params, module.check_mode, runner))
    except KubeadmError as error:
        module.fail_json(msg=str(error), **error.returned)
    except (BusyError, CertificateError, OSError, Refused) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
