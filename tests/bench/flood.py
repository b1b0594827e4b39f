"""What an attacker with 600 processes of 4,000 open files each makes of the agent, beside the same device at peace: the life
of a telnet server, the time until flushed rules are back, and a log-in. For people, not judged."""

import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "namespaces")]

from firmware import Firmware  # noqa: E402
from gate import PASSWORD  # noqa: E402
from place import Place, wait_until  # noqa: E402
from walled import Walled  # noqa: E402

PROCESSES, FILES, ROUNDS, PATIENT = 600, 4000, 3, 120
FLOOD = f"""
import os, resource, time
resource.setrlimit(resource.RLIMIT_NOFILE, ({FILES + 100},) * 2)
null = os.open("/dev/null", os.O_RDONLY)
for _ in range({FILES}):
    os.dup(null)
for _ in range({PROCESSES}):
    if os.fork() == 0:
        break
time.sleep(3600)
"""


def run():
    with Place() as place:
        device = Walled(place, firmware=Firmware(services=("web",)), wall={"unlisted": "report"})
        device.vendor()
        device.run()
        device.set_up()
        show(device, "at peace")
        # A program of the firmware's: it is not ended for where it lies.
        device.start_program("/usr/bin/python3", "-c", FLOOD)
        processes = ["sh", "-c", "ls -d /proc/[0-9]* | wc -l"]
        wait_until(lambda: int(device.run_on_device(*processes).stdout) > PROCESSES, "the flood is there")
        show(device, f"beside {PROCESSES} processes with {FILES} files")


def show(device, name):
    lives, rules, logins = [], [], []
    for _ in range(ROUNDS):
        process = device.start_program("/usr/bin/busybox", "telnetd", "-F", "-p", "2300")
        lives.append(seconds(lambda: process.poll() is not None))
        device.run_on_device("nft", "flush", "ruleset")
        rules.append(seconds(lambda: "komainu" in device.run_on_device("nft", "list", "tables").stdout))
        began = time.monotonic()
        device.browser.send("/", "/login", {"user": "root", "password": PASSWORD})
        logins.append(time.monotonic() - began)
    told = "; ".join(f"{what} {min(those):.1f} to {max(those):.1f} s" for what, those in
                     (("telnetd lives", lives), ("rules are back after", rules), ("a log-in takes", logins)))
    print(f"{name:40} {told}", flush=True)


def seconds(is_so):
    """How long until it is so; at most `PATIENT`."""
    began = time.monotonic()
    while not is_so() and time.monotonic() < began + PATIENT:
        time.sleep(0.05)
    return time.monotonic() - began


if __name__ == "__main__":
    run()
