"""What a program costs: seconds by the clock and on the processor, memory, and bytes that reach a block device."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from place import ROOT

#: tests/bench/run has built them.
MEASURED, LEAST_WORK = ROOT / "target/release/measured", ROOT / "target/release/least-work"
SECTOR = 512


@dataclass
class Cost:
    """Of a program and its children; memory is that of the largest of them."""

    wall: float
    processor: float
    rss_kib: int
    written: int = 0

    def __add__(self, other):
        """Of two programs at the same time; the first is the one that is waited for."""
        return Cost(self.wall, self.processor + other.processor, max(self.rss_kib, other.rss_kib))


def read(file):
    """The cost that `measured` wrote into a file."""
    said = json.loads(Path(file).read_text())
    return Cost(said["wall"], said["user"] + said["system"], said["rss_kib"])


def measured(place, *words):
    """Runs a program that must succeed."""
    file = place.path("cost.json")
    done = subprocess.run([str(word) for word in (MEASURED, file, *words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: exit {done.returncode}: {done.stderr or done.stdout}"
    return read(file)


def written_bytes(device):
    """Bytes that the kernel has sent to a block device so far; 0 for a file."""
    stat = Path(f"/sys/class/block/{Path(device).name}/stat")
    return int(stat.read_text().split()[6]) * SECTOR if stat.exists() else 0


def least(costs):
    """The least of each of several rounds: other work on the machine only ever adds. Memory: the most."""
    return Cost(min(cost.wall for cost in costs), min(cost.processor for cost in costs),
                max(cost.rss_kib for cost in costs), min(cost.written for cost in costs))


#: Where a program's time goes: a name, and the functions whose time, with all that they call, is meant.
PLACES = {
    "hashing": "compress", "receiving": "__x64_sys_recvfrom", "reading": "__x64_sys_pread64",
    "writing": "__x64_sys_pwrite64", "syncing": "__x64_sys_f(data)?sync", "dropping pages": "__x64_sys_fadvise64",
}


def perf(file):
    """What records a program's time with perf, if that is there."""
    program = shutil.which("perf")
    return program and [program, "record", "-q", "-o", str(file), "-e", "cpu-clock", "-F", "4999", "-g"]


def shares(file):
    """The share of each place in the time that perf recorded, and of what is left."""
    words = ["perf", "report", "-i", str(file), "--children", "-g", "none", "--stdio", "--percent-limit", "0.05"]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    rows = re.findall(r"^ +([0-9.]+)% +[0-9.]+% .*\] (\S+)", said, re.M)
    found = {name: sum(float(share) for share, function in rows if re.search(rf"(^|:){pattern}$", function))
             for name, pattern in PLACES.items()}
    return {**found, "the rest": 100 - sum(found.values())}


def machine():
    """The machine in one line."""
    cpu = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), "unknown processor")
    instructions = "with" if "sha_ni" in Path("/proc/cpuinfo").read_text() else "without"
    return f"{os.cpu_count()} x {cpu} {instructions} instructions for SHA-2, Linux {os.uname().release}"
