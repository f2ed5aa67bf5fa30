# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of balancer_listener: makes the throwaway certificate, for which targets may have no program."""

from __future__ import annotations

import datetime
from typing import Any

from ansible.plugins.action import ActionBase

MODULE = "quorum.kubeadm.balancer_listener"


def throwaway_certificate(name: str) -> str:
    """Return a new key and its self-signed certificate, PEM. Nobody verifies it."""
    # ansible-core itself needs it. community.crypto could do the same in two more tasks, and would be one more collection to install.
    # Imported here: documentation and checks load plugins where nothing but ansible-core's code is.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"quorum-listener {name}"[:64])])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Clocks differ, and whoever checks it should not have to complain of that.
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return (private + certificate.public_bytes(serialization.Encoding.PEM)).decode()


class ActionModule(ActionBase):  # type: ignore[misc]  # the base class is untyped
    """Add the certificate and run the module."""

    _supports_check_mode = True
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Listening needs a certificate, closing does not."""
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if arguments.get("state", "present") == "present":
            arguments["_certificate"] = throwaway_certificate(str(arguments.get("name", "")))
        result: dict[str, Any] = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        return result
