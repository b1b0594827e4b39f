"""Logs in as people do: over SSH by dropbear, and on the console by busybox's login; and what the C library says."""

import ctypes
import os
import pty
import select
import subprocess
import time

from place import PATIENCE


def crypt(password, setting):
    """As the C library of the machine does it."""
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    return (library.crypt(password.encode(), setting.encode()) or b"").decode()


def by_ssh(net, where, address, password, seconds=PATIENCE):
    """Whether the device's real SSH server lets this password in from there. Where nobody answers, it waits so long."""
    try:
        return over_ssh(net, where, address, password, "echo $((40+2))", seconds).stdout.strip() == b"42"
    except subprocess.TimeoutExpired:
        return False


def over_ssh(net, where, address, password, script, seconds=PATIENCE, said=b""):
    """Runs a script on the device over SSH, with these bytes as its input; how it ended."""
    words = ("setpriv", "--pdeathsig", "KILL", "nsenter", "-t", net.holders[where], "-n", "dbclient", "-y", "-y",
             f"root@{address}", script)
    return subprocess.run([str(word) for word in words], input=said, capture_output=True, timeout=seconds, check=False,
                          start_new_session=True, env={**os.environ, "DROPBEAR_PASSWORD": password})


def by_console(gate, password, seconds=PATIENCE):
    """Whether busybox's login on a terminal of the device takes this password."""
    ours, its = pty.openpty()
    login = subprocess.Popen(gate.inside("setsid", "-c", "busybox", "login"), stdin=its, stdout=its, stderr=its)
    gate.place.undo.callback(login.wait)
    gate.place.undo.callback(login.kill)
    os.close(its)
    try:
        heard = _talk(ours, [("login: ", "root"), ("Password: ", password), ("# ", "echo $((40+2)).")], seconds)
    finally:
        login.kill()
        login.wait()
        os.close(ours)
    return "42." in heard


def _talk(terminal, lines, seconds):
    """Says each line once its question was asked; what was heard until the last was answered, or "incorrect"."""
    heard, asked, deadline = "", 0, time.monotonic() + seconds
    while time.monotonic() < deadline and "42." not in heard and "incorrect" not in heard:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            heard += os.read(terminal, 4096).decode("utf-8", "replace")
        except OSError:
            break
        if lines and lines[0][0] in heard[asked:]:
            asked = len(heard)
            os.write(terminal, f"{lines.pop(0)[1]}\n".encode())
    return heard
