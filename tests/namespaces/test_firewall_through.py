"""What passes through an open device by policy (IPTV, tunnels of a VPN), with the field's own programs, and that
nothing passes any more once the gate closes or the device is cut off: not past the rules either."""

import contextlib
import os
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

from net import DEVICE_LAN, DEVICE_WAN, LAN, WAN, Capture, Services
from place import PATIENCE, command, need, tests, wait_until
from wall import TCP, UDP, Wall

BACKENDS = [("nft", "nft"), ("iptables", "iptables")]
CUT = (("closed", ()), ("open", ("--contained", "yes")))
#: As OpenWrt's firewall forwards with "software flow offloading": what is known goes past all rules from then on.
OFFLOAD = """table inet accelerator {
    flowtable fast { hook ingress priority filter; devices = { br0, eth1 }; }
    chain forward {
        type filter hook forward priority filter; policy accept;
        meta l4proto { tcp, udp } flow add @fast
    }
}
"""
GROUPS = {4: "239.1.2.3", 6: "ff15::1:2:3"}
SEARCH = "239.255.255.250"


class Talk(threading.Thread):
    """A host of the LAN that sends to one on the WAN without end, by TCP and UDP of one IP version."""

    def __init__(self, net, version):
        super().__init__(daemon=True)
        self.takers = []
        door = net.socket("wan", version, TCP, port=5001)
        door.listen()
        self.senders = [net.connection("lan", version, (WAN[version], 5001)), net.socket("lan", version, UDP)]
        self.takers = [door.accept()[0], net.socket("wan", version, UDP, port=5002)]
        self.senders[1].connect((WAN[version], 5002))
        door.close()
        net.place.undo.callback(self.takers[0].close)
        for one in (*self.senders, *self.takers):
            one.setblocking(False)
        self.end = threading.Event()
        net.place.undo.callback(self.join)
        net.place.undo.callback(self.end.set)
        self.start()

    def run(self):
        # Both ways: only such a connection is one for an accelerator.
        while not self.end.wait(0.002):
            for one in self.senders:
                with contextlib.suppress(OSError):
                    one.send(b"on and on")
            with contextlib.suppress(OSError):
                self.takers[0].send(b"and back")
            with contextlib.suppress(OSError):
                self.takers[1].sendto(b"and back", self.senders[1].getsockname()[:2])

    def heard(self):
        """Bytes that came by each way since the last time."""
        return [self._drain(one) for one in self.takers]

    def _drain(self, one):
        count = 0
        with contextlib.suppress(OSError):
            while True:
                got = len(one.recv(65536))
                count += got
                if got == 0:
                    break
        return count


def tracked(net):
    return net.run("device", "cat", "/proc/net/nf_conntrack").stdout


def connections_through_a_device_that_is_shut_end(place, kind, offloads):
    """With an accelerator they would go on past the rules for ever, and do without the end of connections."""
    wall = Wall(place, kind)
    net = wall.net
    if offloads:
        net.run("device", "nft", "-f", "-", input=OFFLOAD)
    page = Services(net, "device", "page", tcp=[8080])
    for state, more in CUT:
        wall.put("open")
        talks = [Talk(net, version) for version in (4, 6)]
        owner = net.connection("lan", 4, (DEVICE_LAN[4], 8080))
        wait_until(lambda: all(all(talk.heard()) for talk in talks), "all is heard")
        if offloads:
            wait_until(lambda: tracked(net).count("[OFFLOAD]") == 4, "all go past the rules")
            sentence = "connections that an accelerator forwards past the rules go on"
            said = wall.tell(state, "--without", "ending", *more)
            assert said == f'{kind.capitalize()} ["{sentence}"] holds=true', said
            for _ in range(3):
                wait_until(lambda: all(all(talk.heard()) for talk in talks), "this test sees what goes on past the rules")
        wall.put(state, *more)
        net.settle()
        for talk in talks:
            talk.heard()
        # As many turns as it takes an accelerator to look after its connections: it does so once a second.
        until = time.monotonic() + 3
        while time.monotonic() < until:
            net.settle()
            assert [talk.heard() for talk in talks] == [[0, 0], [0, 0]], (state, "something passes")
        assert not [line for line in tracked(net).splitlines() if WAN[4] in line and LAN[4] in line]
        # The owner's own connection is the same as before.
        owner.send(b"?")
        owner.settimeout(PATIENCE)
        assert owner.recv(100) == b"page"
        owner.close()
        for talk in talks:
            talk.end.set()
            talk.join()
            for one in (*talk.senders, *talk.takers):
                one.close()
    assert page.count == len(CUT)


def group_receiver(net, group):
    version = 6 if ":" in group else 4
    made = net.socket("lan", version, UDP, port=6000)
    with net.inside("lan"):
        index = socket.if_nametoindex("eth0")
    if version == 4:
        made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack("=4s4si", socket.inet_aton(group), bytes(4), index))
    else:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, struct.pack("=16si", socket.inet_pton(socket.AF_INET6, group), index))
    made.settimeout(1)
    return made


def send_to_group(net, group, count, port=6000):
    version = 6 if ":" in group else 4
    sender = net.socket("wan", version, UDP)
    with net.inside("wan"):
        index = socket.if_nametoindex("eth0")
    if version == 4:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=4s4si", bytes(4), bytes(4), index))
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 8)
    else:
        sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 8)
    for number in range(count):
        sender.sendto(f"picture {number}".encode(), (group, port))
    sender.close()


def arrive(net, receiver, group, count):
    """How many of the packets to a group come to the LAN."""
    receiver.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            receiver.recv(100)
    send_to_group(net, group, count)
    net.settle()
    came = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            receiver.recv(100)
            came += 1
    return came


def television_comes_to_the_lan_where_policy_wants_it(place, kind):
    """With igmpproxy, as routers have it, and smcroute for IPv6."""
    need("igmpproxy", "igmpproxy")
    need("smcrouted", "smcroute")
    wall = Wall(place, kind)
    net = wall.net
    place.path("igmpproxy.conf").write_text(
        "phyint eth1 upstream ratelimit 0 threshold 1\n    altnet 203.0.113.0/24\n"
        "phyint br0 downstream ratelimit 0 threshold 1\nphyint lo disabled\n")
    place.path("smcroute.conf").write_text(f"mgroup from eth1 group {GROUPS[6]}\nmroute from eth1 group {GROUPS[6]} to br0\n")
    receivers = {version: group_receiver(net, group) for version, group in GROUPS.items()}
    programs = {
        4: ("igmpproxy", "-n", place.path("igmpproxy.conf")),
        6: ("smcrouted", "-n", "-f", place.path("smcroute.conf"), "-u", place.path("smcroute.sock"), "-P", place.path("smcroute.pid")),
    }
    for version, group in GROUPS.items():
        # One at a time: the kernel has one that leads multicast.
        wall.put("open", "--multicast", "yes")
        program = net.start("device", *programs[version], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # The first packets find the way; from then on none is lost.
        wait_until(lambda: arrive(net, receivers[version], group, 1) == 1, f"a way for {group}")
        for state, more, expected in (
            ("open", ("--multicast", "yes"), 20),
            ("open", (), 0),
            ("closed", ("--multicast", "yes"), 0),
            ("open", ("--multicast", "yes", "--contained", "yes"), 0),
            ("open", ("--multicast", "yes"), 20),
        ):
            wall.put(state, *more)
            came = arrive(net, receivers[version], group, 20)
            assert came == expected, (version, state, more, came)
        if version == 4:
            the_provider_is_heard_and_a_search_is_not(net)
        program.kill()
        program.wait()


def the_provider_is_heard_and_a_search_is_not(net):
    # The provider asks who listens, and hears that of the LAN.
    heard = Capture(net, "wan", "eth0")
    query_listeners(net)
    wait_until(lambda: "IPv4 protocol 2" in heard.so_far(), "an answer to the query")
    # What a host would answer to anybody comes to nobody.
    asked = net.socket("lan", 4, UDP, port=1900)
    with net.inside("lan"):
        index = socket.if_nametoindex("eth0")
    asked.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack("=4s4si", socket.inet_aton(SEARCH), bytes(4), index))
    send_to_group(net, SEARCH, 20, 1900)
    net.settle()
    asked.setblocking(False)
    try:
        raise RuntimeError(f"a search from the WAN: {asked.recv(100)}")
    except BlockingIOError:
        pass


def query_listeners(net):
    """The provider's router asks for all groups."""
    with net.inside("wan"):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IGMP)
        index = socket.if_nametoindex("eth0")
    with raw:
        raw.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=4s4si", bytes(4), bytes(4), index))
        raw.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, bytes([0x94, 4, 0, 0]))
        raw.sendto(bytes([0x11, 10, 0xEE, 0xF5]) + bytes(4), ("224.0.0.1", 0))


def a_tunnel_reaches_what_policy_says(place, kind):
    """With WireGuard of the kernel's, where it has one, or as a program."""
    need("wg", "wireguard-tools")
    words = ("--wan-rule", "udp:51820@0.0.0.0/0", "--wan-rule", "udp:51820@::/0", "--vpn", "wgd*",
             "--vpn-service", "tcp:443@443", "--vpn-service", "udp:5000@5100")
    wall = Wall(place, kind)
    net = wall.net
    Services(net, "device", "service", tcp=[22, 443], udp=[53, 5050])
    Services(net, "lan", "lan", tcp=[80])
    how = tunnel(net, place)
    wall.put("open", *words)
    asks = lambda to, port, kind_of=TCP: net.says("wan", 4, kind_of, (to, port))
    hears = lambda to, port, kind_of=TCP: net.hears("wan", 4, kind_of, (to, port))
    assert hears("10.9.0.1", 443) == "service"
    assert hears("10.9.0.1", 5050, UDP) == "service"
    assert net.echoes_in_the_end("wan", 4, "10.9.0.1")
    assert asks("10.9.0.1", 22) is None and asks("10.9.0.1", 53, UDP) is None
    assert asks(LAN[4], 80) is None, "the LAN is not for the tunnel"
    # The same way from the LAN is the LAN's own.
    Services(net, "wan", "far", tcp=[8443])
    assert net.hears("lan", 4, TCP, ("10.9.0.2", 8443)) == "far"
    wall.put("open", *words, "--vpn-to-lan", "yes")
    assert hears(LAN[4], 80) == "lan"
    # To strangers the port says nothing, and nothing else is open.
    heard = Capture(net, "wan", "eth0")
    stranger = net.socket("wan", 4, UDP)
    stranger.connect((DEVICE_WAN[4], 51820))
    stranger.send(bytes(148))
    # The tunnel's own datagrams come to other ports; and what the kernels of both sides say meanwhile is no answer.
    assert "IPv4 protocol 1" not in heard.answers(), "the port is refused aloud"
    stranger.setblocking(False)
    try:
        raise RuntimeError(f"a stranger is answered: {stranger.recv(2000)!r}")
    except BlockingIOError:
        pass
    assert asks(DEVICE_WAN[4], 443) is None
    for state, more in CUT:
        wall.put(state, *words, "--vpn-to-lan", "yes", *more)
        assert asks("10.9.0.1", 443) is None and asks(LAN[4], 80) is None, state
        assert not net.echoes("wan", 4, "10.9.0.1")
    return how


def tunnel(net, place):
    """A tunnel from the WAN's host to the device: 10.9.0.2 to 10.9.0.1, and through it the LAN."""
    how = "the kernel's WireGuard"
    keys, public = {}, {}
    for name in ("device", "wan"):
        keys[name] = place.path(f"key-{name}")
        keys[name].write_text(command("wg", "genkey").stdout)
        public[name] = command("wg", "pubkey", input=keys[name].read_text()).stdout.strip()
    own = os.getpid()
    for name, link in (("device", f"wgd{own}"), ("wan", f"wgw{own}")):
        try:
            net.run(name, "ip", "link", "add", link, "type", "wireguard")
        except AssertionError:
            how = "wireguard-go"
            need("wireguard-go", "wireguard-go")
            net.start(name, "wireguard-go", "-f", link, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait_until(lambda: Path(f"/var/run/wireguard/{link}.sock").exists(), "the tunnel's program")
    net.run("device", "wg", "set", f"wgd{own}", "listen-port", "51820", "private-key", keys["device"],
            "peer", public["wan"], "allowed-ips", "10.9.0.2/32")
    net.run("wan", "wg", "set", f"wgw{own}", "private-key", keys["wan"], "peer", public["device"],
            "endpoint", f"{DEVICE_WAN[4]}:51820", "allowed-ips", f"10.9.0.1/32,{LAN[4]}/32")
    net.run("device", "ip", "address", "add", "10.9.0.1/24", "dev", f"wgd{own}")
    net.run("wan", "ip", "address", "add", "10.9.0.2/24", "dev", f"wgw{own}")
    net.run("device", "ip", "link", "set", f"wgd{own}", "up")
    net.run("wan", "ip", "link", "set", f"wgw{own}", "up")
    net.run("wan", "ip", "route", "add", f"{LAN[4]}/32", "dev", f"wgw{own}")
    return how


def has_flowtables():
    """Whether this kernel forwards past the rules: `KOMAINU_FLOWTABLES` says so where it does, for it cannot be asked
    without changing something. Kernels of cloud machines often do not (NF_FLOW_TABLE, NFT_FLOW_OFFLOAD)."""
    return os.environ.get("KOMAINU_FLOWTABLES") == "1"


tests(connections_through_a_device_that_is_shut_end, "connections_through_a_device_that_is_shut_end_{}", [
    (f"{'past_the_rules' if offloads else 'in_the_rules'}_by_{kind}", kind, offloads)
    for kind in ("nft", "iptables") for offloads in ((False, True) if has_flowtables() else (False,))
])
for sentence, function in (
    ("television_comes_to_the_lan_where_policy_wants_it_by_{}", television_comes_to_the_lan_where_policy_wants_it),
    ("a_tunnel_reaches_what_policy_says_by_{}", a_tunnel_reaches_what_policy_says),
):
    tests(function, sentence, BACKENDS)
