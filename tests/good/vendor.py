"""A router as many vendors make one: /etc and /var lead into memory, settings are words in a store of their own, one long
script starts all, and a client calls the provider."""

import year
from net import WAN
from personality import LEASED, NAMES, NUMBERS, PAGES, Personality, accounts, allows

#: The first program: it lays what the links of the root lead to, and becomes init.
PREINIT = """#!/bin/sh
mkdir -p /tmp/etc /tmp/var/run /tmp/var/log /tmp/var/lock /tmp/var/lib /tmp/var/spool/cron/crontabs
chmod 755 /tmp/etc /tmp/var
cp -a /usr/share/etc_ro/. /tmp/etc/
for one in passwd shadow; do [ ! -s /nvram/$one ] || cp -a /nvram/$one /tmp/etc/$one; done
exec /bin/busybox init
"""
NVRAM = """#!/bin/sh
# Words of settings, one a line: name=value.
store=/nvram/words
case "$1" in
get) sed -n "s/^$2=//p" "$store" 2>/dev/null | tail -n 1 ;;
set) name=${2%%=*}; { grep -v "^$name=" "$store" 2>/dev/null; echo "$2"; } > "$store.new"; mv "$store.new" "$store" ;;
unset) grep -v "^$2=" "$store" > "$store.new"; mv "$store.new" "$store" ;;
commit) sync "$store" ;;
show) cat "$store" ;;
esac
"""
RC = """#!/bin/sh
. /etc/functions.sh
[ -r /etc/default/dropbear ] && . /etc/default/dropbear
[ -r /etc/default/telnetd ] && . /etc/default/telnetd
hk_cfg_dir=/etc/dropbear
LOCK=/var/lock/sshd
rm -f $LOCK
. /usr/share/numbers.sh
[ -n "$(nvram get lan_ip)" ] || { nvram set lan_ip=192.168.1.1; nvram commit; }
if [ -x /etc/init.d/dropbear ] && sh /etc/init.d/dropbear enabled; then
    mkdir -p $hk_cfg_dir
fi
start_firewall
keep /usr/sbin/dnsmasq -k -C /etc/dnsmasq.conf
keep /usr/sbin/lighttpd -D -f /etc/lighttpd.conf
keep udhcpc -f -i eth1 -S -s /usr/share/udhcpc/default.script -t 30 -T 1 -A 1
echo '* * * * * date >> /run/cron-ran' > /var/spool/cron/crontabs/admin
mv /var/spool/cron/crontabs/admin /var/spool/cron/crontabs/root
keep crond -f -c /var/spool/cron/crontabs
keep /usr/sbin/cwmpd
sh /etc/rc.user </dev/null
echo started > /run/rc
"""
FUNCTIONS = """# Functions of the start.
keep() { ( while :; do "$@" </dev/null >/dev/null 2>&1; sleep 1; done ) & }
start_firewall() {
    nft -f /usr/share/rules.nft
}
# The factory's: nothing of the start calls them.
start_telnet() {
    killall -q telnetd
    telnetd -l /bin/login
}
ate_mode() {
    wget -q -O /tmp/ate.sh http://192.168.1.2/ate.sh && sh /tmp/ate.sh
    start_telnet
}
"""
DROPBEAR = """#!/bin/sh
# Not started: the maker's people have it on the bench.
case "$1" in
enabled) [ "$(nvram get ssh_enable)" = 1 ] ;;
*) exit 1 ;;
esac
"""
RULES = """table ip vendor {
    chain input {
        type filter hook input priority filter; policy accept;
        ct state established,related accept
    }
    chain forward {
        type filter hook forward priority filter; policy accept;
        tcp flags syn tcp option maxseg size set rt mtu
    }
}
"""
#: It tells the provider's server of itself now and then, and waits to be called.
CWMP = f"""#!/usr/bin/perl
use IO::Socket::INET;
use IO::Select;
my $door = IO::Socket::INET->new(LocalPort => 7547, Listen => 5, ReuseAddr => 1) or die;
my $wait = IO::Select->new($door);
for (;;) {{
    my $acs = IO::Socket::INET->new(PeerAddr => "{WAN[4]}:80", Timeout => 2);
    if ($acs) {{
        my $said = "<cwmp:Inform><Event>2 PERIODIC</Event></cwmp:Inform>";
        print $acs "POST /acs HTTP/1.0\\r\\nHost: acs.example\\r\\nContent-Length: " . length($said) . "\\r\\n\\r\\n$said";
        my @answer = <$acs>;
        close $acs;
    }}
    if ($wait->can_read(3)) {{
        my $call = $door->accept;
        print $call "HTTP/1.0 401 Unauthorized\\r\\nWWW-Authenticate: Digest realm=\\"cpe\\"\\r\\nContent-Length: 0\\r\\n\\r\\n";
        close $call;
    }}
}}
"""


def files(default):
    etc = {
        **accounts(default),
        "inittab": "::sysinit:/bin/busybox hostname -F /etc/hostname\n::once:/bin/sh /etc/rc\n::ctrlaltdel:/sbin/reboot\n",
        "rc": RC,
        "functions.sh": FUNCTIONS,
        "rc.user": "# The owner's own lines.\n:\n",
        "init.d/dropbear": DROPBEAR,
        "default/dropbear": "DROPBEAR_PORT=22\n",
        "default/telnetd": "TELNETD_ENABLE=0\n",
        "dnsmasq.conf": NAMES,
        "lighttpd.conf": PAGES,
    }
    return {
        **{f"usr/share/etc_ro/{name}": text for name, text in etc.items()},
        "usr/sbin/preinit": PREINIT,
        "usr/sbin/nvram": NVRAM,
        "usr/sbin/cwmpd": CWMP,
        "usr/share/rules.nft": RULES,
        "usr/share/numbers.sh": NUMBERS,
        "usr/share/udhcpc/default.script": LEASED,
    }


def provider_calls(device):
    """The provider's server calls the device, which asks it who it is."""
    called = device.net.connection("wan", 4, ("203.0.113.1", 7547))
    called.sendall(b"GET /acs HTTP/1.0\r\n\r\n")
    called.settimeout(10)
    said = called.recv(200)
    called.close()
    assert b"401" in said, said


def owner_keeps_words(device):
    """The owner changes settings at the vendor's page, which keeps them in its store."""
    year.owner_logs_in(device)
    device.shell("nvram set wl_ssid=home; nvram set ddns=1; nvram commit; "
                 "echo 'address=/printer.lan/192.168.1.9' >> /etc/dnsmasq.conf")
    return ("/etc/dnsmasq.conf",)


VENDOR = Personality(
    name="vendor",
    kind="router",
    layout="memory",
    init="/usr/sbin/preinit",
    files=files,
    runs=(("/usr/sbin/dnsmasq",), ("/usr/sbin/lighttpd",), ("udhcpc",), ("crond",), ("/usr/sbin/cwmpd",)),
    services=(allows("", "tcp/7547"), ("wan_rule", {"what": "acs", "port": 7547, "from": [f"{WAN[4]}/32"]})),
    links=(("usr/sbin/udhcpc", "../bin/busybox"), ("usr/sbin/crond", "../bin/busybox")),
    events=(
        ("first start", year.first_start),
        ("DHCP lease", year.lease),
        ("owner changes settings", owner_keeps_words),
        ("provider calls", provider_calls),
        ("traffic", year.traffic),
        ("daemons restart", year.daemons_restart("/usr/sbin/dnsmasq", "/usr/sbin/lighttpd")),
        ("backup", year.backup),
        ("links go and come", year.link_flap),
        ("cron", year.cron_ran),
        ("restart", year.restart_from_memory),
        ("release", year.release_into_memory(("usr/share/etc_ro/banner", "2.0.0\n"))),
    ),
)
