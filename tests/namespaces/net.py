"""Three network namespaces in a row, WAN - device - LAN, and sockets in any of them from this one process.

Each namespace belongs to a process that dies with this one, however this one ends: nothing is ever left behind.
"""

import contextlib
import ctypes
import os
import select
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

from place import PATIENCE, command, need, need_root, wait_until

CLONE_NEWNET = 0x40000000
SO_RCVBUFFORCE = 33
MARK = 0x6B6F6D61
#: Addresses by place; the device has one on each side.
WAN = {4: "203.0.113.2", 6: "2001:db8:1::2"}
DEVICE_WAN = {4: "203.0.113.1", 6: "2001:db8:1::1"}
DEVICE_LAN = {4: "192.168.1.1", 6: "2001:db8:2::1"}
LAN = {4: "192.168.1.20", 6: "2001:db8:2::20"}
#: Somewhere else, where nobody is.
ELSEWHERE = {4: "198.51.100.7", 6: "2001:db8:9::7"}
LENGTH = {4: 24, 6: 64}
DIE_WITH_US = ("setpriv", "--pdeathsig", "KILL")

libc = ctypes.CDLL(None, use_errno=True)


class Net:
    """The device's WAN link is eth1, its LAN link br0; the others have an eth0 each."""

    def __init__(self, place):
        need_root("network namespaces")
        need("ip", "iproute2")
        need("nsenter", "util-linux")
        self.place = place
        self.holders = {name: self._namespace() for name in ("wan", "device", "lan")}
        self._link("wan", "eth0", WAN, "eth1", DEVICE_WAN)
        self._link("lan", "eth0", LAN, "br0", DEVICE_LAN)
        self.markers = Markers(self)
        for version in (4, 6):
            for name, gateway in (("wan", DEVICE_WAN), ("lan", DEVICE_LAN), ("device", WAN)):
                self.run(name, "ip", f"-{version}", "route", "add", "default", "via", gateway[version])
        self.run("device", "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")

    def _namespace(self):
        ours = os.readlink("/proc/self/ns/net")
        holder = subprocess.Popen([*DIE_WITH_US, "unshare", "--net", "sleep", "infinity"])
        self.place.undo.callback(holder.wait)
        self.place.undo.callback(holder.kill)
        wait_until(lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != ours, "a namespace of its own")
        command("nsenter", "-t", holder.pid, "-n", "ip", "link", "set", "lo", "up")
        return holder.pid

    def _link(self, one, one_name, one_has, device_name, device_has):
        """A cable between one and the device."""
        self.run(one, "ip", "link", "add", one_name, "type", "veth", "peer", "name", device_name,
                 "netns", self.holders["device"])
        for name, link, addresses in ((one, one_name, one_has), ("device", device_name, device_has)):
            # Addresses are good at once: nobody else can have them. And no kernel asks for a router in the midst of a
            # test that counts packets.
            self.run(name, "sysctl", "-qw", f"net.ipv6.conf.{link}.accept_dad=0",
                     f"net.ipv6.conf.{link}.router_solicitations=0")
            for version, address in addresses.items():
                self.run(name, "ip", f"-{version}", "address", "add", f"{address}/{LENGTH[version]}", "dev", link)
        self.run("device", "ip", "link", "set", device_name, "up")
        self.run(one, "ip", "link", "set", one_name, "up")
        wait_until(lambda: "state UP" in self.run(one, "ip", "link", "show", one_name).stdout, f"{one_name} is up")

    def run(self, name, *words, **more):
        """Runs a program in a namespace, which must succeed."""
        return command("nsenter", "-t", self.holders[name], "-n", *words, **more)

    def start(self, name, *words, **more):
        """Starts a program in a namespace; it ends with the test."""
        words = [*DIE_WITH_US, "nsenter", "-t", self.holders[name], "-n", *words]
        process = subprocess.Popen([str(word) for word in words], **more)
        self.place.undo.callback(process.wait)
        self.place.undo.callback(process.kill)
        return process

    @contextlib.contextmanager
    def inside(self, name):
        """What this thread makes in here is in that namespace."""
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        there = os.open(f"/proc/{self.holders[name]}/ns/net", os.O_RDONLY)
        try:
            enter(there)
            yield
        finally:
            enter(home)
            os.close(there)
            os.close(home)

    def socket(self, name, version, kind, mark=0, port=0, family=None):
        """A socket in a namespace, until the test ends. It waits a second for what may never come."""
        with self.inside(name):
            made = socket.socket(family or (socket.AF_INET if version == 4 else socket.AF_INET6), kind)
        self.place.undo.callback(made.close)
        made.settimeout(1)
        if version == 6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if mark:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        if port:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(("0.0.0.0" if version == 4 else "::", port))
        return made

    def connection(self, name, version, to):
        """A connection to a service, until the test ends. It waits a second for what may never come."""
        made = self.socket(name, version, socket.SOCK_STREAM)
        made.settimeout(PATIENCE)
        made.connect(to)
        made.settimeout(1)
        return made

    def settle(self):
        """Returns once every packet that was sent before has come to its end."""
        self.markers.settle()

    def hears(self, name, version, kind, to, mark=0):
        """What a service answers that must answer something: silence is asked again, as a packet may be lost, or its
        answer late, beside other work. Any other answer counts at once."""
        deadline = time.monotonic() + PATIENCE / 4
        while True:
            said = self.says(name, version, kind, to, mark)
            if said is not None or time.monotonic() > deadline:
                return said

    def says(self, name, version, kind, to, mark=0):
        """What a service answers: its text, "refused", "forbidden" or None for silence, of a second."""
        asker = self.socket(name, version, kind, mark)
        try:
            asker.connect(to)
            asker.send(b"?")
            return asker.recv(100).decode() or "closed"
        except (ConnectionRefusedError, ConnectionResetError):
            return "refused"
        except PermissionError:
            return "forbidden"
        except (TimeoutError, OSError):
            return None
        finally:
            asker.close()

    def echoes_in_the_end(self, name, version, address):
        """Whether an echo request is answered, of some: one may be lost, or its answer late, beside other work."""
        return any(self.echoes(name, version, address) for _ in range(20))

    def echoes(self, name, version, address):
        """Whether an echo request is answered, within a second."""
        kind, request, reply = (
            (socket.IPPROTO_ICMP, b"\x08\0\xf7\xfe\0\1\0\0", 0) if version == 4
            else (socket.IPPROTO_ICMPV6, b"\x80\0\0\0\0\1\0\0", 129)
        )
        with self.inside(name):
            asker = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_RAW, kind)
        with asker:
            asker.settimeout(1)
            asker.sendto(request, (address, 0))
            with contextlib.suppress(TimeoutError):
                while True:
                    packet, (sender, *_) = asker.recvfrom(2000)
                    if sender == address and packet[20 if version == 4 else 0] == reply:
                        return True
            return False


class Markers:
    """Packets that nothing but this test sends or takes, past every firewall. The kernel handles packets in turn, those
    of each processor by themselves: where a marker of every processor has arrived, all before it has as well."""

    #: For experiments, by IEEE.
    PROTOCOL = 0x88B5
    ENDS = (("wan", "eth0"), ("device", "eth1"), ("lan", "eth0"), ("device", "br0"))
    #: A packet goes over two links, its answer over two more; and one is asked for an address before.
    HOPS = 6

    def __init__(self, net):
        self.sockets = [self._socket(net, *end) for end in self.ENDS]
        self.number = 0

    def _socket(self, net, name, link):
        with net.inside(name):
            made = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(self.PROTOCOL))
            made.bind((link, self.PROTOCOL))
        net.place.undo.callback(made.close)
        made.settimeout(1)
        return made

    def settle(self):
        processors = os.sched_getaffinity(0)
        try:
            for _ in range(self.HOPS):
                for sender, taker in ((0, 1), (1, 0), (2, 3), (3, 2)):
                    self._round(sender, taker, processors)
        finally:
            os.sched_setaffinity(0, processors)

    def _round(self, sender, taker, processors):
        deadline = time.monotonic() + PATIENCE
        missing = {}
        for processor in processors:
            self._send(sender, processor, missing)
        while missing:
            try:
                missing.pop(int.from_bytes(self.sockets[taker].recv(100)[:8], "big"), None)
            except OSError as why:
                # Where too many packets wait, a marker is lost as any other is; and a link was down in between.
                assert time.monotonic() < deadline, f"no marker arrives at {self.ENDS[taker]}: {why}"
                lost, missing = set(missing.values()), {}
                for processor in lost:
                    self._send(sender, processor, missing)

    def _send(self, sender, processor, missing):
        # Of this thread only.
        os.sched_setaffinity(0, {processor})
        self.number += 1
        missing[self.number] = processor
        link = self.ENDS[sender][1]
        self.sockets[sender].sendto(self.number.to_bytes(8, "big"), (link, self.PROTOCOL, 0, 0, b"\xff" * 6))


class Services(threading.Thread):
    """Answers each datagram, and each line on a connection, with `text`, at many ports of both IP versions."""

    def __init__(self, net, name, text, tcp=(), udp=()):
        super().__init__(daemon=True)
        self.text = text.encode()
        self.poll = select.epoll()
        self.open = {}
        self.count = 0
        self.end = threading.Event()
        for version in (4, 6):
            for kind, ports in ((socket.SOCK_STREAM, tcp), (socket.SOCK_DGRAM, udp)):
                for port in ports:
                    made = net.socket(name, version, kind, port=port)
                    if kind == socket.SOCK_STREAM:
                        made.listen(100)
                    self._watch(made)
        net.place.undo.callback(self.join)
        net.place.undo.callback(self.end.set)
        self.start()

    def _watch(self, one):
        one.setblocking(False)
        self.open[one.fileno()] = one
        self.poll.register(one.fileno(), select.EPOLLIN)

    def run(self):
        while not self.end.is_set():
            for number, _ in self.poll.poll(0.1):
                with contextlib.suppress(OSError):
                    self._answer(self.open[number])
        for one in self.open.values():
            one.close()

    def _answer(self, one):
        if one.type == socket.SOCK_DGRAM:
            _, who = one.recvfrom(2000)
            self.count += 1
            one.sendto(self.text, who)
        elif one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            self.count += 1
            self._watch(one.accept()[0])
        elif one.recv(2000):
            one.send(self.text)
        else:
            self.poll.unregister(self.open.pop(one.fileno()))
            one.close()


class Capture:
    """Every packet that a link of a namespace gets from others, from now on."""

    ALL = 0x0003
    OUTGOING = 4
    #: Router and neighbour discovery, and who listens where: not about anything that runs on a device.
    LINK_ONLY = {130, 131, 132, 133, 134, 135, 136, 143}

    def __init__(self, net, name, link):
        self.net = net
        with net.inside(name):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(self.ALL))
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 25)
            self.socket.bind((link, self.ALL))
        self.socket.setblocking(False)
        net.place.undo.callback(self.socket.close)

    def answers(self):
        """All that came, in short: address discovery left out."""
        self.net.settle()
        return self.so_far()

    def so_far(self):
        """The same, of what has been taken in by now: more may be under way."""
        answers = []
        while True:
            try:
                packet, (_, protocol, kind, *_) = self.socket.recvfrom(2000)
            except BlockingIOError:
                return answers
            if kind == self.OUTGOING or protocol not in (0x0800, 0x86DD):
                continue
            if protocol == 0x0800:
                answers.append(f"IPv4 protocol {packet[9]}")
            elif not self._is_link_only(packet):
                answers.append(f"IPv6 next header {packet[6]}: {packet[40:48].hex()}")

    def _is_link_only(self, packet):
        body = packet[40:]
        # Reports of listeners have an option before them.
        following, body = (body[0], body[8:]) if packet[6] == 0 else (packet[6], body)
        return following == socket.IPPROTO_ICMPV6 and body[0] in self.LINK_ONLY


def enter(namespace):
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def dhcp_offer(net, name, link):
    """Asks for an address as a DHCP client does; the address that is offered, or None."""
    asker = net.socket(name, 4, socket.SOCK_DGRAM)
    asker.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, link.encode())
    asker.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    asker.bind(("0.0.0.0", 68))
    broadcast = 0x8000
    head = struct.pack("!BBBBIHH16s16s192s", 1, 1, 6, 0, 0x1234, 0, broadcast, b"", b"\2\0\0\0\0\7", b"")
    discover = head + bytes([99, 130, 83, 99, 53, 1, 1, 255])
    try:
        asker.sendto(discover, ("255.255.255.255", 67))
        return socket.inet_ntoa(asker.recv(2000)[16:20])
    except TimeoutError:
        return None
    finally:
        asker.close()


def programs(place, name, *names):
    """A folder with only these programs of iptables in it, of the kind that needs no nf_tables."""
    place.path(name).mkdir(exist_ok=True)
    multi = Path(need("xtables-legacy-multi", "iptables")).resolve()
    for one in names:
        place.path(f"{name}/{one}").symlink_to(multi)
    return place.path(name)
