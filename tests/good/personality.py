"""What makes a kind of device: its files, what it starts, what its maker allows. Each file here is of our own words, after
how the firmware projects of the field are built.
"""

from dataclasses import dataclass, field

from login import crypt
from net import DEVICE_WAN, WAN

#: What every device's start sets: a careful maker does not leave it to the wall.
NUMBERS = """for one in /proc/sys/net/ipv4/conf/*; do echo 0 > $one/accept_redirects; done
for one in /proc/sys/net/ipv6/conf/*; do echo 0 > $one/accept_redirects; done
echo 0 > /proc/sys/net/ipv4/conf/all/accept_source_route
"""
#: What a client of DHCP runs: the address, the way out and the name server are the network's.
LEASED = f"""#!/bin/sh
case "$1" in
bound|renew)
    ip address replace "$ip/$mask" dev "$interface"
    [ -z "$router" ] || ip route replace default via "$router" dev "$interface"
    for one in $dns; do echo "nameserver $one"; done > /etc/resolv.conf.new
    mv /etc/resolv.conf.new /etc/resolv.conf
    echo "$1" >> /run/leased
    ;;
esac
exit 0
"""
#: For the LAN: names and addresses.
NAMES = f"""user=root
no-ping
no-hosts
resolv-file=/etc/resolv.conf
address=/host.example/{WAN[4]}
interface=br0
except-interface=eth1
bind-dynamic
pid-file=
log-facility=/dev/null
dhcp-leasefile=/tmp/dhcp.leases
dhcp-range=192.168.1.100,192.168.1.150,1h
"""
PAGES = """server.modules = ("mod_cgi")
server.document-root = "/usr/share/www"
server.port = 80
server.pid-file = "/run/lighttpd.pid"
server.upload-dirs = ("/tmp")
index-file.names = ("index.html")
mimetype.assign = (".html" => "text/html")
$SERVER["socket"] == "[::]:80" { server.set-v6only = "enable" }
"""
DHCP_CLIENT = "/sbin/udhcpc -f -i eth1 -S -s /usr/share/udhcpc/default.script -t 30 -T 1 -A 1"


def accounts(default):
    """Root with the password that it was shipped with, and who has none."""
    return {
        "passwd": "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
                  "nobody:x:65534:65534:nobody:/:/bin/false\n",
        "shadow": f"root:{crypt(default, '$5$shipped$')}:19000:0:99999:7:::\ndaemon:*:19000::::::\nnobody:*:19000::::::\n",
        "group": "root:x:0:\ndaemon:x:1:\nnogroup:x:65534:\n",
        "shells": "/bin/sh\n",
        "hosts": "127.0.0.1 localhost\n192.168.1.1 device\n",
        "hostname": "device\n",
        "resolv.conf": f"nameserver {WAN[4]}\n",
    }


@dataclass
class Personality:
    """One kind of good device."""

    name: str
    #: The kind's policy that its maker chose.
    kind: str
    #: How its storage is laid out (board.py).
    layout: str
    #: Files of the firmware by name below its root; those that begin with `#!` can be run.
    files: object
    #: Words of what must always run.
    runs: tuple
    #: The year, as events by name.
    events: tuple
    #: Rows of the maker's lists besides the policy: the table, and its keys.
    services: tuple = ()
    #: Keys of [wall] and of [gate] besides.
    wall: dict = field(default_factory=dict)
    gate: dict = field(default_factory=dict)
    init: str = "/bin/busybox init"
    #: Programs are started from /tmp.
    exec_tmp: bool = False
    #: Where else the wall could edit.
    places: tuple = ()
    #: Links of the firmware: name and where they lead.
    links: tuple = ()
    #: The address that the network gives it: where a client adds it beside the one that the network of tests has.
    leased: str = DEVICE_WAN[4]
    #: What else is to be made of the image's folder.
    more: object = None

    def finish(self, device):
        """What files alone cannot say."""
        if self.more:
            self.more(device)
        for name, target in self.links:
            link = device.own / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(target)


def allows(program, *listens, **more):
    """A row of what may listen."""
    named = {"program": program} if program else {}
    return "service", {**named, "listens": list(listens), **more}

