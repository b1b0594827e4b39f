"""What a machine costs, by its kernel's own counts: memory and processor of each process, and writes to its medium."""

import re

#: Below these lines busybox's shell says all at once, so that the looking costs one script.
LOOK = """cat /proc/uptime
for process in /proc/[0-9]*; do
    [ -r $process/status ] || continue
    name=$(tr '\\0' ' ' <$process/cmdline 2>/dev/null); [ -n "$name" ] || continue
    most=$(sed -n 's/^VmHWM:[^0-9]*\\([0-9]*\\).*/\\1/p' $process/status)
    # The kernel's quick count of pages is off by up to 64 a process: this one is not.
    now=$(sed -n 's/^Rss:[^0-9]*\\([0-9]*\\).*/\\1/p' $process/smaps_rollup)
    [ -n "$now" ] || continue
    [ "$most" -gt "$now" ] || most=$now
    echo "process ${process#/proc/} $most $now \
$(sed 's/.*) //' $process/stat | cut -d ' ' -f 12,13) $name"
done
grep -E '^(MemAvailable|MemTotal):' /proc/meminfo
"""


class Look:
    """One look at a machine that is up."""

    def __init__(self, machine, disk):
        self._read(machine.must(self._script(disk)))

    @classmethod
    def if_up(cls, machine, disk):
        """A look at a machine that may start anew meanwhile; then None."""
        said = machine.run(cls._script(disk))
        look = cls.__new__(cls)
        if said.code != 0:
            return None
        look._read(said.out)
        return look

    @staticmethod
    def _script(disk):
        return f"{LOOK}\nset -- $(cat /sys/block/{disk}/stat)\necho written $7"

    def _read(self, said):
        lines = said.splitlines()
        self.uptime = float(lines[0].split()[0])
        self.processes = []
        for line in lines:
            found = re.match(r"process (\d+) (\d+) (\d+) (\d+) (\d+) (.*)", line)
            if found:
                number, most, now, user, system = map(int, found.groups()[:5])
                self.processes.append((number, most, now, (user + system) / 100, found[6].strip()))
        self.available = int(re.search(r"MemAvailable:\s+(\d+)", said)[1])
        self.written = int(re.search(r"^written (\d+)", said, re.M)[1]) * 512

    def of(self, words):
        """(number, most KiB, KiB, processor seconds) of the first process whose command line has these words."""
        for number, most, now, seconds, name in self.processes:
            if words in name:
                return number, most, now, seconds
        raise AssertionError(f"no process {words!r} among {[name for *_, name in self.processes]}")

    def resident(self):
        """{command: KiB}, of the device's own programs."""
        return {short(name): now for _, _, now, _, name in self.processes if "control" not in name}


def short(name):
    """A command line, for a table."""
    words = name.split()
    return " ".join([words[0].rsplit("/", 1)[-1].strip("{}"), *words[1:2]])[:30]
