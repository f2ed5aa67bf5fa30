# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubeadm's words, of many versions and in many states of disrepair."""

from __future__ import annotations

import base64
import json
import random
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_output import (
    JoinFacts,
    KubeadmOutputError,
    certificate_key,
    join_facts,
    parse_join,
    redact,
)

FIXTURES = Path(__file__).parents[2] / "fixtures" / "kubeadm_output"


def fixture(name: str) -> str:
    return (FIXTURES / f"{name}.txt").read_bytes().decode()


def facts(endpoint: str, token: str | None, *pins: str, key: str | None = None, control_plane: bool = False) -> JoinFacts:
    return JoinFacts(
        endpoint=endpoint, token=token, ca_cert_hashes=[f"sha256:{pin}" for pin in pins], certificate_key=key, control_plane=control_plane or key is not None
    )


TOKEN = "zlp0di.4q8jw2n6x1r5yv3t"
PIN = "8cb2de97839780a412b93877f8507ad6c94f73add17d5d7058e91741c9d5ec78"
OTHER_PIN = "3f1c5a1d0a6e4f28b7cde90ab1254783f6aa0b9c8d7e6f504132a3b4c5d6e7f8"
KEY = "f8902e114ef118304e561c3ecd4d0b543adc226b7a07f675f56564185ffe0c07"
LAB = "api.lab.test:16443"
LAB_TOKEN = "abcdef.0123456789abcdef"
LAB_PIN = "81fd39235263d52ba090bbed22729a9af54044d8a001f6533cca421278c7c68c"
LAB_OTHER_PIN = "758c2efd425a769eeaf4d9842e25083d6270cdc0c83851335806359e1bf14e51"
LAB_KEY = "c44a4a4593155b16a2eda1d668325827e82ea51496ae036b8fe144ef0288419f"

JOINS = {
    "built/v1.13-init": facts("192.0.2.10:6443", TOKEN, PIN),
    "built/v1.13-init-two-cas": facts("192.0.2.10:6443", TOKEN, PIN, OTHER_PIN),
    "built/v1.14-init": facts("192.0.2.10:6443", TOKEN, PIN, key=KEY),
    "built/v1.14-init-no-upload": facts("192.0.2.10:6443", TOKEN, PIN, control_plane=True),
    "built/v1.15-init": facts("192.0.2.10:6443", TOKEN, PIN, key=KEY),
    "built/v1.16-init-withheld": facts("192.0.2.10:6443", None, PIN, control_plane=True),
    "built/v1.18-init-two-cas": facts("192.0.2.10:6443", TOKEN, PIN, OTHER_PIN, key=KEY),
    "built/v1.20-init-no-endpoint": facts("192.0.2.10:6443", TOKEN, PIN),
    "built/v1.20-token-create": facts("192.0.2.10:6443", TOKEN, PIN),
    "built/v1.20-token-create-control-plane": facts("192.0.2.10:6443", TOKEN, PIN, key=KEY),
    "built/v1.21-init": facts("192.0.2.10:6443", TOKEN, PIN, key=KEY),
    "built/v1.31-init-ipv6": facts("[2001:db8::10]:16443", TOKEN, PIN, key=KEY),
    "built/v1.32-init": facts("api.example.com:6443", TOKEN, PIN, key=KEY),
    "built/v1.36-init-no-upload": facts("192.0.2.10:6443", TOKEN, PIN, control_plane=True),
    "captured/v1.37.2-init-ipv6": facts(
        "[2001:db8::10]:16443",
        LAB_TOKEN,
        "9330eb4cceacd3d1cca60a99b5b58a4384000b1b3906ab53322065a241be7e84",
        key="c324e21a5e37adcb8226375ec8ac76bdd7c760ee7f22225af4fdd42b89f9bb56",
    ),
    "captured/v1.37.2-init-no-endpoint": facts("198.18.64.11:6443", LAB_TOKEN, "f0b4c38f19fcace78d0071e7dfefa766fa37ab6bfa5f6a3b45f213eb38aca9d2"),
    "captured/v1.37.2-init-no-upload": facts(LAB, LAB_TOKEN, LAB_OTHER_PIN, control_plane=True),
    "captured/v1.37.2-init-two-tokens": facts(LAB, LAB_TOKEN, LAB_PIN, key="e1b3dbefd37d67e2be8e71368d1d2799917dd18151e57658c9674e43ed03293b"),
    "captured/v1.37.2-init-verbose-merged": facts(
        LAB,
        LAB_TOKEN,
        "90989a905d931f6a151c8ee27872ad291e800552e4f8acc2e92d187350cf11c6",
        key="4e83f10c832a1690cfcc8a8421386bc71b728de94ef4243fe0f506ff9f26fac1",
    ),
    "captured/v1.37.2-init-withheld": facts(LAB, None, "a21cf7f8d16b980abff7c5498dfab363831eff025998cb7aa833ff8f44570654", control_plane=True),
    "captured/v1.37.2-token-create": facts(LAB, "k1rcw6.aa658wnckt30joon", LAB_PIN),
    "captured/v1.37.2-token-create-control-plane": facts(LAB, "ukmxg1.6fhb9g9g78nilb3s", LAB_PIN, key=LAB_KEY),
    "captured/v1.37.2-token-create-two-cas": facts(LAB, "gtadzd.wt0smu7vk7h1me9c", LAB_PIN, LAB_OTHER_PIN),
    "captured/v1.37.2-token-create-two-cas-control-plane": facts(LAB, "67f9b9.38bp3ysmq8fl7hjg", LAB_PIN, LAB_OTHER_PIN, key=LAB_KEY),
}
KEYS = {
    "captured/v1.37.2-certificate-key": "129554d617716823aa3e3ee8f7adf63abc12178bf56e5dda7ac4e7b92600dd83",
    "captured/v1.37.2-upload-certs": "3474aabeae2a88870fb62afbd33939f623b0308638bf938b9fe47ed14d1793fc",
    "captured/v1.37.2-upload-certs-skipped": None,
    "captured/v1.37.2-upload-certs-withheld": None,
    "captured/v1.37.2-init-two-tokens": JOINS["captured/v1.37.2-init-two-tokens"]["certificate_key"],
    "captured/v1.37.2-init-verbose-merged": JOINS["captured/v1.37.2-init-verbose-merged"]["certificate_key"],
    "built/v1.14-init": KEY,
}
# Refused input, repeated by kubeadm, with what of it must not be shown.
REFUSALS = {
    "captured/v1.37.2-join-invalid": ["0123456789", "e1b3dbefd37d67e2"],
    "captured/v1.37.2-token-create-invalid": ["0123456789"],
}
ALL = sorted({*JOINS, *KEYS, *REFUSALS})

KLOG = (
    'W0914 21:03:11.517283   14576 endpoint.go:56] [endpoint] WARNING: port specified in controlPlaneEndpoint overrides bindPort',
    "I0914 21:03:11.000001 1234567 token.go:119] [token] creating token",
    'E0914 21:03:12.999999       7 reflector.go:200] "Failed to watch" err="kubeadm join 198.51.100.7:6443 --token aaaaaa.aaaaaaaaaaaaaaaa"',
    "W0914 21:03:13.123456     912 configset.go:78] Warning: No kubeproxy.kubeproxyconfig config is loaded.\nContinuing without it: \\\nmore of the message",
)
PROSE = (
    "",
    'Run "kubeadm init phase upload-certs --upload-certs" to reload certs afterward.',
    "Then use kubeadm join 198.51.100.7:6443 --token aaaaaa.aaaaaaaaaaaaaaaa on each machine.",
    "kubeadm join --discovery-token abcdef.1234567890abcdef 198.51.100.7:6443",
    "kubeadm join <control-plane-host>:<control-plane-port> --token <token> --discovery-token-ca-cert-hash sha256:<hash>",
    "kubeadm join [api-server-endpoint] [flags]",
    "kubeadm join 198.51.100.7:6443 --help",
    "kubeadm join is what the other machines need, see kubeadm join --help",
    "root@cp1:~# kubeadm token create --print-join-command",
    "sha256:" + "d" * 64,
)


def each_line(text: str, change: Callable[[str], str]) -> str:
    return "".join(change(line) for line in text.splitlines(keepends=True))


def between_lines(text: str, insert: Callable[[], str]) -> str:
    return insert() + each_line(text, lambda line: line + insert() if line.endswith("\n") else line)


# How a text is spoilt on its way, each with a source of chance.
MANGLERS: dict[str, Callable[[str, random.Random], str]] = {
    "crlf": lambda text, _: text.replace("\n", "\r\n"),
    "terminal line ends": lambda text, _: text.replace("\n", "\r\r\n"),
    "tabs to 8 spaces": lambda text, _: text.replace("\t", " " * 8),
    "non-breaking spaces": lambda text, chance: "".join(chance.choice(" \u00a0\u202f") if char == " " else char for char in text),
    "indented": lambda text, chance: each_line(text, lambda line: chance.choice(("", "  ", "    ", "\t")) + line),
    "trailing blanks": lambda text, chance: text.replace("\n", chance.choice((" ", "  ", "\t", "\u00a0")) + "\n"),
    "klog": lambda text, chance: between_lines(text, lambda: chance.choice(KLOG) + "\n" if chance.random() < 0.3 else ""),
    "prose": lambda text, chance: between_lines(text, lambda: chance.choice(PROSE) + "\n" if chance.random() < 0.3 else ""),
    "colours": lambda text, chance: each_line(text, lambda line: chance.choice(("", "\x1b[0m", "\x1b[1;32m")) + line),
    "byte order mark": lambda text, _: "\ufeff" + text,
    "no last line end": lambda text, _: text.rstrip("\n"),
}

unhurried = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def mangled(draw: st.DrawFn, names: tuple[str, ...]) -> tuple[str, str]:
    """A fixture's name and its spoilt text."""
    name = draw(st.sampled_from(names))
    text = fixture(name)
    for how in draw(st.lists(st.sampled_from(sorted(MANGLERS)), unique=True)):
        text = MANGLERS[how](text, random.Random(draw(st.integers(0, 2**32))))
    return name, text


def secrets_of(text: str) -> set[str]:
    """What must never be shown, found without the code under test."""
    tokens = set(re.findall(r"\b[a-z0-9]{6}\.([a-z0-9]{16})\b", text))
    keys = set(re.findall(r"(?<!sha256:)\b[0-9a-f]{64}\b", text))
    return tokens | keys | set(re.findall(r"token-secret: (\S+)", text)) | {base64.b64encode(token.encode()).decode() for token in tokens}


def pieces(secrets: set[str]) -> set[str]:
    """Twelve characters of a 16 character secret are too many already."""
    return {secret[start : start + 12] for secret in secrets for start in range(len(secret) - 11)}


def shown(text: str, parts: set[str]) -> set[str]:
    return {part for part in parts if part in text}


def test_every_fixture_has_a_row() -> None:
    assert ALL == sorted(str(path.relative_to(FIXTURES).with_suffix("")) for path in FIXTURES.glob("*/*.txt"))


@pytest.mark.parametrize("name", sorted(JOINS))
def test_join_facts(name: str) -> None:
    assert join_facts(fixture(name)) == JOINS[name]


@pytest.mark.parametrize("name", sorted({*KEYS, *REFUSALS} - set(JOINS)))
def test_text_without_join_command(name: str) -> None:
    assert parse_join(fixture(name)) == []
    with pytest.raises(KubeadmOutputError, match="no `kubeadm join` command") as error:
        join_facts(fixture(name))
    assert not shown(str(error.value), secrets_of(fixture(name)))


@pytest.mark.parametrize("name", sorted(KEYS))
def test_certificate_key(name: str) -> None:
    expected = KEYS[name]
    if expected is None:
        with pytest.raises(KubeadmOutputError, match="no certificate key"):
            certificate_key(fixture(name))
    else:
        assert certificate_key(fixture(name)) == expected


def test_two_certificate_keys_contradict() -> None:
    assert certificate_key(f"{KEY}\n{KEY}\n") == KEY
    with pytest.raises(KubeadmOutputError, match="different certificate keys") as error:
        certificate_key(f"{KEY}\n{LAB_KEY}\n")
    assert not shown(str(error.value), {KEY, LAB_KEY})


def test_commands_keep_their_order() -> None:
    two_tokens = parse_join(fixture("captured/v1.37.2-init-two-tokens"))
    assert [(command["token"], command["control_plane"]) for command in two_tokens] == [
        ("abcdef.0123456789abcdef", True),
        ("abcdef.0123456789abcdef", False),
        ("fedcba.fedcba9876543210", True),
        ("fedcba.fedcba9876543210", False),
    ]


COMMAND = f"kubeadm join api.example.com:6443 --token {TOKEN} --discovery-token-ca-cert-hash sha256:{PIN}"
CONTROL_PLANE = f"{COMMAND} --control-plane --certificate-key {KEY}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{COMMAND}\n{CONTROL_PLANE}", facts("api.example.com:6443", TOKEN, PIN, key=KEY)),
        (f"{CONTROL_PLANE.replace(KEY, '<value withheld>')}\n{CONTROL_PLANE}", facts("api.example.com:6443", TOKEN, PIN, key=KEY)),
        (f"{COMMAND.replace(TOKEN, '<value withheld>')}\n{COMMAND}", facts("api.example.com:6443", TOKEN, PIN)),
        (COMMAND.replace(PIN, PIN.upper()) + f"\n{COMMAND}", facts("api.example.com:6443", TOKEN, PIN)),
        (f"{COMMAND} --discovery-token-ca-cert-hash sha256:{PIN}", facts("api.example.com:6443", TOKEN, PIN)),
        (
            f"{COMMAND} --discovery-token-ca-cert-hash sha256:{OTHER_PIN}\n"
            + COMMAND.replace(PIN, OTHER_PIN)
            + f" --discovery-token-ca-cert-hash sha256:{PIN}",
            facts("api.example.com:6443", TOKEN, PIN, OTHER_PIN),
        ),
        (f"{COMMAND} --discovery-token-ca-cert-hash sha256:{PIN.upper()}", facts("api.example.com:6443", TOKEN, PIN)),
        (f"kubeadm join api.example.com:6443 --token {TOKEN}", facts("api.example.com:6443", TOKEN)),
        (f"{COMMAND}\n--upload-certs is a flag of kubeadm init.", facts("api.example.com:6443", TOKEN, PIN)),
        (f"{COMMAND}{KLOG[0]}", facts("api.example.com:6443", TOKEN, PIN)),
        (
            f"kubeadm join api.example.com:6443 \\\n  --token={TOKEN} \\\n  \\\n  --discovery-token-ca-cert-hash=sha256:{PIN}",
            facts("api.example.com:6443", TOKEN, PIN),
        ),
    ],
)
def test_agreeing_commands(text: str, expected: JoinFacts) -> None:
    assert join_facts(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no `kubeadm join` command in this text. It is empty"),
        (" \n\r\n", "It is empty"),
        ("\n".join(["first", *"abcde", f"--token {TOKEN}"]), "Its last lines are:\nb\nc\nd\ne\n--token zlp0di.<redacted>"),
        ("-----BEGIN PRIVATE KEY-----\n" + f"{TOKEN.partition('.')[2]}\n" * 9, "Its last lines are:\n-----BEGIN PRIVATE KEY-----<redacted>"),
        (COMMAND + "\n" + COMMAND.replace("api.", "other."), "different endpoints api.example.com:6443 and other.example.com:6443"),
        (COMMAND + "\n" + COMMAND.replace(PIN, OTHER_PIN), f"different CA certificate hashes sha256:{PIN} and sha256:{OTHER_PIN}"),
        (COMMAND + "\n" + COMMAND + f" --discovery-token-ca-cert-hash sha256:{OTHER_PIN}", "different CA certificate hashes"),
        (CONTROL_PLANE + "\n" + CONTROL_PLANE.replace(KEY, LAB_KEY), "different certificate keys, not shown here"),
        (COMMAND + " \\\n", "api.example.com:6443 ...` is cut off after a backslash"),
        (COMMAND + " \\\n\n" + COMMAND, "cut off after a backslash"),
        ("kubeadm join api.example.com:6443 \\", "api.example.com:6443 ...` is cut off after a backslash"),
        (COMMAND.replace(TOKEN, TOKEN[:-1]), "value of --token in `kubeadm join api.example.com:6443 ...` is malformed"),
        (COMMAND.replace(TOKEN, TOKEN.upper()), "value of --token"),
        (COMMAND[:-1], "value of --discovery-token-ca-cert-hash"),
        (COMMAND.replace("sha256:", "sha512:"), "value of --discovery-token-ca-cert-hash"),
        (CONTROL_PLANE[:-1], "value of --certificate-key"),
        (f"{COMMAND} --control-plane --certificate-key", "value of --certificate-key"),
        (f"{COMMAND} --control-plane {KEY}", "value of --control-plane"),
        (f"{COMMAND} --node-name {KEY[:40]}", "has the flag --node-name, which kubeadm does not print"),
        (COMMAND.replace(":6443", ""), "endpoint of `kubeadm join api.example.com ...` is not of the form host:port"),
        (COMMAND.replace("api.example.com:6443", TOKEN), "endpoint of `kubeadm join zlp0di.<redacted> ...`"),
        (COMMAND.replace(":6443", ":65536"), "endpoint of"),
        (COMMAND.replace(":6443", ":0"), "endpoint of"),
        (COMMAND.replace("api.example.com", "2001:db8::1"), "endpoint of"),
        (COMMAND.replace("api.example.com", "[2001:db8::zz]"), "endpoint of"),
        (COMMAND.replace("api.example.com", "https://api.example.com"), "endpoint of"),
    ],
)
def test_refused_text(text: str, message: str) -> None:
    with pytest.raises(KubeadmOutputError) as error:
        join_facts(text)
    assert message in str(error.value)
    assert not shown(str(error.value), pieces({TOKEN.partition(".")[2], TOKEN.partition(".")[2].upper(), KEY, LAB_KEY}))


@given(mangled(tuple(sorted(JOINS))))
@unhurried
def test_mangled_output_gives_the_same_facts(case: tuple[str, str]) -> None:
    name, text = case
    assert join_facts(text) == JOINS[name]


@given(mangled(tuple(sorted(name for name, key in KEYS.items() if key))))
@unhurried
def test_mangled_output_gives_the_same_key(case: tuple[str, str]) -> None:
    name, text = case
    assert certificate_key(text) == KEYS[name]


@given(st.sampled_from(sorted(JOINS)), st.sampled_from(KLOG), st.data())
@unhurried
def test_klog_record_within_a_line(name: str, record: str, data: st.DataObject) -> None:
    text = fixture(name)
    at = data.draw(st.integers(0, len(text)))
    # The rest of a message of several lines cannot be told from output within a line.
    assert join_facts(f"{text[:at]}{record.splitlines()[0]}\n{text[at:]}") == JOINS[name]


def cut(text: str, data: st.DataObject) -> str:
    return text[: data.draw(st.integers(0, len(text)))]


def lose_lines(text: str, data: st.DataObject) -> str:
    lines = text.splitlines(keepends=True)
    losses = data.draw(st.lists(st.booleans(), min_size=len(lines), max_size=len(lines)))
    return "".join(line for line, lost in zip(lines, losses) if not lost)


@given(st.sampled_from(ALL), st.sampled_from((cut, lose_lines)), st.sampled_from((join_facts, certificate_key)), st.data())
@unhurried
def test_damaged_output_betrays_nothing(
    name: str, damage: Callable[[str, st.DataObject], str], parse: Callable[[str], object], data: st.DataObject
) -> None:
    text = fixture(name)
    try:
        parse(damage(text, data))
    except KubeadmOutputError as error:
        assert not shown(str(error), pieces(secrets_of(text)))


@pytest.mark.parametrize("name", ALL)
def test_redacted_fixture(name: str) -> None:
    text = fixture(name)
    redacted = redact(text)
    assert not shown(redacted, secrets_of(text) | set(REFUSALS.get(name, [])))
    assert redact(redacted) == redacted
    # Nothing else is lost: line by line, what is not redacted is as it was.
    assert text.count("\n") == redacted.count("\n")
    for before, after in zip(text.split("\n"), redacted.split("\n")):
        assert re.fullmatch(".+".join(map(re.escape, after.split("<redacted>"))), before)


@given(mangled(tuple(ALL)))
@unhurried
def test_redacted_mangled_output_keeps_no_secret(case: tuple[str, str]) -> None:
    name, text = case
    secrets = secrets_of(fixture(name)) | set(REFUSALS.get(name, []))
    assert not shown(redact(text), secrets)
    assert not shown(redact(json.dumps(text, ensure_ascii=False)), secrets)
    assert redact(redact(text)) == redact(text)


def pem(kind: str, material: bytes) -> str:
    lines = "\n".join(re.findall(".{1,64}", base64.b64encode(material).decode()))
    return f"-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----\n"


@given(
    st.sampled_from(("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY")),
    st.binary(min_size=120, max_size=1200),
    st.sampled_from(("pem", "json", "cut head", "cut tail", "base64", "kubeconfig")),
)
@unhurried
def test_private_keys_are_redacted(kind: str, material: bytes, form: str) -> None:
    key = pem(kind, material)
    encoded = base64.b64encode(key.encode()).decode()
    body = key.splitlines()[1:-1]
    text = {
        "pem": f"before\n{key}after\n",
        "json": json.dumps({"stdout": f"before\n{key}after\n"}),
        "cut head": "before:\n" + key[60:] + "after\n",
        "cut tail": "before\n" + key[:-40],
        "base64": f"before\nsa.key: {encoded}\nafter\n",
        "kubeconfig": f"before\n    client-key-data: {encoded}\nafter\n",
    }[form]
    redacted = redact(text)
    assert not shown(redacted, {line for line in body if len(line) > 8} | {encoded})
    assert "before" in redacted
    assert form == "cut tail" or "after" in redacted
    assert redact(redacted) == redacted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"[bootstrap-token] Using token: {TOKEN}", "[bootstrap-token] Using token: zlp0di.<redacted>"),
        (f"[bootstrap-token] Using tokens: [{TOKEN} {TOKEN}]", "[bootstrap-token] Using tokens: [zlp0di.<redacted> zlp0di.<redacted>]"),
        (f"[bootstrap-token] Using tokens: [{TOKEN} abcdef.01234", "[bootstrap-token] Using tokens: [zlp0di.<redacted> abcdef.<redacted>"),
        ("--token zlp0di.4q8jw2", "--token zlp0di.<redacted>"),
        (f"--certificate-key={KEY}", "--certificate-key=<redacted>"),
        (f"certificateKey: {KEY[:30]}", "certificateKey: <redacted>"),
        (f'"certificateKey": "{KEY}"', '"certificateKey": "<redacted>"'),
        (f"{KEY}{KEY}", "<redacted>"),
        (f"[upload-certs] Using\n  {KEY[:63]} \n", "[upload-certs] Using\n  <redacted> \n"),
        ("token-secret: MDEyMzQ1Njc4OWFiY2RlZg==", "token-secret: <redacted>"),
        ("{ID:abcdef Secret:0123456789abcdef}", "{ID:abcdef Secret:<redacted>}"),
        ("    token: eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl", "    token: <redacted>"),
        ("Authorization: Bearer 0123456789abcdefghij", "Authorization: Bearer <redacted>"),
        ("    password: hunter2", "    password: <redacted>"),
        ('uses proxy "http://me:hunter2@proxy.example.com:3128"', 'uses proxy "http://me:<redacted>@proxy.example.com:3128"'),
        ('the bootstrap token "ABCDEF.0123456789ABCDEF" was not of the form', 'the bootstrap token "<redacted>" was not of the form'),
        ("data: LS0tLS1CRUdJTiBFQyBQUklWQVRFIEtFWS0tLS0tCk1IY0NBUUVF", "data: <redacted>"),
        ("client-key-data: LS0tLS1CRUdJTiBFQyBQUklWQVRFIEtFWS0tLS0tCk1IY0NBUUVF", "client-key-data: <redacted>"),
    ],
)
def test_redacted_words(text: str, expected: str) -> None:
    assert redact(text) == expected
    assert redact(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        f"--discovery-token-ca-cert-hash sha256:{PIN}",
        f"registry.k8s.io/pause@sha256:{PIN}",
        "certificate-authority-data: " + base64.b64encode(pem("CERTIFICATE", bytes(range(200))).encode()).decode(),
        pem("CERTIFICATE", bytes(range(200))),
        pem("PUBLIC KEY", bytes(range(200))),
        "--token <value withheld> --certificate-key <value withheld>",
        "cannot use --certificate-key without --print-join-command",
        "Please note that the certificate-key gives access to cluster sensitive data, keep it secret!",
        'failed to delete bootstrap token "abcdef": Delete "https://api.lab.test:16443/api/v1/namespaces/kube-system/secrets/bootstrap-token-abcdef"',
        "validatingadmissionpolicies.admissionregistration.k8s.io is forbidden",
        "--service-account-signing-key-file=/etc/kubernetes/pki/sa.key --tls-private-key-file=/etc/kubernetes/pki/apiserver.key",
        "tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token",
        "token: /var/run/secrets/kubernetes.io/serviceaccount/token",
        "  ca.key: null\n  etcd-ca.crt: null\n  sa.key: null\n",
        'Get "https://198.18.64.10:16443/healthz?timeout=10s": dial tcp 198.18.64.10:16443: connect: connection refused',
        'kubeadm version: &version.Info{Major:"1", Minor:"37", GitCommit:"0f5b14d8481524b7aa17cd82d0f6c29ad9e990a2"}',
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("junk", ["a" * 64 + "\n", "abcdef ", "    ", "--", "\\\n", "://x:", "token: [", "-----BEGIN PRIVATE KEY", "eyJ.", "0123456789abcdef"])
def test_redact_is_quick(junk: str) -> None:
    # With --v=10 kubeadm prints some hundred kilobytes. A pattern that goes back and forth over them takes minutes.
    start = time.process_time()
    redact(junk * (200_000 // len(junk)))
    assert time.process_time() - start < 5
