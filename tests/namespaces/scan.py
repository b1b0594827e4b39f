"""What the WAN finds of a device: nmap over every port, and a host that never stops knocking."""

import concurrent.futures
import re
import socket
import threading
import time

from gate import UDP_PORTS
from net import DEVICE_WAN
from place import need, wait_until


#: Fast, and where packets are lost because the machine has other work, again and again; no scan is broken off.
SPEED = ("-n", "-Pn", "-T4", "--min-rate", "20000", "--max-retries", "10", "--host-timeout", "0")
SECONDS = 900


def wan_ports(net, version):
    """The ports that are not silent: every TCP port, and UDP by the list. Closed ports count, for they answer."""
    ports = f"T:1-65535,U:{','.join(str(port) for port in UDP_PORTS)}"
    return nmap(net, version, DEVICE_WAN[version], "-sS", "-sU", "-p", ports)


def nmap(net, version, address, *words):
    """Scans from the WAN: the protocol and the number of each port that is not silent."""
    need("nmap", "nmap")
    family = ("-6",) if version == 6 else ()
    said = net.run("wan", "nmap", *family, *SPEED, *words, "-oG", "-", address, seconds=SECONDS).stdout
    assert "Status: Timeout" not in said and "1 host up" in said, said
    return sorted((kind, int(number)) for number, kind in re.findall(r"(\d+)/(?:open|closed)/(tcp|udp)", said))


class Scans:
    """Scans by IPv4 and IPv6 at the same time. With `again` one follows the other until it is asked what they found:
    whatever is done before has been done while a scan was running, however long it took."""

    def __init__(self, net, again=False):
        self._enough = threading.Event()
        if not again:
            self._enough.set()
        self._pool = concurrent.futures.ThreadPoolExecutor()
        net.place.undo.callback(self._pool.shutdown)
        net.place.undo.callback(self._enough.set)
        self._scans = [self._pool.submit(self._scan, net, version) for version in (4, 6)]

    def _scan(self, net, version):
        found = set()
        while True:
            found |= set(wan_ports(net, version))
            if self._enough.is_set():
                return sorted(found)

    def still_run(self):
        return not any(scan.done() for scan in self._scans)

    def found(self):
        self._enough.set()
        return [scan.result() for scan in self._scans]


def wan_sees(net, wanted):
    """Waits until scans by both have found these ports: what one has not heard, the next one hears."""
    seen = [set(), set()]

    def sees():
        for ports, found in zip(seen, Scans(net).found()):
            ports |= set(found)
        return all(wanted <= ports for ports in seen)

    wait_until(sees, f"this test sees open ports: {sorted(wanted)}", SECONDS)


class Knocker(threading.Thread):
    """Asks a UDP and a TCP service of the device in turn, from the WAN, as fast as answers come or do not."""

    def __init__(self, net, version, udp_port, tcp_port):
        super().__init__(daemon=True)
        self.net, self.version = net, version
        address = DEVICE_WAN[version]
        self.there = {socket.SOCK_DGRAM: (address, udp_port), socket.SOCK_STREAM: (address, tcp_port)}
        self.knocks = self.answers = 0
        #: When the last knock was made that was answered.
        self.answered = 0.0
        self.end = threading.Event()
        net.place.undo.callback(self.join)
        net.place.undo.callback(self.end.set)
        self.start()

    def run(self):
        with self.net.inside("wan"):
            while not self.end.is_set():
                for kind, there in self.there.items():
                    self._knock(kind, there)

    def _knock(self, kind, there):
        family = socket.AF_INET if self.version == 4 else socket.AF_INET6
        with socket.socket(family, kind) as one:
            one.settimeout(0.02)
            began = time.monotonic()
            self.knocks += 1
            try:
                one.connect(there)
                one.send(b"?")
                one.recv(100)
            except (TimeoutError, BlockingIOError):
                return
            except OSError:
                # A refusal is an answer too.
                pass
            self.answers += 1
            self.answered = began
