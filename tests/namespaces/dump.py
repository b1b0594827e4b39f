"""What tcpdump sees on a link: every packet that tells a stranger that a device is there, from power-on."""

import signal
import subprocess

from place import command, need, wait_until

#: What a device says that is nobody's answer to a question about it: finding addresses on its own link (ARP, neighbour
#: and router discovery, who listens to which group).
NOT_LINK_ONLY = "ip or (ip6 and (tcp or udp or (ip6[6] == 58 and (ip6[40] < 130 or ip6[40] > 137) and ip6[40] != 143)))"


class Dump:
    """A running tcpdump in a namespace: what comes from these Ethernet addresses."""

    def __init__(self, net, name, link, source):
        self.file = net.place.path(f"{name}-{link}.pcap")
        words = (need("tcpdump", "tcpdump"), "-n", "-U", "--immediate-mode", "-Z", "root", "-i", link, "-w", self.file,
                 f"ether src {source} and ({NOT_LINK_ONLY})")
        self.process = net.start(name, *words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE)
        wait_until(lambda: b"listening on" in self.process.stderr.readline(), "tcpdump listens")

    def packets(self):
        """Ends it; a line for each packet."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(10)
        self.process.stderr.close()
        return command("tcpdump", "-n", "-r", self.file).stdout.splitlines()
