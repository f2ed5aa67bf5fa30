#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connect through a load balancer until every backend has answered."""

from __future__ import annotations

DOCUMENTATION = r"""
module: balancer_probe
short_description: Connect through a load balancer until every backend has answered
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Makes rounds of connections from this host through a layer-4 load balancer, and tells which backends answered.
    A round has enough connections to see every backend, though the load balancer sends each wherever a hash of its ports says.
  - Goes on until every backend but this host itself has answered, or for O(wait) seconds, since load balancers take up to minutes to find a backend healthy.
  - A backend goes on until it knows whether it reaches itself (hairpin), too, for up to 30 seconds.
  - Without O(ca_certificate) those who answer are M(quorum.kubeadm.balancer_listener)s. With it they are API servers, known by their certificates.
  - What is not reached is a result and no failure.
extends_documentation_fragment: quorum.kubeadm.attributes.reads
options:
  name:
    description:
      - The load balancer's name.
    type: str
    required: true
  addresses:
    description:
      - Its addresses. Empty asks the resolver for those of O(name). A backend where that name leads to a backend, as it does in the C(/etc/hosts)
        of a control plane, does not try, and leaves it to others.
    type: list
    elements: str
    default: []
  port:
    description:
      - Its port.
    type: int
    default: 6443
  backends:
    description:
      - Those that must answer.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The name with which it answers, or the node's name.
        type: str
        required: true
      address:
        description:
          - Its IP address, which an API server's certificate is for.
        type: str
        required: true
  host:
    description:
      - Which of O(backends) this host is, by name. Empty for none.
    type: str
    default: ""
  ca_certificate:
    description:
      - The CA of a living cluster, PEM.
    type: str
    default: ""
  wait:
    description:
      - Seconds to go on while a backend does not answer.
    type: float
    default: 180
  timeout:
    description:
      - Seconds after which a connection is lost.
    type: float
    default: 2
"""

EXAMPLES = r"""
- name: Connect through the load balancer
  quorum.kubeadm.balancer_probe:
    name: api.example.org
    addresses: [192.0.2.10]
    backends:
      - {name: cp1, address: 192.0.2.11}
      - {name: cp2, address: 192.0.2.12}
  register: probed

- name: Require both
  ansible.builtin.assert:
    that: probed.probe.reached | map(attribute='name') | unique | sort == ['cp1', 'cp2']
"""

RETURN = r"""
probe:
  description: What was found.
  returned: success
  type: dict
  contains:
    host:
      description: Which backend this host is.
      type: str
      sample: cp1
    addresses:
      description: The addresses that were tried; none when a backend knows no way to the load balancer.
      type: list
      elements: str
      sample: [192.0.2.10]
    reached:
      description: Who answered, in all rounds.
      type: list
      elements: dict
      contains:
        name:
          description: The backend's name.
          type: str
          sample: cp2
        mark:
          description: The mark of its listener; empty for an API server.
          type: str
          sample: 8f14e45fceea167a
        connections:
          description: How many connections it answered.
          type: int
          sample: 12
    hairpin:
      description: Whether this host reaches itself, C(yes), C(no) or C(unknown); null when it is no backend.
      type: str
      sample: "no"
    last:
      description: >-
        How the connections of the last round ended - C(answered), C(refused), C(timed_out), C(mute) (taken, and no answer to the TLS handshake), C(closed),
        C(unreachable) with C(error), and C(strangers) with C(what) answered that is no backend.
      type: dict
    rounds:
      description: How many rounds it took.
      type: int
      sample: 2
    connections:
      description: How many connections.
      type: int
      sample: 74
    seconds:
      description: How long it took.
      type: float
      sample: 4.7
"""

import socket  # noqa: E402
import ssl  # noqa: E402
import time  # noqa: E402
from collections import Counter  # noqa: E402
from concurrent.futures import ThreadPoolExecutor  # noqa: E402
from typing import Any, NamedTuple, Sequence  # noqa: E402

from ansible.module_utils.basic import AnsibleModule  # noqa: E402

from ansible_collections.quorum.kubeadm.plugins.module_utils.balancer import (  # noqa: E402
    USER_AGENT,
    Backend,
    Outcome,
    alone,
    connections_needed,
    finished,
    hairpin,
    identify,
    leads_past,
    parse_greeting,
    tally,
)
from ansible_collections.quorum.kubeadm.plugins.module_utils.certificates import CertificateError, common_name  # noqa: E402
from ansible_collections.quorum.kubeadm.plugins.module_utils.tls_answer import subject_alt_names  # noqa: E402

AT_A_TIME = 32
TIMEOUTS = (socket.timeout, TimeoutError)  # one and the same from Python 3.10 on


class Target(NamedTuple):
    """Where to connect, and how to know who answers."""

    name: str
    port: int
    backends: Sequence[Backend]
    authority: str
    timeout: float

    def context(self, verify: bool) -> ssl.SSLContext:
        """Return a context that verifies by the CA alone: balancer and backends have other names."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        if verify:
            context.load_verify_locations(cadata=self.authority)
        else:
            context.verify_mode = ssl.CERT_NONE
        return context


def subject(server: ssl.SSLSocket) -> str:
    """Tell whose certificate it is."""
    certificate = server.getpeercert(binary_form=True)
    try:
        name = common_name(ssl.DER_cert_to_PEM_cert(certificate)) if certificate else None
    except CertificateError:
        name = None
    return name or "nobody in particular"


def ask(server: ssl.SSLSocket, target: Target) -> Outcome:
    """Ask a server that has shaken hands who it is."""
    if target.authority:
        names = subject_alt_names(server.getpeercert() or {})
        backend = identify(names, target.backends)
        return Outcome("answered", backend) if backend else Outcome("stranger", detail=f"an API server of this cluster for {', '.join(names)}")
    certified = subject(server)  # not to be had any more when the server has hung up
    server.sendall(f"GET /readyz HTTP/1.0\r\nHost: {target.name}\r\nUser-Agent: {USER_AGENT}\r\nConnection: close\r\n\r\n".encode())
    response = b""
    while len(response) < 4096 and (chunk := server.recv(4096)):
        response += chunk
    found = parse_greeting(response.partition(b"\r\n\r\n")[2].decode(errors="replace"))
    return Outcome("answered", *found) if found else Outcome("stranger", detail=f"a TLS server with a certificate for {certified}")


def connect(address: str, target: Target, verify: bool) -> Outcome:
    """Make one connection."""
    try:
        plain = socket.create_connection((address, target.port), timeout=target.timeout)
    except ConnectionRefusedError:
        return Outcome("refused")
    except TIMEOUTS:
        return Outcome("timed_out")
    except OSError as error:
        return Outcome("unreachable", detail=(error.strerror or str(error)).lower())
    with plain:
        try:
            with target.context(verify).wrap_socket(plain, server_hostname=target.name) as server:
                if target.authority and not verify:
                    return Outcome("stranger", detail=f"a TLS server that the cluster's CA has not certified, with a certificate for {subject(server)}")
                return ask(server, target)
        except ssl.SSLCertVerificationError:
            # Who it was can be told by a connection that does not verify alone.
            return connect(address, target, verify=False)
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError):
            return Outcome("closed")
        except TIMEOUTS:
            return Outcome("mute")
        except ssl.SSLError as error:
            plain_text = error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "UNKNOWN_PROTOCOL")
            return Outcome("stranger", detail="a server without TLS" if plain_text else f"a server whose TLS fails ({error.reason})")
        except OSError as error:
            return Outcome("unreachable", detail=(error.strerror or str(error)).lower())


def probe(target: Target, addresses: Sequence[str], own: str, wait: float) -> dict[str, Any]:
    """Go on until nothing is to be added."""
    names = [backend.name for backend in target.backends]
    each = connections_needed(len(names))
    reached: Counter[tuple[str, str]] = Counter()
    begun, complete_since, alone_since, pause, rounds = time.monotonic(), None, None, 0.5, 0
    while True:
        rounds += 1
        with ThreadPoolExecutor(max_workers=AT_A_TIME) as side_by_side:
            outcomes = list(side_by_side.map(lambda address: connect(address, target, bool(target.authority)), list(addresses) * each))
        reached.update((outcome.backend, outcome.mark) for outcome in outcomes if outcome.kind == "answered")
        seen = {name for name, _mark in reached}
        own_way = hairpin(own, seen, outcomes)
        now = time.monotonic()
        if complete_since is None and set(names) - {own} <= seen:
            complete_since = now
        alone_since = (alone_since or now) if alone(own, seen, outcomes) else None
        nothing_new = finished(own, names, seen, own_way, now - complete_since if complete_since else 0.0, now - alone_since if alone_since else 0.0)
        if nothing_new or now - begun >= wait or not addresses:
            break
        # The load balancer's next health check is nothing that one could wait for here.
        time.sleep(max(0.0, min(pause, begun + wait - now)))
        pause = min(pause * 2, 5.0)
    return {
        "host": own,
        "addresses": list(addresses),
        "reached": [{"name": name, "mark": mark, "connections": count} for (name, mark), count in sorted(reached.items())],
        "hairpin": own_way,
        "last": tally(outcomes),
        "rounds": rounds,
        "connections": rounds * each * len(addresses),
        "seconds": round(time.monotonic() - begun, 1),
    }


def resolve(module: AnsibleModule, name: str, port: int) -> list[str]:
    """Ask the resolver for the load balancer's addresses."""
    try:
        return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)))
    except OSError as error:
        module.fail_json(
            msg=f"{name}, the load balancer's name, cannot be resolved on this host ({error.strerror}), and there is no address of it in addresses"
        )
    return []


def main() -> None:
    """Probe and tell."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "addresses": {"type": "list", "elements": "str", "default": []},
            "port": {"type": "int", "default": 6443},
            "backends": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {"name": {"type": "str", "required": True}, "address": {"type": "str", "required": True}},
            },
            "host": {"type": "str", "default": ""},
            "ca_certificate": {"type": "str", "default": ""},
            "wait": {"type": "float", "default": 180.0},
            "timeout": {"type": "float", "default": 2.0},
        },
        supports_check_mode=True,
    )
    parameters = module.params
    backends = [Backend(**backend) for backend in parameters["backends"]]
    if not backends or parameters["host"] not in ("", *(backend.name for backend in backends)):
        module.fail_json(msg="backends must name those that are to answer, and host must be one of them or empty")
    target = Target(parameters["name"], parameters["port"], backends, parameters["ca_certificate"], parameters["timeout"])
    try:
        target.context(bool(target.authority))
    except (ssl.SSLError, ValueError) as error:
        module.fail_json(msg=f"ca_certificate: no PEM certificate: {error}")
    addresses = parameters["addresses"] or [
        address for address in resolve(module, target.name, target.port) if not (parameters["host"] and leads_past(address, backends))
    ]
    module.exit_json(changed=False, probe=probe(target, addresses, parameters["host"], parameters["wait"]))


if __name__ == "__main__":
    main()
