"""A machine of its own for what is tested as a whole device: processes, mounts and a root of its own, beside a network
of net.py's. Its first process is busybox's init with a real inittab, and its end is the end of everything on it.

What ends processes, changes mounts or reads all of /proc does it here, and never to the machine that runs the tests.
"""

import os
import subprocess
from pathlib import Path

from net import DIE_WITH_US
from place import PATIENCE, need, wait_until

#: Words: the folder for the root, the firmware's own files (below /usr), /etc, the folder of the test, the mark.
#: /usr is of the firmware and cannot be written; /etc is the device's storage; all else that can be written is memory.
ROOT_AND_INIT = """set -e
root=$1 firmware=$2 etc=$3 folder=$4 ready=$5
mkdir "$root"
mount -t tmpfs -o mode=755 firmware "$root"
cd "$root"
mkdir usr etc proc sys dev tmp var run root mnt old
for one in bin sbin lib lib64; do ln -s "usr/$one" "$one"; done
mount -t overlay -o "ro,lowerdir=$firmware:/usr" firmware usr
mount --bind "$etc" etc
mount -t proc proc proc
# What the kernel has once for all machines is not for this one to change.
mount --bind proc/sys proc/sys
mount --bind proc/sys/net proc/sys/net
mount -o remount,bind,ro proc/sys
[ ! -e proc/sysrq-trigger ] || mount --bind /dev/null proc/sysrq-trigger
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 dev dev
mkdir dev/pts
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mknod dev/null c 1 3
mknod dev/zero c 1 5
mknod dev/random c 1 8
mknod dev/urandom c 1 9
mknod dev/tty c 5 0
# Swallow what they are given: a watchdog that barks at nobody, a flash that keeps nothing.
mknod dev/watchdog c 1 3
mknod dev/ubi0 c 1 3
chmod 666 dev/null dev/zero dev/random dev/urandom dev/tty
mount -t tmpfs -o mode=1777 tmp tmp
mount -t tmpfs -o mode=755 var var
mount -t tmpfs -o mode=755 run run
ln -s /run var/run
mkdir -p var/log var/lib var/empty "$root$folder"
# Where the test keeps settings and state: nothing is started from there.
mount --bind "$folder" "$root$folder"
mount -o remount,bind,noexec,nosuid,nodev "$root$folder"
pivot_root . old
cd /
umount -l old
rmdir old
mount -o remount,ro /
: > "$ready"
exec setpriv --bounding-set=-sys_time,-sys_module /bin/busybox init
"""
#: Nothing on it sets the clock, or loads drivers, of the machine that runs the tests.
NO_HOST = ("setpriv", "--pdeathsig", "KILL", "--bounding-set=-sys_time,-sys_module")


class Machine:
    """Runs in a namespace of `net`, with `firmware` in front of the machine's own /usr, and `etc` as its /etc. Another
    script lays the root in another way; it gets the same words."""

    def __init__(self, place, net, name, firmware, etc, *, script=ROOT_AND_INIT, tag=""):
        need("busybox", "busybox-static")
        self.place = place
        ready = place.path(f"{name}{tag}-is-up")
        network = ("nsenter", "-t", net.holders[name], "-n")
        own = ("unshare", "--mount", "--propagation", "private", "--uts", "--pid", "--fork", "--kill-child")
        words = (place.path(f"{name}{tag}-root"), firmware, etc, place.folder, ready)
        with open(place.path(f"{name}{tag}.log"), "w", encoding="utf-8") as log:
            holder = subprocess.Popen([str(word) for word in (*DIE_WITH_US, *network, *own, "sh", "-c", script, "sh",
                                                              *words)], stdin=subprocess.DEVNULL, stdout=log,
                                      stderr=log)
        self.holder = holder
        place.undo.callback(holder.wait)
        place.undo.callback(holder.kill)
        wait_until(lambda: ready.exists() or holder.poll() is not None, "a machine of its own")
        assert holder.poll() is None, f"no machine: {place.path(f'{name}.log').read_text()}"
        self.first = int(Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()[0])

    def words(self):
        """The words that run a program on it. Who starts it so and is killed takes it along. The second nsenter is the
        machine's own file: seen from there, the first has a program that is nowhere, as malware has."""
        mounts = ("nsenter", "-t", str(self.first), "-m", "-n")
        return (*DIE_WITH_US, *mounts, "nsenter", "--pid=/proc/1/ns/pid", *NO_HOST)

    def run(self, *words, seconds=PATIENCE, **more):
        """Runs a program on it, whether or not it succeeds."""
        words = [str(word) for word in (*self.words(), *words)]
        return subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False,
                              stdin=subprocess.DEVNULL, **more)

    def processes(self):
        """What runs on it: the number that it has there, and its words; without those that ask."""
        return [(number, words) for number, words, _ in self._processes()]

    def runs(self, *words):
        """Whether a process runs there whose words have all of these among them."""
        return [number for number, its in self.processes() if all(word in its for word in words)]

    def programs(self):
        """The number of each process there, and its program's file as the kernel tells it."""
        return [(number, program) for number, _, program in self._processes()]

    def _processes(self):
        ours = os.readlink(f"/proc/{self.first}/ns/pid")
        found = []
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                if os.readlink(folder / "ns/pid") != ours:
                    continue
                status = (folder / "status").read_text()
                numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()
                words = (folder / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")[:-1]
                # Who has ended is not there, only not yet buried.
                if words:
                    found.append((int(numbers[-1]), words, os.readlink(folder / "exe")))
            except (OSError, StopIteration):
                continue
        return sorted(found)

    def listening(self):
        """TCP ports that anybody listens at, by the kernel's own list."""
        found = set()
        for name in ("tcp", "tcp6"):
            for line in Path(f"/proc/{self.first}/net/{name}").read_text().splitlines()[1:]:
                here, state = line.split()[1], line.split()[3]
                if state == "0A":
                    found.add(int(here.rsplit(":", 1)[1], 16))
        return sorted(found)

    def options(self, mount):
        """The options of what is mounted there, by the kernel's own list."""
        lines = Path(f"/proc/{self.first}/mounts").read_text().splitlines()
        return next((line.split()[3].split(",") for line in reversed(lines) if line.split()[1] == mount), [])
