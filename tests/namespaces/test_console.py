"""What the console says beside an agent at work, and what the security log keeps of a device that is as it should be."""

import json
import os
import re
import signal

from firmware import Firmware
from gate import PAGE, PASSWORD
from place import PATIENCE, test, wait_until
from walled import Walled, need_wall

#: What listens on this device: DNS and addresses, the vendor's page, SSH.
SERVICES = ("web", "names", "ssh")
STARTS = 30
#: Open on the WAN, as the maker wants it: the agent alone knows that it let this in.
WAY_IN = '\n[[wan_rule]]\nwhat = "vpn"\nprotocol = "udp"\nport = 51820\n'


class Device(Walled):
    """A device as its maker ships it, with a VPN."""

    def __init__(self, place, **more):
        super().__init__(place, "nft", firmware=Firmware(services=SERVICES, web_password="nobody-guesses-this-7"), **more)
        self.allowed = ()
        self.settings["wall"] = {"kind": "router", "watchdog": "/dev/watchdog"}

    def settings_text(self):
        return super().settings_text() + WAY_IN

    def take_turns(self, count):
        """Returns once the wall has looked so often since now: a request is taken before a turn. An incident that does not
        exist is ended, which changes nothing."""
        request = self.folder / "run" / "request"
        for _ in range(count + 1):
            code, said = self.ask("incident", "release")
            assert code == 0, f"{code} {said}"
            wait_until(lambda: not request.exists(), "the agent takes a request")

    def stop(self):
        os.kill(self.agent_process(), signal.SIGTERM)
        assert self.running.wait(PATIENCE) == 0, self.said()[-2000:]

    def security_log(self):
        """Its lines without their times."""
        file = self.folder / "state/log/security.log"
        return [line.split(" ", 1)[1] for line in file.read_text().splitlines()] if file.exists() else []


def device(place):
    need_wall()
    one = Device(place)
    one.vendor()
    return one


@test
def plan_and_status_beside_an_agent_at_work_say_nothing_false(place):
    one = device(place)
    one.run()
    one.set_up()
    one.take_turns(2)
    code, said = one.ask("plan")
    assert code == 0 and said.startswith("beside  the komainu that is at work (process "), said
    # Its own program, its watchdog and the way in that it granted are nothing to mend.
    for false in ("/usr/sbin/komainu", "watchdog", "apply-firewall", "firewall gate="):
        assert false not in said, said
    _, plan = one.told("plan")
    assert plan["at_work"] and "apply-firewall" not in plan["steps"] and "firewall" not in plan["reason"], plan
    _, status = one.told("status")
    assert (status["at_work"], status["firewall"]) == (True, "holds"), status
    # This device has no server.
    assert all(finding.startswith("the last poll failed") for finding in status["findings"]), status
    code, said = one.ask("status")
    assert code == 0 and said.startswith("gate-1 (stable): all is well\n"), said
    # As shipped SSH is only told, and the plan says what enforcing it would do.
    assert any("only told, would end" in line and "/usr/sbin/dropbear" in line for line in plan["wall"]), plan
    one.stop()
    code, said = one.ask("plan")
    assert code == 0 and said.startswith("alone "), said
    assert "not running: start it with komainu run" in one.ask("status")[1]


def answer(one, password, what):
    """The owner's answer to the wall, given at the page."""
    return one.browser.send("/", "/wall", {"password": password, "do": what}, port=PAGE)


def status(one):
    """What the page knows of the device."""
    return json.loads(one.page("/status.json").text)


@test
def an_owner_ends_an_incident_at_the_page_with_the_password_and_not_without(place):
    one = device(place)
    one.run()
    one.set_up()
    one.browser.send("/", "/login", {"user": "root", "password": PASSWORD}, port=PAGE)
    assert answer(one, PASSWORD, "release").status in (409, 503), "there is no incident"
    code, said = one.ask("incident", "contain")
    assert code == 0, said
    wait_until(lambda: {"incident", "contained"} <= set(status(one)), "the page knows of it, and that the device is cut off")
    shown = one.page("/wall").text
    assert "End the incident" in shown and "no port answers with telnet" in shown, shown
    assert answer(one, "not the one", "release").status == 403
    assert "contained" in status(one), "nothing was ended"
    assert answer(one, PASSWORD, "release").status == 303
    wait_until(lambda: not {"incident", "contained"} & set(status(one)), "it is over")
    wait_until(lambda: "incident-ended from=192.168.1.20" in one.said(), "the log says by whom")
    # An incident that wants a new password does not end by the old one: a stranger may know it.
    one.ask("incident", "new-password")
    wait_until(lambda: "wants_password" in status(one), "it wants another password")
    refused = answer(one, PASSWORD, "release")
    assert refused.status == 503 and "a stranger may know this password" in refused.text, refused


@test
def thirty_starts_of_a_good_device_leave_no_line_in_the_security_log(place):
    one = device(place)
    one.run()
    one.set_up()
    one.take_turns(2)
    one.stop()
    first = one.security_log()
    assert any(line.startswith("selfcheck ") for line in first), first
    for _ in range(STARTS - 1):
        one.run()
        one.take_turns(1)
        one.stop()
    lines = one.security_log()
    assert lines == first, f"{len(first)} lines, then {len(lines)}: {lines[len(first):]}"
    # What was not there before is news, at a start as well.
    one.start_program("/usr/sbin/telnetd", "-F", "-p", "2323", "-l", "/bin/sh")
    wait_until(lambda: 2323 in one.machine.listening(), "telnet is there")
    one.run()
    wait_until(lambda: any("mended by=" in line and "2323" in line for line in one.security_log()), "telnet is told")
    return f"{len(first)} lines after the first start, {len(lines)} after {STARTS}"


@test
def an_account_that_the_firmware_brings_at_every_start_is_an_error_once(place):
    need_wall()
    gate = Walled(place)
    shadow = gate.etc / "shadow"
    brought = shadow.read_text()
    gate.run()
    gate.set_up()

    def is_error():
        return re.search("^error account-changed", gate.said(), re.M) is not None

    said = []
    for _ in range(3):
        # An orderly end, as of a restart: the agent keeps what this run knew.
        os.kill(gate.agent_process(), signal.SIGTERM)
        gate.running.wait(timeout=PATIENCE)
        shadow.write_text(brought)
        gate.run()
        wait_until(lambda: gate.holds_password(PASSWORD), "the owner's password is put back")
        said.append(is_error())
    assert said == [True, False, False], said
    # Later in a run it is somebody's deed, and always news.
    shadow.write_text(brought)
    wait_until(is_error, "a deed is told")
