"""What a vendor puts on a device, in good and in bad: real services, started by busybox's init, a web page with a
function that should not be there, and the files that say how. Nothing here knows of an agent.
"""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from login import crypt
from net import DEVICE_LAN, WAN
from place import ROOT, command, need

STANDIN = os.environ.get("KOMAINU_STANDIN") or str(ROOT / "target/debug/standin")
#: What the page tells everybody of the device.
BANNER = "HD-4000 mini_web/1.02"
#: The password that everybody knows.
WEB_USER, WEB_PASSWORD = "admin", "admin"

LIGHTTPD = f"""server.modules = ("mod_auth", "mod_authn_file", "mod_cgi")
server.document-root = "/usr/share/www"
server.port = 80
server.tag = "{BANNER}"
server.pid-file = "/run/lighttpd.pid"
server.upload-dirs = ("/tmp")
index-file.names = ("index.html")
mimetype.assign = (".html" => "text/html")
cgi.assign = (".cgi" => "")
auth.backend = "plain"
auth.backend.plain.userfile = "/etc/web.users"
auth.require = ("/cgi-bin/" => ("method" => "basic", "realm" => "HD-4000", "require" => "valid-user"))
$SERVER["socket"] == "[::]:80" {{ server.set-v6only = "enable" }}
"""
#: What the maker's people in the field use, and nobody else was to find.
TELNET_CGI = """#!/bin/sh
echo "Content-Type: text/plain"
echo
case "$QUERY_STRING" in
telnet=on) /usr/sbin/telnetd -p 23 -l /bin/sh </dev/null >/dev/null 2>&1 && echo "telnet is on" ;;
*) echo "HD-4000 1.02" ;;
esac
"""
#: No key, no `restrict`: it tells anybody everything, as old ones do.
NTP_CONF = "unrestrict default noquery limited\nserver 127.127.1.0\nfudge 127.127.1.0 stratum 10\n"
INETD_CONF = "2323 stream tcp nowait root /usr/sbin/telnetd telnetd -i -l /bin/sh\n"
MINIUPNPD_CONF = """ext_ifname=eth1
listening_ip=br0
listening_ip=eth1
http_port=5000
enable_natpmp=no
enable_upnp=yes
secure_mode=no
system_uptime=no
lease_file=/run/upnp.leases
uuid=00000000-0000-4000-8000-000000000000
allow 0-65535 0.0.0.0/0 0-65535
upnp_table_name=vendor_upnp
upnp_nat_table_name=vendor_upnp
upnp_forward_chain=forward
upnp_nat_chain=prerouting
upnp_nat_postrouting_chain=postrouting
"""

#: A line of inittab by the name of the service.
LINES = {
    "web": "::respawn:/usr/sbin/lighttpd -D -f /etc/lighttpd.conf",
    "ssh": "::respawn:/usr/sbin/dropbear -F -E -r /etc/dropbear.key -p 22 -P /run/dropbear.pid",
    "names": "::respawn:/usr/sbin/dnsmasq --keep-in-foreground --conf-file=/etc/dnsmasq.conf",
    "time": "::respawn:/usr/sbin/ntpd -n -c /etc/ntp.conf",
    "telnet": "::respawn:/usr/sbin/telnetd -F -p 23 -l /bin/sh",
    "odd telnet": "::respawn:/usr/sbin/telnetd -F -p 50023 -l /bin/sh",
    "inetd": "::respawn:/usr/sbin/inetd -i /etc/inetd.conf",
    "upnp": "::respawn:/usr/sbin/miniupnpd -d -f /etc/miniupnpd.conf",
    "unknown": "::respawn:/usr/sbin/standin listen 30303",
}
#: An open resolver on every address, by IPv4 and IPv6, that also gives addresses to the LAN.
DNSMASQ_CONF = f"""user=root
no-resolv
no-hosts
no-ping
pid-file=
log-facility=/dev/null
dhcp-leasefile=/run/leases
dhcp-range=192.168.1.100,192.168.1.150,1h
interface=br0
address=/#/{WAN[4]}
address=/#/{WAN[6]}
"""
OPEN_RESOLVER = "\n".join(line for line in DNSMASQ_CONF.splitlines() if not line.startswith("interface=")) + "\n"
NEEDS = {"web": ("lighttpd", "lighttpd"), "ssh": ("dropbear", "dropbear-bin"), "names": ("dnsmasq", "dnsmasq-base"),
         "time": ("ntpd", "ntpsec"), "inetd": ("inetd", "openbsd-inetd"), "upnp": ("miniupnpd", "miniupnpd")}


@dataclass
class Firmware:
    """What is on the device. `services` are names of LINES; `more_etc` are files of /etc by name."""

    services: tuple = ("web", "names")
    #: Who logs in at the page with what.
    web_password: str = WEB_PASSWORD
    open_resolver: bool = False
    #: Lines of passwd and of shadow besides root's.
    accounts: tuple = ()
    more_etc: dict = field(default_factory=dict)
    #: Policies of the maker, by kind; none: those that the project brings.
    policies: Path = ROOT / "agent/dist/policies"

    def build(self, folder, agent):
        """Writes the files that lie in front of /usr: the agent among the firmware's programs, where no one can write
        it."""
        for service in self.services:
            if service in NEEDS:
                need(*NEEDS[service])
        own = folder / "firmware"
        for one in ("sbin", "share/www/cgi-bin", "share/komainu"):
            (own / one).mkdir(parents=True)
        shutil.copy(agent, own / "sbin/komainu")
        assert os.access(STANDIN, os.X_OK), f"there is no {STANDIN}: cargo build -p komainu-tests"
        shutil.copy(STANDIN, own / "sbin/standin")
        (own / "sbin/telnetd").symlink_to("../bin/busybox")
        (own / "share/www/index.html").write_text("the vendor's page\n")
        cgi = own / "share/www/cgi-bin/service.cgi"
        cgi.write_text(TELNET_CGI)
        cgi.chmod(0o755)
        if self.policies.is_dir():
            shutil.copytree(self.policies, own / "share/komainu/policies")
        return own

    def write_etc(self, etc, default):
        """Writes /etc; root's password is the one that it was shipped with."""
        lines = ["::sysinit:/bin/busybox hostname -F /etc/hostname", *(LINES[name] for name in self.services)]
        users = [("root", f"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
                  f"root:{crypt(default, '$5$shipped$')}:19000:0:99999:7:::\nnobody:*:19000::::::\n")]
        users += [("", passwd, shadow) for passwd, shadow in self.accounts]
        files = {
            "passwd": "".join(passwd for _, passwd, _ in users),
            "shadow": "".join(shadow for _, _, shadow in users),
            "group": "root:x:0:\nnogroup:x:65534:\n",
            "shells": "/bin/sh\n",
            "hostname": "device\n",
            "resolv.conf": f"nameserver {DEVICE_LAN[4]}\n",
            "inittab": "\n".join(lines) + "\n",
            "web.users": f"{WEB_USER}:{self.web_password}\n",
            "lighttpd.conf": LIGHTTPD,
            "dnsmasq.conf": OPEN_RESOLVER if self.open_resolver else DNSMASQ_CONF,
            "ntp.conf": NTP_CONF,
            "miniupnpd.conf": MINIUPNPD_CONF,
            **self.more_etc,
        }
        if "inetd" in self.services:
            files.setdefault("inetd.conf", INETD_CONF)
        for name, text in files.items():
            file = etc / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        (etc / "shadow").chmod(0o600)
        if "ssh" in self.services:
            command(need("dropbearkey", "dropbear-bin"), "-t", "ed25519", "-f", etc / "dropbear.key")
