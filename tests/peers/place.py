"""Where a test happens: a temporary folder, and everything that has to be undone when it ends, whatever happened.

Also the list of tests, and the one way in which a test waits: for a condition, with a deadline.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

ROOT = Path(__file__).resolve().parents[2]
KOMAINU = os.environ.get("KOMAINU") or str(ROOT / "target/debug/komainu")
KOMAINU_MAKER = os.environ.get("KOMAINU_MAKER") or str(ROOT / "target/debug/komainu-maker")
DEVICE_BUILDS = Path(os.environ.get("KOMAINU_DEVICE") or ROOT / "target/device")
#: What is kept for other clones on this machine; tests/kept.sh has the same place.
KEPT = Path(os.environ.get("KOMAINU_CACHE") or
            Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "komainu")
#: For zig, which builds the C library of each target once, in minutes: cross/build has it there, too.
ZIG_CACHES = {name: str(KEPT / "zig") for name in ("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR")}

TESTS = []
ALONE = set()
#: How long a test waits for what must come. Beside other work all takes many times as long as on an idle machine, and a
#: test that fails is the only one that waits so long.
PATIENCE = 120


class Skip(Exception):
    """This machine lacks what the test needs; the text says what."""


@dataclass
class Test:
    """A sentence, and how to find out whether it is true."""

    name: str
    file: str
    run: Callable
    function: Callable

    @property
    def alone(self):
        """Whether no other test may run meanwhile."""
        return self.function in ALONE


def test(function):
    """Puts a function on the list of tests; its name is the sentence."""
    TESTS.append(Test(function.__name__, Path(function.__code__.co_filename).stem, function, function))
    return function


def alone(function):
    """For a test that measures, loads the machine, or takes what there is once only."""
    ALONE.add(function)
    return function


def tests(function, name, rows):
    """Puts a test on the list once for each row: `name` is filled in with the row's first value."""
    for row in rows:
        sentence = name.format(row[0])
        TESTS.append(Test(sentence, Path(function.__code__.co_filename).stem, lambda p, row=row: function(p, *row[1:]),
                          function))


class Place:
    """A temporary folder, and what must be undone."""

    def __enter__(self):
        self.undo = contextlib.ExitStack()
        self.folder = Path(tempfile.mkdtemp(prefix="komainu-peers-"))
        self.undo.callback(shutil.rmtree, self.folder, ignore_errors=True)
        return self

    def __exit__(self, *_):
        self.undo.close()

    def path(self, name):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def loop(self, file, *options):
        """A block device on top of a file, until the test ends."""
        need_root("loop devices")
        device = command("losetup", "--find", "--show", *options, file).stdout.strip()
        self.undo.callback(command, "losetup", "--detach", device)
        # The kernel keeps this beyond the detaching, and the next test would find the same device read-only.
        self.undo.callback(command, "blockdev", "--setrw", device)
        return Path(device)

    def small_disk(self, name, size):
        """A file system of a few bytes, until the test ends."""
        need_root("mounts")
        folder = self.path(name)
        folder.mkdir()
        command("mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "komainu-peers", folder)
        self.undo.callback(command, "umount", "--lazy", folder)
        return folder


def need_root(what_for):
    if os.geteuid() != 0:
        raise Skip(f"needs root, for {what_for}")


def need(program, package):
    """Where a program is."""
    found = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise Skip(f"needs {program} (Debian: {package})")
    return found


def command(*words, seconds=PATIENCE, **more):
    """Runs a program that must succeed."""
    words = [str(word) for word in words]
    done = subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False, **more)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: exit {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    return done


def date(file, release):
    """Dates a file by the release that it came with: nginx tells two versions of it apart by length and second, and
    tests publish more than once a second."""
    later = time.time() + 10 * release
    os.utime(file, (later, later))


def wait_until(condition, what, seconds=PATIENCE):
    """Waits until a condition holds; its value is handed back. Never longer than the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s still not so: {what}")
        time.sleep(0.01)


def end(process, seconds=10):
    """Ends a process that this test started, politely if it listens."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
