"""A flood of open files: an attacker's processes, each with a table full of files, among which a look would get lost."""

from pathlib import Path

from place import wait_until

#: Words: files of each process, processes. Files with a path, as sockets and /dev/null cost a look less.
PROGRAM = """
import os, resource, sys, time
files, processes = map(int, sys.argv[1:])
os.nice(19)
resource.setrlimit(resource.RLIMIT_NOFILE, (files + 100,) * 2)
one = os.open("/usr/bin/busybox", os.O_RDONLY)
for _ in range(files):
    os.dup(one)
for _ in range(processes - 1):
    if os.fork() == 0:
        break
time.sleep(86400)
"""


def flood(device, processes, files):
    """Starts so many processes with so many open files each, and waits until they are there. They end with the device:
    its first process is the last of all. It is a program of the firmware's, and not ended for where it lies."""
    device.start_program("/usr/bin/python3", "-c", PROGRAM, files, processes)
    wait_until(lambda: len(device.machine.runs(PROGRAM)) >= processes, f"{processes} processes with {files} files")


def most_open_files(device):
    """The most files that one process of the device has open."""
    ours = device.machine.first
    return max(len(list(Path(f"/proc/{ours}/root/proc/{number}/fd").iterdir())) for number, _ in
               device.machine.processes())
