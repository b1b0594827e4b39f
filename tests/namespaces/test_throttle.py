"""Guessers in the LAN: one host with many addresses against the rate limit, while the owner logs in."""

import http.client
import re
import subprocess
import time
import urllib.parse

from browser import Browser
from gate import PAGE, PASSWORD, Gate
from internet import Internet
from net import DEVICE_LAN, LAN
from place import PATIENCE, need, test, wait_until

ALIASES = 20


def opened(place):
    """A device whose owner has just set the password from the host `lan`."""
    gate = Gate(place)
    gate.vendor()
    Internet(gate.net)
    gate.run()
    gate.set_up()
    return gate


def host(gate, name, last, count=1):
    """Another host in the LAN, with a hardware address of its own, and so many addresses of each kind."""
    net = gate.net
    net.holders[name] = net._namespace()
    net.run("lan", "ip", "link", "add", name, "link", "eth0", "type", "macvlan", "mode", "bridge")
    net.run("lan", "ip", "link", "set", name, "netns", net.holders[name])
    net.run(name, "sysctl", "-qw", f"net.ipv6.conf.{name}.accept_dad=0")
    addresses = []
    for number in range(last, last + count):
        for address, length in ((f"192.168.1.{number}", 24), (f"2001:db8:2::{number}", 64)):
            net.run(name, "ip", "address", "add", f"{address}/{length}", "dev", name)
            addresses.append(address)
    net.run(name, "ip", "link", "set", name, "up")
    wait_until(lambda: "state UP" in net.run(name, "ip", "link", "show", name).stdout, f"{name} is up")
    return addresses


def log_in_from(gate, name, address, password, proof=None):
    """One log-in from this address: its status, and the proof that the browser gets."""
    to = DEVICE_LAN[6 if ":" in address else 4]
    shown = f"[{to}]:{PAGE}" if ":" in to else f"{to}:{PAGE}"

    def ask(method, path, body=None, headers=None):
        with gate.net.inside(name):
            asking = http.client.HTTPConnection(to, PAGE, timeout=PATIENCE, source_address=(address, 0))
            asking.connect()
        try:
            asking.request(method, path, body, {"Host": shown, "Origin": f"http://{shown}", **(headers or {})})
            answer = asking.getresponse()
            return answer, answer.read().decode()
        finally:
            asking.close()

    token = re.search(r'name="token" value="([^"]+)"', ask("GET", "/")[1])[1]
    form = urllib.parse.urlencode({"token": token, "user": "root", "password": password})
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if proof:
        headers["Cookie"] = f"komainu-known={proof}"
    answer, _ = ask("POST", "/login", form, headers)
    found = re.search("komainu-known=([0-9a-f]+)", " ".join(answer.headers.get_all("set-cookie", [])))
    return answer.status, found and found[1]


class Syncs:
    """Counts what the agent writes durably meanwhile."""

    def __init__(self, gate):
        need("strace", "strace")
        self.log = gate.place.path("syncs")
        words = ["strace", "-f", "-qq", "-e", "trace=fsync,fdatasync,renameat2,renameat,rename", "-o", str(self.log),
                 "-p", str(gate.running.pid)]
        self.strace = subprocess.Popen(words, stderr=subprocess.DEVNULL)
        gate.place.undo.callback(self.strace.wait)
        gate.place.undo.callback(self.strace.kill)
        status = f"/proc/{gate.running.pid}/status"
        wait_until(lambda: "TracerPid:\t0\n" not in open(status, encoding="ascii").read(), "it is traced")

    def count(self):
        return sum("sync(" in line for line in self.log.read_text().splitlines())


@test
def one_host_with_many_addresses_locks_nobody_out(place):
    gate = opened(place)
    guesser = host(gate, "guesser", 101, ALIASES)
    host(gate, "visitor", 60)
    syncs = Syncs(gate)
    began = time.monotonic()
    statuses = [log_in_from(gate, "guesser", address, f"wrong {number}")[0]
                for number in range(2) for address in guesser]
    seconds = time.monotonic() - began
    looked_at = statuses.count(403)
    assert set(statuses) <= {403, 429} and 2 <= looked_at <= 5, f"{looked_at} of {len(statuses)}: {statuses}"
    written = syncs.count()
    assert written <= 4, f"{written} syncs for {looked_at} wrong tries"
    visitor = Browser(gate.net, "visitor")

    def log_in(browser, password=PASSWORD):
        return browser.send("/", "/login", {"user": "root", "password": password}, port=PAGE).status

    assert log_in(visitor, "mistyped") == 403, "the owner at a new device is not looked at"
    assert log_in(visitor) == 303, "the owner at a new device is locked out"
    family = [log_in(Browser(gate.net)) for _ in range(20)]
    assert family == [303] * 20, family
    rest = syncs.count() - written
    # The visitor's device is written once, in two files, and the key of the browsers once.
    assert rest <= 6, f"{rest} syncs for 21 log-ins"
    return f"{looked_at} of {len(statuses)} guesses from {len(guesser)} addresses looked at in {seconds:.1f} s; " \
           f"{written} syncs for them, {rest} for 21 log-ins"


@test
def a_browser_that_has_logged_in_is_known_though_its_device_is_imitated(place):
    gate = opened(place)
    status, proof = log_in_from(gate, "lan", LAN[4], PASSWORD)
    assert status == 303 and proof, "no proof is given"
    statuses = [log_in_from(gate, "lan", LAN[4], f"wrong {number}")[0] for number in range(6)]
    assert statuses[:3] == [403] * 3 and statuses[-1] == 429, statuses
    forged = proof[:-1] + ("0" if proof[-1] != "0" else "1")
    assert log_in_from(gate, "lan", LAN[4], PASSWORD, forged)[0] == 429, "anybody makes a proof"
    assert log_in_from(gate, "lan", LAN[4], "wrong", proof)[0] == 403, "the browser waits for others"
    assert log_in_from(gate, "lan", LAN[4], PASSWORD, proof)[0] == 303


@test
def hydra_gets_as_few_tries_as_any_stranger(place):
    need("hydra", "hydra")
    gate = opened(place)
    host(gate, "guesser", 101)
    words = place.path("words")
    words.write_text("".join(f"password{number}\n" for number in range(200)))
    shown = f"{DEVICE_LAN[4]}:{PAGE}"
    with gate.net.inside("guesser"):
        asking = http.client.HTTPConnection(DEVICE_LAN[4], PAGE, timeout=PATIENCE)
        asking.request("GET", "/", None, {"Host": shown})
        token = re.search(r'name="token" value="([^"]+)"', asking.getresponse().read().decode())[1]
        asking.close()
    # Behind the fields: a header, and the box of every refusal.
    form = f"/login:token={token}&user=^USER^&password=^PASS^:H=Origin\\: http\\://{DEVICE_LAN[4]}\\:{PAGE}:F=box bad"
    with place.path("hydra").open("w") as said:
        hydra = gate.net.start("guesser", "timeout", "-s", "KILL", "40", "hydra", "-I", "-t", "4", "-l", "root", "-P", words,
                               "-s", PAGE, DEVICE_LAN[4], "http-post-form", form, stdout=said, stderr=said)
        hydra.wait(90)
    tried = gate.said().count("login-wrong")
    assert 2 <= tried <= 5, f"{tried} of 200 were looked at: {place.path('hydra').read_text()[-1500:]}"
    assert log_in_from(gate, "lan", LAN[4], PASSWORD)[0] == 303, "the owner is locked out"
    return f"{tried} of 200 were looked at"
