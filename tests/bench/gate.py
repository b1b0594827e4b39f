"""The gate: the first byte of its page beside busybox httpd, requests and memory while 200 clients are slow, and the time
until the kernel has the first rule beside `nft -f` with the same rules."""

import os
import shutil
import socket
import statistics
import subprocess
import time

from device import Device
from maker import Workshop
from place import Place, end, wait_until

ROUNDS = 200
SLOW = 200
SECONDS = 3


def run():
    with Place() as place:
        port, account = free_port(), place.path("shadow")
        account.write_text("root:!:20000:0:99999:7:::\n")
        device = Device(place, Workshop(place).root, "http://127.0.0.1:9/")
        device.settings["gate"] = {"firewall": "none", "listen": ["127.0.0.1"], "page_port": port,
                                   "account_file": str(account), "hooks_directory": str(place.path("hooks"))}
        device.settings["reset"] = {"restart": False}
        agent = device.start("run")
        wait_until(lambda: first_byte(port), "the page answers")
        page = body(port)
        first_bytes(place, port, page)
        slow_clients(agent.pid, port)
    first_rule()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def first_bytes(place, port, page):
    other = free_port()
    (place.path("www")).mkdir()
    (place.path("www") / "index.html").write_bytes(page)
    httpd = subprocess.Popen(["busybox", "httpd", "-f", "-p", f"127.0.0.1:{other}", "-h", str(place.path("www"))])
    place.undo.callback(end, httpd)
    wait_until(lambda: first_byte(other), "busybox httpd answers")
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(first_byte(port))
        theirs.append(first_byte(other))
    a, b = statistics.median(ours) * 1e6, statistics.median(theirs) * 1e6
    print(f"first byte, median of {ROUNDS}: komainu {a:.0f} µs, busybox httpd {b:.0f} µs, ratio {b / a:.2f}"
          f" ({len(page)} bytes; busybox starts a process for each)")


def slow_clients(pid, port):
    page = int(subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=True).stdout)
    quiet, rest = requests_in(port, SECONDS), rss(page)
    slow = []
    for number in range(SLOW):
        client = socket.socket()
        # Addresses of their own, as 200 clients have.
        client.bind((f"127.1.{number // 250}.{number % 250 + 1}", 0))
        client.connect(("127.0.0.1", port))
        client.sendall(b"GET / HTTP/1.1\r\nHo")
        slow.append(client)
    busy, most = requests_in(port, SECONDS), rss(page)
    for client in slow:
        client.close()
    print(f"requests a second: alone {quiet / SECONDS:.0f}, beside {SLOW} slow clients {busy / SECONDS:.0f},"
          f" ratio {busy / max(quiet, 1):.2f}")
    print(f"resident, page: {rest} KiB, beside {SLOW} slow clients {most} KiB; agent: {rss(pid)} KiB")


def first_rule():
    if os.geteuid() != 0 or not shutil.which("nft"):
        print("first rule: needs root and nft")
        return
    with Place() as place:
        device = Device(place, Workshop(place).root, "http://127.0.0.1:9/")
        device.settings["gate"] = {"firewall": "nft", "lan": ["br-lan"], "account_file": str(place.path("shadow"))}
        place.path("shadow").write_text("root:!:20000:0:99999:7:::\n")
        settings = place.path("komainu.toml")
        settings.write_text(device.settings_text())
        rules = place.path("rules")
        guard = [*device.agent.words(), "--settings", str(settings), "firewall"]
        said = subprocess.run(["unshare", "-n", "sh", "-c", '"$@" && nft list ruleset', "sh", *guard],
                              capture_output=True, text=True, check=True)
        rules.write_text(said.stdout)
        times = {"komainu firewall": guard, "nft -f": ["nft", "-f", str(rules)], "true": ["true"]}
        medians = {name: statistics.median(seconds(["unshare", "-n", *words]) for _ in range(30)) * 1e3
                   for name, words in times.items()}
        ours, theirs, none = medians.values()
        print(f"start to rules in the kernel, median of 30: komainu {ours - none:.1f} ms, nft -f {theirs - none:.1f} ms,"
              f" ratio {(theirs - none) / (ours - none):.2f}")


def seconds(words):
    began = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True)
    return time.perf_counter() - began


def request(port, all_of_it=False):
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        answer = client.recv(1)
        while all_of_it and (more := client.recv(65536)):
            answer += more
        return answer


def first_byte(port):
    began = time.perf_counter()
    try:
        return time.perf_counter() - began if request(port) else None
    except OSError:
        return None


def body(port):
    return request(port, all_of_it=True).split(b"\r\n\r\n", 1)[1]


def requests_in(port, for_seconds):
    count, until = 0, time.monotonic() + for_seconds
    while time.monotonic() < until:
        count += bool(request(port, all_of_it=True))
    return count


def rss(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
