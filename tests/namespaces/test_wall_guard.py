"""Settings that only the owner changes, changed by somebody who is in the device: undone, or told. And names that are
made to break who reads them."""

import time

from firmware import Firmware
from internet import Internet
from matrix import attacked
from place import test, wait_until
from walled import SECONDS, Walled, need_wall

#: As those did who were watched after they had logged in at the pages of devices: file of /etc, and what is added.
CHANGES = (
    ("resolv.conf", "nameserver 198.51.100.66\n", "another name server"),
    ("dnsmasq.conf", "server=198.51.100.66\n", "another name server for the LAN"),
    ("crontabs/root", "* * * * * /tmp/update\n", "a program that is started every minute"),
    ("rc.local", "/tmp/update &\n", "a program that is started with the device"),
    ("inittab", "::respawn:/tmp/update\n", "a program that init starts again and again"),
    ("passwd", "stranger:x:0:0::/:/bin/sh\n", "an account"),
)
#: Names that are words of a log's line, more than a line, or nothing that can be shown.
NAMES = ("/etc/a\nwall-is-down why=none", '/etc/b" why="none', "/etc/c\x1b[2J\x07", "/etc/d\udcff\udcfe",
         f"/etc/{'e' * 255}")


def ready(place):
    need_wall()
    one = Walled(place, "nft", firmware=Firmware())
    one.vendor()
    Internet(one.net)
    one.run()
    one.set_up()
    wait_until(lambda: one.standing() == "open", "the device works")
    return one


@test
def what_a_stranger_changes_is_undone_or_told(place):
    one = ready(place)
    for name, text, what in CHANGES:
        file = one.etc / name
        before = file.read_text() if file.exists() else ""
        one.write(name, before + text)
        wait_until(lambda: text not in (file.read_text() if file.exists() else "") or
                   any(name in found for _, found in one.findings()), f"{name} is undone or told", 3 * SECONDS)
        attacked("configuration", f"a stranger adds {what}", "both", True)
        one.write(name, before)


@test
def a_firewall_that_a_stranger_turns_on_is_told(place):
    one = ready(place)
    # What some of the family do to keep the others, and the owner, out.
    rules = "table inet mine { chain i { type filter hook input priority -5; tcp dport { 22, 23, 80, 7547 } drop; }; }"
    one.net.run("device", "nft", "-f", "-", input=rules)
    wait_until(lambda: any(measure in ("configuration", "firewall") for measure, _ in one.findings()), "it is told",
               3 * SECONDS)
    attacked("configuration", "a stranger turns on a firewall of his own", "both", True)


@test
def names_that_are_made_to_break_a_log_break_nothing(place):
    one = ready(place)
    for name in NAMES:
        words = 'cp /usr/sbin/standin "$1" && exec "$1" stay'
        held = one.is_held("sh", "-c", words, "sh", name)
        assert held, f"{name!r} goes on: {one.said()[-1500:]}"
    one.told("selfcheck")
    assert one.running.poll() is None, "the agent has ended"
    said = one.said()
    assert not [line for line in said.splitlines() if line.startswith("wall-is-down")], said
    assert all(letter.isprintable() or letter == "\n" for letter in said), "what cannot be shown is in the log"
    attacked("programs", "names that are made to break a log", "both", True)


@test
def processes_that_come_and_go_disturb_nobody(place):
    one = ready(place)
    one.start_program("sh", "-c", "while :; do /bin/true & /bin/true; done")
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        assert one.running.poll() is None, "the agent has ended"
        time.sleep(0.1)
    attacked("telnet", "telnetd among a thousand processes that come and go", "both",
             one.is_ended("telnetd", "-F", "-p", "10023"))
