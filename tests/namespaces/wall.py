"""The firewall under test between the three namespaces: one way of telling the kernel, and a vendor's rules beside it."""

import os
import re
import socket

from net import LAN, Net, Services, programs
from place import ROOT, need
from scan import nmap

FIREWALL = os.environ.get("KOMAINU_FIREWALL") or str(ROOT / "target/debug/firewall")
PAGE, NAMES = 8080, 5353
#: What a vendor lets listen, and what attackers ask for.
TCP_PORTS = (22, 23, 80, 443, 554, 2323, 5555, 7547, 8443, 37215, 48101, 49152, 52869)
UDP_PORTS = (17, 19, 53, 69, 111, 123, 137, 161, 389, 520, 1900, 3283, 3702, 5683, 10001, 11211, 37810)
TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM

#: As OpenWrt's own, in short: it accepts what comes from the LAN, and leads somebody's port through to the LAN.
FW4 = """table inet fw4 {{
    set banned {{ type ipv4_addr; elements = {{ 192.0.2.1 }}; }}
    chain input {{
        type filter hook input priority filter; policy accept;
        ip saddr @banned drop
        iifname "br0" accept
        ct state established,related accept
    }}
    chain forward {{
        type filter hook forward priority filter; policy accept;
        iifname "eth1" accept
    }}
    chain dstnat {{
        type nat hook prerouting priority dstnat; policy accept;
        iifname "br0" tcp dport 80 redirect to :81
        iifname "eth1" meta nfproto ipv4 tcp dport 2222 dnat ip to {lan}:22
    }}
}}
"""
IPTABLES = """*mangle
-A FORWARD -o eth1 -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
-A PREROUTING -i br0 -p udp -m udp --dport 5060 -j MARK --set-xmark 0x7/0xffffffff
COMMIT
*filter
:INPUT ACCEPT [0:0]
:vendor - [0:0]
-A INPUT -j vendor
-A vendor -p tcp -m tcp --dport 23 -j ACCEPT
-A FORWARD -i eth1 -j ACCEPT
COMMIT
*nat
-A PREROUTING -i br0 -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 81
-A PREROUTING -i eth1 -p tcp -m tcp --dport 2222 -j DNAT --to-destination {lan}:22
COMMIT
"""


class Wall:
    """`kind` is nft or iptables; further words go to every call of the firewall."""

    def __init__(self, place, kind, *words):
        self.net = Net(place)
        self.kind, self.words = kind, words
        self.path = os.environ["PATH"]
        need("nft", "nftables")
        names = [name + ending for name in ("iptables", "ip6tables") for ending in ("", "-restore", "-save")]
        self.legacy = programs(place, "legacy", *names)
        if kind == "iptables":
            self.path = f"{self.legacy}:{self.path}"
        if kind == "nft":
            self.net.run("device", "nft", "-f", "-", input=FW4.format(lan=LAN[4]))
        else:
            self.net.run("device", self.legacy / "iptables-restore", input=IPTABLES.format(lan=LAN[4]))

    def tell(self, what, *more):
        """Calls the firewall; what it says."""
        words = ("--lan", "br0", "--page", PAGE, "--dns", NAMES, "--backend", self.kind, *self.words)
        if what == "remove":
            words = ("--backend", self.kind)
        environment = {**os.environ, "PATH": self.path}
        return self.net.run("device", FIREWALL, what, *words, *more, env=environment).stdout.strip()

    def put(self, what, *more):
        """Puts the firewall: all of it, and it must hold."""
        said = self.tell(what, *more)
        wanted = {"nft": "Nft [] holds=true", "iptables": "Iptables [] holds=true"}[self.kind]
        assert said == wanted, said

    def holds(self, what, *more):
        return {"true": True, "false": False}[self.tell(f"holds-{what}", *more)]

    def counts(self, what, *more):
        """What was counted, by name, port and protocol; what is 0 is left out."""
        lines = (line.rsplit(" ", 1) for line in self.tell(f"counts-{what}", *more).splitlines())
        return {name: int(packets) for name, packets in lines}

    def vendor(self):
        """The vendor's rules, to the byte, without ours and without counters."""
        if self.kind == "nft":
            return self.net.run("device", "nft", "list", "table", "inet", "fw4").stdout
        rules = self.net.run("device", self.legacy / "iptables-save").stdout
        kept = [line for line in rules.splitlines() if "KOMAINU-" not in line and not line.startswith("#")]
        return re.sub(r"\[\d+:\d+\]", "", "\n".join(kept))

    def all_rules(self):
        """Everything, for the comparison of before and after."""
        said = self.net.run("device", "nft", "list", "ruleset").stdout if self.kind == "nft" else ""
        for name in ("iptables", "ip6tables") if self.kind == "iptables" else ():
            for table in ("filter", "nat", "mangle"):
                said += self.net.run("device", self.legacy / name, "-t", table, "-S").stdout
        return said

    def services(self):
        """What runs on the device: the vendor's, the page and the name server."""
        vendor = Services(self.net, "device", "vendor", TCP_PORTS, UDP_PORTS)
        ours = Services(self.net, "device", "page", tcp=[PAGE]), Services(self.net, "device", "names", udp=[NAMES])
        return vendor, *ours


def scan(net, version, address, ports):
    """The TCP ports that nmap finds not to be silent, from the WAN."""
    return [number for _, number in nmap(net, version, address, "-sS", "-p", ports)]
