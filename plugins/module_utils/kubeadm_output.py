# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kubeadm prints, read: the facts a join needs, the certificate key, and the same words without their secrets.

kubeadm has no machine-readable output for any of this. The forms understood are those of kubeadm 1.13 to 1.37:

* `kubeadm init` ends in the join commands (cmd/kubeadm/app/cmd/phases/init/showjoincommand.go, before 1.26 app/cmd/init.go),
* `kubeadm token create --print-join-command` prints one (app/cmd/token.go, app/cmd/util/join.go),
* `kubeadm init phase upload-certs --upload-certs` prints the certificate key (app/cmd/phases/init/uploadcerts.go).

Standard output may be mixed with standard error, and may have passed through a terminal, a web page or a Windows editor.
Everything here is a pure function of a text.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import TypedDict

_TOKEN = re.compile(r"[a-z0-9]{6}\.[a-z0-9]{16}")
_KEY = re.compile(r"[0-9a-f]{64}")
_CA_HASH = re.compile(r"sha256:[0-9a-f]{64}", re.IGNORECASE)
_NOTHING = re.compile("")
_ENDPOINT = re.compile(r"(?:\[(?P<ipv6>[^\]]+)\]|[A-Za-z0-9.-]+):(?P<port>[0-9]{1,5})")
_WITHHELD = "<value withheld>"

_INVISIBLE = re.compile("\x1b\\[[0-9;?]*[A-Za-z]|[\u200b\u2060\ufeff]")
# A whole record with its line end, wherever it starts: what stands before it on the line goes on in the next one.
_KLOG_RECORD = re.compile(r"[IWEF]\d{4}\s\d\d:\d\d:\d\d\.\d+\s+\d+\s[^\s\]]+:\d+\].*\n?")

# An endpoint in angle brackets or a flag in its place is somebody's prose, as is any mention within a line.
_COMMAND_START = re.compile(r"kubeadm join [^\s<-]\S* (?:--token\b|\\$)")
_QUOTED_LINES = 5

# In this order: what is recognised by its own form, then by the words before it.
_REDACTIONS = [
    (re.compile(pattern, re.DOTALL), replacement)
    for pattern, replacement in (
        (r"(-----BEGIN\s[A-Z\s]*PRIVATE\sKEY-----).*?(-----END\s[A-Z\s]*PRIVATE\sKEY-----|\Z)", r"\1<redacted>\2"),
        # A block whose beginning was cut away, with the words that stand right before it.
        (r"(?<![A-Za-z0-9+/=\\\s])[A-Za-z0-9+/=\\\s]+(-----END\s[A-Z\s]*PRIVATE\sKEY-----)", r"<redacted>\1"),
        # Base64 of "-----BEGIN ", but of no certificate and no public key.
        (r"LS0tLS1CRUdJTi(?!BDRVJUSUZJQ0FUR|BQVUJMSUMg)[A-Za-z0-9+/=]+", "<redacted>"),
        (r"eyJ[\w-]+\.[\w-]+\.[\w-]+", "<redacted>"),
        (r"([a-z0-9]{6}\.)[a-z0-9]{16}(?![a-z0-9])", r"\1<redacted>"),
        (r"(?<![0-9A-Fa-f])(?<!sha256:)(?<!SHA256:)[0-9A-Fa-f]{64,}", "<redacted>"),
        # Cut off tokens and keys, which kubeadm prints behind these words or alone on a line.
        (r"((?:--[a-z-]{0,20}token|[Tt]okens?:)[\s=\\\"'\[]+(?:[a-z0-9]{6}\.<redacted>\s)*[A-Za-z0-9]+\.)[A-Za-z0-9]+", r"\1<redacted>"),
        (r"((?i:certificate[-\s]?key)[\s:=\\\"']+)[0-9A-Fa-f]{8,}", r"\1<redacted>"),
        (r"(?m:^)([^\S\n]*)[0-9A-Fa-f]{12,}(?m:(?=\s*$))", r"\1<redacted>"),
        # Malformed ones, which kubeadm's validation repeats: `certificateKey: Invalid value: "..."`, `bootstrap token "..."`.
        (r"((?i:token|certificateKey)(?::\sInvalid\svalue:)?\s\\?\")(?![^\"\\]*<redacted>)[^\"\\]{7,}", r"\1<redacted>"),
        (r"((?i:client-key-data|\.key|token|secret)[\"']?[^\S\n]*[:=][^\S\n]*[\"']?)(?!/)[A-Za-z0-9+/=_.-]{16,}", r"\1<redacted>"),
        (r"((?i:password)[\"']?[^\S\n]*[:=][^\S\n]*[\"']?)(?!<redacted>)[^\s\"']+", r"\1<redacted>"),
        (r"((?i:bearer)\s)[A-Za-z0-9+/=_.-]{16,}", r"\1<redacted>"),
        (r"(://[^\s:/@]+:)[^\s/@]+(@)", r"\1<redacted>\2"),
    )
]


class JoinFacts(TypedDict):
    """What a node needs to join a cluster.

    endpoint: `host:port` as kubeadm printed it; a DNS name, an IPv4 address or `[IPv6]`.
    token: the bootstrap token, None when withheld (`--skip-token-print`).
    ca_cert_hashes: `sha256:` pins of the cluster's CA certificates, lower case, in printed order; empty when none was printed.
    certificate_key: 64 hexadecimal digits, None when withheld (`--skip-certificate-key-print`) or when no certificates were uploaded.
    control_plane: whether a join of a control plane was printed.
    """

    endpoint: str
    token: str | None
    ca_cert_hashes: list[str]
    certificate_key: str | None
    control_plane: bool


class KubeadmOutputError(ValueError):
    """The text is not what kubeadm prints. Its message is for people and never holds a secret."""

    def __init__(self, message: str) -> None:
        super().__init__(redact(message))


def redact(text: str) -> str:
    """Return `text` without its secrets, otherwise unchanged; to be used on whatever kubeadm says before it is shown.

    A bootstrap token keeps its public half, `abcdef.<redacted>`, because `kubeadm token list` and the name of its Secret show it too.
    Certificate keys, private keys (PEM, or base64 as in kubeconfigs and Secrets), bearer tokens, and passwords become `<redacted>`.
    Any other 64 hexadecimal digits do as well, unless `sha256:` stands before them. Applied twice it changes nothing more.
    """
    for pattern, replacement in _REDACTIONS:
        text = pattern.sub(replacement, text)
    return text


def parse_join(text: str) -> list[JoinFacts]:
    """Return the facts of each `kubeadm join` command in `text`, in printed order; empty when there is none.

    A command starts a line and may go on after a trailing backslash; kubeadm commands quoted in prose are none.
    Source: app/cmd/util/join.go.

    Raises KubeadmOutputError when a command is cut off or one of its values is malformed.
    """
    commands: list[str] = []
    for line in _lines(text):
        if _COMMAND_START.match(line):
            commands.append(line)
        elif commands and commands[-1].endswith("\\") and line.startswith("--"):
            commands[-1] = f"{commands[-1][:-1].rstrip()} {line}"
    return [_parse_command(command) for command in commands]


def join_facts(text: str) -> JoinFacts:
    """Return the one set of facts that all join commands in `text` agree on.

    `kubeadm init` prints its commands once per bootstrap token, all equally good: the first token is taken.

    Raises KubeadmOutputError when there is no join command, when one is malformed,
    or when two name different endpoints, CA hashes or certificate keys.
    """
    commands = parse_join(text)
    if not commands:
        raise KubeadmOutputError(f"There is no `kubeadm join` command in this text. {_ending(text)}")
    endpoints = _distinct(command["endpoint"] for command in commands)
    if len(endpoints) > 1:
        raise _contradiction(f"endpoints {' and '.join(endpoints)}")
    pins = {frozenset(command["ca_cert_hashes"]): command["ca_cert_hashes"] for command in reversed(commands) if command["ca_cert_hashes"]}
    if len(pins) > 1:
        raise _contradiction(f"CA certificate hashes {' and '.join(' '.join(hashes) for hashes in reversed(list(pins.values())))}")
    keys = _distinct(command["certificate_key"] for command in commands)
    if len(keys) > 1:
        raise _contradiction("certificate keys, not shown here")
    tokens = _distinct(command["token"] for command in commands)
    return JoinFacts(
        endpoint=endpoints[0],
        token=tokens[0] if tokens else None,
        ca_cert_hashes=next(iter(pins.values()), []),
        certificate_key=keys[0] if keys else None,
        control_plane=any(command["control_plane"] for command in commands),
    )


def certificate_key(text: str) -> str:
    """Return the key under which `kubeadm init phase upload-certs --upload-certs` stored the certificates.

    It stands alone on its line, so the output of `kubeadm init --upload-certs` and `kubeadm certs certificate-key` serve as well.
    Source: app/cmd/phases/init/uploadcerts.go.

    Raises KubeadmOutputError when no key is printed (withheld, phase skipped) or when several are.
    """
    keys = _distinct(line for line in _lines(text) if _KEY.fullmatch(line))
    if not keys:
        raise KubeadmOutputError(f"There is no certificate key in this text: 64 hexadecimal digits alone on a line. {_ending(text)}")
    if len(keys) > 1:
        raise _contradiction("certificate keys, not shown here")
    return keys[0]


def _lines(text: str) -> list[str]:
    """The lines kubeadm wrote to standard output, with single spaces within and none around."""
    return [" ".join(line.split()) for line in _KLOG_RECORD.sub("", _INVISIBLE.sub("", text)).split("\n")]


def _parse_command(command: str) -> JoinFacts:
    endpoint, *flags = command[len("kubeadm join "):].rstrip("\\ ").split(" --")
    if command.endswith("\\"):
        raise KubeadmOutputError(f"The command `kubeadm join {endpoint} ...` is cut off after a backslash. Give the whole output of kubeadm.")
    facts = JoinFacts(endpoint=_endpoint(endpoint), token=None, ca_cert_hashes=[], certificate_key=None, control_plane=False)
    for flag in flags:
        name, _space, value = flag.replace("=", " ", 1).partition(" ")
        if name == "token":
            facts["token"] = _value(endpoint, name, value, _TOKEN)
        elif name == "certificate-key":
            facts["certificate_key"] = _value(endpoint, name, value, _KEY)
        elif name == "discovery-token-ca-cert-hash":
            pin = _value(endpoint, name, value, _CA_HASH)
            if pin and pin.lower() not in facts["ca_cert_hashes"]:
                facts["ca_cert_hashes"].append(pin.lower())
        elif name in ("control-plane", "experimental-control-plane"):
            facts["control_plane"] = _value(endpoint, name, value, _NOTHING) is not None
        else:
            raise KubeadmOutputError(f"The command `kubeadm join {endpoint} ...` has the flag --{name}, which kubeadm does not print.")
    return facts


def _endpoint(word: str) -> str:
    match = _ENDPOINT.fullmatch(word)
    if not match or not 0 < int(match["port"]) < 65536 or (match["ipv6"] and not _is_ipv6(match["ipv6"])):
        raise KubeadmOutputError(f"The endpoint of `kubeadm join {word} ...` is not of the form host:port, 192.0.2.1:6443 or [2001:db8::1]:6443.")
    return word


def _is_ipv6(address: str) -> bool:
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return False
    return True


def _value(endpoint: str, name: str, value: str, form: re.Pattern[str]) -> str | None:
    if value == _WITHHELD:
        return None
    if not form.fullmatch(value):
        # The value itself is not quoted: it may be most of a secret.
        raise KubeadmOutputError(f"The value of --{name} in `kubeadm join {endpoint} ...` is malformed. Give the whole output of kubeadm, unwrapped.")
    return value


def _distinct(values: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(value for value in values if value is not None))


def _contradiction(what: str) -> KubeadmOutputError:
    return KubeadmOutputError(f"This text holds different {what}. Give the output of one run of kubeadm.")


def _ending(text: str) -> str:
    """Quote the last lines of a text, for an error message."""
    # Redacted before it is cut, so that no secret loses what it is recognised by.
    lines = [line for line in redact(text).splitlines() if line.strip()]
    if not lines:
        return "It is empty."
    return "Its last lines are:\n" + "\n".join(line.rstrip() for line in lines[-_QUOTED_LINES:])
