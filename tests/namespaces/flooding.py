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


def open_files(device):
    """How many files the processes of the flood have open, all together."""
    numbers = device.machine.runs(PROGRAM)
    folder = f"/proc/{device.machine.first}/root/proc"
    return sum(len(list(Path(f"{folder}/{number}/fd").iterdir())) for number in numbers)
