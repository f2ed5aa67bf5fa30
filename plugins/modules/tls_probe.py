#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a TLS server for a page, and who it is."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tls_probe
short_description: Ask a TLS server for a page, and who it is
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Connects from this host, verifies the server's certificate against one CA and a name, and gets a page.
  - A server that cannot be reached, or is not who it should be, is a result and no failure.
  - C(ansible.builtin.uri) tells neither the names in the certificate nor what of all this went wrong.
extends_documentation_fragment: quorum.kubeadm.attributes.reads
options:
  host:
    description:
      - Name or IP address to connect to.
    type: str
    required: true
  port:
    description:
      - Port to connect to.
    type: int
    default: 6443
  ca_certificate:
    description:
      - The CA that must have signed the certificate, PEM.
    type: str
    required: true
  server_name:
    description:
      - The name, or IP address, that the certificate must be for. The default is O(host).
    type: str
  path:
    description:
      - What to get.
    type: str
    default: /readyz
  timeout:
    description:
      - Seconds after which to give up.
    type: float
    default: 5
  wait:
    description:
      - Seconds to go on trying until the server is verified and answers with 200. With it, a server that never does is a failure.
    type: float
    default: 0
  must_answer:
    description:
      - V(false) tells what the server answered last, also when it is not as wanted after O(wait) seconds.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Ask the API through the virtual IP address
  quorum.kubeadm.tls_probe:
    host: 192.0.2.10
    port: 16443
    server_name: api.example.org
    ca_certificate: "{{ ca_certificate }}"
  register: look

- name: Require an API that can be trusted
  ansible.builtin.assert:
    that: look.verified and look.status == 200
    fail_msg: "{{ look.error }}"
"""

RETURN = r"""
verified:
  description: Whether the certificate was signed by the CA and is for the name.
  returned: success
  type: bool
  sample: true
subject_alt_names:
  description: The names and addresses in the certificate; empty when it was not signed by the CA.
  returned: success
  type: list
  elements: str
  sample: [api.example.org, cp1, kubernetes, kubernetes.default, 10.96.0.1, 192.0.2.11]
status:
  description: The HTTP status of the answer, null when there was none.
  returned: success
  type: int
  sample: 200
body:
  description: The first 1,000 characters of the answer's body.
  returned: success
  type: str
  sample: ok
seconds:
  description: How long it took.
  returned: success
  type: float
  sample: 0.021
error:
  description: What went wrong, empty when nothing did.
  returned: success
  type: str
  sample: "connection refused"
"""

import socket  # noqa: E402
import ssl  # noqa: E402
import time  # noqa: E402
from typing import Any  # noqa: E402

from ansible.module_utils.basic import AnsibleModule  # noqa: E402

from ansible_collections.quorum.kubeadm.plugins.module_utils.tls_answer import name_matches, status, subject_alt_names  # noqa: E402

# Between two attempts, seconds.
INTERVAL = 0.5


def probe(parameters: dict[str, Any], context: ssl.SSLContext, found: dict[str, Any]) -> None:
    """Fill in what is found, as far as it goes."""
    name = parameters["server_name"] or parameters["host"]
    address = (parameters["host"], parameters["port"])
    with socket.create_connection(address, timeout=parameters["timeout"]) as plain, context.wrap_socket(plain, server_hostname=name) as server:
        found["subject_alt_names"] = subject_alt_names(server.getpeercert() or {})
        found["verified"] = name_matches(name, found["subject_alt_names"])
        if not found["verified"]:
            found["error"] = f"the certificate is not for {name} but for {', '.join(found['subject_alt_names'])}"
        server.sendall(f"GET {parameters['path']} HTTP/1.0\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while len(answer) < 16384 and (chunk := server.recv(16384)):
            answer += chunk
    found["status"] = status(answer)
    found["body"] = answer.partition(b"\r\n\r\n")[2].decode(errors="replace")[:1000]


def attempt(parameters: dict[str, Any], context: ssl.SSLContext) -> dict[str, Any]:
    """Ask once."""
    found: dict[str, Any] = {"verified": False, "subject_alt_names": [], "status": None, "body": "", "error": ""}
    begun = time.monotonic()
    try:
        probe(parameters, context, found)
    except ssl.SSLCertVerificationError as error:
        found["error"] = f"certificate: {error.verify_message}"
    except OSError as error:
        found["error"] = (error.strerror or str(error)).lower()
    return {**found, "seconds": round(time.monotonic() - begun, 3)}


def answers(found: dict[str, Any]) -> bool:
    """Whether it is the right server, and well."""
    return bool(found["verified"]) and found["status"] == 200


def main() -> None:
    """Ask and tell."""
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "required": True},
            "port": {"type": "int", "default": 6443},
            "ca_certificate": {"type": "str", "required": True},
            "server_name": {"type": "str"},
            "path": {"type": "str", "default": "/readyz"},
            "timeout": {"type": "float", "default": 5.0},
            "wait": {"type": "float", "default": 0.0},
            "must_answer": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Compared afterwards: a certificate for another name is worth showing.
    context.check_hostname = False
    try:
        context.load_verify_locations(cadata=module.params["ca_certificate"])
    except (ssl.SSLError, ValueError) as error:
        module.fail_json(msg=f"ca_certificate: no PEM certificate: {error}")
    wait = 0.0 if module.check_mode else module.params["wait"]
    begun = time.monotonic()
    found = attempt(module.params, context)
    while not answers(found) and time.monotonic() - begun < wait:
        # Nothing tells when a server far away begins to answer.
        time.sleep(INTERVAL)
        found = attempt(module.params, context)
    if wait and module.params["must_answer"] and not answers(found):
        where = f"{module.params['host']}:{module.params['port']}"
        last = found["error"] or f"it answers {found['status']}, {found['body'].strip()[:100]}"
        module.fail_json(msg=f"{where} did not answer correctly within {wait:.0f} s: {last}. Check what forwards connections from that address to the server.")
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
