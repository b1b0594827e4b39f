"""A gateway as a maker builds one on Debian: its resolver, its clock of jobs, its packages, SSH for the owner, and a daemon
that tells neighbours of it."""

import year
from login import by_ssh
from gate import PASSWORD
from net import DEVICE_LAN, WAN
from personality import NUMBERS, PAGES, Personality, accounts, allows
from place import command, need, wait_until

RC = """#!/bin/sh
# Starts what the links of a level name, in their order.
level=$1
for one in /etc/rc$level.d/S*; do
    [ -x "$one" ] && "$one" start
done
"""
SCRIPT = """#!/bin/sh
### BEGIN INIT INFO
# Provides:          {name}
# Required-Start:    $network
# Default-Start:     2
### END INIT INFO
NAME={name}
DAEMON={program}
[ -x "$DAEMON" ] || exit 0
[ -r /etc/default/$NAME ] && . /etc/default/$NAME
case "$1" in
start) {before}start-stop-daemon --start --background --make-pidfile --quiet --pidfile /run/$NAME.pid --exec "$DAEMON" -- {words} ;;
stop) start-stop-daemon --stop --quiet --oknodo --retry 5 --pidfile /run/$NAME.pid ;;
restart|force-reload) "$0" stop; "$0" start ;;
status) [ -e /run/$NAME.pid ] ;;
*) echo "Usage: $0 {{start|stop|restart|force-reload|status}}"; exit 1 ;;
esac
exit 0
"""
UNBOUND = f"""server:
    interface: 0.0.0.0
    interface: ::0
    access-control: 192.168.1.0/24 allow
    access-control: 2001:db8:2::/64 allow
    username: ""
    chroot: ""
    directory: "/etc/unbound"
    pidfile: "/run/unbound.pid"
    use-syslog: no
    logfile: "/var/log/unbound.log"
    do-daemonize: no
    module-config: "iterator"
    local-data: "host.example. A {WAN[4]}"
forward-zone:
    name: "."
    forward-addr: {WAN[4]}
remote-control:
    control-enable: no
"""
ADDRESSES = """port=0
user=root
no-ping
interface=br0
bind-dynamic
pid-file=
log-facility=/dev/null
dhcp-leasefile=/var/lib/misc/dnsmasq.leases
dhcp-range=192.168.1.100,192.168.1.150,1h
"""
LOGROTATE = """/var/log/unbound.log {
    size 1
    rotate 2
    compress
    missingok
    postrotate
        kill -HUP $(cat /run/unbound.pid) 2>/dev/null || true
    endscript
}
"""
CRONTAB = """SHELL=/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin
* * * * * root date >> /run/cron-ran; /usr/sbin/logrotate -s /var/lib/logrotate.status /etc/logrotate.conf
"""
CONTROL = """Package: {name}
Version: {version}
Architecture: all
Maintainer: Maker <maker@example.net>
Description: a package of the maker's
"""
DAEMONS = (
    ("unbound", "/usr/sbin/unbound", "-d -c /etc/unbound/unbound.conf", ""),
    ("dnsmasq", "/usr/sbin/dnsmasq", "--keep-in-foreground --conf-file=/etc/dnsmasq.conf", ""),
    ("cron", "/usr/sbin/cron", "-f", ""),
    ("dropbear", "/usr/sbin/dropbear", "-F -E -r /etc/dropbear/key -p 192.168.1.1:22 -P /run/dropbear-own.pid",
     "[ -s /etc/dropbear/key ] || dropbearkey -t ed25519 -f /etc/dropbear/key >/dev/null 2>&1; "),
    ("lldpd", "/usr/sbin/lldpd", "-d", "mkdir -p /run/lldpd; "),
    ("lighttpd", "/usr/sbin/lighttpd", "-D -f /etc/lighttpd.conf", ""),
    ("dhclient", "/sbin/dhclient", "-d -4 -lf /var/lib/dhcp/eth1.leases -pf /run/dhclient-own.pid eth1", ""),
)


def files(default):
    users = accounts(default)
    users["passwd"] += "_lldpd:x:104:65534::/run/lldpd:/usr/sbin/nologin\n"
    users["group"] += "_lldpd:x:104:\nadm:x:4:\ncrontab:x:105:\n"
    users["shadow"] += "_lldpd:!:19000::::::\n"
    return {
        **{f"etc/{name}": text for name, text in users.items()},
        "etc/inittab": "::sysinit:/bin/busybox hostname -F /etc/hostname\n::sysinit:/bin/sh /etc/numbers.sh\n"
                       "::wait:/etc/init.d/rc 2\n",
        "etc/init.d/rc": RC,
        "etc/numbers.sh": NUMBERS,
        **{f"etc/init.d/{name}": SCRIPT.format(name=name, program=program, words=words, before=before)
           for name, program, words, before in DAEMONS},
        "etc/default/dropbear": "NO_START=0\nDROPBEAR_PORT=22\n",
        "etc/default/lldpd": "DAEMON_ARGS=\"\"\n",
        "etc/unbound/unbound.conf": UNBOUND,
        "etc/dnsmasq.conf": ADDRESSES,
        "etc/lighttpd.conf": PAGES,
        "etc/logrotate.conf": LOGROTATE,
        "etc/fstab": "",
        "etc/crontab": CRONTAB,
        "etc/dhcp/dhclient.conf": "request subnet-mask, broadcast-address, routers, domain-name-servers;\ntimeout 10;\nretry 1;\n"
                                  "initial-interval 1;\n",
        **{f"etc/pam.d/{name}": "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n"
           for name in ("cron", "other")},
        "etc/dropbear/.keep": "",
        **{f"var/lib/dpkg/{name}": "" for name in ("status", "available", "info/format-keep", "updates/.keep", "triggers/File")},
        "var/lib/misc/.keep": "",
        "var/lib/dhcp/.keep": "",
        "var/log/.keep": "",
        "var/spool/cron/crontabs/.keep": "",
        "var/cache/.keep": "",
    }


def owner_logs_in(device):
    """The owner logs in by SSH, as policy allows."""
    wait_until(lambda: by_ssh(device.net, "lan", DEVICE_LAN[4], PASSWORD), "SSH lets the owner in", 30)


def package(device, name, version, contents):
    """A real package, made with Debian's own tools, and installed with them."""
    need("dpkg-deb", "dpkg")
    folder = device.place.path(f"{name}-{version}")
    (folder / "DEBIAN").mkdir(parents=True)
    (folder / "DEBIAN/control").write_text(CONTROL.format(name=name, version=version))
    for path, content in contents.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(0o755 if content[:4] == b"\x7fELF" or content[:2] == b"#!" else 0o644)
    archive = device.place.path(f"{name}-{version}.deb")
    command("dpkg-deb", "--root-owner-group", "--build", folder, archive)
    device.shell(f"dpkg --force-not-root --force-script-chrootless --force-depends --log=/var/log/dpkg.log -i {archive}")


def package_upgrade(device):
    """The resolver's package is upgraded: its program and its settings for turning logs are new, and it is started anew."""
    with open("/usr/sbin/unbound", "rb") as file:
        program = file.read()
    package(device, "unbound", "2", {"usr/sbin/unbound": program, "etc/logrotate.d/unbound": LOGROTATE.encode()})
    device.take_turns()
    device.shell("/etc/init.d/unbound restart")
    year.name_asked(device)
    return ("/etc/logrotate.d/unbound",)


def new_package(device):
    """A package that was not there brings a job of its own."""
    package(device, "statistics", "1", {"usr/bin/statistics": b"#!/bin/sh\ndate >> /var/log/statistics\n",
                                        "etc/cron.d/statistics": b"5 4 * * * root /usr/bin/statistics\n"})
    assert device.shell("dpkg -s statistics | grep -c ^Version").strip() == "1"
    return ("/etc/cron.d/statistics",)


def logs_turn(device):
    """The job of the minute turns the logs, by real logrotate under real cron."""
    year.cron_ran(device)
    wait_until(lambda: device.machine.run("sh", "-c", "ls /var/log/unbound.log.*").returncode == 0, "the log was turned", 90)


GATEWAY = Personality(
    name="gateway",
    kind="router",
    layout="writable",
    leased="203.0.113.9",
    files=files,
    runs=(("/usr/sbin/unbound",), ("/usr/sbin/dnsmasq",), ("/usr/sbin/cron",), ("/usr/sbin/dropbear",), ("/usr/sbin/lighttpd",),
          ("/sbin/dhclient",), ("lldpd: monitor. ",)),
    services=(allows("wireguard-go", "udp/51820"), ("wan_rule", {"what": "vpn", "protocol": "udp", "port": 51820})),
    wall={"ssh": True, "vpn": ["wg0"], "vpn_forwards": ["lan", "wan"], "noexec_mounts": ["/tmp", "/run", "/dev", "/mnt"]},
    links=tuple((f"etc/rc2.d/S{number:02}{name}", f"../init.d/{name}") for number, (name, *_) in enumerate(DAEMONS, 1)),
    events=(
        ("first start", year.first_start),
        ("DHCP lease", year.lease),
        ("owner logs in by SSH", owner_logs_in),
        ("owner changes settings", year.owner_changes(("/etc/unbound/unbound.conf", "# a name for the printer"))),
        ("package upgrade", package_upgrade),
        ("new package", new_package),
        ("VPN comes and goes", year.tunnel),
        ("traffic", year.traffic),
        ("daemons restart", lambda device: device.shell("/etc/init.d/lldpd restart; /etc/init.d/cron restart")),
        ("backup", year.backup),
        ("links go and come", year.link_flap),
        ("logs are turned", logs_turn),
        ("restart", year.restart),
        ("release", year.release(("usr/share/version", "2.0.0\n"))),
    ),
)
