"""An access gateway as Buildroot makes one: BusyBox's init, a folder of scripts that are started in their order, and most
daemons BusyBox's own."""

import year
from personality import DHCP_CLIENT, LEASED, NAMES, NUMBERS, PAGES, Personality, accounts, allows

INITTAB = """::sysinit:/bin/busybox mkdir -p /run/lock
::sysinit:/bin/busybox hostname -F /etc/hostname
::sysinit:/etc/init.d/rcS
::shutdown:/etc/init.d/rcK
::ctrlaltdel:/sbin/reboot
"""
EACH = """#!/bin/sh
# Starts all in the order of their names.
for one in /etc/init.d/S??*; do
    [ -f "$one" ] || continue
    case "$one" in
    *.sh) ( set -- {word}; . "$one" ) ;;
    *) "$one" {word} ;;
    esac
done
"""
#: A daemon of its own: started in the background, ended by its number.
SCRIPT = """#!/bin/sh
DAEMON={daemon}
PIDFILE=/run/$DAEMON.pid
[ -r /etc/default/$DAEMON ] && . /etc/default/$DAEMON

start() {{
    printf 'Starting %s: ' "$DAEMON"
    start-stop-daemon -b -m -S -q -p "$PIDFILE" -x {program} -- {words}
    [ $? = 0 ] && echo OK || echo FAIL
}}
stop() {{
    printf 'Stopping %s: ' "$DAEMON"
    start-stop-daemon -K -q -p "$PIDFILE" && rm -f "$PIDFILE" && echo OK
}}
case "$1" in
start|stop) "$1" ;;
restart|reload) stop; sleep 1; start ;;
*) echo "Usage: $0 {{start|stop|restart|reload}}"; exit 1 ;;
esac
"""
#: Names that other scripts of such firmware look for: a place, a question, nothing that is started.
REMOTE = """#!/bin/sh
# For work on the bench only: never called by the firmware.
bench_shell() {
    KEYS=/etc/dropbear
    [ -x /usr/sbin/telnetd ] || return 1
    /usr/sbin/telnetd -l /bin/login
}
[ -e /data/bench ] && touch /run/bench
exit 0
"""


def files(default):
    daemons = (
        ("S01syslogd", "syslogd", "/sbin/syslogd", "-n -O /tmp/messages -S"),
        ("S40udhcpc", "udhcpc", "/sbin/udhcpc", DHCP_CLIENT.split(" ", 1)[1]),
        ("S50crond", "crond", "/usr/sbin/crond", "-f -c /etc/crontabs"),
        ("S60dnsmasq", "dnsmasq", "/usr/sbin/dnsmasq", "--keep-in-foreground --conf-file=/etc/dnsmasq.conf"),
        ("S70lighttpd", "lighttpd", "/usr/sbin/lighttpd", "-D -f /etc/lighttpd.conf"),
        ("S80ntpd", "ntpd", "/usr/sbin/ntpd", "-n -c /etc/ntp.conf"),
    )
    scripts = {f"etc/init.d/{name}": SCRIPT.format(daemon=daemon, program=program, words=words)
               for name, daemon, program, words in daemons}
    return {
        **{f"etc/{name}": text for name, text in accounts(default).items()},
        "etc/inittab": INITTAB,
        "etc/init.d/rcS": EACH.format(word="start"),
        "etc/init.d/rcK": EACH.format(word="stop"),
        "etc/init.d/S00numbers.sh": NUMBERS,
        "etc/init.d/S99bench": REMOTE,
        **scripts,
        "etc/default/ntpd": "NTPD_ARGS=-g\n",
        "etc/crontabs/root": "* * * * * date >> /run/cron-ran\n17 3 * * * /usr/sbin/logrotate /etc/logrotate.conf\n",
        "etc/ntp.conf": "restrict default ignore\nrestrict 127.0.0.1\nserver 203.0.113.2 iburst\n",
        "etc/dnsmasq.conf": NAMES,
        "etc/lighttpd.conf": PAGES,
        "etc/profile": "export PATH=/bin:/sbin:/usr/bin:/usr/sbin\nfetch() { wget -O /tmp/f \"$1\" && sh /tmp/f; }\n",
        "usr/share/udhcpc/default.script": LEASED,
    }


BUILDROOT = Personality(
    name="buildroot",
    kind="router",
    layout="plain",
    files=files,
    runs=(("/usr/sbin/dnsmasq",), ("/usr/sbin/lighttpd",), ("/sbin/syslogd",), ("/usr/sbin/crond",), ("/sbin/udhcpc",),
          ("/usr/sbin/ntpd",)),
    services=(allows("ntpd", "udp/123"),),
    links=tuple((f"usr/{name}", "../bin/busybox") for name in (
        "sbin/syslogd", "sbin/udhcpc", "sbin/crond", "sbin/reboot")),
    events=(
        ("first start", year.first_start),
        ("DHCP lease", year.lease),
        ("owner changes settings", year.owner_changes(("/etc/dnsmasq.conf", "address=/printer.lan/192.168.1.9"))),
        ("traffic", year.traffic),
        ("daemons restart", lambda device: device.shell("/etc/init.d/S60dnsmasq restart")),
        ("backup", year.backup),
        ("links go and come", year.link_flap),
        ("cron", year.cron_ran),
        ("restart", year.restart),
        ("release", year.release(("etc/init.d/S90banner", "#!/bin/sh\necho 2.0.0 > /run/banner\n"))),
    ),
)
