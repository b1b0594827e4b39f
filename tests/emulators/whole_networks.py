"""The two networks of a whole machine: a WAN and a LAN, each a network namespace whose eth0 is the other end of the
machine's cable.

The cable is a tap device that stays when the machine is off, without a carrier, as a cable does. All that leaves the
machine arrives at eth0: a capture there, started before the power, has the first packet.
"""

import fcntl
import os
import signal
import struct
import subprocess
from pathlib import Path

from net import DIE_WITH_US, Net
from place import command, end, need, need_root, wait_until

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
#: What the machine has on each side, and what is there beside it. The machine asks for its WAN address by DHCP.
DEVICE_WAN, WAN = "203.0.113.7", "203.0.113.2"
DEVICE_LAN, LAN = "192.168.1.1", "192.168.1.20"
#: The last bytes of the machine's hardware addresses say which link is which.
MAC = {"lan": "52:54:00:00:01:01", "wan": "52:54:00:00:02:02"}


class Cables(Net):
    """A WAN and a LAN. `run`, `start`, `inside` and `socket` of net.py work in either; there is no namespace "device",
    as that is the machine."""

    def __init__(self, place):
        need_root("network namespaces")
        need("ip", "iproute2")
        self.place = place
        self.holders = {name: self._namespace() for name in ("wan", "lan")}
        for name, address in (("wan", WAN), ("lan", LAN)):
            self.run(name, "ip", "tuntap", "add", "eth0", "mode", "tap")
            # Nothing is said to the machine but by the tests: no kernel looks for a router or joins groups by itself.
            self.run(name, "sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1")
            self.run(name, "ip", "address", "add", f"{address}/24", "dev", "eth0")
            self.run(name, "ip", "link", "set", "eth0", "up")
        self.run("wan", "ip", "route", "add", "192.168.1.0/24", "via", DEVICE_WAN)
        self.run("lan", "ip", "route", "add", "default", "via", DEVICE_LAN)

    def plug(self, name):
        """The machine's end of a cable, for one start: a descriptor for the emulator."""
        with self.inside(name):
            cable = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(cable, TUNSETIFF, struct.pack("16sH22x", b"eth0", IFF_TAP | IFF_NO_PI))
        return cable

    def client(self):
        """The words before a program that runs in the LAN, and asks the machine for names as a client of DHCP does."""
        names = self.place.path("resolv.conf")
        names.write_text(f"nameserver {DEVICE_LAN}\n")
        return (*DIE_WITH_US, "nsenter", "-t", self.holders["lan"], "-n", "unshare", "-m", "sh", "-c",
                'mount --bind "$0" /etc/resolv.conf && exec "$@"', names)

    def popen(self, name, *words, **more):
        """A program in a namespace that the caller ends; it dies with the test whatever happens."""
        words = [*DIE_WITH_US, "nsenter", "-t", self.holders[name], "-n", *words]
        return subprocess.Popen([str(word) for word in words], **more)


class Capture:
    """tcpdump on a cable, from now on, into a file."""

    def __init__(self, cables, name, file):
        self.file = Path(file)
        said = self.file.with_suffix(".said")
        with open(said, "w", encoding="utf-8") as errors:
            self.process = cables.popen(name, need("tcpdump", "tcpdump"), "-i", "eth0", "-n", "-U", "-Z", "root", "-s", "0",
                                        "-w", self.file, stderr=errors)
        cables.place.undo.callback(end, self.process)
        wait_until(lambda: "listening on" in said.read_text(), "tcpdump listens")

    def packets(self, *filter_words):
        """The packets so far that tcpdump's own filter takes, a line each."""
        said = command("tcpdump", "-n", "-e", "-r", self.file, *filter_words).stdout
        return said.splitlines()

    def stop(self):
        """Ends it; the file is whole then."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)
