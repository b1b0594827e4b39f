"""Watch first, act later: a vendor's device with real programs is watched as it is shipped, a policy is suggested from what
it reported, and with that policy, and what it enforces, nothing is found any more and nothing is taken away."""

import json
import subprocess
import time

from firmware import Firmware
from place import KOMAINU, KOMAINU_MAKER, Place, test, wait_until
from walled import Walled, every, need_wall

#: What listens on this device: DNS and addresses, the vendor's page, time, SSH, and something of the vendor's own.
SERVICES = ("web", "names", "time", "ssh", "unknown")
PORTS = {22, 53, 80, 30303}
#: Rows that say of the firmware, the kernel or the bench what no policy can change.
BEYOND = {"vulnerabilities", "support", "confinement", "egress", "watchdog", "links", "mounts"}
#: The daemons of these services.
DAEMONS = ("/usr/sbin/ntpd", "/usr/sbin/dropbear", "/usr/sbin/dnsmasq", "/usr/sbin/lighttpd")
REPORTS = 3


def device(place, policies=None):
    need_wall()
    firmware = Firmware(services=SERVICES, web_password="nobody-guesses-this-7")
    if policies:
        firmware.policies = policies
    one = Walled(place, "nft", firmware=firmware)
    # No list of the test's own: the kind's file says all.
    one.allowed = ()
    one.settings["wall"] = {"kind": "router", "web_passwords": ["/etc/web.users"]}
    one.vendor()
    return one


def daemons(one):
    """The number of each daemon."""
    return sorted((words[0], number) for number, words in one.machine.processes() if words and words[0] in DAEMONS)


def states(one):
    """Every process of the vendor's and its state."""
    said = one.machine.run("sh", "-c", "for s in /proc/[0-9]*/stat; do cat $s 2>/dev/null; done").stdout
    return {line.split(")")[0].split("(")[1]: line.rpartition(")")[2].split()[0]
            for line in said.splitlines() if ")" in line}


def watched(one, file):
    """Some reports, an hour apart on a real device and a look apart here."""
    with file.open("a") as out:
        for _ in range(REPORTS):
            _, told = one.told("harden")
            out.write(json.dumps(told) + "\n")
            time.sleep(2.5)
    return told


def found(told):
    return sorted((row["id"], finding["what"]) for row in every(told, "measures") for finding in row["findings"]
                  if row["id"] not in BEYOND)


def shipped(place, reports):
    """Watches the device as it is shipped; its findings."""
    one = device(place)
    one.run()
    one.set_up()
    wait_until(lambda: found(one.told("harden")[1]), "the first look")
    before = found(watched(one, reports))
    assert any(row == "services" and "30303" in what for row, what in before), before
    assert any(row == "ssh" for row, _ in before), before
    assert "T" not in states(one).values(), "as shipped nothing is suspended"
    return before


def said(*words):
    """What a program on the maker's machine says; its exit code first."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@test
def what_was_watched_suggests_a_policy_that_is_quiet_when_it_is_enforced(place):
    reports, bold, policies = place.path("reports.jsonl"), place.path("bold.toml"), place.path("policies/router.toml")
    with Place() as first:
        before = shipped(first, reports)
    # What enforcing all of it would have done is said without a device.
    bold.write_text('[wall]\nenforce = ["all"]\nssh = false\n')
    code, text, fault = said(KOMAINU, "check-settings", bold, "--reports", reports)
    assert code == 0, fault
    assert f"would have suspended /usr/sbin/standin {REPORTS} times (services)" in text, text
    assert f"would have ended /usr/sbin/dropbear {REPORTS} times (ssh)" in text, text
    code, policy, warnings = said(KOMAINU_MAKER, "policy", "suggest", reports)
    assert code in (0, 3), (code, warnings)
    assert '"/usr/sbin/standin"' in policy and "ssh = true" in policy, policy + warnings
    policies.write_text(policy)
    code, text, fault = said(KOMAINU, "check-settings", policies, "--reports", reports)
    assert code == 0 and "dropbear" not in text and "standin" not in text, text + fault
    two = device(place, policies.parent)
    live = daemons(two)
    two.run()
    two.set_up()
    watched(two, place.path("second.jsonl"))
    _, told = two.told("harden")
    assert found(told) == [], f"{found(told)}\n{policy}"
    assert "T" not in states(two).values(), states(two)
    assert daemons(two) == live, (live, daemons(two))
    assert PORTS <= set(two.machine.listening()), two.machine.listening()
    enforced = [row["id"] for row in every(told, "measures") if row.get("enforced")]
    return f"{len(before)} findings before, 0 after; enforced: {', '.join(enforced)}"
