"""An attacker who opens many files in many processes: the agent holds telnet down, its rules up and its page open all the
same. How fast is for tests/bench/flood.py to tell."""

from firmware import Firmware
from flooding import flood, open_files
from gate import PAGE, PASSWORD
from matrix import attacked
from place import alone, test, wait_until
from walled import SECONDS, Walled, need_wall

PROCESSES, FILES = 150, 1000


@alone
@test
def a_flood_of_open_files_hides_no_telnet_and_holds_up_neither_rules_nor_page(place):
    need_wall()
    device = Walled(place, "nft", firmware=Firmware(services=("web",)))
    device.vendor()
    device.run()
    device.set_up()
    flood(device, PROCESSES, FILES)
    assert open_files(device) >= PROCESSES * FILES, "it is no flood"
    held = device.is_held("telnetd", "-F", "-p", "10023", seconds=SECONDS)
    attacked("telnet", f"telnetd among {PROCESSES} processes with {FILES} open files each", "both", held is not None)
    device.run_on_device("nft", "flush", "ruleset")
    wait_until(lambda: "komainu" in device.run_on_device("nft", "list", "tables").stdout, "the rules are back")
    device.browser.cookie = None
    answer = device.browser.send("/", "/login", {"user": "root", "password": PASSWORD}, port=PAGE)
    assert answer.status == 303, f"the log-in is answered by {answer.status} {answer.text[:200]}"
    assert device.running.poll() is None, "the agent has ended"
