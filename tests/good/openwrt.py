"""A router as OpenWrt makes one: a root of two layers, one program that starts and watches all others, settings in
/etc/config, packages that write over the firmware's files, and television, a tunnel and UPnP for the LAN."""

import socket

import year
from net import LAN, SO_RCVBUFFORCE, WAN
from personality import LEASED, NAMES, NUMBERS, PAGES, Personality, accounts, allows
from place import wait_until

#: The first program starts this and nothing else: the scripts in their order, and then what they ordered, again and again.
SUPERVISOR = """#!/bin/sh
# Reads one order a file: the words of a program that must always run.
ORDERS=/tmp/orders
watch() {
    while [ -e "$1" ]; do
        set -- "$1" $(cat "$1")
        file=$1
        shift
        "$@" </dev/null >/dev/null 2>&1
        echo "ended: $*" >> /tmp/supervisor.log
        set -- "$file"
        sleep 1
    done
}
mkdir -p "$ORDERS" /tmp/run /tmp/log /tmp/lib
for one in /etc/rc.d/S*; do
    [ -x "$one" ] && "$one" boot
done
# Orders that come later are taken as well.
while :; do
    for one in "$ORDERS"/*; do
        [ -e "/tmp/watched/${one##*/}" ] && continue
        mkdir -p /tmp/watched && : > "/tmp/watched/${one##*/}"
        watch "$one" &
    done
    sleep 1
done
"""
#: What each script is run by.
COMMON = """#!/bin/sh
script=$1
action=${2:-help}
service_order() { echo "$*" > "/tmp/orders/${script##*/}"; }
service_running() { grep -qs . "/tmp/orders/${script##*/}"; }
enabled() { ls /etc/rc.d/S??${script##*/} >/dev/null 2>&1; }
start() { start_service; }
boot() { start; }
reload() { start; }
. "$script"
case "$action" in
boot|start|reload) "$action" ;;
stop) rm -f "/tmp/orders/${script##*/}" ;;
restart) start_service ;;
enabled) enabled ;;
running) service_running ;;
*) echo "boot start stop restart reload enabled running" ;;
esac
"""
INIT = """#!/bin/sh /etc/rc.common
START={start}
start_service() {{
    {body}
}}
"""
#: As many scripts do: another service is asked whether it is to be started, and nothing is started.
FAILSAFE = """#!/bin/sh /etc/rc.common
START=95
failsafe_shell() {
    telnetd -l /bin/login.sh
}
start_service() {
    [ -f /etc/init.d/telnet ] && /etc/init.d/telnet enabled && logger "telnet is there"
    [ -x /etc/init.d/dropbear ] && /etc/init.d/dropbear enabled && DROPBEAR_DIR=/etc/dropbear
    touch /tmp/run/done
}
"""
#: As a firewall's own tool writes it.
RULES = """table inet fw4 {
    chain input {
        type filter hook input priority filter; policy accept;
        ct state established,related accept
        iifname "br0" accept
        udp dport 68 accept
    }
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        iifname "br0" accept
        iifname "wg*" oifname { "br0", "eth1" } accept
        iifname "eth1" ip daddr 224.0.0.0/4 accept
        jump upnp_forward
    }
    chain upnp_forward { }
    chain srcnat {
        type nat hook postrouting priority srcnat; policy accept;
        jump upnp_postrouting
    }
    chain dstnat {
        type nat hook prerouting priority dstnat; policy accept;
        jump upnp_prerouting
    }
    chain upnp_prerouting { }
    chain upnp_postrouting { }
}
"""
OFFLOAD = """table inet fw4 {
    flowtable ft { hook ingress priority filter; devices = { br0, eth1 }; }
    chain offload {
        type filter hook forward priority filter - 1; policy accept;
        meta l4proto { tcp, udp } flow add @ft
    }
}
"""
#: The network of tests has no address that all the world reaches, and without one the program opens no port.
UPNP = """ext_ifname=eth1
ext_ip=1.2.3.4
listening_ip=br0
http_port=5000
enable_natpmp=no
enable_upnp=yes
secure_mode=yes
system_uptime=yes
lease_file=/tmp/upnp.leases
uuid=00000000-0000-4000-8000-000000000001
allow 1024-65535 192.168.1.0/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
upnp_table_name=fw4
upnp_nat_table_name=fw4
upnp_forward_chain=upnp_forward
upnp_nat_chain=upnp_prerouting
upnp_nat_postrouting_chain=upnp_postrouting
"""
IPTV = f"quickleave\nphyint eth1 upstream ratelimit 0 threshold 1\n    altnet {WAN[4]}/32\nphyint br0 downstream ratelimit 0 threshold 1\n"
GROUP = "239.1.2.3"
PORT = 5000


def files(default):
    def init(start, body):
        return INIT.format(start=start, body=body)

    scripts = {
        "boot": init(10, "sh /etc/sysctl.sh"),
        "firewall": init(19, "nft -f /etc/fw4.nft; nft -f /etc/offload.nft 2>/dev/null; true"),
        "network": init(20, "service_order udhcpc -f -i eth1 -S -s /usr/share/udhcpc/default.script -t 30 -T 1 -A 1"),
        "dnsmasq": init(19, "service_order /usr/sbin/dnsmasq -k -C /etc/dnsmasq.conf"),
        "cron": init(50, "service_order crond -f -c /etc/crontabs -l 5"),
        "uhttpd": init(50, "service_order /usr/sbin/lighttpd -D -f /etc/lighttpd.conf"),
        "igmpproxy": init(60, "service_order /usr/sbin/igmpproxy -n /etc/igmpproxy.conf"),
        "miniupnpd": init(94, "service_order /usr/sbin/miniupnpd -d -f /etc/miniupnpd.conf"),
        "zfailsafe": FAILSAFE,
    }
    return {
        **{f"etc/{name}": text for name, text in accounts(default).items()},
        **{f"etc/init.d/{name}": text for name, text in scripts.items()},
        "etc/inittab": "::sysinit:/bin/busybox hostname -F /etc/hostname\n::respawn:/usr/sbin/supervise\n",
        "etc/rc.common": COMMON,
        "usr/sbin/supervise": SUPERVISOR,
        "etc/sysctl.sh": NUMBERS,
        "etc/fw4.nft": RULES,
        "etc/offload.nft": OFFLOAD,
        "etc/config/network": "config interface 'lan'\n\toption device 'br0'\n",
        "etc/config/dhcp": "config dnsmasq\n",
        "etc/crontabs/root": "* * * * * date >> /tmp/run/cron-ran; date >> /run/cron-ran\n",
        "etc/dnsmasq.conf": NAMES,
        "etc/lighttpd.conf": PAGES,
        "etc/igmpproxy.conf": IPTV,
        "etc/miniupnpd.conf": UPNP,
        "etc/profile": "install_helper() { wget -O /tmp/x \"$1\"; sh /tmp/x; }\n",
        "usr/share/udhcpc/default.script": LEASED,
    }


def television(device, packets=300):
    """A host of the LAN joins a group, and each picture from the WAN arrives."""
    net = device.net
    taker = net.socket("lan", 4, socket.SOCK_DGRAM, port=PORT)
    with net.inside("lan"):
        index = socket.if_nametoindex("eth0")
    taker.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
    taker.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                     socket.inet_aton(GROUP) + bytes(4) + index.to_bytes(4, "little"))
    with net.inside("wan"):
        index = socket.if_nametoindex("eth0")
    sender = net.socket("wan", 4, socket.SOCK_DGRAM)
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, bytes(8) + index.to_bytes(4, "little"))
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 8)
    def comes():
        sender.sendto(b"?", (GROUP, PORT))
        net.settle()
        return year.drained(taker) > 0

    wait_until(comes, "the group is joined", 30)
    for number in range(packets):
        sender.sendto(number.to_bytes(4, "big") + bytes(1300), (GROUP, PORT))
    net.settle()
    came = year.drained(taker)
    taker.close()
    sender.close()
    assert came == packets, f"{packets - came} of {packets} pictures were lost"


def subscriptions(device, count=24):
    """A host of the LAN asks to be told by UPnP, at ports where bots knock and nobody answers; and it opens a port for
    itself as games do."""
    net = device.net
    for number in range(count):
        asker = net.connection("lan", 4, ("192.168.1.1", 5000))
        port = (23, 2323, 37215, 52869)[number % 4]
        asker.sendall(f"SUBSCRIBE /evt/IPConn HTTP/1.1\r\nHost: 192.168.1.1:5000\r\nCALLBACK: <http://{LAN[4]}:{port}/>\r\n"
                      "NT: upnp:event\r\nTIMEOUT: Second-1800\r\nConnection: close\r\n\r\n".encode())
        asker.recv(500)
        asker.close()
    body = ('<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle='
            '"http://schemas.xmlsoap.org/soap/encoding/"><s:Body><u:AddPortMapping xmlns:u="urn:schemas-upnp-org:service:'
            'WANIPConnection:1"><NewRemoteHost></NewRemoteHost><NewExternalPort>27015</NewExternalPort><NewProtocol>UDP'
            f'</NewProtocol><NewInternalPort>27015</NewInternalPort><NewInternalClient>{LAN[4]}</NewInternalClient>'
            '<NewEnabled>1</NewEnabled><NewPortMappingDescription>game</NewPortMappingDescription><NewLeaseDuration>3600'
            '</NewLeaseDuration></u:AddPortMapping></s:Body></s:Envelope>')
    asker = net.connection("lan", 4, ("192.168.1.1", 5000))
    asker.settimeout(10)
    asker.sendall((f"POST /ctl/IPConn HTTP/1.1\r\nHost: 192.168.1.1:5000\r\nContent-Type: text/xml\r\nSOAPAction: "
                   '"urn:schemas-upnp-org:service:WANIPConnection:1#AddPortMapping"\r\nConnection: close\r\n'
                   f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
    said = asker.recv(4000).decode()
    asker.close()
    return () if "200" in said.split("\r\n")[0] else _fail(f"no mapping: {said[-400:]}")


def _fail(why):
    raise AssertionError(why)


def package_upgrade(device):
    """The package manager writes a new name server over the firmware's, and it is started again."""
    device.shell("cp /usr/sbin/dnsmasq /tmp/new && printf 'x' >> /tmp/new && mv /tmp/new /usr/sbin/.dnsmasq.new && "
                 "mv /usr/sbin/.dnsmasq.new /usr/sbin/dnsmasq && printf '\\nmin-port=4096\\n' >> /etc/dnsmasq.conf && "
                 "mkdir -p /usr/lib/packages && printf 'Package: dnsmasq\\nVersion: 2\\n' > /usr/lib/packages/dnsmasq.control")
    year.daemons_restart("/usr/sbin/dnsmasq")(device)
    year.name_asked(device)
    return ("/etc/dnsmasq.conf",)


def new_package(device):
    """The package manager brings a program that the firmware has not, with a script that starts it."""
    device.shell("cp /usr/bin/busybox /usr/bin/busybox-stats && printf '#!/bin/sh /etc/rc.common\\nSTART=96\\nstart_service() "
                 "{\\n    service_order /usr/bin/busybox-stats sleep 100000\\n}\\n' > /etc/init.d/stats && "
                 "chmod 755 /etc/init.d/stats && ln -s ../init.d/stats /etc/rc.d/S96stats && /etc/init.d/stats start")
    wait_until(lambda: device.machine.runs("/usr/bin/busybox-stats"), "the package's program runs", 30)
    return ("/etc/init.d/stats", "/etc/rc.d/S96stats")


LINKS = (
    *((f"etc/rc.d/S{start}{name}", f"../init.d/{name}") for start, name in (
        (10, "boot"), (18, "firewall"), (19, "dnsmasq"), (20, "network"), (50, "cron"), (51, "uhttpd"), (60, "igmpproxy"),
        (94, "miniupnpd"), (95, "zfailsafe"))),
    ("usr/sbin/udhcpc", "../bin/busybox"), ("usr/sbin/crond", "../bin/busybox"),
)
OPENWRT = Personality(
    name="openwrt",
    kind="router",
    layout="overlay",
    files=files,
    runs=(("/usr/sbin/dnsmasq",), ("/usr/sbin/lighttpd",), ("udhcpc",), ("crond",), ("/usr/sbin/igmpproxy",),
          ("/usr/sbin/miniupnpd",)),
    services=(allows("wireguard-go", "udp/51820"), allows("miniupnpd", "udp/1900", "tcp/5000"),
              ("wan_rule", {"what": "vpn", "protocol": "udp", "port": 51820})),
    wall={"multicast": True, "vpn": ["wg0"], "vpn_forwards": ["lan", "wan"], "upnp_leases": "/tmp/upnp.leases",
          "programs": ["/usr/bin/busybox-stats"]},
    links=LINKS,
    events=(
        ("first start", year.first_start),
        ("DHCP lease", year.lease),
        ("owner changes settings", year.owner_changes(("/etc/config/network", "config interface guest"),
                                                      ("/etc/dnsmasq.conf", "address=/printer.lan/192.168.1.9"))),
        ("VPN comes and goes", year.tunnel),
        ("traffic", year.traffic),
        ("television", television),
        ("UPnP subscriptions", subscriptions),
        ("package upgrade", package_upgrade),
        ("new package", new_package),
        ("daemons restart", year.daemons_restart("/usr/sbin/miniupnpd", "/usr/sbin/lighttpd")),
        ("backup", year.backup),
        ("links go and come", year.link_flap),
        ("restart", year.restart),
        ("cron", year.cron_ran),
        ("release", year.release(("etc/banner", "2.0.0\n"), ("usr/sbin/helper", "#!/bin/sh\nexit 0\n"))),
    ),
)
