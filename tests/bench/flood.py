"""What an attacker with 600 processes of 4,000 open files each makes of the agent, beside the same device at peace: the life
of a telnet server, the time until flushed rules are back, and a log-in. For people, not judged."""

import os
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "namespaces"), str(TESTS / "peers")]

from firmware import Firmware  # noqa: E402
from flooding import flood  # noqa: E402
from gate import PAGE, PASSWORD  # noqa: E402
from place import Place, wait_until  # noqa: E402
from walled import Walled  # noqa: E402

PROCESSES, FILES = (int(number) for number in os.environ.get("KOMAINU_FLOOD", "600x4000").split("x"))
ROUNDS, PATIENT = 3, 60


def run():
    with Place() as place:
        device = Walled(place, firmware=Firmware(services=("web",)))
        device.vendor()
        device.run()
        device.set_up()
        show(device, "at peace")
        flood(device, PROCESSES, FILES)
        show(device, f"{PROCESSES} processes with {FILES} files")


def show(device, name):
    lives, rules, logins, before = [], [], [], (processor(device), time.monotonic())
    for number in range(ROUNDS):
        began = time.monotonic()
        device.is_held("telnetd", "-F", "-p", str(2300 + number), seconds=PATIENT)
        lives.append(time.monotonic() - began)
        device.run_on_device("nft", "flush", "ruleset")
        rules.append(seconds(lambda: "komainu" in device.run_on_device("nft", "list", "tables").stdout))
        device.browser.cookie = None
        began = time.monotonic()
        answer = device.browser.send("/", "/login", {"user": "root", "password": PASSWORD}, port=PAGE)
        assert answer.status == 303, f"{answer.status} {answer.text[:200]}"
        logins.append(time.monotonic() - began)
    share = (processor(device) - before[0]) / (time.monotonic() - before[1]) * 100
    told = "; ".join(f"{what} {min(those):.2f} to {max(those):.2f} s" for what, those in
                     (("telnetd lives", lives), ("rules are back after", rules), ("a log-in takes", logins)))
    print(f"{name:32} {told}; the agent takes {share:.0f} % of a processor", flush=True)


def processor(device):
    """Seconds that the agent has been on the processor."""
    user, system = Path(f"/proc/{device.agent_process()}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def seconds(is_so):
    """How long until it is so; at most `PATIENT`."""
    began = time.monotonic()
    while not is_so() and time.monotonic() < began + PATIENT:
        time.sleep(0.02)
    return time.monotonic() - began


if __name__ == "__main__":
    run()
