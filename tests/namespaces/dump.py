"""What tcpdump sees on a link: every packet that tells a stranger that a device is there, from power-on."""

import socket
import subprocess

from net import DEVICE_WAN
from place import need, wait_until

#: What a device says that is nobody's answer to a question about it: finding addresses on its own link (ARP, neighbour
#: and router discovery, who listens to which group).
NOT_LINK_ONLY = "ip or (ip6 and (tcp or udp or (ip6[6] == 58 and (ip6[40] < 130 or ip6[40] > 137) and ip6[40] != 143)))"
#: What is sent to nobody's port to see that all before it was seen.
LAST = 65535


class Dump:
    """A running tcpdump in a namespace: what comes from this Ethernet address. What the agent asks of its server, of
    which there is none at port 9 (gate.NO_SERVER), is not heard."""

    def __init__(self, net, name, link, source):
        self.file = net.place.path(f"{name}-{link}.pcap")
        words = (need("tcpdump", "tcpdump"), "-n", "-U", "--immediate-mode", "-Z", "root", "-i", link, "-w", self.file,
                 f"(ether src {source} and ({NOT_LINK_ONLY}) and not tcp dst port 9) or udp dst port {LAST}")
        self.net, self.name = net, name
        self.process = net.start(name, *words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE)
        wait_until(lambda: b"listening on" in self.process.stderr.readline(), "tcpdump listens")

    def packets(self):
        """Ends it; a line for each packet until now."""
        self.net.settle()
        asker = self.net.socket(self.name, 4, socket.SOCK_DGRAM)

        def has_seen_all():
            # Sent again, as the first is lost where nobody says whose the address is.
            asker.sendto(b"", (DEVICE_WAN[4], LAST))
            return any(f".{LAST}:" in line for line in self._read())

        wait_until(has_seen_all, "tcpdump has seen all")
        asker.close()
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        return [line for line in self._read() if f".{LAST}:" not in line and "IP" in line]

    def _read(self):
        # While it is written its end may be half a packet.
        return subprocess.run(["tcpdump", "-n", "-r", self.file], capture_output=True, text=True,
                              check=False).stdout.splitlines()
