"""Single packets made by hand, so that their number and their source are the test's own choice; and how many of them
arrive somewhere."""

import socket
import struct

TCP, UDP, ICMP = 6, 17, 1
SYN = 0x02


def send(net, name, source, target, port, count=1, protocol=TCP):
    """Sends packets from a namespace, by a raw socket, with this source, whoever has it."""
    version = 6 if ":" in source else 4
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    with net.inside(name):
        raw = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        for number in range(count):
            raw.sendto(packet(version, source, target, 1025 + number, port, protocol), (target, 0))


def packet(version, source, target, from_port, port, protocol):
    """A SYN, a datagram or an echo request, with right sums."""
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    ends = socket.inet_pton(family, source) + socket.inet_pton(family, target)
    number = 58 if protocol == ICMP and version == 6 else protocol
    if protocol == TCP:
        body, at = struct.pack("!HHIIBBHHH", from_port, port, from_port, 0, 5 << 4, SYN, 1024, 0, 0), 16
    elif protocol == UDP:
        body, at = struct.pack("!HHHH", from_port, port, 9, 0) + b"?", 6
    else:
        body, at = struct.pack("!BBHHH", 8 if version == 4 else 128, 0, 0, from_port, 1), 2
    pseudo = b"" if number == ICMP else ends + struct.pack("!II", len(body), number)
    body = body[:at] + struct.pack("!H", total(pseudo + body)) + body[at + 2:]
    if version == 6:
        return struct.pack("!IHBB", 6 << 28, len(body), number, 64) + ends + body
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), from_port, 0, 64, number, 0) + ends
    return head[:10] + struct.pack("!H", total(head)) + head[12:] + body


def total(data):
    """The Internet's checksum."""
    data += b"\0" * (len(data) % 2)
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return ~value & 0xFFFF
