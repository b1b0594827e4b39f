"""A camera as they are sold: a start script with the factory's functions in it, an application that is unpacked into memory
and bound to a processor, pictures by RTSP and RTP, and a page that asks who is there."""

import socket

import year
from net import DEVICE_LAN, LAN, SO_RCVBUFFORCE, WAN
from personality import LEASED, NUMBERS, Personality, accounts, allows

RCS = """#!/bin/sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
[ -r /etc/default/factory ] && . /etc/default/factory
# The factory's test: a card with this file was never seen by an owner.
factory_test() {
    telnetd -p 9527 -l /bin/sh
    tftp -g -r test.sh 192.168.1.2 && sh test.sh
}
check_card() {
    [ -d /mnt/card ] || return 0
    ls /mnt/card > /run/card
}
. /etc/numbers.sh
check_card
mkdir -p /tmp/app
tar -xf /usr/share/app.tar -C /tmp/app
cat > /tmp/app/start.sh <<'END'
#!/bin/sh
cd /tmp/app
while :; do taskset 1 ./webd -D -f /etc/webd.conf -m /usr/lib/lighttpd; sleep 1; done &
while :; do taskset 1 rtsp-server-perl -c 554 -s 5545; sleep 1; done &
END
sh /tmp/app/start.sh </dev/null >/dev/null 2>&1
( while :; do udhcpc -f -i eth1 -S -s /usr/share/udhcpc/default.script -t 30 -T 1 -A 1; sleep 1; done ) </dev/null >/dev/null 2>&1 &
( while :; do crond -f -c /etc/crontabs; sleep 1; done ) </dev/null >/dev/null 2>&1 &
"""
WEBD = """server.modules = ("mod_auth", "mod_authn_file", "mod_cgi")
server.document-root = "/usr/share/www"
server.port = 80
server.upload-dirs = ("/tmp")
index-file.names = ("index.html")
mimetype.assign = (".html" => "text/html")
auth.backend = "htpasswd"
auth.backend.htpasswd.userfile = "/etc/web.users"
auth.require = ("/onvif/" => ("method" => "basic", "realm" => "camera", "require" => "valid-user"),
                "/snapshot" => ("method" => "basic", "realm" => "camera", "require" => "valid-user"),
                "/cgi-bin/" => ("method" => "basic", "realm" => "camera", "require" => "valid-user"))
"""
#: Packets of pictures, so many a second, as an encoder sends them.
RTP = """#!/usr/bin/perl
use IO::Socket::INET;
use Time::HiRes qw(time sleep);
my ($to, $count, $rate) = @ARGV;
my $out = IO::Socket::INET->new(Proto => "udp", PeerAddr => $to) or die;
my $began = time;
for my $number (0 .. $count - 1) {
    $out->send(pack("CCnNN", 0x80, 96, $number & 0xffff, $number * 90, 7) . ("\\0" x 1200));
    my $ahead = $began + $number / $rate - time;
    sleep $ahead if $ahead > 0.005;
}
"""


def files(default):
    return {
        **{f"etc/{name}": text for name, text in accounts(default).items()},
        "etc/inittab": "::sysinit:/bin/busybox hostname -F /etc/hostname\n::sysinit:/etc/init.d/rcS\n",
        "etc/init.d/rcS": RCS,
        "etc/numbers.sh": NUMBERS,
        "etc/default/factory": "FACTORY_TEST=0\n",
        "etc/webd.conf": WEBD,
        # Of the owner's choice, which no list has.
        "etc/web.users": "owner:$apr1$q7r0xk3f$U0hYxPlmT4zqYlqk3Vw4x.\n",
        "etc/crontabs/root": "* * * * * date >> /run/cron-ran\n",
        "usr/sbin/rtp-send": RTP,
        "usr/share/udhcpc/default.script": LEASED,
        "usr/share/www/onvif/device_service": "<GetDeviceInformationResponse/>\n",
    }


def finish(device):
    """The application in its archive: a real program under the application's name."""
    year.archive(device, "usr/share/app.tar", {"webd": "/usr/sbin/lighttpd"})


def pictures(device, packets=3000, rate=1000):
    """A viewer in the LAN, and one in the WAN, get each packet."""
    for where, address in (("lan", LAN[4]), ("wan", WAN[4])):
        taker = device.net.socket(where, 4, socket.SOCK_DGRAM, port=5600)
        taker.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 26)
        done = device.machine.run("/usr/sbin/rtp-send", f"{address}:5600", packets, rate)
        assert done.returncode == 0, done.stderr
        device.net.settle()
        came = year.drained(taker)
        taker.close()
        assert came == packets, f"{packets - came} of {packets} packets to the {where} were lost"


def viewer_asks(device):
    """A recorder in the LAN finds the camera's page, which asks who is there, and its pictures."""
    asker = device.net.connection("lan", 4, (DEVICE_LAN[4], 80))
    asker.sendall(b"GET /onvif/device_service HTTP/1.0\r\n\r\n")
    asker.settimeout(10)
    assert b"401" in asker.recv(100)
    asker.close()
    asker = device.net.connection("lan", 4, (DEVICE_LAN[4], 554))
    asker.sendall(b"OPTIONS rtsp://192.168.1.1/ch0 RTSP/1.0\r\nCSeq: 1\r\n\r\n")
    asker.settimeout(10)
    assert asker.recv(100).startswith(b"RTSP/1.0")
    asker.close()


def application_restarts(device):
    """The application is unpacked anew over itself and started again, as its own update does."""
    device.shell("tar -xf /usr/share/app.tar -C /tmp/app --unlink-first 2>/dev/null || { rm -f /tmp/app/webd; "
                 "tar -xf /usr/share/app.tar -C /tmp/app; }")
    device.take_turns()
    year.daemons_restart("./webd")(device)


CAMERA = Personality(
    name="camera",
    kind="camera",
    layout="plain",
    exec_tmp=True,
    files=files,
    more=finish,
    runs=(("./webd",), ("udhcpc",), ("crond",), ("/bin/rtsp-server-perl",)),
    services=(allows("webd", "tcp/80"), allows("", "tcp/554", "tcp/5545", public=True)),
    wall={"programs": ["/tmp/app/"], "noexec_mounts": ["/var", "/run", "/dev", "/mnt"],
          "web_credentials": ["/etc/web.users"]},
    links=(("usr/sbin/udhcpc", "../bin/busybox"), ("usr/sbin/crond", "../bin/busybox")),
    events=(
        ("first start", year.first_start),
        ("DHCP lease", year.lease),
        ("owner changes settings", year.owner_changes(("/etc/webd.conf", "# night mode on"))),
        ("recorder asks", viewer_asks),
        ("pictures", pictures),
        ("application restarts", application_restarts),
        ("backup", year.backup),
        ("links go and come", year.link_flap),
        ("cron", year.cron_ran),
        ("restart", year.restart),
        ("release", year.release(("usr/share/version", "2.0.0\n"))),
    ),
)
