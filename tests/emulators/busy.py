"""A busy device: a program that holds as many processes and sockets as a router with many services and guests has."""

import os

from machine import HERE
from place import ROOT, ZIG_CACHES, Skip, command

PROCESSES, LISTENERS, CONNECTIONS = 100, 20, 90
#: Each connection is within the device, and so two sockets.
SOCKETS = LISTENERS + 2 * CONNECTIONS
PATH = "usr/bin/busy"
#: The row of the settings that lets it listen.
SERVICE = ("busy", [f"tcp/{20000 + port}" for port in range(LISTENERS)])


def program(place):
    """The program for the machine, built by the compiler of cross/setup; a file of an image."""
    python = ROOT / "work/cross-venv/bin/python"
    if not python.exists():
        raise Skip("needs cross/setup, for a C compiler for the machine")
    built = place.path("busy")
    command(python, "-m", "ziglang", "cc", "-target", "mipsel-linux-musleabi", "-static", "-Os", "-s", "-o", built,
            HERE / "busy.c", seconds=300,
            env={**os.environ, **ZIG_CACHES})
    return built.read_bytes(), 0o755


def start(router):
    """Starts it, and waits until all is there; its process number."""
    number = router.machine.start(f"busy {PROCESSES} {LISTENERS} {CONNECTIONS}", "/run/busy")
    router.machine.wait("grep -q ready /run/busy", "the processes and sockets are there")
    return number


def is_whole(router, number):
    """Whether nothing of it was ended."""
    alive = router.run(f"kill -0 {number} && ps | grep -c '[b]usy {PROCESSES}'")
    return alive.code == 0 and int(alive.out.split()[-1]) >= PROCESSES
