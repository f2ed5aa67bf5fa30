# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask etcd about its members, remove one, and move the leadership, through its JSON gateway: a node needs no etcdctl for that."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Iterable, Mapping, Sequence, TypedDict

from ansible_collections.quorum.kubeadm.plugins.module_utils.api_server import client_context
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Kubectl
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import ADMIN_KUBECONFIG, API_SERVER_MANIFEST, ETCD_MANIFEST, PKI, flag, url_host
from ansible_collections.quorum.kubeadm.plugins.module_utils.ports import ETCD_CLIENTS, ETCD_PEERS

ETCD_PKI = f"{PKI}/etcd"
CLIENT_CERTIFICATE = f"{ETCD_PKI}/healthcheck-client.crt"
CLIENT_KEY = f"{ETCD_PKI}/healthcheck-client.key"
CLIENT_URLS_ANNOTATION = "kubeadm.kubernetes.io/etcd.advertise-client-urls"

# A URL and what to post (None: get), answered by etcd's JSON.
Ask = Callable[[str, "Mapping[str, Any] | None"], Any]


class EtcdError(RuntimeError):
    """etcd did not answer as it should."""


class Status(TypedDict):
    """What a member tells of itself; bytes. None where it does not answer."""

    version: str | None
    db_size: int | None
    """What its database takes on the disk."""
    db_in_use: int | None
    """What of that holds data; the rest a defragmentation gives back."""
    quota: int | None
    """The size from which on it takes no more writes; None before etcd 3.6, which does not tell it, and without a quota."""
    leader: bool


class Member(Status):
    """A member of the etcd cluster."""

    name: str
    id: str
    peer_urls: list[str]
    client_urls: list[str]
    learner: bool
    healthy: bool
    alarms: list[str]
    """NOSPACE or CORRUPT."""


NO_STATUS = Status(version=None, db_size=None, db_in_use=None, quota=None, leader=False)


def asker(root: Path = Path("/"), timeout: float = 3.0) -> Ask:
    """Return what asks etcd, with the certificate that kubeadm made for the health checks on this node."""
    context = client_context(root / ETCD_PKI / "ca.crt", root / CLIENT_CERTIFICATE, root / CLIENT_KEY)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))

    def ask(url: str, body: Mapping[str, Any] | None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        try:
            with opener.open(urllib.request.Request(url, data, {"Content-Type": "application/json"}), timeout=timeout) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise EtcdError(f"{url} answers {error.code}: {error.read(500).decode('utf-8', 'replace').strip()}") from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise EtcdError(f"{url}: {error}") from None

    return ask


def parse_members(answer: Mapping[str, Any]) -> list[Member]:
    """Read the answer to `member list`; a member that never started has no name and no client URL."""
    return sorted(
        (
            Member(
                name=member.get("name", ""),
                id=format(int(member["ID"]), "x"),
                peer_urls=list(member.get("peerURLs", [])),
                client_urls=list(member.get("clientURLs", [])),
                learner=bool(member.get("isLearner", False)),
                healthy=False,
                alarms=[],
                **NO_STATUS,
            )
            for member in answer.get("members", [])
        ),
        key=lambda member: (member["name"], member["id"]),
    )


def parse_status(answer: Mapping[str, Any]) -> Status:
    """Read the answer to `endpoint status` (StatusResponse in api/etcdserverpb/rpc.proto); numbers are texts there, and 0 is left out."""
    return Status(
        version=answer.get("version"),
        db_size=int(answer.get("dbSize", 0)),
        db_in_use=int(answer.get("dbSizeInUse", 0)),
        quota=int(answer.get("dbSizeQuota", 0)) or None,
        leader=bool(answer.get("leader")) and answer["leader"] == answer.get("header", {}).get("member_id"),
    )


def parse_alarms(answer: Mapping[str, Any]) -> dict[str, list[str]]:
    """Read the answer to `alarm list`: the alarms of each member, by its id."""
    alarms: dict[str, list[str]] = {}
    for alarm in answer.get("alarms", []):
        alarms.setdefault(format(int(alarm["memberID"]), "x"), []).append(alarm["alarm"])
    return alarms


def _first_answer(ask: Ask, endpoints: Sequence[str], path: str, body: Mapping[str, Any]) -> Any:
    problems = []
    for endpoint in endpoints:
        try:
            return ask(endpoint.rstrip("/") + path, body)
        except EtcdError as error:
            problems.append(str(error))
    raise EtcdError("; ".join(problems) or "no etcd member is known")


def list_members(ask: Ask, endpoints: Sequence[str]) -> list[Member]:
    """Return the members as the first endpoint that answers knows them, without asking after their health."""
    return parse_members(_first_answer(ask, endpoints, "/v3/cluster/member/list", {}))


def with_health(ask: Ask, members: Iterable[Member]) -> list[Member]:
    """Ask every member for its health, all at once."""

    def healthy(member: Member) -> bool:
        for url in member["client_urls"]:
            try:
                return str(ask(url.rstrip("/") + "/health", None).get("health")).lower() == "true"
            except (EtcdError, AttributeError):
                continue
        return False

    found = list(members)
    with ThreadPoolExecutor(max_workers=8) as side_by_side:
        return [Member({**member, "healthy": health}) for member, health in zip(found, side_by_side.map(healthy, found))]


def status(ask: Ask, endpoints: Sequence[str]) -> Status:
    """Return what the member at these endpoints tells of itself."""
    return parse_status(_first_answer(ask, endpoints, "/v3/maintenance/status", {}))


def with_status(ask: Ask, endpoints: Sequence[str], members: Iterable[Member]) -> list[Member]:
    """Ask every member for its health and its database, all at once, and one of the endpoints for all alarms."""

    def told(member: Member) -> Status:
        try:
            return status(ask, member["client_urls"])
        except EtcdError:
            return NO_STATUS

    found = with_health(ask, members)
    alarms = parse_alarms(_first_answer(ask, endpoints, "/v3/maintenance/alarm", {"action": "GET"}))
    with ThreadPoolExecutor(max_workers=8) as side_by_side:
        return [Member(**{**member, **own, "alarms": alarms.get(member["id"], [])}) for member, own in zip(found, side_by_side.map(told, found))]


def defragment(ask: Ask, endpoints: Sequence[str]) -> None:
    """Let the member at these endpoints write its database anew, without what is not in use. It answers nobody meanwhile, for seconds."""
    _first_answer(ask, endpoints[:1], "/v3/maintenance/defragment", {})


def disarm(ask: Ask, endpoints: Sequence[str], alarm: str) -> bool:
    """Take back an alarm of the member at these endpoints; tell whether it had raised it."""
    answer = _first_answer(ask, endpoints, "/v3/maintenance/alarm", {"action": "GET"})
    own = _first_answer(ask, endpoints, "/v3/maintenance/status", {})["header"]["member_id"]
    if alarm not in parse_alarms(answer).get(format(int(own), "x"), []):
        return False
    _first_answer(ask, endpoints, "/v3/maintenance/alarm", {"action": "DEACTIVATE", "memberID": own, "alarm": alarm})
    return True


def remove(ask: Ask, endpoints: Sequence[str], member: Member) -> None:
    """Remove a member."""
    _first_answer(ask, endpoints, "/v3/cluster/member/remove", {"ID": str(int(member["id"], 16))})


def transfer_leadership(ask: Ask, leader: Member, target: Member) -> None:
    """Let another voter lead. Only the leader itself does so (etcdserver/api/v3rpc/maintenance.go, MoveLeader)."""
    _first_answer(ask, leader["client_urls"], "/v3/maintenance/transfer-leadership", {"targetID": str(int(target["id"], 16))})


def remove_member(ask: Ask, endpoints: Sequence[str], peer_url: str) -> str | None:
    """Remove the member with this peer URL; return its id, or None when there is none."""
    members = list_members(ask, endpoints)
    gone = next((member for member in members if peer_url in member["peer_urls"]), None)
    if gone is None:
        return None
    if len(members) == 1:
        raise EtcdError(f"{peer_url} is the only member of etcd: removing it would end the cluster")
    remove(ask, endpoints, gone)
    return gone["id"]


def local_endpoints(root: Path = Path("/")) -> list[str]:
    """Return where the etcd member of this node is asked; nothing where kubeadm runs none."""
    manifest = root / ETCD_MANIFEST
    if not manifest.exists():
        return []
    return (flag(manifest.read_text(encoding="utf-8"), "advertise-client-urls") or f"https://127.0.0.1:{ETCD_CLIENTS}").split(",")


def dead_members(members: Iterable[Member], name: str | None, address: str | None) -> list[Member]:
    """Return the members of a machine that is gone, by its name or its address; raise EtcdError when one must not be removed."""
    known = list(members)
    peer_url = f"https://{url_host(address)}:{ETCD_PEERS}" if address else None
    gone = [member for member in known if (name and member["name"] == name) or peer_url in member["peer_urls"]]
    for member in gone:
        if member["healthy"]:
            raise EtcdError(
                f"member {member['name']} ({', '.join(member['peer_urls'])}) is healthy: it is no dead machine's. "
                "Remove that node from the cluster in order, or give the new machine another name and address"
            )
    voters = [member for member in known if not member["learner"] and member not in gone]
    healthy = [member for member in voters if member["healthy"]]
    if gone and len(healthy) <= len(voters) // 2:
        missing = ", ".join(f"{member['name'] or member['id']} ({', '.join(member['peer_urls'])})" for member in voters if not member["healthy"])
        raise EtcdError(
            f"without it etcd would have {len(healthy)} healthy of {len(voters)} voting members, and no majority"
            + (f": bring back {missing} first" if missing else "")
        )
    return gone


def client_urls(pods: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the client URLs that kubeadm writes on etcd's pods."""
    urls = []
    for pod in pods:
        urls += [url for url in pod["metadata"].get("annotations", {}).get(CLIENT_URLS_ANNOTATION, "").split(",") if url]
    return urls


def forget_own_member(root: Path, advertise_address: str | None, kubectl: Kubectl, make_asker: Callable[[Path], Ask] = asker) -> str | None:
    """Remove from etcd what a half-done join of this node added; return the member's id, or None when it added nothing.

    kubeadm would take the old member for the new one, and a member whose data are gone stops for good.
    """
    manifest = root / API_SERVER_MANIFEST
    # The address that the join took, not one that was corrected since.
    address = (flag(manifest.read_text(encoding="utf-8"), "advertise-address") if manifest.exists() else None) or advertise_address
    if not address or not (root / CLIENT_CERTIFICATE).exists() or not (root / ADMIN_KUBECONFIG).exists():
        return None  # kubeadm had not come so far as to speak to etcd
    host = url_host(address)
    pods = kubectl.objects("--namespace", "kube-system", "get", "pods", "--selector", "component=etcd,tier=control-plane")
    others = [url for url in client_urls(pods) if url != f"https://{host}:{ETCD_CLIENTS}"]
    ask, peer_url = make_asker(root), f"https://{host}:{ETCD_PEERS}"
    if not (root / ETCD_MANIFEST).exists():
        for member in with_health(ask, (one for one in list_members(ask, others) if peer_url in one["peer_urls"])):
            if member["healthy"]:
                raise EtcdError(
                    f"the member at {peer_url}, {member['name']}, is healthy, and no etcd runs on this node: it is another machine's. "
                    "Correct advertise_address"
                )
    return remove_member(ask, others, peer_url)
