#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Join a node to a cluster with kubeadm."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_join
short_description: Join a control plane or a worker to a cluster
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Runs C(kubeadm join) with a JoinConfiguration of API C(kubeadm.k8s.io/v1beta4), which Kubernetes 1.31 and later understand, handed
    over on standard input, so that no secret is seen in the list of processes or stays in a file.
  - Does nothing on a node that already belongs to the cluster whose CA the credentials pin. Refuses a node of another cluster.
  - A join that was killed or failed half-way is recognised, taken back by C(kubeadm reset), and done again. One that ended well although
    its run was killed is left alone - the node is in the cluster, and its API server, if it has one, is ready.
  - Nodes may join side by side. etcd takes one new member at a time; kubeadm waits for its turn.
extends_documentation_fragment: quorum.kubeadm.attributes.changes
attributes:
  diff_mode:
    description: Shows how kubeadm is run, with its documents; what would let somebody into the cluster is left out of them.
    support: partial
options:
  credentials:
    description: What M(quorum.kubeadm.join_credentials) returned.
    type: dict
    required: true
    suboptions:
      endpoint:
        description: The cluster's endpoint, host and port.
        type: str
        required: true
      token:
        description: A bootstrap token. Only a node that is already in the cluster, and check mode, do without.
        type: str
      ca_cert_hashes:
        description: The pins of the cluster's CA.
        type: list
        elements: str
        required: true
      certificate_key:
        description: The key of the uploaded certificates, for a control plane.
        type: str
      control_plane:
        description: Whether the credentials are good for a control plane.
        type: bool
        default: false
  control_plane:
    description: Whether the node becomes a control plane.
    type: bool
    default: false
  configuration:
    description:
      - Fields of kubeadm's JoinConfiguration, such as C(nodeRegistration) and, for a control plane, C(controlPlane.localAPIEndpoint).
        C(discovery) and C(controlPlane.certificateKey) come from O(credentials).
      - Where it does not say otherwise, C(nodeRegistration.criSocket) is containerd's, C(nodeRegistration.imagePullPolicy) is V(IfNotPresent), and
        C(timeouts.etcdAPICall) of a control plane, how long it waits for its turn when others join at the same time, is V(5m0s).
    type: dict
    default: {}
  ready_timeout:
    description: How many seconds a control plane's API server may take until its C(/readyz) answers.
    type: int
    default: 120
  cleanup_timeout:
    description: How many seconds the cluster may take to tell which member a half-done join left in etcd.
    type: int
    default: 60
  reset:
    description:
      - Whether a C(kubeadm init) that was cut short on this node may be taken back by C(kubeadm reset), its cluster CA included.
        etcd's data on this node is lost thereby, so it must be known that no other node belongs to that CA.
      - A node that serves other nodes, or anybody's pods, is never reset. A C(kubeadm join) that was cut short needs no leave.
    type: bool
    default: false
  kubeconfig:
    description:
      - Where to put a copy of a control plane's C(/etc/kubernetes/admin.conf), mode 0600, for the user who administers the cluster there.
    type: path
"""

EXAMPLES = r"""
- name: Join a control plane
  quorum.kubeadm.kubeadm_join:
    credentials: "{{ join_credentials.credentials }}"
    control_plane: true
    configuration:
      controlPlane: {localAPIEndpoint: {advertiseAddress: 192.0.2.12}}
      nodeRegistration:
        name: cp2
        kubeletExtraArgs:
          - {name: node-ip, value: 192.0.2.12}
    kubeconfig: /root/.kube/config

- name: Join a worker
  quorum.kubeadm.kubeadm_join:
    credentials: "{{ join_credentials.credentials }}"
    configuration:
      nodeRegistration: {name: worker1}
"""

RETURN = r"""
ca_hash:
  description: The pin of the CA of the cluster to which the node belongs now; None in check mode when it belongs to none.
  returned: success
  type: str
  sample: sha256:7c2e69131a36ae2a042a339b33381c6d0d43887e2de83720eff5359e26aec866
removed_etcd_member:
  description: The id of the member that a half-done join of this node had left in etcd, and that was removed; None when there was none.
  returned: success
  type: str
reset:
  description: Whether a half-done join, or init, was taken back first.
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

from pathlib import Path
from typing import Any, Mapping, TypedDict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils import kubeadm_config as config
from ansible_collections.quorum.kubeadm.plugins.module_utils.api_server import wait_ready
from ansible_collections.quorum.kubeadm.plugins.module_utils.certificates import CertificateError
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Runner
from ansible_collections.quorum.kubeadm.plugins.module_utils.etcd import EtcdError, forget_own_member
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
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl, KubectlError
from ansible_collections.quorum.kubeadm.plugins.module_utils.membership import PATIENCE, actual_membership, clear_stale_mark, what_lives_here
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import ADMIN_KUBECONFIG, MEMBER_STATES, State, read_api_server, read_authority

ROOT = Path("/")
# ErrTooManyLearners in api/v3rpc/rpctypes/error.go of etcd.
TOO_MANY_LEARNERS = "too many learner members in cluster"


class Refused(Exception):
    """The node cannot join as it was asked to."""


class Outcome(TypedDict):
    """What the module returns."""

    changed: bool
    state: State
    reset: bool
    removed_etcd_member: str | None
    stdout: str
    stderr: str
    ca_hash: str | None
    diff: dict[str, str]


def belongs(state: State, ca_hash: str | None, params: Mapping[str, Any]) -> bool:
    """Tell whether the node is what it is asked to become; raise Refused when it is something that must not be touched."""
    pins = params["credentials"]["ca_cert_hashes"]
    role = "control_plane" if params["control_plane"] else "worker"
    if state in MEMBER_STATES:
        if ca_hash not in pins:
            raise Refused(
                f"this node belongs to another cluster: its CA is {ca_hash}, the cluster it is to join has {', '.join(pins)}. "
                "Remove it from its cluster and run `kubeadm reset` on it first"
            )
        if state != role:
            raise Refused(
                f"this node is a {state.replace('_', ' ')} of the cluster already and cannot become a {role.replace('_', ' ')} by joining: "
                "remove it from the cluster first"
            )
        return True
    if state == "initialising" and not params["reset"]:
        raise Refused(
            f"an unfinished kubeadm init is on this node, with the CA {ca_hash}; the cluster it is to join has {', '.join(pins)}. "
            "When nothing else belongs to that CA, set reset: true, or run `kubeadm reset` on it, and run again"
        )
    return False


def check_configuration(params: Mapping[str, Any]) -> None:
    """Raise Refused when the JoinConfiguration cannot be completed."""
    if not params["control_plane"] and "controlPlane" in params["configuration"]:
        raise Refused("configuration has controlPlane, which makes a control plane: leave it out for a worker, or set control_plane: true")
    credentials = params["credentials"]
    missing = [name for name in ("token", *(["certificate_key"] if params["control_plane"] else [])) if not credentials[name]]
    if missing:
        raise Refused(f"credentials lack {' and '.join(missing)}: ask quorum.kubeadm.join_credentials for them, with control_plane as here")


def join(params: Mapping[str, Any], check_mode: bool, runner: Runner, kubectl: Kubectl, root: Path = ROOT) -> Outcome:
    """Join the node, or say why that must not be."""
    membership = actual_membership(root, PATIENCE)
    state = membership["state"]
    needed = not belongs(state, membership["ca_hash"], params)
    must_reset = needed and state != "clean"
    lives = what_lives_here(root) if state == "initialising" else []
    if lives:
        raise Refused(
            f"an unfinished kubeadm init is on this node, but it serves {', '.join(lives[:5])}: it is not reset. "
            "When nobody needs that, run `kubeadm reset` on it, and run again"
        )
    unmarked = clear_stale_mark(root, membership, check_mode)
    stdout = stderr = ""
    removed: str | None = None
    # Check mode has no credentials, and shows none.
    document = config.join_configuration(params["configuration"], params["credentials"], params["control_plane"])
    if needed and not check_mode:
        check_configuration(params)
        with unfinished("join", root):
            if must_reset:
                if state == "half_joined":
                    removed = forget_own_member(root, config.advertise_address(params["configuration"]), kubectl)
                reset(runner, config.registration(params["configuration"])["criSocket"], keep_authority=False, root=root)
            result = kubeadm(runner, ["join"], [document])
        stdout, stderr = result.stdout, result.stderr
    server = read_api_server(root) if not (needed and check_mode) else None
    patience = 0 if check_mode else params["ready_timeout"]
    reason = wait_ready(root, server, patience) if server else None
    if reason:
        raise Refused(f"the node has joined, but its API server is not ready after {patience} seconds: {reason}")
    copied = params["control_plane"] and bool(params["kubeconfig"]) and install_kubeconfig(Path(params["kubeconfig"]), root, check_mode)
    return Outcome(
        changed=needed or unmarked or copied,
        state=state,
        reset=must_reset,
        removed_etcd_member=removed,
        stdout=stdout,
        stderr=stderr,
        ca_hash=(read_authority(root) or (None, None))[1],
        diff=config.difference(command(["join"], must_reset), [document]) if needed else {},
    )


def explained(words: str) -> str:
    """Add to kubeadm's words what an operator cannot know from them."""
    if TOO_MANY_LEARNERS not in words:
        return words
    return (
        f"{words}. etcd takes in one control plane at a time, and kubeadm has asked for as long as etcdAPICall of timeouts says: another one has begun "
        "to join and not ended. Run again when all of them are up: its half of a join is taken back first"
    )


def main() -> None:
    """Entry point."""
    credentials = {
        "endpoint": {"type": "str", "required": True},
        "token": {"type": "str", "no_log": True},
        "ca_cert_hashes": {"type": "list", "elements": "str", "required": True},
        "certificate_key": {"type": "str", "no_log": True},
        "control_plane": {"type": "bool", "default": False},
    }
    module = AnsibleModule(
        argument_spec={
            "credentials": {"type": "dict", "required": True, "options": credentials},
            "control_plane": {"type": "bool", "default": False},
            "configuration": {"type": "dict", "default": {}},
            "ready_timeout": {"type": "int", "default": 120},
            "cleanup_timeout": {"type": "int", "default": 60},
            "reset": {"type": "bool", "default": False},
            "kubeconfig": {"type": "path"},
        },
        supports_check_mode=True,
    )
    try:
        with exclusively() as runner:
            kubectl = Kubectl(str(ROOT / ADMIN_KUBECONFIG), Deadline(module.params["cleanup_timeout"]))
            module.exit_json(**join(module.params, module.check_mode, runner, kubectl))
    except KubeadmError as error:
        module.fail_json(msg=explained(str(error)), **error.returned)
    except (EtcdError, KubectlError) as error:
        module.fail_json(msg=f"what an earlier join left of this node in etcd cannot be removed: {error}")
    except (BusyError, CertificateError, OSError, Refused) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
