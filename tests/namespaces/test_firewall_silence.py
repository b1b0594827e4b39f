"""What a device may have from its WAN to be on the Internet at all (addresses, from real servers and clients), and that
no stranger there hears a word, whatever is sent."""

import itertools
import socket
import struct
import subprocess

import packets
from net import DEVICE_LAN, DEVICE_WAN, ELSEWHERE, LAN, WAN, Capture, Services
from place import need, tests, wait_until
from wall import TCP, UDP, Wall

BACKENDS = [("nft", "nft"), ("iptables", "iptables")]
ICMP, ICMP6 = 1, 58


def answers_of_dhcp_come_from_any_port(place, kind):
    wall = Wall(place, kind)
    net = wall.net
    link_local = wait_until(lambda: link_locals(net), "addresses of the link")
    for state in ("closed", "open"):
        wall.put(state)
        for version, client, sources in ((4, 68, [67, 1067]), (6, 546, [547, 20547])):
            heard = net.socket("device", version, UDP, port=client)
            for source in sources:
                asker = net.socket("wan", version, UDP, port=source)
                to = (DEVICE_WAN[4], client) if version == 4 else (link_local, client, 0, net_index(net, "wan"))
                asker.sendto(str(source).encode(), to)
                assert heard.recv(100) == str(source).encode(), (state, version, source)
                asker.close()
            if version == 6:
                # No server of the link speaks from afar to an address that routers carry.
                asker = net.socket("wan", 6, UDP, port=1547)
                asker.sendto(b"far", (DEVICE_WAN[6], client))
                net.settle()
                heard.setblocking(False)
                try:
                    raise RuntimeError(f"from afar: {heard.recv(100)}")
                except BlockingIOError:
                    pass
                asker.close()
            heard.close()


def link_locals(net):
    """The device's address of the WAN's link, once it is good."""
    for line in net.run("device", "ip", "-6", "address", "show", "dev", "eth1", "scope", "link").stdout.splitlines():
        words = line.split()
        if words[:1] == ["inet6"] and "tentative" not in words:
            return words[1].split("/")[0]
    return None


def net_index(net, name):
    with net.inside(name):
        return socket.if_nametoindex("eth0")


def an_address_comes_to_an_open_and_a_closed_device(place, kind):
    """Real clients and a real server; its answers come as they do in the field."""
    need("dnsmasq", "dnsmasq-base")
    dhclient = need("dhclient", "isc-dhcp-client")
    busybox = need("busybox", "busybox-static")
    wall = Wall(place, kind)
    net = wall.net
    wait_until(lambda: link_locals(net), "addresses of the link")
    net.start("wan", "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--interface=eth0", "--no-ping",
              "--user=root", "--quiet-dhcp", "--log-facility=/dev/null", f"--dhcp-leasefile={place.path('leases')}",
              "--dhcp-range=203.0.113.100,203.0.113.150,1h", "--dhcp-range=2001:db8:1::100,2001:db8:1::1ff,64,1h",
              "--enable-ra", "--pid-file=", stderr=subprocess.DEVNULL)
    script = place.path("said")
    script.write_text(f'#!/bin/sh\necho "$reason $1 $new_ip_address $new_ip6_address $ip" >>{place.path("heard")}\n')
    script.chmod(0o755)
    for state in ("open", "closed"):
        wall.put(state)
        for words, expected in (
            ((busybox, "udhcpc", "-i", "eth1", "-q", "-n", "-f", "-t", "20", "-T", "1", "-s", script), "bound"),
            ((dhclient, "-4", "-1", "-d", "-sf", script, "-lf", place.path("lease4"), "-pf", place.path("pid4"), "eth1"), "203.0.113.1"),
            ((dhclient, "-6", "-1", "-d", "-sf", script, "-lf", place.path("lease6"), "-pf", place.path("pid6"), "eth1"), "2001:db8:1::1"),
        ):
            place.path("heard").write_text("")
            place.path("lease4").write_text("")
            place.path("lease6").write_text("")
            client = net.start("device", *words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait_until(lambda: expected in place.path("heard").read_text(), f"an address by {words[0]} {words[1]}, {state}")
            client.kill()
            client.wait()


def no_stranger_hears_a_word(place, kind):
    """Everything that a kernel, or a service, would answer: closed ports, unknown protocols and options, ways that
    end, fragments; to the device, to its LAN and to others. Once without a firewall, to see that there are answers."""
    wall = Wall(place, kind)
    net = wall.net
    wall.services()
    # As many errors as there are reasons, and one more reason: the LAN takes less at once.
    net.run("device", "sysctl", "-qw", "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0", "net.ipv4.icmp_msgs_per_sec=10000")
    net.run("device", "ip", "link", "set", "br0", "mtu", "1280")
    answered = heard_of(net)
    for what in ("udp 68", "udp 546", "udp", "closed", "ttl 4", "ttl 6", "back out", "too big", "echo 4", "echo 6",
                 "times and masks", "protocol 4", "protocol 6", "option 6", "route 6", "options 4"):
        assert answered[what], f"this test sees no answer to {what}"
    for state in ("open", "closed"):
        wall.put(state)
        answered = heard_of(net)
        assert not any(answered.values()), (state, answered)
        # Of its own, and of the LAN's connections, errors are told as before.
        if state == "open":
            told = Capture(net, "wan", "eth0")
            inside = net.socket("device", 4, UDP)
            inside.connect((WAN[4], 9))
            inside.send(b"?")
            port = inside.getsockname()[1]
            inside.close()
            back = net.socket("wan", 4, UDP, port=9)
            back.sendto(b"late", (DEVICE_WAN[4], port))
            assert told.answers()[-1] == f"IPv4 protocol {ICMP}", "an error about an answer to the device"


def heard_of(net):
    """The answers to each kind of packet from the WAN."""
    return {name: probe(net, send) for name, send in PROBES.items()}


def probe(net, send):
    heard = Capture(net, "wan", "eth0")
    with net.inside("device"):
        device = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    with device:
        device.bind(("eth1", 0))
        to = device.getsockname()[4]
    with net.inside("wan"):
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        raw.bind(("eth0", 0))
        own = raw.getsockname()[4]
    with raw:
        for version, packet in send():
            head = to + own + (b"\x08\x00" if version == 4 else b"\x86\xdd")
            raw.send(head + packet)
    answers = heard.answers()
    heard.socket.close()
    return answers


def four(target, protocol, body, ttl=64, flags=0, options=b""):
    length = 20 + len(options)
    head = struct.pack("!BBHHHBBH", 0x40 + length // 4, 0, length + len(body), 7, flags, ttl, protocol, 0)
    head += socket.inet_aton(WAN[4]) + socket.inet_aton(target) + options
    return 4, head[:10] + struct.pack("!H", packets.total(head)) + head[12:] + body


def six(target, following, body, hops=64):
    ends = socket.inet_pton(socket.AF_INET6, WAN[6]) + socket.inet_pton(socket.AF_INET6, target)
    return 6, struct.pack("!IHBB", 6 << 28, len(body), following, hops) + ends + body


def datagram(version, target, port, source=67, **more):
    """A datagram with the right sum."""
    whole = packets.packet(version, WAN[version], target, source, port, packets.UDP)
    return four(target, 17, whole[20:], **more) if version == 4 else six(target, 17, whole[40:], **more)


def connection(version, target, port, **more):
    whole = packets.packet(version, WAN[version], target, 4444, port, packets.TCP)
    return four(target, 6, whole[20:], **more) if version == 4 else six(target, 6, whole[40:], **more)


def message(version, target, kind, code=0, rest=8):
    # Each is of a connection of its own: none goes on from before.
    body = struct.pack("!BBHHH", kind, code, 0, next(NUMBERS), 0) + bytes(rest)
    if version == 4:
        return four(target, ICMP, body[:2] + struct.pack("!H", packets.total(body)) + body[4:])
    ends = socket.inet_pton(socket.AF_INET6, WAN[6]) + socket.inet_pton(socket.AF_INET6, target)
    pseudo = ends + struct.pack("!II", len(body), ICMP6)
    return six(target, ICMP6, body[:2] + struct.pack("!H", packets.total(pseudo + body)) + body[4:])


NUMBERS = itertools.count(1)
#: An option before the payload that nobody knows, and that wants to be told of.
ODD_OPTION = bytes([17, 0, 0x9E, 4, 0, 0, 0, 0])
PROBES = {
    "udp 68": lambda: [datagram(4, DEVICE_WAN[4], 68), datagram(4, DEVICE_WAN[4], 68, source=1067)],
    "udp 546": lambda: [datagram(6, DEVICE_WAN[6], 546, source=547), datagram(6, DEVICE_WAN[6], 546)],
    "udp": lambda: [datagram(v, DEVICE_WAN[v], port) for v in (4, 6) for port in (9, 33434, 67, 547)],
    "closed": lambda: [connection(v, DEVICE_WAN[v], 9) for v in (4, 6)],
    "ttl 4": lambda: [datagram(4, LAN[4], 9, ttl=1), datagram(4, ELSEWHERE[4], 9, ttl=1)],
    "ttl 6": lambda: [datagram(6, LAN[6], 9, hops=1), datagram(6, ELSEWHERE[6], 9, hops=1)],
    "back out": lambda: [datagram(v, ELSEWHERE[v], 9) for v in (4, 6)],
    "nobody": lambda: [datagram(4, "192.168.1.77", 9), datagram(6, "2001:db8:2::77", 9)],
    "too big": lambda: [four(LAN[4], 17, bytes(1480), flags=0x4000)],
    "echo 4": lambda: [message(4, to, 8) for to in (DEVICE_WAN[4], DEVICE_LAN[4], "203.0.113.255", "224.0.0.1")],
    "echo 6": lambda: [message(6, to, 128) for to in (DEVICE_WAN[6], "ff02::1", "ff02::2")],
    "times and masks": lambda: [message(4, DEVICE_WAN[4], kind, rest=16) for kind in (10, 13, 15, 17)],
    "names": lambda: [message(6, DEVICE_WAN[6], 139, rest=28)],
    "protocol 4": lambda: [four(DEVICE_WAN[4], number, bytes(32)) for number in (2, 4, 41, 47, 50, 51, 89, 103, 132, 253)],
    "protocol 6": lambda: [six(DEVICE_WAN[6], number, bytes(32)) for number in (4, 41, 47, 50, 89, 103, 132, 253)],
    "option 6": lambda: [six(to, header, ODD_OPTION + packets.packet(6, WAN[6], to, 5, 9, packets.UDP)[40:])
                         for to in (DEVICE_WAN[6], "ff02::1", LAN[6]) for header in (0, 60)],
    "route 6": lambda: [six(DEVICE_WAN[6], 43, bytes([17, 2, kind, 1]) + bytes(20) + bytes(8)) for kind in (0, 2, 4, 99)],
    "options 4": lambda: [four(DEVICE_WAN[4], 17, bytes(8), options=bytes([7, 2, 4, 0]))],
    "groups": lambda: [four("224.0.0.1", 2, bytes([0x11, 100, 0xEE, 0x9B]) + bytes(4)), datagram(4, "239.255.255.250", 1900),
                       datagram(4, "224.0.0.251", 5353), datagram(6, "ff02::fb", 5353)],
    "fragments": lambda: [four(DEVICE_WAN[4], 17, bytes(32), flags=0x2000), six(DEVICE_WAN[6], 44, bytes([17, 0, 0, 1]) + bytes(36))],
}

for sentence, function in (
    ("answers_of_dhcp_come_from_any_port_by_{}", answers_of_dhcp_come_from_any_port),
    ("an_address_comes_to_an_open_and_a_closed_device_by_{}", an_address_comes_to_an_open_and_a_closed_device),
    ("no_stranger_hears_a_word_by_{}", no_stranger_hears_a_word),
):
    tests(function, sentence, BACKENDS)
