"""What runs on a device and should not: telnet wherever it listens and whatever starts it, SSH that nobody allowed,
services that the policy does not name. It is gone within seconds, and what is allowed stays."""

import re
import time

import telnet
from firmware import Firmware
from matrix import attacked
from net import DEVICE_LAN
from place import test, wait_until
from walled import SECONDS, Walled, need_wall

#: Longer than whatever starts a service again waits: init waits a second.
STAYS = 4
#: How long what is allowed is watched: several of the wall's turns.
WATCHED = 10


def device(place, *services, **more):
    need_wall()
    firmware = Firmware(services=("web", "names", *services), **more.pop("firmware", {}))
    one = Walled(place, "nft", firmware=firmware, **more)
    one.vendor()
    return one


def stays_gone(one, port):
    """Nobody listens there within the time, and nobody comes back."""
    began = time.monotonic()
    wait_until(lambda: port not in one.machine.listening(), f"nobody listens at port {port}", SECONDS)
    seconds, deadline, since = time.monotonic() - began, time.monotonic() + SECONDS, time.monotonic()
    while time.monotonic() - since < STAYS:
        assert time.monotonic() < deadline + STAYS, f"port {port} comes back again and again"
        if port in one.machine.listening():
            since = time.monotonic()
        time.sleep(0.05)
    return seconds


@test
def this_test_sees_what_a_vendor_starts(place):
    firmware = Firmware(services=("web", "names", "telnet", "odd telnet", "inetd", "ssh", "unknown"))
    one = Walled(place, "nft", firmware=firmware)
    one.vendor()
    for port in (23, 50023, 2323):
        assert telnet.answers(one.net, "lan", DEVICE_LAN[4], port), port
        assert telnet.shell(one.net, "lan", DEVICE_LAN[4], port), port
    number = one.machine.runs("-p", "50023")[0]
    one.machine.run("kill", "-KILL", str(number))
    wait_until(lambda: one.machine.runs("-p", "50023") not in ([], [number]), "init starts it again")
    assert {22, 30303} <= set(one.machine.listening())


@test
def telnet_of_inittab_is_ended_and_never_comes_back(place):
    one = device(place, "telnet", "odd telnet")
    session = telnet.shell(one.net, "lan", DEVICE_LAN[4], 50023)
    assert session, "this test sees a session"
    one.run()
    seconds = {port: stays_gone(one, port) for port in (23, 50023)}
    attacked("telnet", "telnetd on port 23", "both", True)
    attacked("telnet", "telnetd on an odd port", "both", True)
    attacked("respawn", "inittab starts telnet again", "both", True)
    live = [words for _, words in one.machine.processes() if words == ["/bin/sh"]]
    attacked("telnet", "a session that is open already", "both", not live, str(live))
    text = (one.etc / "inittab").read_text()
    wanted = [line for line in text.splitlines() if "telnetd" in line and not line.lstrip().startswith("#")]
    assert not wanted, text
    assert "lighttpd" in text and "dnsmasq" in text and 80 in one.machine.listening(), "what is allowed stays"
    return f"gone after {max(seconds.values()):.1f} s"


@test
def telnet_of_inetd_is_ended_and_never_comes_back(place):
    one = device(place, "inetd")
    assert telnet.answers(one.net, "lan", DEVICE_LAN[4], 2323), "this test sees telnet"
    one.run()
    seconds = stays_gone(one, 2323)
    attacked("respawn", "inetd starts telnet for who connects", "both", True)
    text = (one.etc / "inetd.conf").read_text()
    assert not re.search(r"^\s*[^#\s].*telnetd", text, re.M), text
    return f"gone after {seconds:.1f} s"


@test
def telnet_that_somebody_puts_back_into_inittab_is_gone_again(place):
    one = device(place)
    one.run()
    one.set_up()
    line = "::respawn:/usr/sbin/telnetd -F -p 10023 -l /bin/sh\n"
    one.write("inittab", (one.etc / "inittab").read_text() + line)
    one.machine.run("kill", "-HUP", "1")
    # The line stays as a comment: whoever looks later can see what was there.
    gone = lambda: line not in (one.etc / "inittab").read_text().splitlines(keepends=True)
    wait_until(lambda: 10023 in one.machine.listening() or gone(), "it is back")
    stays_gone(one, 10023)
    attacked("respawn", "somebody writes telnet into inittab", "both", True)


@test
def ssh_that_nobody_allowed_is_ended(place):
    one = device(place, "ssh")
    one.run()
    seconds = stays_gone(one, 22)
    attacked("ssh", "dropbear that the policy does not name", "both", True)
    return f"gone after {seconds:.1f} s"


@test
def a_service_that_the_policy_does_not_name_is_suspended_each_time(place):
    one = device(place, "unknown")
    one.run()
    began = time.monotonic()
    wait_until(lambda: is_suspended(one, "30303"), "the listener at port 30303 is suspended", SECONDS)
    seconds = time.monotonic() - began
    # Init starts it again and again: it is the firmware's, and the policy of another device may name it.
    for _ in range(2):
        before = one.machine.runs("30303")
        for number in before:
            one.machine.run("kill", "-KILL", number)
        wait_until(lambda: set(one.machine.runs("30303")) - set(before), "init starts it again", SECONDS)
        wait_until(lambda: is_suspended(one, "30303"), "it is suspended again", SECONDS)
    attacked("services", "an unknown program listens", "both", True)
    assert {53, 80} <= set(one.machine.listening()), "what is allowed stays"
    return f"suspended after {seconds:.1f} s"


def is_suspended(one, word):
    """Whether every process with this word is suspended, and there is one."""
    states = [one.machine.run("sed", "-n", "s/^State:.*\\([A-Za-z]\\) (.*/\\1/p", f"/proc/{number}/status").stdout.strip()
              for number in one.machine.runs(word)]
    return bool(states) and all(state == "T" for state in states)


@test
def a_service_that_the_policy_names_stays(place):
    one = device(place, "ssh", "unknown", services=(("dropbear", "tcp", 22), ("standin", "tcp", 30303)),
                 wall={"ssh": True})
    one.run()
    one.set_up()
    # The agent's own come and go; so do the children of a server, one for each question: of each program the first counts.
    before = {}
    for number, words in one.machine.processes():
        if "komainu" not in words[0] and "-n" not in words:
            before.setdefault(tuple(words), number)
    deadline = time.monotonic() + WATCHED
    while time.monotonic() < deadline:
        assert {22, 53, 80, 30303} <= set(one.machine.listening())
        time.sleep(0.1)
    after = {number for number, _ in one.machine.processes()}
    gone = [words for words, number in before.items() if number not in after]
    assert not gone, f"a process of the vendor's was ended: {gone}"
