"""What is on the WAN of a whole machine: Debian's dnsmasq gives it an address and names, and Debian's nginx serves the
maker's repository over TLS. And what may be seen on the WAN's cable."""

import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import chains
from firmware import SERVER
from place import command, need, wait_until
from whole_networks import DEVICE_WAN, LAN, MAC, WAN

NGINX = """daemon off;
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 64; }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    default_type application/octet-stream;
    log_format facts '$msec $status $body_bytes_sent $ssl_protocol $uri';
    access_log {folder}/access.log facts;
    server {{ listen {address}:443 ssl; root {root}; ssl_certificate {chain}; ssl_certificate_key {key};
              ssl_protocols TLSv1.3; }}
}}
"""
#: A packet of the machine's on the WAN, by tcpdump's words: what it is. The first that fits counts.
SORTS = (
    ("ARP", r"ethertype ARP"),
    ("DHCP", r"(0\.0\.0\.0|%s)\.68 > \S+\.67: " % re.escape(DEVICE_WAN)),
    ("neighbours and listeners of IPv6", r"ICMP6, (neighbor|multicast listener|router solicitation)"),
    ("names", r"%s\.\d+ > %s\.53: " % (re.escape(DEVICE_WAN), re.escape(WAN))),
    ("updates over TLS", r"%s\.\d+ > %s\.443: " % (re.escape(DEVICE_WAN), re.escape(WAN))),
)
#: Where the machine only routes, a computer's own packets are on the WAN as well.
ROUTED = ("pages for the LAN, routed", r"%s\.\d+ > %s\.443: " % (re.escape(LAN), re.escape(WAN)))


class Internet:
    """The WAN's servers; `root` is the folder that nginx serves."""

    def __init__(self, place, cables, root):
        self.place, self.cables, self.root = place, cables, root
        self.chain = chains.make(place, "internet", host=SERVER)
        self.folder = place.path("internet")
        self.folder.mkdir()

    def start(self):
        """Starts both; they end with the test."""
        config = self.folder / "nginx.conf"
        config.write_text(NGINX.format(folder=self.folder, address=WAN, root=self.root, key=self.chain.key,
                                       chain=self.chain.certificates))
        nginx = self.cables.start("wan", need("nginx", "nginx-light"), "-e", self.folder / "error.log", "-p", self.folder,
                                  "-c", config, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        names = self.cables.start(
            "wan", need("dnsmasq", "dnsmasq-base"), "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
            "--interface=eth0", "--bind-interfaces", f"--dhcp-range={DEVICE_WAN},{DEVICE_WAN},255.255.255.0,12h",
            f"--dhcp-host={MAC['wan']},{DEVICE_WAN}", f"--dhcp-option=option:router,{WAN}",
            f"--dhcp-option=option:dns-server,{WAN}", f"--address=/{SERVER}/{WAN}", f"--local=/{SERVER}/", "--user=root",
            f"--dhcp-leasefile={self.folder}/leases", f"--pid-file={self.folder}/dnsmasq.pid",
            f"--log-facility={self.folder}/dnsmasq.log", "--log-dhcp")
        listens = "ss", "-Hltun"
        wait_until(lambda: f"{WAN}:443" in (said := self.cables.run("wan", *listens).stdout) and ":67" in said,
                   "nginx and dnsmasq listen")
        assert nginx.poll() is None and names.poll() is None

    def requests(self):
        """What nginx was asked for so far: (seconds since the epoch, status, bytes, TLS, path)."""
        log = self.folder / "access.log"
        rows = [line.split(" ", 4) for line in log.read_text().splitlines()] if log.exists() else []
        return [(float(at), int(status), int(length), tls, path) for at, status, length, tls, path in rows]


def seen_of(capture, masquerades=True):
    """The machine's packets on the WAN so far: {sort: how many}, and those of no sort, as tcpdump says them."""
    counts, others, sorts = {}, [], SORTS if masquerades else (*SORTS, ROUTED)
    for line in capture.packets("ether", "src", MAC["wan"]):
        for sort, pattern in sorts:
            if re.search(pattern, line):
                counts[sort] = counts.get(sort, 0) + 1
                break
        else:
            others.append(line)
    return counts, others


def scan(cables, place, where, address, *words):
    """nmap's scan of a machine: {"tcp/80": "open"} of the ports that answered, and how many were tried."""
    report = place.path(f"nmap-{where}.xml")
    command("nsenter", "-t", cables.holders[where], "-n", need("nmap", "nmap"), "-Pn", "-n", "-T4", "--max-retries", "1",
            "--min-rate", "100", "-oX", report, *words, address, seconds=600)
    host = ElementTree.parse(report).getroot().find("host")
    if host is None:
        return {}, 0
    found, tried = {}, 0
    for ports in host.findall("ports"):
        for extra in ports.findall("extraports"):
            tried += int(extra.get("count"))
            if extra.get("state") not in ("filtered", "open|filtered"):
                found[f"{extra.get('count')} ports"] = extra.get("state")
        for port in ports.findall("port"):
            tried += 1
            state = port.find("state").get("state")
            if state not in ("filtered", "open|filtered"):
                found[f"{port.get('protocol')}/{port.get('portid')}"] = state
    return found, tried


def keep(capture, folder, name):
    """Keeps a capture as an artefact."""
    shutil.copy(capture.file, folder / f"{name}.pcap")
